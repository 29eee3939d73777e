"""Nobody takes a quota out of sale, or a stranger's basket, with a shop's public token."""

import asyncio
from collections import Counter
from uuid import uuid4

from tests.back_door import set_quota
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Shop
from tests.ledger import breaches
from tests.wire import Json, JsonObject

CONCERT = ("ZINMAN-0119", "CAT1", "FULL", 4)
QUOTA = 500

_OPEN = """mutation($input: CreateBasketInput!) { createBasket(input: $input) {
    __typename ... on Basket { id } ... on Failure { code retryAfter message } } }"""


async def opened(server: Server, wanted: JsonObject, address: str = "127.0.0.1", token: str | None = None) -> Json:
    """What a customer who comes by an address gets."""
    headers = {"Authorization": f"Bearer {token or server.shopper}", "X-Forwarded-For": address}
    body = {"query": _OPEN, "variables": {"input": wanted}}
    return (await server.client.post("/graphql", json=body, headers=headers)).json()["data"]["createBasket"]


async def test_one_client_does_not_take_a_quota_out_of_sale(server: Server, loaded_url: str) -> None:
    await set_quota(server.own.sessions, "OPENING", QUOTA)
    shop = Shop(server)
    wanted: JsonObject = {"lines": await shop.lines(CONCERT)}
    answers: list[Json] = []
    for _ in range(13):
        answers += await asyncio.gather(*(opened(server, wanted) for _ in range(10)))
    kinds = Counter(answer.get("code", "Basket") for answer in answers)
    assert kinds == {"Basket": 100, "TOO_MANY": 30}
    assert all(0 < answer["retryAfter"] <= 15 * 60 for answer in answers if "code" in answer)
    edges = (await BackOffice(server).ask("BackOfficeOffers", first=100))["advantages"]["edges"]
    [left] = [edge["node"]["remaining"] for edge in edges if edge["node"]["code"] == "OPENING"]
    assert left == QUOTA - 400
    for address, token in (("198.51.100.7", None), ("127.0.0.1", server.contact), ("127.0.0.1", server.staff)):
        assert (await opened(server, wanted, address, token))["__typename"] == "Basket"
    assert await breaches(loaded_url) == []


async def test_one_request_does_not_take_a_quota_out_of_sale(server: Server) -> None:
    shop = Shop(server)
    for tickets in (401, 1000):
        refused = await opened(server, {"lines": await shop.lines((*CONCERT[:3], tickets))})
        assert (refused["code"], refused["retryAfter"]) == ("TOO_MANY", None)
    basket = await shop.basket(CONCERT)
    wanted = {"basketId": basket["id"], "lines": await shop.lines((*CONCERT[:3], 401))}
    grown = (await shop.ask("UpdateBasket", input=wanted))["updateBasket"]
    assert grown["code"] == "TOO_MANY"
    assert (await opened(server, {"lines": await shop.lines((*CONCERT[:3], 1000))}, token=server.staff)).get("id")


async def test_the_refusal_comes_in_five_languages(server: Server) -> None:
    wanted: JsonObject = {"lines": await Shop(server).lines((*CONCERT[:3], 401))}
    query = _OPEN.replace(
        "message", " ".join(f"{each}: message(language: {each})" for each in ["FR", "EN", "DE", "ES", "IT"])
    )
    body = {"query": query, "variables": {"input": wanted}}
    headers = {"Authorization": f"Bearer {server.shopper}"}
    told = (await server.client.post("/graphql", json=body, headers=headers)).json()["data"]["createBasket"]
    texts = {told[each] for each in ("FR", "EN", "DE", "ES", "IT")}
    assert len(texts) == 5
    assert all("400" in each for each in texts)


async def test_a_key_that_is_guessed_opens_nobody_elses_basket(server: Server) -> None:
    wanted: JsonObject = {"lines": await Shop(server).lines(CONCERT), "idempotencyKey": "1"}
    other: JsonObject = {"lines": await Shop(server).lines((*CONCERT[:3], 1)), "idempotencyKey": "1"}
    victim = await opened(server, wanted, "198.51.100.7")
    thief = await opened(server, wanted, "198.51.100.8")
    bystander = await opened(server, other, "198.51.100.9")
    assert len({victim["id"], thief["id"], bystander["id"]}) == 3
    assert (await opened(server, wanted, "198.51.100.7"))["id"] == victim["id"]


async def test_a_phone_that_changes_its_address_gets_its_answer_by_a_random_key(server: Server) -> None:
    wanted: JsonObject = {"lines": await Shop(server).lines(CONCERT), "idempotencyKey": str(uuid4())}
    first = await opened(server, wanted, "198.51.100.7")
    assert (await opened(server, wanted, "2001:db8::7"))["id"] == first["id"]
