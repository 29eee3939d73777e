"""Orders: what baskets become, with one ticket for each unit."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from db.baskets import baskets as db_baskets
from db.baskets import orders as db
from db.baskets import uses
from db.baskets.orders import OrderState, Ticket
from db.core.ids import new_id
from db.core.sessions import Sessions
from db.counts import counts
from db.counts.counts import RedemptionCounts
from services.access.permissions import audit_sale, may_see, may_see_ticket
from services.baskets import stored_pricing
from services.baskets.basket import BasketState, SeenTotal, taken_up
from services.baskets.lifecycle import Baskets, anything
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.core.errors import CodeRefused, Conflict, Failure, FailureCode, InvalidInput, NotFound, Problem
from services.core.instants import local
from services.core.retries.idempotency import IdempotentRequest
from services.core.text_checks import is_writable, scanned
from services.core.texts import text
from services.core.transactions import Done, Overtaken, Transaction, Transactions
from services.core.viewer import Audience, StaffRole, Viewer
from services.pricing.facts.refusals import Refusal, RefusalCode
from services.pricing.result import PricedTicket, Pricing

LONGEST_REASON: Final = 500

__all__ = ["Order", "OrderState", "Orders", "Ticket"]


@dataclass(frozen=True, slots=True)
class Order:
    """A concluded sale; ``pricing`` is what was paid, as the basket had held it.

    ``advantages`` alone were to be considered, None for all of them. Who cancelled it (``cancelled_by``) is for those
    who read the records, and for whoever did so.
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
        seen = None
        if expected_total is not None:
            seen = SeenTotal(expected_total, (await self._catalogues.seen_by(viewer)).organisation.currency)
        request = (basket, payment_reference, expected_total)
        once = IdempotentRequest(viewer, key, "confirmBasket", request, basket)
        done = await self._transactions.once(once, now, self._confirm, viewer, basket, payment_reference, seen)
        order = done.answer["order"]
        return (await self.find(viewer, [order]))[order]

    async def cancel(
        self, viewer: Viewer, order: UUID, reason: str | None, now: datetime, key: str | None = None
    ) -> Order:
        """Cancels an order as a whole and gives back what it had used (docs/domain.md, Baskets and orders).

        Its codes are free again unless their offer says otherwise, what it took of limits is free in any case, and the
        balance it used returns. For staff with SALES, and partners with orders of their own. Raises NotFound; Conflict
        where it is cancelled already or one of its tickets was scanned; Forbidden.
        """
        if viewer.audience is not Audience.PARTNER:
            viewer.require_role(StaffRole.SALES)
        _check_reason(reason)
        once = IdempotentRequest(viewer, key, "cancelOrder", (order, reason))
        await self._transactions.once(once, now, self._cancel, viewer, order, reason)
        return (await self.find(viewer, [order]))[order]

    async def control(self, viewer: Viewer, barcode: str, now: datetime, key: str | None = None) -> Ticket:
        """Counts a ticket's scan at the entrance, once; what scanners send around a barcode means nothing.

        Raises NotFound; Conflict where it was scanned before, saying when and where, or its order is cancelled;
        Forbidden for all but staff with CONTROL.
        """
        viewer.require_role(StaffRole.CONTROL)
        read = scanned(barcode)
        if not read.isalnum() or not read.isascii():
            raise NotFound(("barcode",), text("unknown_ticket"))
        catalogue = await self._catalogues.seen_by(viewer)
        once = IdempotentRequest(viewer, key, "controlTicket", barcode)
        done = await self._transactions.once(once, now, self._control, viewer, read, catalogue)
        ticket = done.answer["ticket"]
        return (await self.tickets(viewer, [ticket]))[ticket]

    async def find(self, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Order]:
        """The orders among ``ids`` that the viewer may see."""
        async with self._sessions.reading() as connection:
            rows = await db.get(connection, viewer.organisation_id, ids)
        return {row.id: order_seen(viewer, row) for row in rows.values() if may_see(viewer, row.contact)}

    async def tickets_of(self, viewer: Viewer, orders: Sequence[UUID]) -> dict[UUID, tuple[Ticket, ...]]:
        """The tickets of orders that the viewer has been given."""
        async with self._sessions.reading() as connection:
            return await db.tickets_of(connection, viewer.organisation_id, orders)

    async def tickets(self, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Ticket]:
        """The tickets among ``ids`` whose orders the viewer may see."""
        async with self._sessions.reading() as connection:
            found = await db.tickets(connection, viewer.organisation_id, ids)
            orders = await db.get(connection, viewer.organisation_id, [ticket.order for ticket in found.values()])
        return {key: row for key, row in found.items() if may_see_ticket(viewer, orders[row.order].contact)}

    async def _confirm(
        self,
        transaction: Transaction,
        viewer: Viewer,
        basket: UUID,
        payment_reference: str | None,
        seen: SeenTotal | None,
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
        order = await _conclude(transaction, row, stored, payment_reference)
        await audit_sale(transaction, viewer, "confirmBasket", "Order", order, {"basket": str(basket)})
        return Done({"order": order})

    async def _cancel(self, transaction: Transaction, viewer: Viewer, order: UUID, reason: str | None) -> Done[None]:
        connection = transaction.connection
        row = await db.lock(connection, transaction.organisation, order)
        if row is None or not (viewer.is_staff or row.contact == viewer.contact):
            raise NotFound(("orderId",), text("unknown_order"))
        if row.state is OrderState.CANCELLED:
            raise Conflict(text("order_cancelled"))
        if await db.is_controlled(connection, row.organisation, order):
            raise Conflict(text("order_controlled"))
        await db.cancel(connection, row.organisation, order, viewer.actor, reason)
        used = stored_pricing.load(row.pricing).pricing.balance_used
        if row.contact is not None:
            await db.take_back(connection, row.organisation, row.contact, used)
        transaction.changed.update(await uses.give_back(connection, row.organisation, row.basket, order))
        await audit_sale(transaction, viewer, "cancelOrder", "Order", order, {"reason": reason})
        return Done({"order": order})

    async def _control(
        self, transaction: Transaction, viewer: Viewer, barcode: str, catalogue: Catalogue
    ) -> Done[None]:
        connection, organisation = transaction.connection, transaction.organisation
        ticket = await db.control(connection, organisation, barcode, viewer.actor, viewer.point_of_sale)
        if ticket is None:
            raise _not_controlled(await db.by_barcode(connection, organisation, barcode), catalogue)
        if ticket.redeemed:
            scans = dict.fromkeys(ticket.redeemed, RedemptionCounts(tickets_controlled=1))
            await counts.move(connection, organisation, scans)
            transaction.changed.update(offer for offer, _ in ticket.redeemed)
        await audit_sale(transaction, viewer, "controlTicket", "Ticket", ticket.id, {})
        return Done({"ticket": ticket.id})


def order_seen(viewer: Viewer, row: db.Order) -> Order:
    """An order as somebody sees it who may."""
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
        pricing=stored_pricing.load(row.pricing).pricing,
        cancelled_at=row.cancelled_at,
        cancelled_by=row.cancelled_by if viewer.reads_records or row.cancelled_by == viewer.actor else None,
        cancellation_reason=row.cancellation_reason,
    )


