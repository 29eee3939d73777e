"""What is open, what a basket costs and what it costs once it is kept are one answer."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select
from tests.back_door import change_offer, expire_baskets, key_of, set_quota
from tests.conftest import NOW, SECRET

from db.core import tables
from db.core.ids import new_id
from db.core.keyset import EVERYTHING
from db.core.sessions import Sessions
from services.baskets.basket_input import BasketRequest, LineRequest
from services.baskets.lifecycle import Baskets
from services.catalogue.snapshot import Catalogue, by_code
from services.core.viewer import Audience, StaffRole, Viewer
from services.offers.eligibility import Eligibility, EligibilityRequest
from sesame.composition import build_services, house
from sesame.settings import Settings


@dataclass(frozen=True)
class Office:
    """The services on the example's data, and its callers."""

    sessions: Sessions
    catalogue: Catalogue
    baskets: Baskets
    eligibility: Eligibility
    contacts: dict[str, UUID]
    codes: list[str]

    def viewer(self, audience: Audience) -> Viewer:
        places = by_code(self.catalogue.points_of_sale)
        viewer = Viewer(audience, self.catalogue.organisation.id, "theatre", audience, point_of_sale=places["SHOP"].id)
        match audience:
            case Audience.STAFF:
                return replace(viewer, roles=frozenset(StaffRole), point_of_sale=places["HALL"].id)
            case Audience.PARTNER:
                return replace(viewer, contact=self.contacts["SECUTIX"])
            case Audience.CONTACT:
                return replace(viewer, contact=self.contacts["BLANDINE"])
        return viewer

    async def open(self, viewer: Viewer, **asked: object) -> set[str]:
        """The codes of the offers that are open."""
        request = EligibilityRequest(**asked)  # type: ignore[arg-type]
        page = await self.eligibility.page(viewer, request, EVERYTHING, NOW)
        return {self.catalogue.offers[each.offer].code for each in page.offers}


