"""A list of N costs a fixed number of queries, whatever is asked of each of its things."""

from typing import Any

import pytest
from sqlalchemy import insert
from tests.back_door import copy, key_of, organisation
from tests.conftest import NOW, Server
from tests.counting import counted
from tests.graphql.operations import BackOffice, Shop

from db import catalogue, tables

CONTACTS = "{ contacts(first: %d) { edges { node { id name balance { amount } hasAdvantages } } } }"
OFFER = """
    __typename id code internalName publicName quota remaining counts { generated ticketsSold version }
    channels { id name pointsOfSale { id channel { id } } }
"""
ADVANTAGES = "{ advantages(first: %d) { edges { node { " + OFFER + " season { id name } } } } }"
PROMOTIONS = "{ promotionalCodes(first: %d) { edges { node { " + OFFER + " } } } }"
ELIGIBLE = (
    "{ eligibleOffers(first: %d, includeIneligible: true) { edges { node { eligible "
    "refusals { code message required actual } offer { " + OFFER + " } } } } }"
)
PRODUCTS = """{ products(first: %d) { edges { node {
    id season { id } prices { price { amount } }
    performances(first: 5) { edges { node { id product { id } prices { price { amount } seatCategory { id } } } } }
} } } }"""
CODES = (
    """{ codes(first: %d) { edges { node {
    id code status ticketsControlled usedBy { id name hasAdvantages }
    batch { id csvUrl contact { id name } offer { id remaining } }
    order { id number contact { id hasAdvantages } tickets { id advantage { id remaining } }
        pricing { total { amount } lines { tickets { advantage { id } } } } }
    offer { """
    + OFFER
    + """ }
} } } }"""
)


async def cost(server: Server, document: str, token: str | None = None) -> tuple[int, Any]:
    """How many statements an answer takes, and its only connection."""
    with counted(server.own.sessions) as statements:
        answer = await server.ask(document, token=token or server.staff)
    assert "errors" not in answer, answer
    [found] = answer["data"].values()
    return len(statements), found["edges"]


async def fill(server: Server) -> None:
    """A hundred more of everything; every second of the new contacts is in the target of the campaign."""
    async with server.own.sessions.writing() as connection:
        own = await organisation(connection)
        members = await copy(connection, tables.contacts, "NOUVEAU", 120)
        campaign = await key_of(connection, tables.campaigns, "REVIVAL")
        rows = [{"organisation_id": own, "campaign_id": campaign, "contact_id": key} for key in members[::2]]
        await connection.execute(insert(tables.campaign_contacts), rows)
        for code in ("OPENING", "TENOFF"):
            offers = await copy(connection, tables.offers, code, 120)
            limits = [{"organisation_id": own, "offer_id": offer, "quota": 10} for offer in offers]
            await connection.execute(insert(tables.offer_limits), limits)
        product = await key_of(connection, tables.products, "HELENE")
        products = await copy(connection, tables.products, "HELENE", 120)
        for key in products:
            performance = {"organisation_id": own, "id": key, "code": str(key), "product_id": key, "venue": "Hall"}
            await connection.execute(insert(tables.performances).values(**performance, starts_at=NOW))
        assert product not in products
        await catalogue.touch(connection, own)


async def sell(server: Server, orders: int) -> None:
    """Some orders of a contact, each with a code: the oldest codes are used."""
    shop, office = Shop(server, server.contact), BackOffice(server)
    for code in await office.codes(orders, offerId=await office.offer_id("PROMOTYD")):
        basket = await shop.basket(("HELENE-1217", "CAT1", "FULL", 3))
        assert (await shop.apply(basket["id"], code))["__typename"] == "AdvantageCodeApplied"
        await shop.confirm(basket["id"])


@pytest.mark.parametrize(
    "document", [CONTACTS, ADVANTAGES, PROMOTIONS, PRODUCTS, ELIGIBLE], ids=lambda each: each.split("(")[0].strip("{ ")
)
async def test_a_hundred_cost_as_many_queries_as_two(server: Server, document: str) -> None:
    await fill(server)
    await cost(server, document % 1)
    few, of_two = await cost(server, document % 2)
    many, of_hundred = await cost(server, document % 100)
    assert (len(of_two), len(of_hundred)) == (2, 100)
    assert many == few


async def test_a_hundred_codes_with_their_orders_cost_as_many_queries_as_two(server: Server) -> None:
    await sell(server, 8)
    few, of_two = await cost(server, CODES % 2)
    many, of_hundred = await cost(server, CODES % 100)
    assert sum(edge["node"]["order"] is not None for edge in of_two) == 2
    assert sum(edge["node"]["order"] is not None for edge in of_hundred) == 8
    assert many == few


async def test_the_gift_icon_of_a_hundred_contacts_costs_two_queries(server: Server) -> None:
    await fill(server)
    await cost(server, CONTACTS % 1)
    plain, _ = await cost(server, (CONTACTS % 100).replace("hasAdvantages", ""))
    with_icon, contacts = await cost(server, CONTACTS % 100)
    assert {contact["node"]["hasAdvantages"] for contact in contacts} == {True, False}
    assert with_icon == plain + 2


@pytest.mark.parametrize("audience", ["shopper", "contact", "partner", "staff"])
async def test_eligible_offers_cost_the_same_whatever_their_number(server: Server, audience: str) -> None:
    token = getattr(server, audience)
    document = "{ eligibleOffers(first: 100, includeIneligible: true) { edges { node { eligible offer { id } } } } }"
    await cost(server, document, token)
    few, some = await cost(server, document, token)
    await fill(server)
    await cost(server, document, token)
    many, more = await cost(server, document, token)
    assert len(some) < len(more) == 100
    assert many == few
