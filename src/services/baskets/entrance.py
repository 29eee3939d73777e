"""The entrance: tickets are scanned at the gate of a performance or product, and let in as often as they allow."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from db.baskets import tickets as db
from db.baskets.tickets import Gate, Ticket
from db.counts import counts
from db.counts.counts import RedemptionCounts
from services.access.permissions import audit_sale
from services.baskets.tickets import Tickets
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.core.errors import EntryRefusal, NotFound, RefusedTicket, TicketRefused
from services.core.instants import local, local_or_empty
from services.core.retries.idempotency import IdempotentRequest
from services.core.text_checks import scanned
from services.core.texts import Text, text
from services.core.transactions import Done, Overtaken, Transaction, Transactions
from services.core.viewer import StaffRole, Viewer


class Scan(NamedTuple):
    """What a gate sends: a barcode as its scanner reads it, and whose entrance it is; None admits to any."""

    barcode: str
    performance: UUID | None = None
    product: UUID | None = None


class Entrance:
    """Lets in whoever has a ticket that admits."""

    def __init__(self, catalogues: Catalogues, transactions: Transactions, tickets: Tickets) -> None:
        self._catalogues = catalogues
        self._transactions = transactions
        self._tickets = tickets

    async def control(self, viewer: Viewer, scan: Scan, now: datetime, key: str | None = None) -> Ticket:
        """Counts one entry of a ticket, which is returned as this left it; what scanners send around a barcode means
        nothing.

        Where a performance or a product is named, its tickets alone are let in, each at the time of its own
        performance; one that is of neither has none. Raises NotFound; TicketRefused with the reason; Forbidden for all
        but staff with CONTROL.
        """
        viewer.require_role(StaffRole.CONTROL)
        read = scanned(scan.barcode)
        if not read.isalnum() or not read.isascii():
            raise NotFound(("barcode",), text("unknown_ticket"))
        catalogue = await self._catalogues.seen_by(viewer)
        if scan.performance is not None and scan.performance not in catalogue.performances:
            raise NotFound(("performanceId",), text("unknown_performance"))
        if scan.product is not None and scan.product not in catalogue.products:
            raise NotFound(("productId",), text("unknown_product"))
        scan = scan._replace(barcode=read)
        once = IdempotentRequest(viewer, key, "controlTicket", tuple(scan))
        done = await self._transactions.once(once, now, self._control, viewer, scan, catalogue)
        entered = done.answer["ticket"]
        ticket = (await self._tickets.find(viewer, [entered]))[entered]
        # Others may have entered by it since.
        return ticket if done.value is None else replace(ticket, entries=done.value)

    async def _control(self, transaction: Transaction, viewer: Viewer, scan: Scan, catalogue: Catalogue) -> Done[int]:
        connection, organisation = transaction.connection, transaction.organisation
        gate = Gate(
            scan.performance,
            scan.product,
            transaction.now,
            catalogue.organisation.entry_opens_minutes,
            catalogue.organisation.entry_closes_minutes,
        )
        entry = await db.control(connection, organisation, scan.barcode, gate, viewer.actor, viewer.point_of_sale)
        if entry is None:
            ticket = await db.by_barcode(connection, organisation, scan.barcode)
            if ticket is None:
                raise NotFound(("barcode",), text("unknown_ticket"))
            # The catalogue may have moved since the gate opened.
            current = await self._catalogues.current(organisation, connection)
            raise refusal(ticket, gate, current) or Overtaken
        # A ticket is controlled or it is not, however often it lets in.
        if entry.redeemed and entry.number == 1:
            scans = dict.fromkeys(entry.redeemed, RedemptionCounts(tickets_controlled=1))
            await counts.move(connection, organisation, scans)
            transaction.changed.update(offer for offer, _ in entry.redeemed)
        await audit_sale(transaction, viewer, "controlTicket", "Ticket", entry.ticket, _details(entry.number, scan))
        return Done({"ticket": entry.ticket}, entry.number)


def _details(number: int, scan: Scan) -> dict[str, object]:
    at = {"performance": scan.performance, "product": scan.product}
    return {"entry": number} | {name: str(key) for name, key in at.items() if key is not None}


def refusal(ticket: Ticket, gate: Gate, catalogue: Catalogue) -> TicketRefused | None:
    """Why a gate does not let a ticket in; None where it does.

    Of several reasons the one that no other gate and no other hour would mend: cancelled, then another's ticket, then
    one that was in already, then the time.
    """
    reason = next(_reasons(ticket, gate, catalogue), None)
    return None if reason is None else refused(ticket, reason, catalogue)


def refused(ticket: Ticket, reason: EntryRefusal, catalogue: Catalogue, said: Text | None = None) -> TicketRefused:
    """The failure that says so, in the words of a gate unless others are given, with what is known of the ticket."""
    opens, closes = _open_from_until(ticket, catalogue)
    facts = RefusedTicket(
        ticket=ticket.id,
        reason=reason,
        product=ticket.product,
        performance=ticket.performance,
        entries=ticket.entries,
        entries_allowed=ticket.entries_allowed,
        controlled_at=ticket.last_controlled_at,
        controlled_by=ticket.last_controlled_by,
        controlled_at_point_of_sale=ticket.last_controlled_at_point_of_sale,
        opens_at=opens,
        closes_at=closes,
        cancelled_at=ticket.cancelled_at,
    )
    return TicketRefused(said or _said(ticket, facts, catalogue), facts)


def _reasons(ticket: Ticket, gate: Gate, catalogue: Catalogue) -> Iterator[EntryRefusal]:
    if ticket.order_is_cancelled:
        yield EntryRefusal.ORDER_CANCELLED
    if ticket.cancelled_at is not None:
        yield EntryRefusal.TICKET_CANCELLED
    if gate.performance not in {None, ticket.performance}:
        yield EntryRefusal.WRONG_PERFORMANCE
    if gate.product not in {None, ticket.product}:
        yield EntryRefusal.WRONG_PRODUCT
    if ticket.entries >= ticket.entries_allowed:
        yield EntryRefusal.ALREADY_CONTROLLED
    opens, closes = _open_from_until(ticket, catalogue)
    if gate.is_named and opens is not None and gate.now < opens:
        yield EntryRefusal.TOO_EARLY
    if gate.is_named and closes is not None and gate.now > closes:
        yield EntryRefusal.TOO_LATE


def _open_from_until(ticket: Ticket, catalogue: Catalogue) -> tuple[datetime | None, datetime | None]:
    performance = None if ticket.performance is None else catalogue.performances.get(ticket.performance)
    if performance is None:
        return None, None
    own, starts = catalogue.organisation, performance.starts_at
    before, after = timedelta(minutes=own.entry_opens_minutes), timedelta(minutes=own.entry_closes_minutes)
    return starts - before, starts + after


def _said(ticket: Ticket, facts: RefusedTicket, catalogue: Catalogue) -> Text:
    zone = ZoneInfo(catalogue.timezone)
    if facts.reason is EntryRefusal.ALREADY_CONTROLLED:
        return _in_already(ticket, catalogue, zone)
    performance = None if ticket.performance is None else catalogue.performances[ticket.performance]
    another = text("ticket_of_another_product", product=catalogue.products[ticket.product].name)
    if performance is not None and facts.reason is EntryRefusal.WRONG_PERFORMANCE:
        starts = local(performance.starts_at, zone)
        another = text("ticket_of_another_performance", at=starts, where=performance.venue)
    words = {
        EntryRefusal.ORDER_CANCELLED: text("ticket_of_cancelled_order"),
        EntryRefusal.TICKET_CANCELLED: text("ticket_cancelled"),
        EntryRefusal.TOO_EARLY: text("ticket_too_early", at=local_or_empty(facts.opens_at, zone)),
        EntryRefusal.TOO_LATE: text("ticket_too_late", at=local_or_empty(facts.closes_at, zone)),
    }
    return words.get(facts.reason, another)


def _in_already(ticket: Ticket, catalogue: Catalogue, zone: ZoneInfo) -> Text:
    place = ticket.last_controlled_at_point_of_sale
    where = "–" if place is None else catalogue.points_of_sale[place].name
    at = local_or_empty(ticket.last_controlled_at, zone)
    if ticket.entries_allowed > 1:
        return text("ticket_entries_used", entries=ticket.entries_allowed, at=at, where=where)
    return text("ticket_controlled_already", at=at, where=where)
