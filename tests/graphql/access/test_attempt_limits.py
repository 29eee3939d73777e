"""Codes cannot be found by trying, and nobody else pays for those who try."""

from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from tests.back_door import organisation
from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Shop
from tests.graphql.transport.streams import BOTH, Watch
from tests.wire import Json, JsonObject

from services.access.attempt_counts import AttemptCounts
from services.access.attempt_limits import OF_ADDRESS, OF_BASKET, OF_CUSTOMER
from services.access.flood_alarm import ALARM
from services.codes.format import ALPHABET, display, has_valid_check, random_codes

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)
MANY = 50
"""Codes of one input."""
ELIGIBLE = "query($codes: [String!]) { eligibleOffers(first: 10, codes: $codes) { edges { node { eligible } } } }"
PRICE = "query($input: BasketInput!) { priceBasket(input: $input) { codes { refusals { code } } } }"


@pytest.fixture
async def code(server: Server) -> str:
    office = BackOffice(server)
    [code] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"))
    return code


@pytest.fixture
def shop(server: Server) -> Shop:
    return Shop(server)


@pytest.fixture
def customer(server: Server) -> Shop:
    return Shop(server, server.contact)


async def theatre(server: Server) -> UUID:
    async with server.own.sessions.reading() as connection:
        return await organisation(connection)


async def refusals(shop: Shop, basket: str, code: str) -> list[JsonObject]:
    answer = await shop.apply(basket, code)
    return list(answer.get("refusals", []))


async def reasons(shop: Shop, basket: str, code: str) -> list[str]:
    return [str(refusal["code"]) for refusal in await refusals(shop, basket, code)]


async def try_for(shop: Shop, basket: str) -> None:
    """As many unknown codes as one basket may."""
    for number in range(OF_BASKET.most):
        assert await reasons(shop, basket, f"GUESS{number}") == ["UNKNOWN_CODE"]


async def price_with(shop: Shop, codes: list[str]) -> set[str]:
    """Why codes were refused by a basket that is kept nowhere."""
    pricing: JsonObject = await shop.price(SEATS, codes=codes)
    return {refusal["code"] for code in pricing["codes"] for refusal in code["refusals"]}


def guesses(first: int, number: int = MANY) -> list[str]:
    return [f"GUESS{first + each}" for each in range(number)]


async def try_all(shop: Shop, most: int = OF_CUSTOMER.most) -> None:
    """As many unknown codes as one customer may."""
    for first in range(0, most, MANY):
        assert await price_with(shop, guesses(first)) == {"UNKNOWN_CODE"}


async def test_a_basket_that_tried_too_many_takes_not_even_a_good_code(shop: Shop, code: str) -> None:
    basket = (await shop.basket(SEATS))["id"]
    await try_for(shop, basket)
    assert await reasons(shop, basket, code) == ["TOO_MANY_ATTEMPTS"]


async def test_who_tried_too_many_is_told_when_to_come_back(server: Server, shop: Shop, code: str) -> None:
    basket = (await shop.basket(SEATS))["id"]
    server.clock.now -= timedelta(seconds=0.5)
    await try_for(shop, basket)
    server.clock.now = NOW + timedelta(minutes=4)
    [refusal] = await refusals(shop, basket, code)
    assert refusal["required"] == "2026-11-23T12:10:00+01:00"
    document = (
        "mutation($input: ApplyAdvantageCodeInput!) { applyAdvantageCode(input: $input) "
        "{ ... on CodeRefused { retryAfter } } }"
    )
    answer = await server.ask(document, {"input": {"basketId": basket, "code": code}})
    assert answer["data"]["applyAdvantageCode"] == {"retryAfter": 360}


async def test_another_basket_takes_codes_meanwhile(shop: Shop, code: str) -> None:
    await try_for(shop, (await shop.basket(SEATS))["id"])
    assert await reasons(shop, (await shop.basket(SEATS))["id"], code) == []


async def test_ten_minutes_later_codes_may_be_tried_again(server: Server, shop: Shop, code: str) -> None:
    basket = (await shop.basket(SEATS))["id"]
    await try_for(shop, basket)
    server.clock.now += OF_BASKET.window
    assert await reasons(shop, basket, code) == []


async def test_the_same_key_tries_again_once_it_may(server: Server, shop: Shop, code: str) -> None:
    basket = (await shop.basket(SEATS))["id"]
    await try_for(shop, basket)
    refused = await shop.apply(basket, code, idempotencyKey="again")
    assert [each["code"] for each in refused["refusals"]] == ["TOO_MANY_ATTEMPTS"]
    server.clock.now += OF_BASKET.window
    assert (await shop.apply(basket, code, idempotencyKey="again"))["__typename"] == "AdvantageCodeApplied"


