"""Advantages and promotional codes, with their limits, as they are stored."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final, TypedDict
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import NIL, offer_limits

WHOLE_OFFER: Final = UUID(NIL)
"""Stands for the element in limits of the offer itself."""


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
    """One offer."""

    id: UUID
    kind: str
    code: str
    state: str
    internal_name: dict[str, str]
    public_name: dict[str, str]
    picture: str | None
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


async def read(connection: AsyncConnection, organisation_id: UUID) -> tuple[list[OfferRow], list[LimitRow]]:
    """All offers of an organisation in the order of creation, and all their limits."""
    parameters = {"organisation": organisation_id}
    rows = [OfferRow(*row) for row in await connection.execute(_OFFERS, parameters)]
    return rows, [LimitRow(*row) for row in await connection.execute(_LIMITS, parameters)]


# As text: without the types that Core knows, and looks at in each row, reading takes a third of the time.
_OFFERS = text(f"""
SELECT {", ".join(field.name for field in fields(OfferRow))} FROM offers
WHERE organisation_id = :organisation ORDER BY id
""")
_LIMITS = text(f"""
SELECT {", ".join(field.name for field in fields(LimitRow))} FROM offer_limits
WHERE organisation_id = :organisation ORDER BY offer_id, element_id
""")


async def remaining(connection: AsyncConnection, organisation_id: UUID, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Tickets left of the quotas of the offers that have one; what baskets hold counts as taken."""
    query = select(offer_limits.c.offer_id, offer_limits.c.quota - offer_limits.c.taken).where(
        offer_limits.c.organisation_id == organisation_id,
        offer_limits.c.offer_id.in_(ids),
        offer_limits.c.element_id == WHOLE_OFFER,
        offer_limits.c.quota.is_not(None),
    )
    return {offer: int(left) for offer, left in await connection.execute(query)}
