"""Advantages and promotional codes, with their limits, as they are stored."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypedDict
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.tables import NIL, offer_limits, offers
from db.core.upsert import upsert

WHOLE_OFFER: Final = UUID(NIL)
"""Stands for the element in limits of the offer itself."""


class OfferKind(StrEnum):
    """The two kinds of offers (docs/domain.md, Offers)."""

    ADVANTAGE = "ADVANTAGE"
    PROMOTIONAL_CODE = "PROMOTIONAL_CODE"


class StoredScope(TypedDict, total=False):
    """Ids of what an offer is for; a list that is empty or missing means all."""

    products: list[str]
    performances: list[str]
    seatCategories: list[str]
    audienceSubCategories: list[str]


class StoredRate(TypedDict):
    """A price of a rate sub-table, in minor units."""

    seatCategory: str | None
    audienceSubCategory: str
    price: int


class StoredBenefit(TypedDict, total=False):
    """Exactly one of these: amounts in minor units, percentages in ten-thousandths of a percent."""

    rates: list[StoredRate]
    percentOff: int
    amountOff: int
    fixedPrice: int
    amountOffPerTicket: int


class StoredLevel(TypedDict):
    """An indicator by id, and one of its levels."""

    id: str
    level: str


class StoredRestriction(TypedDict, total=False):
    """To whom a promotional code is restricted; what is missing restricts nothing."""

    indicator: StoredLevel
    hasOrdered: bool
    newsletter: bool
    contacts: list[str]
    counterProfiles: list[str]


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One offer. Its state, family and target type are words of pricing, which db does not know: texts here."""

    id: UUID
    kind: OfferKind
    code: str
    state: str
    internal_name: dict[str, str]
    public_name: dict[str, str]
    picture: str | None
    description: dict[str, str]
    terms: dict[str, str]
    unfinished: Sequence[str]
    valid_from: datetime | None
    valid_until: datetime | None
    channel_ids: Sequence[UUID]
    point_of_sale_ids: Sequence[UUID]
    delivery_mode_ids: Sequence[UUID]
    scope: StoredScope
    benefit: StoredBenefit
    season_id: UUID | None
    family: str | None
    target_type: str | None
    campaign_id: UUID | None
    indicator_id: UUID | None
    indicator_level: str | None
    tickets_per_code: int | None
    sale_end_tolerance: int | None
    minimum_basket: int
    combinable: bool
    returns_codes: bool
    cancellation_policy: str
    restriction: StoredRestriction
    version: int


@dataclass(frozen=True, slots=True)
class LimitRow:
    """The limits of an offer, or of one of its elements; None where there is none."""

    offer_id: UUID
    element_id: UUID
    element_kind: str | None
    quota: int | None
    per_order: int | None
    per_contact: int | None


async def page(connection: AsyncConnection, organisation_id: UUID, after: UUID) -> list[OfferRow]:
    """The offers after this one, in the order of creation; ``PAGE`` of them, or all where they are fewer."""
    rows = await connection.execute(_PAGE_OF_OFFERS, {"organisation": organisation_id, "after": after})
    return [_offer(row) for row in rows]


async def some(connection: AsyncConnection, organisation_id: UUID, ids: Sequence[UUID]) -> list[OfferRow]:
    """Those of these offers that there are, in the order of creation."""
    rows = await connection.execute(_SOME_OFFERS, {"organisation": organisation_id, "ids": ids})
    return [_offer(row) for row in rows]


async def of_campaigns(connection: AsyncConnection, organisation_id: UUID, campaigns: Sequence[UUID]) -> list[UUID]:
    """The offers for the contacts of these campaigns."""
    rows = await connection.execute(_OF_CAMPAIGNS, {"organisation": organisation_id, "campaigns": campaigns})
    return list(rows.scalars())


async def limits(connection: AsyncConnection, organisation_id: UUID, offers: Sequence[UUID]) -> list[LimitRow]:
    """All limits of these offers, side by side."""
    parameters = {"organisation": organisation_id, "offers": offers}
    return [LimitRow(*row) for row in await connection.execute(_LIMITS, parameters)]


PAGE: Final = 50
"""Offers that are read at once: some milliseconds' work."""
# As text: without the types that Core knows, and looks at in each row, reading takes a third of the time.
_SELECT: Final = f"SELECT {', '.join(field.name for field in fields(OfferRow))} FROM offers"
_PAGE_OF_OFFERS = text(f"""
{_SELECT} WHERE organisation_id = :organisation AND id > :after ORDER BY id LIMIT {PAGE}
""")
_SOME_OFFERS = text(f"""
{_SELECT} WHERE organisation_id = :organisation AND id = ANY(CAST(:ids AS uuid[])) ORDER BY id
""")
_OF_CAMPAIGNS = text("""
SELECT id FROM offers WHERE organisation_id = :organisation AND campaign_id = ANY(CAST(:campaigns AS uuid[]))
""")
_LIMITS = text(f"""
SELECT {", ".join(field.name for field in fields(LimitRow))} FROM offer_limits
WHERE organisation_id = :organisation AND offer_id = ANY(CAST(:offers AS uuid[])) ORDER BY offer_id, element_id
""")
_OFFER = text(f"""
{_SELECT} WHERE organisation_id = :organisation AND id = :offer FOR NO KEY UPDATE
""")
_HELD = text("""
SELECT kind, state, target_type FROM offers WHERE organisation_id = :organisation AND id = :offer FOR SHARE
""")
_IS_CLOSED = text("SELECT state = 'CLOSED' FROM offers WHERE organisation_id = :organisation AND id = :offer")
_LOCK_ALL = text("""
SELECT FROM offers WHERE organisation_id = :organisation ORDER BY id FOR NO KEY UPDATE
""")
_READINESS = text("""
SELECT
    EXISTS (SELECT FROM campaign_contacts
        WHERE organisation_id = :organisation AND campaign_id = :campaign) AS contacts,
    EXISTS (SELECT FROM batches WHERE organisation_id = :organisation AND offer_id = :offer) AS batches,
    EXISTS (SELECT FROM batches
        WHERE organisation_id = :organisation AND offer_id = :offer AND state IN ('PENDING', 'GENERATING'))
    OR EXISTS (SELECT FROM codes
        WHERE organisation_id = :organisation AND offer_id = :offer AND kind <> 'SINGLE_USE' AND status = 'AVAILABLE')
    OR (SELECT coalesce(sum(generated - used - invalidated), 0) > 0 FROM redemption_counts
        WHERE organisation_id = :organisation AND offer_id = :offer) AS codes
""")