async def test_a_code_that_is_in_the_basket_stays(shop: Shop, code: str) -> None:
    basket = (await shop.basket(SEATS))["id"]
    assert await reasons(shop, basket, code) == []
    await try_for(shop, basket)
    lines = await shop.lines(SEATS, SEATS)
    changed = (await shop.ask("UpdateBasket", input={"basketId": basket, "lines": lines}))["updateBasket"]
    assert [applied["applied"] for applied in changed["pricing"]["codes"]] == [True]
    assert await reasons(shop, basket, code) == [], "it is no try"


async def test_good_codes_are_no_attempts(customer: Shop, code: str) -> None:
    wanted = {"lines": await customer.lines(SEATS), "codes": [code]}
    for _ in range(OF_CUSTOMER.most + 10):
        pricing = (await customer.ask("PriceBasket", input=wanted))["priceBasket"]
        assert pricing["codes"][0]["applied"]


async def test_a_typing_error_is_an_attempt_too_for_it_may_be_a_code_of_somebody_else_s_making(
    shop: Shop, code: str
) -> None:
    basket = (await shop.basket(SEATS))["id"]
    plain = code.replace(" ", "")
    wrong = display(plain[:-1] + ("0" if plain[-1] != "0" else "1"))
    assert not has_valid_check(wrong.replace(" ", ""))
    for _ in range(OF_BASKET.most):
        assert await reasons(shop, basket, wrong) == ["UNKNOWN_CODE"]
    assert await reasons(shop, basket, wrong) == ["TOO_MANY_ATTEMPTS"]


async def test_a_customer_who_tried_too_many_gets_prices_without_codes(customer: Shop, code: str) -> None:
    await try_all(customer)
    pricing = await customer.price(SEATS, codes=[code])
    assert [refusal["code"] for refusal in pricing["codes"][0]["refusals"]] == ["TOO_MANY_ATTEMPTS"]
    assert pricing["codes"][0]["refusals"][0]["message"] == "Too many codes tried: wait a while before trying again."


async def test_of_a_long_list_no_more_is_looked_up_than_may_be(customer: Shop) -> None:
    await try_all(customer, OF_CUSTOMER.most - MANY)
    assert await price_with(customer, guesses(1_000, MANY - 1)) == {"UNKNOWN_CODE"}
    pricing = await customer.price(SEATS, codes=["NOSUCH", "NORTHIS"])
    assert [code["refusals"][0]["code"] for code in pricing["codes"]] == ["UNKNOWN_CODE", "TOO_MANY_ATTEMPTS"]


async def test_a_customer_who_tried_too_many_cannot_ask_what_a_code_opens(customer: Shop, code: str) -> None:
    await try_all(customer)
    [error] = (await customer.send("EligibleOffers", first=10, codes=[code]))["errors"]
    assert error["extensions"]["problems"][0]["path"] == ["codes", "0"]
    assert error["extensions"]["retryAfter"] == 600


@pytest.mark.parametrize("transport", BOTH)
async def test_a_customer_is_the_same_by_every_way(server: Server, customer: Shop, code: str, transport: Watch) -> None:
    await try_all(customer)
    wanted = {"input": {"lines": await customer.lines(SEATS), "codes": [code]}}
    async with transport(server.address, server.contact, {"query": PRICE, "variables": wanted}) as results:
        answer = await anext(results)
    assert answer["data"]["priceBasket"]["codes"] == [{"refusals": [{"code": "TOO_MANY_ATTEMPTS"}]}]


async def test_nobody_else_at_the_address_pays_for_a_customer_who_guesses(
    shop: Shop, customer: Shop, code: str
) -> None:
    await try_all(customer)
    assert "TOO_MANY_ATTEMPTS" not in await price_with(shop, [code])
    assert await reasons(shop, (await shop.basket(SEATS))["id"], code) == []


async def test_who_asks_without_codes_is_answered_all_the_same(customer: Shop) -> None:
    await try_all(customer)
    assert "errors" not in await customer.send("EligibleOffers", first=10)


async def test_staff_may_try_as_many_as_they_like(server: Server, code: str) -> None:
    counter = Shop(server, server.staff)
    await try_all(counter, OF_CUSTOMER.most + MANY)
    assert "TOO_MANY_ATTEMPTS" not in await price_with(counter, [code])


# ── Floods ───────────────────────────────────────────────────────────────────────────────────────


async def asked_from(server: Server, address: str, code: str) -> Json:
    return await server.ask(ELIGIBLE, {"codes": [code]}, **{"X-Forwarded-For": address})


