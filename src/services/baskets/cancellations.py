"""Cancelling tickets of orders, some or all: first said, then done, by one way (docs/domain.md, Cancelling tickets)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets import cancellations as db
from db.baskets import orders as db_orders
from db.baskets import tickets as db_tickets
from db.baskets import uses
from db.baskets.cancellations import Cancellation
from db.baskets.claims import Claim
from db.baskets.code_uses import ReleaseReason
from db.baskets.orders import OrderState
from db.baskets.tickets import Redeemed, Repriced, Ticket
from db.catalogue.catalogue import read_as_one
from db.core.ids import new_id
from db.core.sessions import Sessions
from db.counts import counts
from db.counts.counts import RedemptionCounts
from services.access.permissions import audit_sale
from services.baskets import order_terms, stored_pricing
from services.baskets.entrance import refused
from services.baskets.holds import held_tickets
from services.baskets.tickets import redeemed_by
from services.catalogue.catalogues import Catalogues
from services.catalogue.offer_details import CancellationPolicy
from services.catalogue.snapshot import Catalogue
from services.core.errors import Conflict, EntryRefusal, InvalidInput, NotFound, Problem
from services.core.money import to_decimal
from services.core.pacing import Pacer, TookTooLong
from services.core.problems import Problems
from services.core.retries.idempotency import IdempotentRequest
from services.core.text_checks import check_note
from services.core.texts import text
from services.core.transactions import Done, Overtaken, Transaction, Transactions
from services.core.viewer import Audience, StaffRole, Viewer
from services.pricing.cancellation import GivenBack, Refund, priced_anew_in_steps, refund, without
from services.pricing.limits import counted
from services.pricing.result import PricedTicket, Pricing

LONGEST_REASON: Final = 500
MOST_SECONDS: Final = 2.0
"""Of computing, for the tickets that stay."""

__all__ = ["Cancellation", "CancellationPreview", "Cancellations", "remaining_price"]


class Asked(NamedTuple):
    """Which tickets of an order are to be cancelled, all that are left of them where none is named; and why."""

    order: UUID
    tickets: tuple[UUID, ...] | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class CancellationPreview:
    """What cancelling would do: what is given back for each of the ``tickets``, and what ``staying`` ones cost then.

    ``remaining`` is the price of these, with the fees that are kept. ``codes`` are the single-use codes that are free
    again, as they were entered. Amounts are minor units.
    """

    order: UUID
    policy: CancellationPolicy
    tickets: tuple[tuple[Ticket, int], ...]
    staying: tuple[tuple[Ticket, int], ...]
    remaining: Pricing
    given_back: GivenBack
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that is to be written, and was made of."""

    order: db_orders.Order
    policy: CancellationPolicy
    before: stored_pricing.StoredPricing
    rest: Pricing
    refund: Refund
    cancelled: tuple[Ticket, ...]
    staying: tuple[tuple[Ticket, PricedTicket], ...]

    @property
    def is_whole(self) -> bool:
        return not self.staying

    @property
    def let_go(self) -> frozenset[UUID]:
        """The single-use codes that no ticket has any more."""
        return self.before.held_codes - {hold.code for hold in self.rest.holds}


