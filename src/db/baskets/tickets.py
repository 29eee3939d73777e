"""Tickets of orders: what each admits to, how often it was scanned, and whether it was cancelled."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Row, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets.orders import OrderState
from db.core.ids import uuid_of, uuid_or_none
from db.core.tables import orders
from db.core.tables import tickets as table

Redeemed = tuple[tuple[UUID, UUID | None], ...]
"""Offers, each with the structure whose code it was, under which a scan of a ticket is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """One unit of an order's line; ``price`` in minor units is what was paid for it."""

    id: UUID
    order: UUID
    barcode: str
    line: int
    position: int
    product: UUID
    performance: UUID | None
    seat_category: UUID | None
    audience_sub_category: UUID
    full_price: int
    price: int
    advantage: UUID | None
    code: UUID | None
    redeemed: Redeemed
    entries_allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket(NewTicket):
    """A ticket as it is. ``price`` is what it costs by now; ``given_back`` what was given back for it.

    The first entry is told by ``controlled_at``, the last one by ``last_controlled_at`` and the two beside it.
    """

    contact: UUID | None
    order_is_cancelled: bool
    entries: int
    controlled_at: datetime | None
    last_controlled_at: datetime | None
    last_controlled_by: str | None
    last_controlled_at_point_of_sale: UUID | None
    cancelled_at: datetime | None
    given_back: int


@dataclass(frozen=True, slots=True)
class Gate:
    """Where a ticket is scanned, ``now``: at the entrance of a performance or a product; of neither is of any.

    From ``opens_before`` minutes before a performance starts to ``closes_after`` minutes after it does a gate that is
    named lets in.
    """

    performance: UUID | None
    product: UUID | None
    now: datetime
    opens_before: int
    closes_after: int

    @property
    def is_named(self) -> bool:
        return self.performance is not None or self.product is not None


@dataclass(frozen=True, slots=True)
class Repriced:
    """What becomes of a ticket that stays when others of its order are cancelled."""

    id: UUID
    price: int
    advantage: UUID | None
    code: UUID | None
    redeemed: Redeemed


# Sharing the order's row keeps it from being cancelled meanwhile. What the ticket itself is must hold of the row as the
# last one who changed it left it, so that the entries that it allows are all that there are.
_CONTROL = text("""
WITH sold AS (
    SELECT o.id FROM orders o JOIN tickets t ON t.organisation_id = o.organisation_id AND t.order_id = o.id
    WHERE t.organisation_id = :organisation AND t.barcode = :barcode AND o.state = 'CONFIRMED'
    FOR SHARE OF o
)
UPDATE tickets t SET entries = t.entries + 1,
    controlled_at = coalesce(t.controlled_at, now()),
    controlled_by = CASE WHEN t.controlled_at IS NULL THEN :actor ELSE t.controlled_by END,
    controlled_point_of_sale_id = CASE
        WHEN t.controlled_at IS NULL THEN CAST(:point_of_sale AS uuid) ELSE t.controlled_point_of_sale_id END,
    last_controlled_at = now(), last_controlled_by = :actor, last_controlled_point_of_sale_id = :point_of_sale
FROM sold WHERE t.organisation_id = :organisation AND t.barcode = :barcode AND t.order_id = sold.id
    AND t.cancelled_at IS NULL AND t.entries < t.entries_allowed
    AND (CAST(:performance AS uuid) IS NULL OR t.performance_id = :performance)
    AND (CAST(:product AS uuid) IS NULL OR t.product_id = :product)
    AND NOT (CAST(:named AS boolean) AND EXISTS (
        SELECT FROM performances p WHERE p.organisation_id = :organisation AND p.id = t.performance_id
            AND CAST(:now AS timestamptz) NOT BETWEEN p.starts_at - make_interval(mins => :opens_before)
                AND p.starts_at + make_interval(mins => :closes_after)))
RETURNING t.id, t.entries, t.redeemed
""")
_CANCEL = text("""
UPDATE tickets t SET cancelled_at = now(), cancellation_id = :cancellation, given_back = n.given_back
FROM unnest(CAST(:ids AS uuid[]), CAST(:given_back AS bigint[])) n(id, given_back)
WHERE t.organisation_id = :organisation AND t.id = n.id AND t.cancelled_at IS NULL AND t.entries = 0
""")
_REPRICE = text("""
UPDATE tickets t SET price = n.price, advantage_id = n.advantage_id, code_id = n.code_id,
    redeemed = CAST(n.redeemed AS jsonb)
FROM unnest(CAST(:ids AS uuid[]), CAST(:prices AS bigint[]), CAST(:advantages AS uuid[]), CAST(:codes AS uuid[]),
    CAST(:redeemed AS text[])) n(id, price, advantage_id, code_id, redeemed)
WHERE t.organisation_id = :organisation AND t.id = n.id
""")


