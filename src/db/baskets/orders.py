"""Orders: concluded sales with their tickets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.ids import uuid_of, uuid_or_none
from db.core.tables import orders
from db.core.tables import tickets as table


class OrderState(StrEnum):
    """CONFIRMED until it is cancelled as a whole."""

    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Order:
    """A concluded sale; ``pricing`` is the price that was paid, as it was written for the basket.

    What the basket asked for is its own: the delivery mode, whether the balance was to pay, and the ``advantages`` that
    alone were to be considered, None for all of them.
    """

    id: UUID
    organisation: UUID
    number: str
    state: OrderState
    basket: UUID
    contact: UUID | None
    point_of_sale: UUID
    delivery_mode: UUID | None
    use_balance: bool
    advantages: tuple[UUID, ...] | None
    payment_reference: str | None
    pricing: str
    confirmed_at: datetime
    cancelled_at: datetime | None
    cancelled_by: str | None
    cancellation_reason: str | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """One unit of an order's line; ``price`` in minor units is what was paid for it.

    ``redeemed`` are the offers, each with the structure whose code it was, under which a scan of it is counted.
    """

    id: UUID
    order: UUID
    barcode: str
    line: int
    position: int
    price: int
    advantage: UUID | None
    code: UUID | None
    redeemed: tuple[tuple[UUID, UUID | None], ...]
    controlled_at: datetime | None
    controlled_at_point_of_sale: UUID | None


COLUMNS: Final = "o.*, b.delivery_mode_id, b.use_balance, b.advantage_ids"
"""What an order is made of, where ``o`` is its row and ``b`` its basket's."""
WITH_BASKET: Final = "JOIN baskets b ON (b.organisation_id, b.id) = (o.organisation_id, o.basket_id)"

# With the offers and codes by which it is found: what its basket holds at this moment.
_ADD = text("""
WITH next AS (SELECT CAST(nextval('order_numbers') AS text) AS number), made AS (
    INSERT INTO orders
        (organisation_id, id, number, basket_id, contact_id, point_of_sale_id, payment_reference, pricing)
    SELECT organisation_id, :id, lpad(number, greatest(8, length(number)), '0'), id, contact_id, point_of_sale_id,
        :payment_reference, pricing
    FROM baskets CROSS JOIN next WHERE organisation_id = :organisation AND id = :basket
    RETURNING organisation_id, basket_id, id, confirmed_at
)
INSERT INTO order_subjects (organisation_id, subject_id, confirmed_at, order_id)
SELECT DISTINCT made.organisation_id, subjects.id, made.confirmed_at, made.id
FROM made
JOIN redemptions r ON (r.organisation_id, r.basket_id) = (made.organisation_id, made.basket_id)
CROSS JOIN LATERAL (VALUES (r.offer_id), (r.code_id)) subjects(id)
WHERE subjects.id IS NOT NULL
""")
_ORDERS: Final = f"SELECT {COLUMNS} FROM orders o {WITH_BASKET} WHERE o.organisation_id = :organisation AND"
_GET: Final = text(f"{_ORDERS} o.id = ANY(:ids)")
_LOCK: Final = text(f"{_ORDERS} o.id = :id FOR UPDATE OF o")
_PAY = text("""
UPDATE contacts SET balance = balance - :amount, has_ordered = true
WHERE organisation_id = :organisation AND id = :contact AND balance >= :amount
""")

_PAY_BACK = text("""
UPDATE contacts SET balance = balance + :amount WHERE organisation_id = :organisation AND id = :contact
""")
# In a statement of its own, which sees the orders of whoever kept the contact's row before.
_FORGET_ORDER = text("""
UPDATE contacts SET has_ordered = ordered_elsewhere OR EXISTS (
    SELECT FROM orders WHERE organisation_id = :organisation AND contact_id = :contact AND state = 'CONFIRMED')
WHERE organisation_id = :organisation AND id = :contact
""")

_CONTROL = text("""
WITH sold AS (
    SELECT o.id FROM orders o JOIN tickets t ON t.organisation_id = o.organisation_id AND t.order_id = o.id
    WHERE t.organisation_id = :organisation AND t.barcode = :barcode AND o.state = 'CONFIRMED'
    FOR SHARE OF o
)
UPDATE tickets t SET controlled_at = now(), controlled_by = :actor, controlled_point_of_sale_id = :point_of_sale
FROM sold WHERE t.organisation_id = :organisation AND t.barcode = :barcode AND t.order_id = sold.id
    AND t.controlled_at IS NULL
RETURNING t.*
""")


async def add(
    connection: AsyncConnection, organisation: UUID, order: UUID, basket: UUID, payment_reference: str | None
) -> None:
    """The order that a basket becomes, with the next number; numbers grow, and one that is skipped means nothing."""
    parameters = {
        "organisation": organisation,
        "id": order,
        "basket": basket,
        "payment_reference": payment_reference,
    }
    await connection.execute(_ADD, parameters)


async def add_tickets(connection: AsyncConnection, organisation: UUID, rows: Sequence[Ticket]) -> None:
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
                "price": row.price,
                "advantage_id": row.advantage,
                "code_id": row.code,
                "redeemed": [[str(offer), holder and str(holder)] for offer, holder in row.redeemed],
            }
            for row in rows
        ],
    )


