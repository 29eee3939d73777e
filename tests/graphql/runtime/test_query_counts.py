"""A list of N costs a fixed number of queries, whatever is asked of each of its things."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import insert
from tests.back_door import copy, key_of, organisation
from tests.conftest import NOW, SECRET
from tests.counting import counted
from tests.wire import Json

from db.catalogue import catalogue
from db.core import tables
from db.core.keyset import Stretch
from db.counts import counts
from db.counts.counts import Key, RedemptionCounts
from resolvers.runtime.context import Context, Services
from resolvers.runtime.ids import encode
from resolvers.schema import schema
from services.baskets.basket_input import BasketRequest, LineRequest
from services.catalogue.snapshot import by_code
from services.codes.tracking import CodeFilter, CodeStatus
from services.core.viewer import StaffRole, Viewer
from sesame.composition import House, build_services, house
from sesame.settings import Settings

CONTACTS = """{ contacts(first: %d) { edges { node { id name balance { amount } hasAdvantages
    newsletter indicators { level } orders(first: 2) { edges { node { number contact { id } } } totalCount }
} } } }"""
GIFTS = "{ contacts(first: %d) { edges { node { id hasAdvantages } } } }"
ORDERS = """{ orders(first: %d) { edges { node {
    id number pointOfSale { id channel { id } } deliveryMode { id } advantageIds cancelledAt
    contact { id hasAdvantages indicators { level } } tickets { id advantage { id remaining } }
    pricing { total { amount } lines { tickets { advantage { id } } } }
} } } }"""
OFFER = """
    __typename id code internalName publicName quota remaining counts { generated ticketsSold version }
    channels { id name pointsOfSale { id channel { id } } }
    pointsOfSale { id } deliveryModes { id } scope { products { id } } limits { quota taken remaining }
"""
TARGET = "target { __typename ... on PartnerTarget { accessCode } ... on CampaignTarget { campaign { id } } }"
ADVANTAGES = "{ advantages(first: %d) { edges { node { " + OFFER + " season { id name } " + TARGET + " } } } }"
PROMOTIONS = (
    "{ promotionalCodes(first: %d) { edges { node { customCodes { edges { node { code uses } } } "
    "restrictedTo { contacts { id } } " + OFFER + " } } } }"
)
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
DASHBOARD = (
    """query { codeDashboard(seasonId: "%s") {
    rows { contact { id name balance { amount } hasAdvantages } counts { generated available } offer { """
    + OFFER
    + """ } }
    subtotals { contact { id name } offer { id } counts { generated } }
    total { generated }
} }"""
)


@dataclass(frozen=True)
class Counter:
    """Answers operations in the test's own process, where nothing else asks the database anything."""

    own: House
    services: Services

    async def token(self, audience: str) -> str:
        issue, until = self.own.credentials, NOW + timedelta(hours=12)
        match audience:
            case "shopper":
                return await issue.shopper_token("theatre", "SHOP")
            case "contact":
                return await issue.contact_token("theatre", "BLANDINE", "SHOP", until)
            case "partner":
                return await issue.partner_key("theatre", "SECUTIX", "SHOP")
        return await issue.staff_token("theatre", list(StaffRole), until, point_of_sale="HALL")

    async def viewer(self, audience: str) -> Viewer:
        return await self.services.credentials.viewer(f"Bearer {await self.token(audience)}", NOW)

    async def cost(self, document: str, audience: str = "staff") -> tuple[int, Json]:
        """How many statements an answer takes where the catalogue is at hand, and the edges of its connection, or its rows."""
        headers = {"authorization": f"Bearer {await self.token(audience)}"}
        await schema.execute(document, context_value=Context(self.services, lambda: NOW, headers))
        with counted(self.own.sessions) as statements:
            answer = await schema.execute(document, context_value=Context(self.services, lambda: NOW, headers))
        assert answer.data, answer
        assert not answer.errors, answer
        [found] = answer.data.values()
        return len(statements), found["edges"] if "edges" in found else found["rows"]

    async def fill(self) -> None:
        """A hundred more of everything; every second of the new contacts is in the target of the campaign."""
        async with self.own.sessions.writing() as connection:
            own = await organisation(connection)
            members = await copy(connection, tables.contacts, "NOUVEAU", 120)
            campaign = await key_of(connection, tables.campaigns, "REVIVAL")
            rows = [{"organisation_id": own, "campaign_id": campaign, "contact_id": key} for key in members[::2]]
            await connection.execute(insert(tables.campaign_contacts), rows)
            listed = {"restriction": {"contacts": [str(members[0]), str(members[1])]}}
            for code, changes in {"OPENING": {}, "STAFFTYD": {}, "TENOFF": listed}.items():
                offers = await copy(connection, tables.offers, code, 120, **changes)
                limits = [{"organisation_id": own, "offer_id": offer, "quota": 10} for offer in offers]
                await connection.execute(insert(tables.offer_limits), limits)
            products = await copy(connection, tables.products, "HELENE", 120)
            of_hall = {"organisation_id": own, "venue": "Hall", "starts_at": NOW}
            performances = [{**of_hall, "id": key, "code": str(key), "product_id": key} for key in products]
            await connection.execute(insert(tables.performances), performances)
            await catalogue.touch(connection, own)

    async def sell(self, orders: int) -> None:
        """Some orders of a contact, each with a code."""
        viewer, services = await self.viewer("contact"), self.services
        found = await services.catalogues.current(viewer.organisation_id)
        line = LineRequest(
            by_code(found.performances)["HELENE-1217"].id,
            None,
            by_code(found.seat_categories)["CAT1"].id,
            by_code(found.audience_sub_categories)["FULL"].id,
            3,
        )
        offer = next(each.id for each in found.offers.values() if each.code == "PROMOTYD")
        wanted = CodeFilter(offer=offer, status=(CodeStatus.AVAILABLE,))
        for code in await services.codes.page(await self.viewer("staff"), wanted, Stretch(None, orders)):
            basket = await services.baskets.create(viewer, BasketRequest((line,), (code.code,)), NOW)
            await services.orders.confirm(viewer, basket.id, None, NOW)

    async def generate(self, contacts: int) -> None:
        """A code for each of so many more structures."""
        async with self.own.sessions.writing() as connection:
            own, offer = await organisation(connection), await key_of(connection, tables.offers, "PROMOTYD")
            structures = await copy(connection, tables.contacts, "SECUTIX", contacts)
            made: dict[Key, RedemptionCounts] = {(offer, each): RedemptionCounts(generated=1) for each in structures}
            await counts.move(connection, own, made)