class Cancellations:
    """Use cases of cancelling; each is one transaction."""

    def __init__(self, sessions: Sessions, catalogues: Catalogues, transactions: Transactions) -> None:
        self._sessions = sessions
        self._catalogues = catalogues
        self._transactions = transactions
        self._pacer = Pacer()

    async def preview(self, viewer: Viewer, order: UUID, tickets: Sequence[UUID] | None) -> CancellationPreview:
        """What cancelling these tickets, or all that are left, would give back, and what would become of the rest.

        Says the same as the act, and fails as it does.
        """
        _require_right(viewer)
        asked = _checked(order, tickets, None)
        catalogue = await self._catalogues.seen_by(viewer)
        async with self._sessions.writing() as connection:
            await read_as_one(connection)
            found = await db_orders.get(connection, viewer.organisation_id, [order])
            plan = await self._plan(connection, _own(viewer, found.get(order)), asked, catalogue)
            free = await uses.returning(connection, viewer.organisation_id, order, plan.let_go)
        return CancellationPreview(
            order,
            plan.policy,
            tuple(zip(plan.cancelled, plan.refund.each, strict=True)),
            tuple([(ticket, priced.price) for ticket, priced in plan.staying]),
            plan.rest,
            plan.refund,
            tuple([code.text for code in plan.before.pricing.codes if code.code in free]),
        )

    async def cancel_tickets(
        self,
        viewer: Viewer,
        order: UUID,
        tickets: Sequence[UUID],
        reason: str | None,
        now: datetime,
        key: str | None = None,
    ) -> None:
        """Cancels tickets of an order, and the order with the last of them.

        What they had taken is given back: money to balance and payment as they paid, limits in any case, a single-use
        code once none of its tickets is left and unless its offer says otherwise. For staff with SALES, and partners
        with orders of their own. Raises InvalidInput; NotFound; Conflict where the order is cancelled; TicketRefused
        where a ticket is, or was scanned; Forbidden.
        """
        _require_right(viewer)
        asked = _checked(order, tickets, reason)
        once = IdempotentRequest(viewer, key, "cancelTickets", (order, frozenset(tickets), reason))
        catalogue = await self._catalogues.seen_by(viewer)
        await self._transactions.once(once, now, self._cancel, viewer, asked, catalogue, once.operation)

    async def cancel_order(
        self, viewer: Viewer, order: UUID, reason: str | None, now: datetime, key: str | None = None
    ) -> None:
        """Cancels all tickets of an order that are left, as ``cancel_tickets`` does.

        Raises Conflict where it is cancelled already or one of its tickets was scanned; else the same.
        """
        _require_right(viewer)
        asked = _checked(order, None, reason)
        once = IdempotentRequest(viewer, key, "cancelOrder", (order, reason))
        catalogue = await self._catalogues.seen_by(viewer)
        await self._transactions.once(once, now, self._cancel, viewer, asked, catalogue, once.operation)

    async def of_orders(self, viewer: Viewer, orders: Sequence[UUID]) -> dict[UUID, tuple[Cancellation, ...]]:
        """What was given back of orders that the viewer has been given, the first cancellation first.

        By whom is for those who read the records, and for whoever it was.
        """
        async with self._sessions.reading() as connection:
            found = await db.of_orders(connection, viewer.organisation_id, orders)
        return {order: tuple([_seen(viewer, row) for row in rows]) for order, rows in found.items()}

    async def _cancel(
        self, transaction: Transaction, viewer: Viewer, asked: Asked, catalogue: Catalogue, action: str
    ) -> Done[None]:
        connection, organisation = transaction.connection, transaction.organisation
        row = _own(viewer, await db_orders.lock(connection, organisation, asked.order))
        plan = await self._plan(connection, row, asked, catalogue)
        await self._write(transaction, viewer, plan, asked.reason)
        details: dict[str, object] = {"reason": asked.reason}
        if asked.tickets is not None:
            currency = catalogue.currency
            details["tickets"] = [str(ticket.id) for ticket in plan.cancelled]
            details["givenBack"] = f"{to_decimal(plan.refund.total, currency):f} {currency}"
        await audit_sale(transaction, viewer, action, "Order", asked.order, details)
        return Done({"order": asked.order})

    async def _plan(
        self, connection: AsyncConnection, row: db_orders.Order, asked: Asked, catalogue: Catalogue
    ) -> _Plan:
        """What is to be written. Of an order that is locked it stays true until the transaction ends."""
        if row.state is OrderState.CANCELLED:
            raise Conflict(text("order_cancelled"), state=OrderState.CANCELLED)
        every = (await db_tickets.of_orders(connection, row.organisation, [row.id]))[row.id]
        left = [ticket for ticket in every if ticket.cancelled_at is None]
        cancelled = _chosen(asked, every, left, catalogue)
        first = stored_pricing.load(row.pricing)
        before = first if row.remaining is None else stored_pricing.load(row.remaining)
        spots = _spots(left)
        gone = [spots[ticket.id] for ticket in cancelled]
        policy = CancellationPolicy.KEEP if row.terms is None else CancellationPolicy.ANEW
        rest = without(before.pricing, gone)
        if policy is CancellationPolicy.ANEW and len(cancelled) < len(left):
            whole = await self._priced_anew(connection, row, before.pricing, ())
            if whole.total == before.pricing.total:
                rest = await self._priced_anew(connection, row, before.pricing, gone)
            else:
                # The basket held older terms than those of its confirmation: by these, others were sold than were paid.
                policy = CancellationPolicy.KEEP
        sold = first.pricing
        so_far = GivenBack(*await db.given_back(connection, row.organisation, row.id))
        priced = [before.pricing.lines[line].tickets[at] for line, at in gone]
        back = refund(sold, so_far, priced, rest, returns_fees=catalogue.organisation.returns_fees)
        ids = {ticket.id for ticket in cancelled}
        staying = [ticket for ticket in left if ticket.id not in ids]
        tickets = [ticket for line in rest.lines for ticket in line.tickets]
        return _Plan(
            row,
            policy,
            before,
            _less_given_back(rest, sold, back, so_far),
            back,
            tuple(cancelled),
            tuple(zip(staying, tickets, strict=True)),
        )

    async def _priced_anew(
        self,
        connection: AsyncConnection,
        row: db_orders.Order,
        before: Pricing,
        gone: Sequence[tuple[int, int]],
    ) -> Pricing:
        offers = order_terms.load(row.terms or "")
        # What is counted by now, whatever was when the request began.
        catalogue = await self._catalogues.current(row.organisation, connection)
        limited = {key: counted(catalogue.offers[key]) for key in offers if key in catalogue.offers}
        steps = priced_anew_in_steps(before, gone, offers, limited, row.confirmed_at)
        try:
            return await self._pacer.run(steps, MOST_SECONDS)
        except TookTooLong:
            raise InvalidInput([Problem(("ticketIds",), text("price_too_intricate"))]) from None

    async def _write(self, transaction: Transaction, viewer: Viewer, plan: _Plan, reason: str | None) -> None:
        connection, order, cancellation = transaction.connection, plan.order, new_id()
        back = plan.refund
        given = [(ticket.id, amount) for ticket, amount in zip(plan.cancelled, back.each, strict=True)]
        if not await db_tickets.cancel(connection, order.organisation, cancellation, given):
            raise Overtaken
        await db.add(
            connection,
            order.organisation,
            db.NewCancellation(
                id=cancellation,
                order=order.id,
                policy=plan.policy,
                for_tickets=back.for_tickets,
                for_fees=back.for_fees,
                to_balance=back.to_balance,
                cancelled_by=viewer.actor,
                reason=reason,
            ),
        )
        held_codes = plan.before.held_codes - plan.let_go
        await db_orders.keep(connection, order.organisation, order.id, stored_pricing.dump(plan.rest, held_codes))
        if plan.is_whole:
            await db_orders.cancel(connection, order.organisation, order.id, viewer.actor, reason)
        if order.contact is not None:
            await db_orders.pay_back(connection, order.organisation, order.contact, back.to_balance)
            if plan.is_whole:
                await db_orders.forget(connection, order.organisation, order.contact)
        await self._release(transaction, viewer, plan)

    async def _release(self, transaction: Transaction, viewer: Viewer, plan: _Plan) -> None:
        """Leaves what is taken and counted to the tickets that stay. Raises Overtaken where they cannot have it."""
        connection, order = transaction.connection, plan.order
        holders = await uses.holders(connection, order.organisation, order.basket)
        kept = Claim(order.basket, order.contact, held_tickets(plan.rest, holders))
        reason = ReleaseReason.ORDER_CANCELLED if plan.is_whole else ReleaseReason.TICKETS_CANCELLED
        changed, complete = await uses.keep(
            connection, order.organisation, order.id, kept, reason=reason, by=viewer.actor
        )
        if not complete:
            raise Overtaken
        transaction.changed.update(changed)
        repriced = [row for ticket, priced in plan.staying if (row := _repriced(ticket, priced, holders)) is not None]
        await db_tickets.reprice(connection, order.organisation, [row for _, row in repriced])
        scans = _moved_scans(repriced)
        if scans:
            await counts.move(connection, order.organisation, scans)
            transaction.changed.update(offer for offer, _ in scans)