@dataclass(frozen=True, slots=True)
class Readiness:
    """What an offer has beside itself: contacts in the target of its campaign, batches, codes that can be entered."""

    has_contacts: bool
    has_batches: bool
    has_codes: bool


async def lock(
    connection: AsyncConnection, organisation_id: UUID, offer: UUID
) -> tuple[OfferRow, list[LimitRow]] | None:
    """An offer with its limits, kept from all other changes until the transaction ends; its sales go on."""
    parameters = {"organisation": organisation_id, "offer": offer}
    row = (await connection.execute(_OFFER, parameters)).one_or_none()
    if row is None:
        return None
    return _offer(row), await limits(connection, organisation_id, [offer])


@dataclass(frozen=True, slots=True)
class OfferNature:
    """What an offer is, and what it is at present."""

    kind: OfferKind
    state: str
    target_type: str | None


async def hold(connection: AsyncConnection, organisation_id: UUID, offer: UUID) -> OfferNature | None:
    """An offer, kept from all changes until the transaction ends; its sales go on, and others may hold it too."""
    row = (await connection.execute(_HELD, {"organisation": organisation_id, "offer": offer})).one_or_none()
    return None if row is None else OfferNature(OfferKind(row.kind), row.state, row.target_type)


async def is_closed(connection: AsyncConnection, organisation_id: UUID, offer: UUID) -> bool:
    """Whether an offer is CLOSED, which it then stays."""
    return bool(await connection.scalar(_IS_CLOSED, {"organisation": organisation_id, "offer": offer}))


async def lock_all(connection: AsyncConnection, organisation_id: UUID) -> None:
    """Keeps all offers of an organisation from all other changes until the transaction ends; sales go on."""
    await connection.execute(_LOCK_ALL, {"organisation": organisation_id})


async def readiness(
    connection: AsyncConnection, organisation_id: UUID, offer: UUID, campaign: UUID | None
) -> Readiness:
    """What there is for an offer to be put into operation."""
    parameters = {"organisation": organisation_id, "offer": offer, "campaign": campaign}
    row = (await connection.execute(_READINESS, parameters)).one()
    return Readiness(row.contacts, row.batches, row.codes)


async def has_code(connection: AsyncConnection, organisation_id: UUID, kind: OfferKind, code: str) -> bool:
    """Whether an offer of this kind is known by ``code``."""
    found = select(offers.c.id).where(
        offers.c.organisation_id == organisation_id, offers.c.kind == kind, offers.c.code == code
    )
    return bool(await connection.scalar(select(found.exists())))


_REMAINING = text("""
WITH expired AS (
    SELECT r.offer_id, r.tickets FROM baskets b
    JOIN redemptions r ON r.organisation_id = b.organisation_id AND r.basket_id = b.id AND r.state = 'HELD'
    WHERE b.organisation_id = :organisation AND b.state = 'OPEN' AND b.expires_at <= now()
)
SELECT offer_id, CAST(quota - taken + coalesce((SELECT sum(tickets) FROM expired e WHERE e.offer_id = l.offer_id), 0)
    AS bigint) AS left
FROM offer_limits l
WHERE organisation_id = :organisation AND offer_id = ANY(:offers) AND quota IS NOT NULL AND element_id = :whole
""").bindparams(whole=WHOLE_OFFER)


async def save(connection: AsyncConnection, organisation_id: UUID, rows: Sequence[OfferRow]) -> None:
    """Makes offers, or changes those that exist; limits and codes are saved on their own."""
    await upsert(connection, organisation_id, offers, rows)


async def remaining(connection: AsyncConnection, organisation_id: UUID, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Tickets left of the quotas of the offers that have one; what baskets hold counts as taken until they expire."""
    rows = await connection.execute(_REMAINING, {"organisation": organisation_id, "offers": list(ids)})
    return {row.offer_id: row.left for row in rows}


async def taken(connection: AsyncConnection, organisation_id: UUID, ids: Sequence[UUID]) -> dict[UUID, dict[UUID, int]]:
    """Tickets that count against each limit of the offers, by element; ``WHOLE_OFFER`` stands for the offer itself."""
    query = select(offer_limits.c.offer_id, offer_limits.c.element_id, offer_limits.c.taken).where(
        offer_limits.c.organisation_id == organisation_id, offer_limits.c.offer_id.in_(ids)
    )
    counts: dict[UUID, dict[UUID, int]] = {}
    for offer, element, tickets in await connection.execute(query):
        counts.setdefault(offer, {})[element] = int(tickets)
    return counts


def _offer(row: Row[Any]) -> OfferRow:
    # By its name, which is its value: in a third of the time.
    key, kind, *others = tuple(row)
    return OfferRow(key, OfferKind[kind], *others)
