"""Configuring offers while they are sold, by two real transactions at once."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests import back_door
from tests.conftest import NOW

from db.baskets import claims
from db.core import tables
from db.core.ids import new_id
from db.core.keyset import EVERYTHING
from db.core.sessions import Sessions
from db.offers import limits
from db.offers.offers import WHOLE_OFFER, LimitRow
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.codes.custom_codes import CustomCodes
from services.core.errors import InvalidInput
from services.core.transactions import Transactions
from services.core.viewer import Audience, StaffRole, Viewer
from services.offers.configuration import Configuration
from services.offers.forms import AdvantageDraft, ElementLimitDraft, LimitsDraft
from services.pricing.facts.offers import Limits


@dataclass
class Office:
    """Staff who configure the example's OPENING, of which anything can be claimed."""

    sessions: Sessions
    catalogue: Catalogue
    offer: UUID
    viewer: Viewer
    configuration: Configuration
    codes: CustomCodes

    async def limit(self, quota: int | None, *elements: tuple[UUID, Limits]) -> None:
        """Gives OPENING a quota, and limits on seat categories."""
        drafts = tuple(
            ElementLimitDraft(product=None, performance=None, seat_category=key, audience_sub_category=None, limits=own)
            for key, own in elements
        )
        draft = AdvantageDraft(limits=LimitsDraft(Limits(quota), drafts))
        await self.configuration.update_advantage(self.viewer, self.offer, draft, NOW)

    async def claim(
        self, connection: AsyncConnection, tickets: int, contact: UUID | None = None, offer: UUID | None = None
    ) -> bool:
        """Lets a new basket hold tickets of OPENING or another offer; whether it got them."""
        organisation, basket = self.viewer.organisation_id, new_id()
        performance = next(each for each in self.catalogue.performances.values() if each.code == "ZINMAN-0119")
        row: dict[str, object] = {
            "organisation_id": organisation,
            "id": basket,
            "point_of_sale_id": next(iter(self.catalogue.points_of_sale)),
            "contact_id": contact,
            "lines": [],
            "pricing": "{}",
            "use_balance": False,
            "expires_at": datetime.now(UTC) + timedelta(hours=1),
        }
        hold = claims.HeldTickets(
            offer or self.offer,
            None,
            None,
            performance.product_id,
            performance.id,
            self.seat,
            next(iter(self.catalogue.audience_sub_categories)),
            tickets,
        )
        await connection.execute(insert(tables.baskets).values(row))
        return (await claims.claim(connection, organisation, [claims.Claim(basket, contact, [hold])])).complete

    @property
    def seat(self) -> UUID:
        return next(iter(self.catalogue.seat_categories))

    async def taken(self) -> dict[UUID, int]:
        """What counts against each limit of OPENING."""
        table = tables.offer_limits
        query = select(table.c.element_id, table.c.taken).where(table.c.offer_id == self.offer)
        async with self.sessions.reading() as connection:
            return {element: int(tickets) for element, tickets in await connection.execute(query)}


@pytest.fixture
async def office(loaded: Sessions) -> Office:
    catalogues = Catalogues(loaded)
    catalogue = await catalogues.find("theatre")
    transactions = Transactions(loaded, lambda _organisation, _offers: None)
    viewer = Viewer(
        Audience.STAFF, catalogue.organisation.id, "theatre", "staff:ada", roles=frozenset({StaffRole.CATALOGUE})
    )
    return Office(
        loaded,
        catalogue,
        _offer(catalogue, "OPENING"),
        viewer,
        Configuration(catalogues, transactions),
        CustomCodes(loaded, transactions),
    )


def _offer(catalogue: Catalogue, code: str) -> UUID:
    return next(each.id for each in catalogue.offer_details.values() if each.code == code)


async def test_a_claim_in_flight_counts_against_a_limit_that_is_new(office: Office) -> None:
    async with office.sessions.writing() as connection:
        assert await office.claim(connection, 3)
        limiting = asyncio.create_task(office.limit(200, (office.seat, Limits(quota=10))))
        await back_door.somebody_waits(office.sessions)
    await limiting
    assert await office.taken() == {WHOLE_OFFER: 3, office.seat: 3}


