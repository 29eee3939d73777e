"""What was given back for tickets of orders, and to whom."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.tables import cancellations as table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cancelled:
    """Some tickets of an order that are cancelled together, in minor units; of what is given back ``to_balance`` goes
    to the contact's balance, the rest to whoever paid the rest.
    """

    id: UUID
    order: UUID
    policy: str
    for_tickets: int
    for_fees: int
    to_balance: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCancellation(_Cancelled):
    """A cancellation that is being made."""

    cancelled_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation(_Cancelled):
    """A cancellation that was made; ``cancelled_by`` is None to whoever may not know."""

    cancelled_by: str | None
    cancelled_at: datetime


class GivenBack(NamedTuple):
    """What was given back so far for tickets and for fees of an order, and how much of both went to the balance."""

    for_tickets: int
    for_fees: int
    to_balance: int


async def add(connection: AsyncConnection, organisation: UUID, row: NewCancellation) -> None:
    """Records what is given back, now."""
    await connection.execute(
        insert(table).values(
            organisation_id=organisation,
            id=row.id,
            order_id=row.order,
            policy=row.policy,
            for_tickets=row.for_tickets,
            for_fees=row.for_fees,
            to_balance=row.to_balance,
            cancelled_by=row.cancelled_by,
            reason=row.reason,
        )
    )


async def given_back(connection: AsyncConnection, organisation: UUID, order: UUID) -> GivenBack:
    """What was given back of an order so far."""
    sums = (func.coalesce(func.sum(table.c[name]), 0) for name in GivenBack._fields)
    row = (await connection.execute(select(*sums).where(_of(organisation, [order])))).one()
    return GivenBack(*map(int, row))


async def of_orders(
    connection: AsyncConnection, organisation: UUID, ids: Collection[UUID]
) -> dict[UUID, tuple[Cancellation, ...]]:
    """The cancellations of orders, the first one first."""
    found: dict[UUID, list[Cancellation]] = {order: [] for order in ids}
    for row in await connection.execute(select(table).where(_of(organisation, ids)).order_by(table.c.id)):
        found[row.order_id].append(_cancellation(row))
    return {order: tuple(rows) for order, rows in found.items()}


def _of(organisation: UUID, orders: Collection[UUID]) -> ColumnElement[bool]:
    return and_(table.c.organisation_id == organisation, table.c.order_id.in_(orders))


def _cancellation(row: Row[Any]) -> Cancellation:
    return Cancellation(
        id=row.id,
        order=row.order_id,
        policy=row.policy,
        for_tickets=row.for_tickets,
        for_fees=row.for_fees,
        to_balance=row.to_balance,
        cancelled_by=row.cancelled_by,
        reason=row.reason,
        cancelled_at=row.cancelled_at,
    )