async def pay_from_balance(connection: AsyncConnection, organisation: UUID, contact: UUID, amount: int) -> bool:
    """Takes ``amount`` minor units from the contact's balance where it holds as much, and notes that they ordered."""
    parameters = {"organisation": organisation, "contact": contact, "amount": amount}
    return (await connection.execute(_PAY, parameters)).rowcount == 1


async def lock(connection: AsyncConnection, organisation: UUID, order: UUID) -> Order | None:
    """The order, kept from all other changes and its tickets from being scanned until the transaction ends."""
    row = (await connection.execute(_LOCK, {"organisation": organisation, "id": order})).one_or_none()
    return None if row is None else order_of(row)


async def cancel(connection: AsyncConnection, organisation: UUID, order: UUID, actor: str, reason: str | None) -> None:
    """Marks an order CANCELLED, now, by ``actor``."""
    marked = {"state": OrderState.CANCELLED, "cancelled_at": func.now()}
    await connection.execute(
        update(orders)
        .where(orders.c.organisation_id == organisation, orders.c.id == order)
        .values(**marked, cancelled_by=actor, cancellation_reason=reason)
    )


async def is_controlled(connection: AsyncConnection, organisation: UUID, order: UUID) -> bool:
    """Whether a ticket of the order was scanned."""
    statement = select(table.c.id).where(
        table.c.organisation_id == organisation, table.c.order_id == order, table.c.controlled_at.is_not(None)
    )
    return (await connection.execute(statement.limit(1))).first() is not None


async def take_back(connection: AsyncConnection, organisation: UUID, contact: UUID, amount: int) -> None:
    """Gives a contact whose order is cancelled ``amount`` minor units of balance back.

    Who has no other order, here or elsewhere, has not ordered before.
    """
    parameters = {"organisation": organisation, "contact": contact, "amount": amount}
    await connection.execute(_PAY_BACK, parameters)
    await connection.execute(_FORGET_ORDER, parameters)


async def control(
    connection: AsyncConnection, organisation: UUID, barcode: str, actor: str, point_of_sale: UUID | None
) -> Ticket | None:
    """The ticket, scanned now by this; None where no ticket of a confirmed order waits to be scanned by that barcode.

    Sharing the order's row keeps it from being cancelled meanwhile.
    """
    parameters = {
        "organisation": organisation,
        "barcode": barcode,
        "actor": actor,
        "point_of_sale": point_of_sale,
    }
    row = (await connection.execute(_CONTROL, parameters)).one_or_none()
    return None if row is None else _ticket(row)


async def by_barcode(connection: AsyncConnection, organisation: UUID, barcode: str) -> Ticket | None:
    """The ticket with this barcode."""
    statement = select(table).where(table.c.organisation_id == organisation, table.c.barcode == barcode)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _ticket(row)


async def get(connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, Order]:
    """Orders by id."""
    rows = await connection.execute(_GET, {"organisation": organisation, "ids": list(ids)})
    return {row.id: order_of(row) for row in rows}


async def tickets_of(
    connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]
) -> dict[UUID, tuple[Ticket, ...]]:
    """The tickets of orders, in the order of their lines."""
    statement = (
        select(table)
        .where(table.c.organisation_id == organisation, table.c.order_id.in_(ids))
        .order_by(table.c.order_id, table.c.line, table.c.position)
    )
    found: dict[UUID, list[Ticket]] = {order: [] for order in ids}
    for row in await connection.execute(statement):
        found[row.order_id].append(_ticket(row))
    return {order: tuple(rows) for order, rows in found.items()}


async def tickets(connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, Ticket]:
    """Tickets by id."""
    statement = select(table).where(table.c.organisation_id == organisation, table.c.id.in_(ids))
    return {row.id: _ticket(row) for row in await connection.execute(statement)}


def order_of(row: Row[Any]) -> Order:
    """The order that a row with the ``COLUMNS`` of one holds."""
    return Order(
        id=row.id,
        organisation=row.organisation_id,
        number=row.number,
        state=OrderState(row.state),
        basket=row.basket_id,
        contact=row.contact_id,
        point_of_sale=row.point_of_sale_id,
        delivery_mode=row.delivery_mode_id,
        use_balance=row.use_balance,
        advantages=None if row.advantage_ids is None else tuple(row.advantage_ids),
        payment_reference=row.payment_reference,
        pricing=row.pricing,
        confirmed_at=row.confirmed_at,
        cancelled_at=row.cancelled_at,
        cancelled_by=row.cancelled_by,
        cancellation_reason=row.cancellation_reason,
    )


def _ticket(row: Row[Any]) -> Ticket:
    return Ticket(
        id=row.id,
        order=row.order_id,
        barcode=row.barcode,
        line=row.line,
        position=row.position,
        price=row.price,
        advantage=row.advantage_id,
        code=row.code_id,
        redeemed=tuple((uuid_of(offer), uuid_or_none(holder)) for offer, holder in row.redeemed),
        controlled_at=row.controlled_at,
        controlled_at_point_of_sale=row.controlled_point_of_sale_id,
    )
