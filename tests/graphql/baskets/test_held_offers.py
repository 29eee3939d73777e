"""An offer that is over is honoured for the tickets that a basket holds of it, and for no other."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.back_door import change_offer, limit_offer
from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Shop
from tests.ledger import breaches
from tests.wire import Json, JsonObject

CONCERT = ("ZINMAN-0119", "CAT1", "FULL")
OPERA = ("HELENE-1217", "CAT1", "FULL")

OVER: list[JsonObject] = [
    {"state": "SUSPENDED"},
    {"state": "CLOSED"},
    {"valid_until": NOW - timedelta(days=1)},
]
"""The ways in which an offer that was held can be over."""

over = pytest.mark.parametrize("values", OVER, ids=["suspended", "closed", "validity over"])


async def update(shop: Shop, basket: str, *lines: tuple[str, str | None, str, int], **change: Json) -> Json:
    wanted = {"basketId": basket, "lines": await shop.lines(*lines), **change}
    return (await shop.ask("UpdateBasket", input=wanted))["updateBasket"]


def total(answer: Json) -> str:
    return str(answer["pricing"]["total"]["amount"])


def with_advantage(answer: Json) -> int:
    tickets = [ticket for line in answer["pricing"]["lines"] for ticket in line["tickets"]]
    return sum(ticket["advantage"] is not None for ticket in tickets)


@over
async def test_further_tickets_are_priced_without_it(server: Server, loaded_url: str, values: JsonObject) -> None:
    shop = Shop(server)
    await change_offer(server.own.sessions, "OPENING", benefit={"fixedPrice": 100})
    held = await shop.basket((*CONCERT, 1))
    assert total(held) == "3.00"
    await change_offer(server.own.sessions, "OPENING", **values)
    more = await update(shop, held["id"], (*CONCERT, 300))
    assert (with_advantage(more), total(more)) == (1, "14355.00")
    assert total(await shop.confirm(held["id"])) == "14355.00"
    assert await breaches(loaded_url) == []


@over
async def test_it_is_honoured_for_no_other_ticket_than_those_that_are_held(server: Server, values: JsonObject) -> None:
    shop = Shop(server)
    await change_offer(server.own.sessions, "OPENING", scope={}, benefit={"fixedPrice": 100})
    held = await shop.basket((*CONCERT, 2))
    await change_offer(server.own.sessions, "OPENING", **values)
    other = await update(shop, held["id"], (*OPERA, 2), (*CONCERT, 1))
    assert (with_advantage(other), total(other)) == (1, "163.00")


async def test_what_was_given_back_is_not_honoured_again(server: Server) -> None:
    shop = Shop(server)
    held = await shop.basket((*CONCERT, 3))
    await change_offer(server.own.sessions, "OPENING", state="SUSPENDED")
    fewer = await update(shop, held["id"], (*CONCERT, 1))
    again = await update(shop, held["id"], (*CONCERT, 3))
    assert [with_advantage(each) for each in (held, fewer, again)] == [3, 1, 1]


async def test_an_offer_that_runs_again_is_for_all_tickets_again(server: Server) -> None:
    shop = Shop(server)
    held = await shop.basket((*CONCERT, 1))
    await change_offer(server.own.sessions, "OPENING", state="SUSPENDED")
    await update(shop, held["id"], (*CONCERT, 2))
    await change_offer(server.own.sessions, "OPENING", state="RUNNING")
    assert with_advantage(await update(shop, held["id"], (*CONCERT, 3))) == 3


async def test_a_quota_that_is_used_up_does_not_take_from_a_basket_what_it_holds(server: Server) -> None:
    shop = Shop(server)
    held = await shop.basket((*CONCERT, 2))
    await change_offer(server.own.sessions, "OPENING", state="SUSPENDED")
    kept = await update(shop, held["id"], (*CONCERT, 2), useBalance=False)
    assert with_advantage(kept) == 2


@over
async def test_a_single_use_code_of_it_covers_what_it_covered(server: Server, values: JsonObject) -> None:
    shop, office = Shop(server), BackOffice(server)
    [code, other] = await office.codes(2, offerId=await office.offer_id("PROMOTYD"), status=["AVAILABLE"])
    await change_offer(server.own.sessions, "PROMOTYD", tickets_per_code=None)
    basket = await shop.basket((*OPERA, 1))
    await shop.apply(basket["id"], code)
    await change_offer(server.own.sessions, "PROMOTYD", **values)
    more = await update(shop, basket["id"], (*OPERA, 4))
    assert (with_advantage(more), total(more)) == (1, "282.00")
    refused = await shop.apply(basket["id"], other)
    reason = "EXPIRED" if "valid_until" in values else "OFFER_NOT_RUNNING"
    assert [refusal["code"] for refusal in refused["refusals"]] == [reason]


@over
async def test_a_promotional_code_of_it_discounts_no_more_than_the_tickets_held(
    server: Server, loaded_url: str, values: JsonObject
) -> None:
    shop = Shop(server)
    await change_offer(server.own.sessions, "COUPON3", benefit={"percentOff": 500_000})
    basket = await shop.basket((*OPERA, 1))
    assert total((await shop.apply(basket["id"], "coupon3%"))["basket"]) == "42.00"
    await change_offer(server.own.sessions, "COUPON3", **values)
    more = await update(shop, basket["id"], (*OPERA, 10))
    assert (total(more), more["pricing"]["codes"][0]["discount"]["amount"]) == ("762.00", "40.00")
    order = await shop.confirm(basket["id"])
    assert total(order) == "762.00"
    assert await breaches(loaded_url) == []


async def test_a_scan_counts_for_a_promotional_code_where_it_covered_the_ticket(
    server: Server, loaded_url: str
) -> None:
    shop, headers = Shop(server), {"Authorization": f"Bearer {server.staff}"}
    basket = await shop.basket((*OPERA, 1))
    await shop.apply(basket["id"], "coupon3%")
    await change_offer(server.own.sessions, "COUPON3", state="CLOSED")
    await update(shop, basket["id"], (*OPERA, 3))
    order = await shop.confirm(basket["id"])
    scan = "mutation($input: ControlTicketInput!) { controlTicket(input: $input) { __typename } }"
    for ticket in order["tickets"]:
        body = {"query": scan, "variables": {"input": {"barcode": ticket["barcode"]}}}
        told = (await server.client.post("/graphql", json=body, headers=headers)).json()
        assert told["data"]["controlTicket"]["__typename"] == "Ticket"
    counts = "{ promotionalCodes(first: 10) { edges { node { code counts { ticketsSold ticketsControlled } } } } }"
    told = (await server.client.post("/graphql", json={"query": counts}, headers=headers)).json()
    [coupon] = [each["node"] for each in told["data"]["promotionalCodes"]["edges"] if each["node"]["code"] == "COUPON3"]
    assert coupon["counts"] == {"ticketsSold": 1, "ticketsControlled": 1}
    assert await breaches(loaded_url) == []


async def test_a_limit_of_an_order_counts_the_tickets_that_a_code_covers(server: Server) -> None:
    shop = Shop(server)
    await limit_offer(server.own.sessions, "COUPON3", per_order=2)
    basket = await shop.basket((*OPERA, 2))
    await shop.apply(basket["id"], "coupon3%")
    await change_offer(server.own.sessions, "COUPON3", state="SUSPENDED")
    more = await update(shop, basket["id"], (*OPERA, 5))
    assert more["pricing"]["codes"][0]["discount"]["amount"] == "4.80"


async def test_a_chosen_code_that_is_switched_off_keeps_its_price_and_gets_no_further_ticket(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket((*OPERA, 1))
    held = (await shop.apply(basket["id"], "coupon3%"))["basket"]
    async with server.own.sessions.writing() as connection:
        off = "UPDATE codes SET status = 'SWITCHED_OFF', invalidated_at = now() WHERE shown = 'COUPON3%'"
        await connection.execute(text(off))
    more = await update(shop, basket["id"], (*OPERA, 10))
    assert (total(held), total(more)) == ("79.60", "799.60")
    assert total(await shop.confirm(basket["id"])) == "799.60"
