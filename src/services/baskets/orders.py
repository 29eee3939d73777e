"""Orders: what baskets become, with one ticket for each unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from db.baskets import baskets as db_baskets
from db.baskets import orders as db
from db.baskets import tickets, uses
from db.baskets.orders import OrderState
from db.core.ids import new_id
from db.core.sessions import Sessions
from services.access.permissions import audit_sale, may_see
from services.baskets import order_terms, stored_pricing
from services.baskets.basket import BasketState, SeenTotal, taken_up
from services.baskets.cancellations import remaining_price
from services.baskets.lifecycle import Baskets, anything
from services.baskets.tickets import new_tickets
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.core.errors import CodeRefused, Conflict
from services.core.retries.idempotency import IdempotentRequest
from services.core.texts import text
from services.core.transactions import Done, Overtaken, Transaction, Transactions
from services.core.viewer import Viewer
from services.pricing.facts.refusals import Refusal, RefusalCode
from services.pricing.result import Pricing

__all__ = ["Order", "OrderState", "Orders"]


@dataclass(frozen=True, slots=True)
class Order:
    """A concluded sale; ``pricing`` is what was paid, as the basket had held it.

    ``remaining`` is what the tickets that stay cost by now, with the fees that are kept. ``advantages`` alone were to
    be considered, None for all of them. Who cancelled it (``cancelled_by``) is for those who read the records, and for
    whoever did so.
    """

    id: UUID
    number: str
    state: OrderState
    contact: UUID | None
    point_of_sale: UUID
    delivery_mode: UUID | None
    use_balance: bool
    advantages: tuple[UUID, ...] | None
    payment_reference: str | None
    confirmed_at: datetime
    pricing: Pricing
    remaining: Pricing
    cancelled_at: datetime | None
    cancelled_by: str | None
    cancellation_reason: str | None


class Orders:
    """Use cases of orders; each change is one transaction."""

    def __init__(
        self, sessions: Sessions, catalogues: Catalogues, transactions: Transactions, baskets: Baskets
    ) -> None:
        self._sessions = sessions
        self._catalogues = catalogues
        self._transactions = transactions
        self._baskets = baskets

    async def confirm(
        self,
        viewer: Viewer,
        basket: UUID,
        payment_reference: str | None,
        now: datetime,
        key: str | None = None,
        expected_total: Decimal | None = None,
    ) -> Order:
        """The order that a basket becomes, at the price that it held.

        Codes and quotas held become used, the balance used leaves the contact's balance, each unit becomes a ticket.
        Raises NotFound; Conflict where the basket is not open, has no ticket, or the balance has been spent meanwhile;
        CodeRefused where a code was invalidated since: the basket then has its price without it, to be confirmed anew;
        TotalChanged where the total is not the ``expected_total`` that the customer saw.
        """
        catalogue = await self._catalogues.seen_by(viewer)
        seen = None if expected_total is None else SeenTotal(expected_total, catalogue.organisation.currency)
        request = (basket, payment_reference, expected_total)
        once = IdempotentRequest(viewer, key, "confirmBasket", request, basket)
        done = await self._transactions.once(
            once, now, self._confirm, viewer, basket, payment_reference, seen, catalogue
        )
        order = done.answer["order"]
        return (await self.find(viewer, [order]))[order]

    async def find(self, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Order]:
        """The orders among ``ids`` that the viewer may see."""
        async with self._sessions.reading() as connection:
            rows = await db.get(connection, viewer.organisation_id, ids)
        return {row.id: order_seen(viewer, row) for row in rows.values() if may_see(viewer, row.contact)}

    async def _confirm(
        self,
        transaction: Transaction,
        viewer: Viewer,
        basket: UUID,
        payment_reference: str | None,
        seen: SeenTotal | None,
        catalogue: Catalogue,
    ) -> Done[None] | CodeRefused:
        row = await self._baskets.locked(transaction, viewer, basket)
        mine = taken_up(row.content, viewer)
        if mine != row.content:
            await self._baskets.reprice(transaction, viewer, row, mine, anything)
            row = await self._baskets.locked(transaction, viewer, basket)
        stored = stored_pricing.load(row.pricing)
        lost = stored.held_codes - await db_baskets.held_codes(transaction.connection, row.organisation, basket)
        if lost:
            await self._baskets.reprice(transaction, viewer, row, row.content, anything)
            return CodeRefused([Refusal(RefusalCode.CODE_INVALIDATED) for _ in lost])
        if not any(line.tickets for line in stored.pricing.lines):
            raise Conflict(text("basket_empty"))
        if seen is not None:
            seen.check(stored.pricing.total)
        catalogue = await self._knowing(transaction, catalogue, stored.pricing)
        order = await _conclude(transaction, row, stored, payment_reference, catalogue)
        await audit_sale(transaction, viewer, "confirmBasket", "Order", order, {"basket": str(basket)})
        return Done({"order": order})

    async def _knowing(self, transaction: Transaction, catalogue: Catalogue, pricing: Pricing) -> Catalogue:
        """The snapshot, or the current one where others have sold by what is newer since the request began."""
        offers = {hold.offer for hold in pricing.holds}
        products = {line.kind.product for line in pricing.lines}
        if offers <= catalogue.offer_details.keys() and products <= catalogue.products.keys():
            return catalogue
        return await self._catalogues.current(transaction.organisation, transaction.connection)


def order_seen(viewer: Viewer, row: db.Order) -> Order:
    """An order as somebody sees it who may."""
    sold = stored_pricing.load(row.pricing).pricing
    return Order(
        id=row.id,
        number=row.number,
        state=row.state,
        contact=row.contact,
        point_of_sale=row.point_of_sale,
        delivery_mode=row.delivery_mode,
        use_balance=row.use_balance,
        advantages=row.advantages,
        payment_reference=row.payment_reference,
        confirmed_at=row.confirmed_at,
        pricing=sold,
        remaining=remaining_price(row, sold),
        cancelled_at=row.cancelled_at,
        cancelled_by=row.cancelled_by if viewer.reads_records or row.cancelled_by == viewer.actor else None,
        cancellation_reason=row.cancellation_reason,
    )


async def _conclude(
    transaction: Transaction,
    row: db_baskets.LockedBasket,
    stored: stored_pricing.StoredPricing,
    payment_reference: str | None,
    catalogue: Catalogue,
) -> UUID:
    """Makes the order that a locked basket becomes. Raises Conflict, and Overtaken where a code was invalidated."""
    connection, order = transaction.connection, new_id()
    contact = row.content.contact
    used = stored.pricing.balance_used
    if contact is not None and not await db.pay_from_balance(connection, row.organisation, contact, used):
        raise Conflict(text("balance_spent"))
    terms = order_terms.dump({hold.offer for hold in stored.pricing.holds}, catalogue)
    await db.add(connection, row.organisation, order, row.id, payment_reference, terms)
    holders = await uses.holders(connection, row.organisation, row.id)
    await tickets.add(connection, row.organisation, new_tickets(order, stored.pricing, holders, catalogue))
    codes, offers = await uses.use(connection, row.organisation, row.id, order, contact)
    if codes != stored.held_codes:
        raise Overtaken
    await db_baskets.end(connection, row.organisation, [row.id], BasketState.CONFIRMED)
    transaction.changed.update(offers)
    return order
