"""Orders: concluded sales."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.tables import orders


class OrderState(StrEnum):
    """CONFIRMED until it is cancelled as a whole."""

    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Order:
    """A concluded sale; ``pricing`` is the price that was paid, as it was written for the basket.

    ``remaining`` is what the tickets that stay cost, None until one is cancelled; ``terms`` are the offers that it has
    as they were, None where no price is made anew. What the basket asked for is its own: the delivery mode, whether the
    balance was to pay, and the ``advantages`` that alone were to be considered, None for all of them.
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
    remaining: str | None
    terms: str | None
    confirmed_at: datetime
    cancelled_at: datetime | None
    cancelled_by: str | None
    cancellation_reason: str | None


COLUMNS: Final = "o.*, b.delivery_mode_id, b.use_balance, b.advantage_ids"
"""What an order is made of, where ``o`` is its row and ``b`` its basket's."""
WITH_BASKET: Final = "JOIN baskets b ON (b.organisation_id, b.id) = (o.organisation_id, o.basket_id)"

# With the offers and codes by which it is found: what its basket holds at this moment.
_ADD = text("""
WITH next AS (SELECT CAST(nextval('order_numbers') AS text) AS number), made AS (
    INSERT INTO orders
        (organisation_id, id, number, basket_id, contact_id, point_of_sale_id, payment_reference, pricing,
        terms)
    SELECT organisation_id, :id, lpad(number, greatest(8, length(number)), '0'), id, contact_id, point_of_sale_id,
        :payment_reference, pricing, :terms
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


async def add(
    connection: AsyncConnection,
    organisation: UUID,
    order: UUID,
    basket: UUID,
    payment_reference: str | None,
    terms: str | None,
) -> None:
    """The order that a basket becomes, with the next number; numbers grow, and one that is skipped means nothing."""
    parameters = {
        "organisation": organisation,
        "id": order,
        "basket": basket,
        "payment_reference": payment_reference,
        "terms": terms,
    }
    await connection.execute(_ADD, parameters)


async def pay_from_balance(connection: AsyncConnection, organisation: UUID, contact: UUID, amount: int) -> bool:
    """Takes ``amount`` minor units from the contact's balance where it holds as much, and notes that they ordered."""
    parameters = {"organisation": organisation, "contact": contact, "amount": amount}
    return (await connection.execute(_PAY, parameters)).rowcount == 1


async def lock(connection: AsyncConnection, organisation: UUID, order: UUID) -> Order | None:
    """The order, kept from all other changes and its tickets from being scanned until the transaction ends."""
    row = (await connection.execute(_LOCK, {"organisation": organisation, "id": order})).one_or_none()
    return None if row is None else order_of(row)


async def keep(connection: AsyncConnection, organisation: UUID, order: UUID, remaining: str) -> None:
    """Writes what the tickets of an order that stay cost."""
    await connection.execute(
        update(orders).where(orders.c.organisation_id == organisation, orders.c.id == order).values(remaining=remaining)
    )


async def cancel(connection: AsyncConnection, organisation: UUID, order: UUID, actor: str, reason: str | None) -> None:
    """Marks an order CANCELLED, now, by ``actor``."""
    marked = {"state": OrderState.CANCELLED, "cancelled_at": func.now()}
    await connection.execute(
        update(orders)
        .where(orders.c.organisation_id == organisation, orders.c.id == order)
        .values(**marked, cancelled_by=actor, cancellation_reason=reason)
    )


async def pay_back(connection: AsyncConnection, organisation: UUID, contact: UUID, amount: int) -> None:
    """Gives a contact ``amount`` minor units of balance back; even where that is nothing, their row is kept."""
    await connection.execute(_PAY_BACK, {"organisation": organisation, "contact": contact, "amount": amount})


async def forget(connection: AsyncConnection, organisation: UUID, contact: UUID) -> None:
    """Who has no order that is not cancelled, here or elsewhere, has not ordered before; after ``pay_back``."""
    await connection.execute(_FORGET_ORDER, {"organisation": organisation, "contact": contact})


async def get(connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, Order]:
    """Orders by id."""
    rows = await connection.execute(_GET, {"organisation": organisation, "ids": list(ids)})
    return {row.id: order_of(row) for row in rows}


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
        remaining=row.remaining,
        terms=row.terms,
        confirmed_at=row.confirmed_at,
        cancelled_at=row.cancelled_at,
        cancelled_by=row.cancelled_by,
        cancellation_reason=row.cancellation_reason,
    )