async def test_a_claim_that_meets_a_limit_being_made_counts_against_it(office: Office) -> None:
    async def claim() -> bool:
        async with office.sessions.writing() as connection:
            return await office.claim(connection, 3)

    organisation = office.viewer.organisation_id
    rows = [
        LimitRow(office.offer, WHOLE_OFFER, None, 200, 4, None),
        LimitRow(office.offer, office.seat, "SEAT_CATEGORY", 10, None, None),
    ]
    async with office.sessions.writing() as connection:
        assert await limits.replace(connection, organisation, [office.offer], rows) == []
        claiming = asyncio.create_task(claim())
        await back_door.somebody_waits(office.sessions)
    assert await claiming
    assert await office.taken() == {WHOLE_OFFER: 3, office.seat: 3}


async def test_a_quota_that_a_claim_in_flight_passes_is_not_lowered(office: Office) -> None:
    async with office.sessions.writing() as connection:
        assert await office.claim(connection, 3)
        lowering = asyncio.create_task(office.limit(2))
        await back_door.somebody_waits(office.sessions)
    with pytest.raises(InvalidInput) as refused:
        await lowering
    [problem] = refused.value.problems
    assert (problem.path, dict(problem.text.values)) == (("limits", "quota"), {"taken": 3})


async def test_raising_a_quota_does_not_wait_for_sales_of_other_offers(office: Office) -> None:
    async with office.sessions.writing() as connection, asyncio.timeout(20):
        assert await office.claim(connection, 1, offer=_offer(office.catalogue, "PROMOTYD"))
        await office.limit(300)


async def test_what_expired_baskets_hold_is_not_taken(office: Office) -> None:
    async with office.sessions.writing() as connection:
        assert await office.claim(connection, 3)
    await back_door.expire_baskets(office.sessions)
    await office.limit(2)
    assert await office.taken() == {WHOLE_OFFER: 0}


async def test_shares_of_contacts_start_with_what_they_have(office: Office) -> None:
    async with office.sessions.writing() as connection:
        blandine = await back_door.key_of(connection, tables.contacts, "BLANDINE")
        assert await office.claim(connection, 2, blandine)
    await office.limit(200, (office.seat, Limits(per_contact=3)))
    async with office.sessions.writing() as connection:
        assert not await office.claim(connection, 2, blandine)
    async with office.sessions.writing() as connection:
        assert await office.claim(connection, 1, blandine)


async def test_a_limit_that_is_taken_away_and_comes_back_has_missed_nothing(office: Office) -> None:
    async with office.sessions.writing() as connection:
        blandine = await back_door.key_of(connection, tables.contacts, "BLANDINE")
        assert await office.claim(connection, 1, blandine)
    both = Limits(quota=10, per_contact=2)
    for elements in ([(office.seat, both)], [(office.seat, Limits(quota=10))], []):
        await office.limit(200, *elements)
        async with office.sessions.writing() as connection:
            assert await office.claim(connection, 1)
    await office.limit(200, (office.seat, both))
    assert await office.taken() == {WHOLE_OFFER: 4, office.seat: 4}
    async with office.sessions.writing() as connection:
        assert not await office.claim(connection, 2, blandine)


async def test_a_maximum_of_uses_counts_the_one_in_flight(office: Office) -> None:
    coupon = _offer(office.catalogue, "COUPON3")

    async def use(connection: AsyncConnection) -> None:
        query = text("""INSERT INTO redemptions (organisation_id, id, basket_id, offer_id, code_id, product_id,
                audience_sub_category_id, tickets)
            SELECT organisation_id, :key, :key, offer_id, id, offer_id, offer_id, 1
            FROM codes WHERE offer_id = :offer""")
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(query, {"key": new_id(), "offer": coupon})

    async with office.sessions.writing() as connection:
        await use(connection)
        limiting = asyncio.create_task(
            office.codes.update(office.viewer, coupon, "COUPON3%", NOW, active=None, max_uses=1)
        )
        await back_door.somebody_waits(office.sessions)
    await limiting
    [code] = (await office.codes.of_promotional_codes(office.viewer, [coupon], EVERYTHING))[coupon]
    assert (code.uses, code.max_uses) == (1, 1)