async def _conclude(
    transaction: Transaction,
    row: db_baskets.LockedBasket,
    stored: stored_pricing.StoredPricing,
    payment_reference: str | None,
) -> UUID:
    """Makes the order that a locked basket becomes. Raises Conflict, and Overtaken where a code was invalidated."""
    connection, order = transaction.connection, new_id()
    contact = row.content.contact
    used = stored.pricing.balance_used
    if contact is not None and not await db.pay_from_balance(connection, row.organisation, contact, used):
        raise Conflict(text("balance_spent"))
    await db.add(connection, row.organisation, order, row.id, payment_reference)
    holders = await uses.holders(connection, row.organisation, row.id)
    await db.add_tickets(connection, row.organisation, _tickets(order, stored.pricing, holders))
    codes, offers = await uses.use(connection, row.organisation, row.id, order, contact)
    if codes != stored.held_codes:
        raise Overtaken
    await db_baskets.end(connection, row.organisation, [row.id], BasketState.CONFIRMED)
    transaction.changed.update(offers)
    return order


def _tickets(order: UUID, pricing: Pricing, holders: Mapping[UUID, UUID]) -> list[Ticket]:
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
            redeemed=_redeemed(ticket, holders),
            controlled_at=None,
            controlled_at_point_of_sale=None,
        )
        for line, priced in enumerate(pricing.lines)
        for position, ticket in enumerate(priced.tickets)
    ]


def _redeemed(ticket: PricedTicket, holders: Mapping[UUID, UUID]) -> tuple[tuple[UUID, UUID | None], ...]:
    """The offers under which a scan of the ticket counts: its advantage, and the promotional codes that cover it.

    Where several codes of one offer do, it counts once.
    """
    codes: dict[UUID, UUID | None] = {} if ticket.advantage is None else {ticket.advantage: ticket.code}
    for share in ticket.shares:
        codes.setdefault(share.offer, share.code)
    return tuple((offer, None if code is None else holders.get(code)) for offer, code in sorted(codes.items()))


def _not_controlled(ticket: Ticket | None, catalogue: Catalogue) -> Failure:
    """Why a ticket could not be scanned."""
    if ticket is None:
        return NotFound(("barcode",), text("unknown_ticket"))
    if ticket.controlled_at is None:
        return Conflict(text("ticket_of_cancelled_order"), FailureCode.TICKET_CANCELLED)
    place = ticket.controlled_at_point_of_sale
    at = local(ticket.controlled_at, ZoneInfo(catalogue.timezone))
    where = "–" if place is None else catalogue.points_of_sale[place].code
    said = text("ticket_controlled_already", at=at, where=where)
    return Conflict(said, FailureCode.ALREADY_CONTROLLED)


def _check_reason(reason: str | None) -> None:
    if reason is not None and not is_writable(reason, most=LONGEST_REASON):
        raise InvalidInput([Problem(("reason",), text("reason_unusable", most=LONGEST_REASON))])
