"""A mispriced offer is stopped for good by suspending it, whatever a basket that holds it asks for."""

import asyncio

import pytest
from tests.back_door import change_offer
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Shop
from tests.ledger import breaches
from tests.wire import Json

CONCERT = ("ZINMAN-0119", "CAT1", "FULL")
CHEAP, FULL = 100, 4_800
"""Minor units of a ticket with the offer, and without."""

_STATE = """mutation($input: ChangeOfferStateInput!) { changeOfferState(input: $input) {
    __typename ... on Failure { message } } }"""


async def become(server: Server, offer: str, state: str) -> None:
    body = {"query": _STATE, "variables": {"input": {"offerId": offer, "state": state}}}
    told = await server.client.post("/graphql", json=body, headers={"Authorization": f"Bearer {server.staff}"})
    assert told.json()["data"]["changeOfferState"]["__typename"] == "OfferStateChanged", told.json()


async def grown(shop: Shop, basket: str, tickets: int) -> Json:
    wanted = {"basketId": basket, "lines": await shop.lines((*CONCERT, tickets))}
    return (await shop.ask("UpdateBasket", input=wanted))["updateBasket"]


def cents(answer: Json) -> int:
    return round(float(answer["pricing"]["total"]["amount"]) * 100) - 200


@pytest.mark.parametrize("states", [("SUSPENDED",), ("SUSPENDED", "CLOSED")], ids=["suspended", "closed"])
async def test_a_basket_gets_no_more_of_it_than_it_held(
    server: Server, loaded_url: str, states: tuple[str, ...]
) -> None:
    shop, offer = Shop(server), await BackOffice(server).offer_id("OPENING")
    await change_offer(server.own.sessions, "OPENING", benefit={"fixedPrice": CHEAP})
    held = await shop.basket((*CONCERT, 1))
    for state in states:
        await become(server, offer, state)
    for tickets in (400, 2, 399, 1):
        assert cents(await grown(shop, held["id"], tickets)) == CHEAP + (tickets - 1) * FULL
    more = await grown(shop, held["id"], 300)
    order = await shop.confirm(held["id"], expectedTotal=more["pricing"]["total"]["amount"])
    assert cents(order) == CHEAP + 299 * FULL
    assert await breaches(loaded_url) == []


async def test_what_is_sent_while_it_is_suspended_gets_it_before_or_not_at_all(server: Server, loaded_url: str) -> None:
    shop, offer = Shop(server), await BackOffice(server).offer_id("OPENING")
    await change_offer(server.own.sessions, "OPENING", benefit={"fixedPrice": CHEAP})
    baskets = [await shop.basket((*CONCERT, 1)) for _ in range(6)]
    await asyncio.gather(become(server, offer, "SUSPENDED"), *(grown(shop, each["id"], 4) for each in baskets))
    shown = [(await shop.ask("Basket", id=each["id"]))["basket"] for each in baskets]
    # Four is the offer's own limit of an order: it had them all before, or keeps its one.
    assert {cents(each) for each in shown} <= {4 * CHEAP, CHEAP + 3 * FULL}
    for each in shown:
        after = await grown(shop, each["id"], 9)
        favoured = 4 if cents(each) == 4 * CHEAP else 1
        assert cents(after) == favoured * CHEAP + (9 - favoured) * FULL
    assert await breaches(loaded_url) == []
