"""Orders: concluded sales."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text, update
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
    as they were, None where no price is made anew.
    """

    id: UUID
    organisation: UUID
    number: str
    state: OrderState
    basket: UUID
    contact: UUID | None
    point_of_sale: UUID
    pricing: str
    remaining: str | None
    terms: str | None
    confirmed_at: datetime
    cancelled_at: datetime | None


_ADD = text("""
INSERT INTO orders (organisation_id, id, number, basket_id, contact_id, point_of_sale_id, payment_reference, pricing,
    terms)
SELECT organisation_id, :id, lpad(nextval('order_numbers')::text, 8, '0'), id, contact_id, point_of_sale_id,
    :payment_reference, pricing, :terms
FROM baskets WHERE organisation_id = :organisation AND id = :basket
""")
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
    statement = select(orders).where(orders.c.organisation_id == organisation, orders.c.id == order)
    row = (await connection.execute(statement.with_for_update(key_share=False))).one_or_none()
    return None if row is None else _order(row)


async def keep(connection: AsyncConnection, organisation: UUID, order: UUID, remaining: str) -> None:
    """Writes what the tickets of an order that stay cost."""
    await connection.execute(
        update(orders).where(orders.c.organisation_id == organisation, orders.c.id == order).values(remaining=remaining)
    )


async def cancel(connection: AsyncConnection, organisation: UUID, order: UUID, reason: str | None) -> None:
    """Marks an order CANCELLED, now."""
    await connection.execute(
        update(orders)
        .where(orders.c.organisation_id == organisation, orders.c.id == order)
        .values(state=OrderState.CANCELLED, cancelled_at=func.now(), cancellation_reason=reason)
    )


async def pay_back(connection: AsyncConnection, organisation: UUID, contact: UUID, amount: int) -> None:
    """Gives a contact ``amount`` minor units of balance back; even where that is nothing, their row is kept."""
    await connection.execute(_PAY_BACK, {"organisation": organisation, "contact": contact, "amount": amount})


async def forget(connection: AsyncConnection, organisation: UUID, contact: UUID) -> None:
    """Who has no order that is not cancelled, here or elsewhere, has not ordered before; after ``pay_back``."""
    await connection.execute(_FORGET_ORDER, {"organisation": organisation, "contact": contact})


async def get(connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, Order]:
    """Orders by id."""
    statement = select(orders).where(orders.c.organisation_id == organisation, orders.c.id.in_(ids))
    return {row.id: _order(row) for row in await connection.execute(statement)}


def _order(row: Row[Any]) -> Order:
    return Order(
        id=row.id,
        organisation=row.organisation_id,
        number=row.number,
        state=OrderState(row.state),
        basket=row.basket_id,
        contact=row.contact_id,
        point_of_sale=row.point_of_sale_id,
        pricing=row.pricing,
        remaining=row.remaining,
        terms=row.terms,
        confirmed_at=row.confirmed_at,
        cancelled_at=row.cancelled_at,
    )