@pytest.fixture
async def counter(loaded_url: str, tmp_path: Path) -> AsyncIterator[Counter]:
    settings = Settings(database_url=SecretStr(loaded_url), secret_key=SecretStr(SECRET), data_dir=tmp_path)
    async with house(settings) as own:
        yield Counter(own, build_services(own))


@pytest.mark.parametrize(
    "document", [CONTACTS, ADVANTAGES, PROMOTIONS, PRODUCTS, ELIGIBLE], ids=lambda each: each.split("(")[0].strip("{ ")
)
async def test_a_hundred_cost_as_many_queries_as_five(counter: Counter, document: str) -> None:
    await counter.fill()
    few, of_five = await counter.cost(document % 5)
    many, of_hundred = await counter.cost(document % 100)
    assert (len(of_five), len(of_hundred)) == (5, 100)
    assert many == few


async def test_a_hundred_codes_with_their_orders_cost_as_many_queries_as_ten(counter: Counter) -> None:
    await counter.sell(12)
    few, of_ten = await counter.cost(CODES % 10)
    many, of_hundred = await counter.cost(CODES % 100)
    orders = [sum(edge["node"]["order"] is not None for edge in edges) for edges in (of_ten, of_hundred)]
    assert 0 < orders[0] < orders[1] == 12
    assert many == few


async def test_a_list_of_orders_costs_as_many_queries_as_its_first(counter: Counter) -> None:
    await counter.sell(6)
    few, of_one = await counter.cost(ORDERS % 1)
    many, of_six = await counter.cost(ORDERS % 100)
    assert (len(of_one), len(of_six)) == (1, 6)
    assert many == few
    own = await counter.cost(ORDERS % 100, "contact")
    assert (own[0], len(own[1])) == (few, 6)


async def test_a_dashboard_of_a_hundred_contacts_costs_as_many_queries_as_one_of_one(counter: Counter) -> None:
    found = await counter.services.catalogues.find("theatre")
    document = DASHBOARD % encode("Season", next(iter(found.seasons)))
    few, of_one = await counter.cost(document)
    await counter.generate(100)
    many, of_hundred = await counter.cost(document)
    assert (len(of_one), len(of_hundred)) == (1, 101)
    assert many == few


async def test_the_gift_icon_of_a_hundred_contacts_costs_two_queries(counter: Counter) -> None:
    await counter.fill()
    plain, _ = await counter.cost((GIFTS % 100).replace("hasAdvantages", ""))
    with_icon, contacts = await counter.cost(GIFTS % 100)
    assert {contact["node"]["hasAdvantages"] for contact in contacts} == {True, False}
    assert with_icon == plain + 2


@pytest.mark.parametrize("audience", ["shopper", "contact", "partner", "staff"])
async def test_eligible_offers_cost_the_same_whatever_their_number(counter: Counter, audience: str) -> None:
    document = "{ eligibleOffers(first: 100, includeIneligible: true) { edges { node { eligible offer { id } } } } }"
    few, some = await counter.cost(document, audience)
    await counter.fill()
    many, more = await counter.cost(document, audience)
    assert len(some) < len(more) == 100
    assert many == few