async def add(connection: AsyncConnection, organisation: UUID, rows: Sequence[NewTicket]) -> None:
    """One row a ticket, none of them controlled yet."""
    if not rows:
        return
    await connection.execute(
        insert(table),
        [
            {
                "organisation_id": organisation,
                "id": row.id,
                "order_id": row.order,
                "barcode": row.barcode,
                "line": row.line,
                "position": row.position,
                "product_id": row.product,
                "performance_id": row.performance,
                "seat_category_id": row.seat_category,
                "audience_sub_category_id": row.audience_sub_category,
                "full_price": row.full_price,
                "price": row.price,
                "advantage_id": row.advantage,
                "code_id": row.code,
                "redeemed": _written(row.redeemed),
                "entries_allowed": row.entries_allowed,
            }
            for row in rows
        ],
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry that a scan gave: the first, the second… of its ticket."""

    ticket: UUID
    number: int
    redeemed: Redeemed


async def control(
    connection: AsyncConnection,
    organisation: UUID,
    barcode: str,
    gate: Gate,
    actor: str,
    point_of_sale: UUID | None,
) -> Entry | None:
    """One more entry by the ticket with this barcode; None where the gate does not let it in, or nobody lets it in."""
    parameters = {
        "organisation": organisation,
        "barcode": barcode,
        "actor": actor,
        "point_of_sale": point_of_sale,
        "performance": gate.performance,
        "product": gate.product,
        "named": gate.is_named,
        "now": gate.now,
        "opens_before": gate.opens_before,
        "closes_after": gate.closes_after,
    }
    row = (await connection.execute(_CONTROL, parameters)).one_or_none()
    return None if row is None else Entry(row.id, row.entries, _redeemed(row.redeemed))


async def cancel(
    connection: AsyncConnection,
    organisation: UUID,
    cancellation: UUID,
    given_back: Sequence[tuple[UUID, int]],
) -> bool:
    """Cancels tickets, now, each with what is given back for it; whether all of them could be.

    One that was scanned, or is cancelled already, could not: the caller must then roll back.
    """
    parameters = {
        "organisation": organisation,
        "cancellation": cancellation,
        "ids": [ticket for ticket, _ in given_back],
        "given_back": [amount for _, amount in given_back],
    }
    return (await connection.execute(_CANCEL, parameters)).rowcount == len(given_back)


async def reprice(connection: AsyncConnection, organisation: UUID, rows: Sequence[Repriced]) -> None:
    """Gives tickets that stay another price, with the offers that it comes of."""
    parameters = {
        "organisation": organisation,
        "ids": [row.id for row in rows],
        "prices": [row.price for row in rows],
        "advantages": [row.advantage for row in rows],
        "codes": [row.code for row in rows],
        "redeemed": [orjson.dumps(_written(row.redeemed)).decode() for row in rows],
    }
    if rows:
        await connection.execute(_REPRICE, parameters)


async def by_barcode(connection: AsyncConnection, organisation: UUID, barcode: str) -> Ticket | None:
    """The ticket with this barcode."""
    row = (await connection.execute(_ALL.where(table.c.barcode == barcode, _of(organisation)))).one_or_none()
    return None if row is None else _ticket(row)


async def find(connection: AsyncConnection, organisation: UUID, ids: Collection[UUID]) -> dict[UUID, Ticket]:
    """Tickets by id."""
    rows = await connection.execute(_ALL.where(_of(organisation), table.c.id.in_(ids)))
    return {row.id: _ticket(row) for row in rows}


async def of_orders(
    connection: AsyncConnection, organisation: UUID, ids: Collection[UUID]
) -> dict[UUID, tuple[Ticket, ...]]:
    """The tickets of orders, in the order of their lines."""
    statement = _ALL.where(_of(organisation), table.c.order_id.in_(ids))
    found: dict[UUID, list[Ticket]] = {order: [] for order in ids}
    for row in await connection.execute(statement.order_by(table.c.order_id, table.c.line, table.c.position)):
        found[row.order_id].append(_ticket(row))
    return {order: tuple(rows) for order, rows in found.items()}


_ALL = select(table, orders.c.contact_id, (orders.c.state == OrderState.CANCELLED).label("order_is_cancelled")).join(
    orders, (orders.c.organisation_id == table.c.organisation_id) & (orders.c.id == table.c.order_id)
)


def _of(organisation: UUID) -> ColumnElement[bool]:
    return table.c.organisation_id == organisation


def _written(redeemed: Redeemed) -> list[list[str | None]]:
    return [[str(offer), None if holder is None else str(holder)] for offer, holder in redeemed]


def _redeemed(written: Sequence[tuple[str, str | None]]) -> Redeemed:
    return tuple((uuid_of(offer), uuid_or_none(holder)) for offer, holder in written)


def _ticket(row: Row[Any]) -> Ticket:
    return Ticket(
        id=row.id,
        order=row.order_id,
        contact=row.contact_id,
        order_is_cancelled=row.order_is_cancelled,
        barcode=row.barcode,
        line=row.line,
        position=row.position,
        product=row.product_id,
        performance=row.performance_id,
        seat_category=row.seat_category_id,
        audience_sub_category=row.audience_sub_category_id,
        full_price=row.full_price,
        price=row.price,
        advantage=row.advantage_id,
        code=row.code_id,
        redeemed=_redeemed(row.redeemed),
        entries=row.entries,
        entries_allowed=row.entries_allowed,
        controlled_at=row.controlled_at,
        last_controlled_at=row.last_controlled_at,
        last_controlled_by=row.last_controlled_by,
        last_controlled_at_point_of_sale=row.last_controlled_point_of_sale_id,
        cancelled_at=row.cancelled_at,
        given_back=row.given_back,
    )
