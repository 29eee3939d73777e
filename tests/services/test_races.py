"""Many at once, on a real PostgreSQL: a code is held once, and no limit is passed."""

import asyncio
from collections import Counter

from tests.conftest import Server
from tests.graphql.operations import BackOffice, Shop

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)


async def test_of_30_baskets_one_gets_a_code_and_all_others_are_told_that_it_is_held(server: Server) -> None:
    shop, office = Shop(server), BackOffice(server)
    [code] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"))
    baskets = await asyncio.gather(*(shop.basket(SEATS) for _ in range(30)))
    answers = await asyncio.gather(*(shop.apply(basket["id"], code) for basket in baskets))
    assert Counter(
        answer["__typename"] if answer["__typename"] != "CodeRefused" else answer["refusals"][0]["code"]
        for answer in answers
    ) == {"AdvantageCodeApplied": 1, "CODE_HELD": 29}


async def test_a_quota_is_never_passed_and_sold_to_the_last_ticket(server: Server) -> None:
    """OPENING has 200 tickets, four an order."""
    shop = Shop(server)
    seats = ("ZINMAN-0119", "CAT1", "FULL", 6)
    baskets = await asyncio.gather(*(shop.basket(seats) for _ in range(60)))
    tickets = Counter(
        ticket["advantage"] is not None for basket in baskets for ticket in basket["pricing"]["lines"][0]["tickets"]
    )
    assert tickets[True] == 200


async def test_one_of_two_confirmations_makes_the_order(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    answers = await asyncio.gather(*(shop.confirm(basket["id"]) for _ in range(10)))
    assert Counter(answer["__typename"] for answer in answers) == {"Order": 1, "Conflict": 9}