def _seen(viewer: Viewer, row: Cancellation) -> Cancellation:
    return row if viewer.reads_records or row.cancelled_by == viewer.actor else replace(row, cancelled_by=None)


def remaining_price(row: db_orders.Order, sold: Pricing) -> Pricing:
    """What the tickets of an order that stay cost, with the fees that are kept; as it was ``sold`` where all stay."""
    return sold if row.remaining is None else stored_pricing.load(row.remaining).pricing


def _require_right(viewer: Viewer) -> None:
    if viewer.audience is not Audience.PARTNER:
        viewer.require_role(StaffRole.SALES)


def _own(viewer: Viewer, row: db_orders.Order | None) -> db_orders.Order:
    if row is None or not (viewer.is_staff or row.contact == viewer.contact):
        raise NotFound(("orderId",), text("unknown_order"))
    return row


def _checked(order: UUID, tickets: Sequence[UUID] | None, reason: str | None) -> Asked:
    problems = Problems()
    if reason is not None:
        problems.refuse(("reason",), check_note(reason, LONGEST_REASON))
    if tickets is not None and not tickets:
        problems.add(("ticketIds",), text("list_empty"))
    problems.check()
    return Asked(order, None if tickets is None else tuple(tickets), reason)


def _chosen(asked: Asked, every: Sequence[Ticket], left: Sequence[Ticket], catalogue: Catalogue) -> list[Ticket]:
    """The tickets that are asked for, each once. One that was scanned was used, and is not cancelled any more."""
    if asked.tickets is None:
        for ticket in left:
            if ticket.entries:
                raise refused(ticket, EntryRefusal.ALREADY_CONTROLLED, catalogue, text("order_controlled"))
        return list(left)
    of_order = {ticket.id: ticket for ticket in every}
    for number, key in enumerate(asked.tickets):
        if key not in of_order:
            raise NotFound(("ticketIds", str(number)), text("ticket_not_of_order"))
    chosen = [of_order[key] for key in dict.fromkeys(asked.tickets)]
    for ticket in chosen:
        if ticket.cancelled_at is not None:
            raise refused(ticket, EntryRefusal.TICKET_CANCELLED, catalogue, text("ticket_cancelled_before"))
        if ticket.entries:
            raise refused(ticket, EntryRefusal.ALREADY_CONTROLLED, catalogue, text("ticket_not_cancellable"))
    return chosen


