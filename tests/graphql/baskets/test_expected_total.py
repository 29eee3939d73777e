"""Who confirms a basket says what the customer saw; and failures tell programs what they are."""

from uuid import uuid4

import pytest
from tests.conftest import Server
from tests.graphql.operations import Shop
from tests.wire import Json

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)
FEWER = ("HELENE-1217", "CAT1", "FULL", 1)


async def changed(shop: Shop, basket: str) -> None:
    """The same basket changed in another window."""
    await shop.ask("UpdateBasket", input={"basketId": basket, "lines": await shop.lines(FEWER)})


@pytest.mark.parametrize("seen", ["162.00", "162", "162.000"])
async def test_a_total_that_is_what_the_customer_saw_is_confirmed(server: Server, seen: str) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    assert (await shop.confirm(basket["id"], expectedTotal=seen))["__typename"] == "Order"


@pytest.mark.parametrize("seen", ["162.00", "82.001", "-82.00", "0"])
async def test_of_another_total_nothing_happens_and_the_new_one_is_told(server: Server, seen: str) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    await changed(shop, basket["id"])
    told = await shop.confirm(basket["id"], expectedTotal=seen)
    assert (told["__typename"], told["code"], told["retryAfter"]) == ("Conflict", "TOTAL_CHANGED", None)
    assert told["total"] == {"amount": "82.00", "currency": "EUR"}
    assert "€82.00" in told["message"]
    assert (await shop.ask("Basket", id=basket["id"]))["basket"]["state"] == "OPEN"
    assert (await shop.confirm(basket["id"], expectedTotal="82.00"))["__typename"] == "Order"


async def test_a_key_tells_the_same_total_again(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    await changed(shop, basket["id"])
    wanted = {"expectedTotal": "162.00", "idempotencyKey": str(uuid4())}
    first = await shop.confirm(basket["id"], **wanted)
    await shop.ask("UpdateBasket", input={"basketId": basket["id"], "lines": await shop.lines(SEATS)})
    assert first["code"] == "TOTAL_CHANGED"
    assert await shop.confirm(basket["id"], **wanted) == first


async def test_a_message_comes_in_the_language_asked_for(server: Server) -> None:
    shop = Shop(server)
    query = """mutation($input: ConfirmBasketInput!) { confirmBasket(input: $input) {
        ... on Failure { message french: message(language: FR) } } }"""
    basket = await shop.basket(SEATS)
    body = {"query": query, "variables": {"input": {"basketId": basket["id"], "expectedTotal": "1.00"}}}
    headers = {"Authorization": f"Bearer {server.shopper}", "Accept-Language": "de"}
    told = (await server.client.post("/graphql", json=body, headers=headers)).json()["data"]["confirmBasket"]
    assert told["message"].startswith("Die Summe")
    assert told["french"].startswith("Le total est maintenant")


async def _ended(server: Server, how: str) -> Json:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    if how == "BASKET_EXPIRED":
        async with server.own.sessions.writing() as connection:
            await connection.exec_driver_sql("UPDATE baskets SET expires_at = now() - interval '1 second'")
    else:
        await shop.confirm(basket["id"])
    return await shop.confirm(basket["id"])


@pytest.mark.parametrize("code", ["BASKET_EXPIRED", "BASKET_NOT_OPEN"])
async def test_a_failure_says_to_programs_what_went_wrong(server: Server, code: str) -> None:
    assert (await _ended(server, code))["code"] == code


async def test_each_kind_of_failure_has_its_code(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    refused = await shop.apply(basket["id"], "no such code")
    unknown = await shop.confirm("not an id")
    wrong = (await shop.ask("CreateBasket", input={"lines": [], "pointOfSaleId": "not an id"}))["createBasket"]
    assert [each["code"] for each in (refused, unknown, wrong)] == ["CODE_REFUSED", "NOT_FOUND", "INVALID_INPUT"]
    await shop.confirm(basket["id"], idempotencyKey="a")
    reused = await shop.confirm(basket["id"], idempotencyKey="a", paymentReference="x")
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_an_organisation_says_how_long_a_basket_lives(server: Server) -> None:
    query = "{ organisation { code name currency timeZone languages basketMinutes basketMaximumMinutes } }"
    headers = {"Authorization": f"Bearer {server.shopper}"}
    told = (await server.client.post("/graphql", json={"query": query}, headers=headers)).json()
    assert told["data"]["organisation"] == {
        "code": "theatre",
        "name": "Théâtre de la Ville",
        "currency": "EUR",
        "timeZone": "Europe/Paris",
        "languages": ["FR", "EN", "DE", "ES", "IT"],
        "basketMinutes": 15,
        "basketMaximumMinutes": 60,
    }