@pytest.fixture
async def office(loaded_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    settings = Settings(database_url=SecretStr(loaded_url), secret_key=SecretStr(SECRET), data_dir=tmp_path)
    async with house(settings) as own:
        services = build_services(own)
        async with own.sessions.reading() as connection:
            contacts = {row.code: row.id for row in await connection.execute(select(tables.contacts))}
            oldest = select(tables.codes.c.code).order_by(tables.codes.c.id).limit(12)
            codes = list((await connection.scalars(oldest)).all())
        catalogue = await services.catalogues.find("theatre")
        yield Office(own.sessions, catalogue, services.baskets, services.eligibility, contacts, codes)


def a_request(office: Office, viewer: Viewer, chance: random.Random) -> BasketRequest:
    """A basket that somebody might ask for, with codes that are good, used up, repeated or none at all."""
    catalogue = office.catalogue
    sold = [(element, *pair) for element, rates in catalogue.rates.items() for pair in rates]
    chosen = chance.choices(sold, k=chance.randint(0, 4))
    advantages = [each.id for each in catalogue.offers.values() if each.code in {"OPENING", "REGULARS", "PROMOTYD"}]
    return BasketRequest(
        lines=tuple(
            LineRequest(
                element if element in catalogue.performances else None,
                None if element in catalogue.performances else element,
                seat,
                audience,
                chance.randint(1, 4),
            )
            for element, seat, audience in chosen
        ),
        codes=tuple(chance.choices([*office.codes, "NOSUCHCODE"], k=chance.randint(0, 4))),
        contact=chance.choice([None, *office.contacts.values()]) if viewer.is_staff else None,
        delivery_mode=chance.choice([None, *catalogue.delivery_modes]),
        use_balance=chance.random() < 0.5,
        advantages=tuple(advantages) if chance.random() < 0.2 else None,
    )


@pytest.mark.parametrize("audience", list(Audience))
async def test_a_basket_costs_what_its_price_was_said_to_be(office: Office, audience: Audience) -> None:
    """Baskets stay open, so that later ones find codes held and quotas taken."""
    await set_quota(office.sessions, "OPENING", 15)
    chance = random.Random(f"{audience} 1")  # noqa: S311
    viewer = office.viewer(audience)
    refused = set()
    for _ in range(25):
        request = a_request(office, viewer, chance)
        said = await office.baskets.price(viewer, request, NOW)
        kept = await office.baskets.create(viewer, request, NOW)
        assert kept.pricing == said
        assert (await office.baskets.find(viewer, [kept.id], NOW))[kept.id].pricing == said
        refused |= {refusal.code for code in said.codes for refusal in code.refusals}
    assert len(refused) > 3, "the baskets met some trouble"


@pytest.mark.parametrize("audience", list(Audience))
async def test_a_basket_gets_only_advantages_that_are_open(office: Office, audience: Audience) -> None:
    await set_quota(office.sessions, "OPENING", 10)
    chance = random.Random(f"{audience} 2")  # noqa: S311
    viewer = office.viewer(audience)
    for _ in range(15):
        request = replace(a_request(office, viewer, chance), advantages=None)
        asked = {"contact": request.contact, "codes": request.codes, "delivery_mode": request.delivery_mode}
        open_ = await office.open(viewer, **asked)
        pricing = await office.baskets.price(viewer, request, NOW)
        given = {ticket.advantage for line in pricing.lines for ticket in line.tickets if ticket.advantage}
        assert {office.catalogue.offers[offer].code for offer in given} <= open_
        applied = {office.catalogue.offers[code.offer].code for code in pricing.codes if code.applied and code.offer}
        assert applied <= open_
        await office.baskets.create(viewer, request, NOW)


async def test_a_ticket_costs_less_just_where_an_advantage_is_open_for_it(office: Office) -> None:
    viewer = office.viewer(Audience.CONTACT)
    catalogue = office.catalogue
    for performance in catalogue.performances:
        open_ = await office.open(viewer, performance=performance)
        lines = [LineRequest(performance, None, seat, audience, 1) for seat, audience in catalogue.rates[performance]]
        pricing = await office.baskets.price(viewer, BasketRequest(tuple(lines)), NOW)
        assert bool(open_) is (pricing.advantage_discount > 0)


async def test_a_change_of_an_offer_is_seen_at_once(office: Office) -> None:
    shopper = office.viewer(Audience.SHOPPER)
    assert await office.open(shopper) == {"OPENING"}
    await change_offer(office.sessions, "OPENING", state="SUSPENDED")
    assert await office.open(shopper) == set()


async def test_however_many_baskets_have_expired_none_stands_in_the_way(office: Office) -> None:
    """One of them holds the last ticket."""
    catalogue, shopper = office.catalogue, office.viewer(Audience.SHOPPER)
    await set_quota(office.sessions, "OPENING", 1)
    async with office.sessions.writing() as connection:
        performance = await key_of(connection, tables.performances, "ZINMAN-0119")
        seat = await key_of(connection, tables.seat_categories, "CAT1")
        full = await key_of(connection, tables.audience_sub_categories, "FULL")
        basket = {"organisation_id": catalogue.organisation.id, "point_of_sale_id": shopper.point_of_sale}
        content = {"use_balance": False, "lines": [], "pricing": "{}", "expires_at": NOW}
        await connection.execute(insert(tables.baskets), [{**basket, **content, "id": new_id()} for _ in range(600)])
    request = BasketRequest((LineRequest(performance, None, seat, full, 1),))
    assert (await office.baskets.create(shopper, request, NOW)).pricing.advantage_discount == 500
    assert await office.open(shopper) == set()
    await expire_baskets(office.sessions)
    assert await office.open(shopper) == {"OPENING"}
    assert (await office.baskets.create(shopper, request, NOW)).pricing.advantage_discount == 500
    assert await office.open(shopper) == set()
