"""Counts of codes and tickets by offer and holder: exact, and as cheap for ten million codes as for ten.

They move in the transaction of what they count. Each offer and holder has its numbers spread over a few slots, so that
sales of one offer do not queue for one row; the truth is the sum. One slot alone may go below zero, for what one
transaction holds in one slot another releases in the next.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Table, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.ledger import SLOT
from db.core.tables import NIL, contacts, offers
from db.core.tables import redemption_counts as table
from db.offers.offers import OfferKind

Key = tuple[UUID, UUID | None]
"""An offer, and the holder: the structure contact whose codes these are, None without one."""


@dataclass(frozen=True, slots=True)
class RedemptionCounts:
    """``generated`` to ``invalidated`` count codes, the rest tickets; ``version`` grows by one with every change."""

    generated: int = 0
    held: int = 0
    used: int = 0
    invalidated: int = 0
    tickets_held: int = 0
    tickets_sold: int = 0
    tickets_controlled: int = 0
    version: int = 0

    @property
    def available(self) -> int:
        return self.generated - self.held - self.used - self.invalidated

    def __add__(self, other: "RedemptionCounts") -> "RedemptionCounts":
        return RedemptionCounts(*(getattr(self, name) + getattr(other, name) for name in (*NUMBERS, "version")))


NUMBERS = ("generated", "held", "used", "invalidated", "tickets_held", "tickets_sold", "tickets_controlled")
_ARRAYS = ", ".join(f"CAST(:{name} AS bigint[])" for name in NUMBERS)
_SUMS = ", ".join(f"{name} = own.{name} + excluded.{name}" for name in NUMBERS)


_MOVE = text(
    f"""
    INSERT INTO redemption_counts AS own
        (organisation_id, offer_id, contact_id, slot, version, {", ".join(NUMBERS)})
    SELECT CAST(:organisation AS uuid), offer_id, contact_id, {SLOT}, 1, {", ".join(NUMBERS)}
    FROM unnest(CAST(:offers AS uuid[]), CAST(:holders AS uuid[]), {_ARRAYS})
        AS change (offer_id, contact_id, {", ".join(NUMBERS)})
    ON CONFLICT (organisation_id, offer_id, contact_id, slot) DO UPDATE SET version = own.version + 1, {_SUMS}
    """
)
"""Written out: SQLAlchemy would put an insert of many rows together anew each time, for longer than it takes to run."""


async def move(connection: AsyncConnection, organisation: UUID, changes: Mapping[Key, RedemptionCounts]) -> None:
    """Adds each change to the counts of its key, in one statement that takes its rows in the order of their key."""
    ordered = sorted(
        (((offer, holder or UUID(NIL)), change) for (offer, holder), change in changes.items()),
        key=lambda item: item[0],
    )
    values: dict[str, object] = {name: [getattr(change, name) for _, change in ordered] for name in NUMBERS}
    values["organisation"] = organisation
    values["offers"] = [offer for (offer, _), _ in ordered]
    values["holders"] = [holder for (_, holder), _ in ordered]
    await connection.execute(_MOVE, values)


async def read(
    connection: AsyncConnection,
    organisation: UUID,
    *,
    offer_ids: Collection[UUID] | None = None,
    holder: UUID | None = None,
    season: UUID | None = None,
) -> dict[Key, RedemptionCounts]:
    """The counts of one instant, by the holder's name and the offer's code; all keys, or those of some offers, of one
    holder, of a season.

    Promotional codes belong to no season and show in each.
    """
    sums = (cast(func.sum(table.c[name]), BigInteger) for name in (*NUMBERS, "version"))
    query = (
        select(table.c.offer_id, table.c.contact_id, *sums)
        .join(offers, _same(offers, table.c.offer_id))
        .join(contacts, _same(contacts, table.c.contact_id), isouter=True)
        .where(table.c.organisation_id == organisation)
        .group_by(table.c.offer_id, table.c.contact_id, offers.c.code, offers.c.kind, contacts.c.name, contacts.c.code)
        .order_by(contacts.c.name, contacts.c.code, offers.c.code, offers.c.kind)
    )
    if offer_ids is not None:
        query = query.where(table.c.offer_id.in_(offer_ids))
    if holder is not None:
        query = query.where(table.c.contact_id == holder)
    if season is not None:
        query = query.where((offers.c.season_id == season) | (offers.c.kind == OfferKind.PROMOTIONAL_CODE))
    return {
        (offer, None if contact == UUID(NIL) else contact): RedemptionCounts(*numbers)
        for offer, contact, *numbers in await connection.execute(query)
    }


def _same(other: Table, key: ColumnElement[UUID]) -> ColumnElement[bool]:
    return (other.c.organisation_id == table.c.organisation_id) & (other.c.id == key)