async def test_a_flood_from_an_address_ends_there_for_whom_nothing_else_is_known(
    server: Server, shop: Shop, customer: Shop, code: str
) -> None:
    await try_all(shop, OF_ADDRESS.most)
    assert await price_with(shop, [code]) == {"TOO_MANY_ATTEMPTS"}
    assert "TOO_MANY_ATTEMPTS" not in await price_with(customer, [code])
    assert "errors" not in await asked_from(server, "192.0.2.1", code)
    assert (await asked_from(server, "127.0.0.1", code))["errors"]


async def test_what_customers_try_counts_at_their_address(server: Server, customer: Shop) -> None:
    await try_all(customer)
    counted = OF_ADDRESS.of(await theatre(server), "127.0.0.1")
    found = await AttemptCounts(server.own.sessions).add({counted: 0}, NOW)
    assert found[counted].number == OF_CUSTOMER.most


async def test_a_partners_server_is_no_address(server: Server, shop: Shop) -> None:
    await try_all(shop, OF_ADDRESS.most)
    assert "TOO_MANY_ATTEMPTS" not in await price_with(Shop(server, server.partner), ["NOSUCH"])


async def test_a_flood_of_unknown_codes_rings_once_a_minute(server: Server, shop: Shop) -> None:
    with capture_logs() as logs:
        await try_all(shop, 2 * ALARM)
        server.clock.now += timedelta(minutes=1)
        await try_all(shop, ALARM)
    rung = [line for line in logs if line["event"] == "flood of failed tries"]
    assert [(line["what"], line["within_a_minute"], line["total"]) for line in rung] == [
        ("codes", ALARM, ALARM),
        ("codes", ALARM, 3 * ALARM),
    ]
    assert {line["organisation"] for line in rung} == {str(await theatre(server))}


async def test_codes_of_a_day_of_sale_ring_nothing(shop: Shop) -> None:
    with capture_logs() as logs:
        await try_all(shop, ALARM - MANY)
    assert not [line for line in logs if line["event"] == "flood of failed tries"]


# ── Neighbours ───────────────────────────────────────────────────────────────────────────────────

CUSTOMERS = 8


async def test_a_hundred_wrong_codes_at_an_address_cost_its_other_customers_nothing(
    server: Server, shop: Shop, customer: Shop, code: str
) -> None:
    wrong = [*guesses(0, MANY), *(random_code() for _ in range(40)), *(mistyped(code, each) for each in range(10))]
    assert len(wrong) == 100
    for first in range(0, len(wrong), MANY // 2):
        await price_with(shop, wrong[first : first + MANY // 2])
    codes = await BackOffice(server).codes(CUSTOMERS + 2, offerId=await BackOffice(server).offer_id("PROMOTYD"))
    assert await price_with(shop, [codes[0]]) == set()
    assert await price_with(customer, [codes[1]]) == set()
    for good in codes[2:]:
        assert await reasons(shop, (await shop.basket(SEATS))["id"], good) == []


async def test_baskets_that_are_guessed_with_cost_the_baskets_beside_them_nothing(shop: Shop, code: str) -> None:
    for _ in range(5):
        basket = (await shop.basket(SEATS))["id"]
        await try_for(shop, basket)
        assert await reasons(shop, basket, code) == ["TOO_MANY_ATTEMPTS"]
    assert await reasons(shop, (await shop.basket(SEATS))["id"], code) == []


@pytest.mark.parametrize("kind", ["well-formed", "mistyped"])
async def test_well_formed_and_mistyped_codes_are_counted_alike(
    server: Server, shop: Shop, code: str, kind: str
) -> None:
    made = random_code if kind == "well-formed" else lambda: mistyped(code)
    assert has_valid_check(made().replace(" ", "")) is (kind == "well-formed")
    before = await counted_at(server)
    assert await price_with(shop, [made()]) == {"UNKNOWN_CODE"}
    assert await counted_at(server) == before + 1
    basket = (await shop.basket(SEATS))["id"]
    for _ in range(OF_BASKET.most):
        assert await reasons(shop, basket, made()) == ["UNKNOWN_CODE"]
    assert await reasons(shop, basket, made()) == ["TOO_MANY_ATTEMPTS"]


async def counted_at(server: Server) -> int:
    """What counts at the address of the tests."""
    counted = OF_ADDRESS.of(await theatre(server), "127.0.0.1")
    return (await AttemptCounts(server.own.sessions).add({counted: 0}, server.clock.now))[counted].number


def random_code() -> str:
    """A well-formed code that there is not."""
    [made] = random_codes(1)
    return display(made.decode())


def mistyped(code: str, number: int = 0) -> str:
    """The code with its last character wrong, in one of 31 ways."""
    plain = code.replace(" ", "")
    return display(plain[:-1] + ALPHABET[(ALPHABET.index(plain[-1]) + 1 + number) % len(ALPHABET)])
