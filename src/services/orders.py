"""Orders: what baskets become, with one ticket for each unit."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import baskets as db_baskets
from db import claims
from db import orders as db
from db.ids import new_id
from db.orders import Ticket
from db.sessions import Sessions
from services import stored_pricing
from services.access import may_see
from services.baskets import Baskets
from services.errors import CodeRefused, Conflict
from services.idempotency import Once
from services.pricing.facts import Refusal, RefusalCode
from services.pricing.result import Pricing
from services.texts import text
from services.transactions import Overtaken, Transactions
from services.viewer import Viewer

__all__ = ["Order", "OrderState", "Orders", "Ticket"]


class OrderState(StrEnum):
    """CONFIRMED until it is cancelled as a whole."""

    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Order:
    """A concluded sale; ``pricing`` is what was paid, as the basket had held it."""

    id: UUID
    number: str
    state: OrderState
    contact: UUID | None
    confirmed_at: datetime
    pricing: Pricing


class Orders:
    """Use cases of orders; each change is one transaction."""

    def __init__(self, sessions: Sessions, transactions: Transactions, baskets: Baskets) -> None:
        self._sessions = sessions
        self._transactions = transactions
        self._baskets = baskets

    async def confirm(
        self, viewer: Viewer, basket: UUID, payment_reference: str | None, now: datetime, key: str | None = None
    ) -> Order:
        """The order that a basket becomes, at the price that it held.

        Codes and quotas held become used, the balance used leaves the contact's balance, each unit becomes a ticket.
        Raises NotFound; Conflict where the basket is not open, has no ticket, or the balance has been spent meanwhile;
        CodeRefused where a code was invalidated since: the basket then has its price without it, to be confirmed anew.
        """
        once = Once(viewer, key, "confirmBasket", (basket, payment_reference))

        async def attempt(connection: AsyncConnection, changed: set[UUID]) -> UUID | CodeRefused:
            earlier = await once.earlier(connection)
            if earlier is not None:
                return earlier["order"]
            row = await self._baskets.locked(connection, viewer, basket)
            stored = stored_pricing.load(row.pricing)
            lost = stored.held_codes - row.held_codes
            if lost:
                await self._baskets.reprice(connection, changed, viewer, row, row.content, now, lambda _: None)
                return CodeRefused([Refusal(RefusalCode.CODE_INVALIDATED) for _ in lost])
            if not any(line.tickets for line in stored.pricing.lines):
                raise Conflict(text("basket_empty"))
            order = await self._conclude(connection, changed, row, stored, payment_reference)
            await once.answer(connection, {"order": order})
            return order

        result = await self._transactions.run(viewer.organisation_id, attempt)
        if isinstance(result, CodeRefused):
            raise result
        return (await self.find(viewer, [result]))[result]

    async def find(self, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Order]:
        """The orders among ``ids`` that the viewer may see."""
        async with self._sessions.reading() as connection:
            rows = await db.get(connection, viewer.organisation_id, ids)
        return {
            row.id: Order(
                row.id,
                row.number,
                OrderState(row.state),
                row.contact,
                row.confirmed_at,
                stored_pricing.load(row.pricing).pricing,
            )
            for row in rows.values()
            if may_see(viewer, row.contact)
        }

    async def tickets_of(self, viewer: Viewer, orders: Sequence[UUID]) -> dict[UUID, tuple[Ticket, ...]]:
        """The tickets of orders that the viewer has been given."""
        async with self._sessions.reading() as connection:
            return await db.tickets_of(connection, viewer.organisation_id, orders)

    async def tickets(self, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Ticket]:
        """The tickets among ``ids`` whose orders the viewer may see."""
        async with self._sessions.reading() as connection:
            found = await db.tickets(connection, viewer.organisation_id, ids)
            orders = await db.get(connection, viewer.organisation_id, [ticket.order for ticket in found.values()])
        return {key: row for key, row in found.items() if may_see(viewer, orders[row.order].contact)}

    async def _conclude(
        self,
        connection: AsyncConnection,
        changed: set[UUID],
        row: db_baskets.Basket,
        stored: stored_pricing.StoredPricing,
        payment_reference: str | None,
    ) -> UUID:
        order = new_id()
        contact = row.content.contact
        used = stored.pricing.balance_used
        if contact is not None and not await db.pay_from_balance(connection, row.organisation, contact, used):
            raise Conflict(text("balance_spent"))
        await db.add(connection, row.organisation, order, row.id, payment_reference)
        await db.add_tickets(connection, row.organisation, _tickets(order, stored.pricing))
        codes, offers = await claims.use(connection, row.organisation, row.id, order, contact)
        if codes != stored.held_codes:
            raise Overtaken
        await db_baskets.end(connection, row.organisation, row.id, "CONFIRMED")
        changed |= offers
        return order


def _tickets(order: UUID, pricing: Pricing) -> list[Ticket]:
    """One ticket a unit, each with a barcode of 80 unguessable bits."""
    return [
        Ticket(
            id=new_id(),
            order=order,
            barcode=secrets.token_hex(10).upper(),
            line=line,
            position=position,
            price=ticket.price,
            advantage=ticket.advantage,
            code=ticket.code,
            controlled_at=None,
        )
        for line, priced in enumerate(pricing.lines)
        for position, ticket in enumerate(priced.tickets)
    ]