def _spots(left: Sequence[Ticket]) -> dict[UUID, tuple[int, int]]:
    """Where each ticket that is left stands in the order's price, which has just these, line by line."""
    found: dict[UUID, tuple[int, int]] = {}
    in_line: dict[int, int] = {}
    for ticket in left:
        at = in_line.get(ticket.line, 0)
        in_line[ticket.line] = at + 1
        found[ticket.id] = ticket.line, at
    return found


def _less_given_back(rest: Pricing, sold: Pricing, back: Refund, so_far: GivenBack) -> Pricing:
    """The price of the rest with what is kept of the balance, and without the fees that are given back."""
    processing, delivery = (0, 0) if back.for_fees else (sold.processing_fee, sold.delivery_fee)
    kept = sold.balance_used - so_far.to_balance - back.to_balance
    return replace(rest, processing_fee=processing, delivery_fee=delivery, balance_used=kept)


def _repriced(ticket: Ticket, priced: PricedTicket, holders: Mapping[UUID, UUID]) -> tuple[Ticket, Repriced] | None:
    redeemed = redeemed_by(priced, holders)
    after = Repriced(ticket.id, priced.price, priced.advantage, priced.code, redeemed)
    before = Repriced(ticket.id, ticket.price, ticket.advantage, ticket.code, ticket.redeemed)
    return None if after == before else (ticket, after)


def _moved_scans(repriced: Sequence[tuple[Ticket, Repriced]]) -> dict[tuple[UUID, UUID | None], RedemptionCounts]:
    """How the counts of scans move where tickets that were scanned have other offers by now."""
    moves: dict[tuple[UUID, UUID | None], int] = {}
    for ticket, after in repriced:
        if ticket.entries:
            _add(moves, ticket.redeemed, -1)
            _add(moves, after.redeemed, 1)
    return {key: RedemptionCounts(tickets_controlled=by) for key, by in moves.items() if by}


def _add(moves: dict[tuple[UUID, UUID | None], int], redeemed: Redeemed, by: int) -> None:
    for key in redeemed:
        moves[key] = moves.get(key, 0) + by
