"""Tickets: what orders are made of, as whoever may read them sees them."""

import secrets
from collections.abc import Mapping, Sequence
from uuid import UUID

from db.baskets import tickets as db
from db.baskets.tickets import NewTicket, Redeemed, Ticket
from db.core.ids import new_id
from db.core.sessions import Sessions
from services.access.permissions import may_see_ticket
from services.catalogue.snapshot import Catalogue
from services.core.viewer import Viewer
from services.pricing.result import PricedTicket, Pricing

__all__ = ["Ticket", "Tickets", "new_tickets", "redeemed_by"]


class Tickets:
    """Reads tickets."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def of_orders(self, viewer: Viewer, orders: Sequence[UUID]) -> dict[UUID, tuple[Ticket, ...]]:
        """The tickets of orders that the viewer has been given."""
        async with self._sessions.reading() as connection:
            return await db.of_orders(connection, viewer.organisation_id, orders)

    async def find(self, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Ticket]:
        """The tickets among ``ids`` that the viewer may see, as their orders; whoever controls tickets sees all."""
        async with self._sessions.reading() as connection:
            found = await db.find(connection, viewer.organisation_id, ids)
        return {key: row for key, row in found.items() if may_see_ticket(viewer, row.contact)}


def new_tickets(order: UUID, pricing: Pricing, holders: Mapping[UUID, UUID], catalogue: Catalogue) -> list[NewTicket]:
    """One ticket a unit, each with a barcode of 80 unguessable bits, and as many entries as its product allows now."""
    return [
        NewTicket(
            id=new_id(),
            order=order,
            barcode=secrets.token_hex(10).upper(),
            line=line,
            position=position,
            product=priced.kind.product,
            performance=priced.kind.performance,
            seat_category=priced.kind.seat_category,
            audience_sub_category=priced.kind.audience_sub_category,
            full_price=ticket.full_price,
            price=ticket.price,
            advantage=ticket.advantage,
            code=ticket.code,
            redeemed=redeemed_by(ticket, holders),
            entries_allowed=catalogue.products[priced.kind.product].entries_allowed,
        )
        for line, priced in enumerate(pricing.lines)
        for position, ticket in enumerate(priced.tickets)
    ]


def redeemed_by(ticket: PricedTicket, holders: Mapping[UUID, UUID]) -> Redeemed:
    """The offers under which a scan of the ticket counts: its advantage, and the promotional codes that cover it.

    Where several codes of one offer do, it counts once.
    """
    codes: dict[UUID, UUID | None] = {} if ticket.advantage is None else {ticket.advantage: ticket.code}
    for share in ticket.shares:
        codes.setdefault(share.offer, share.code)
    return tuple((offer, None if code is None else holders.get(code)) for offer, code in sorted(codes.items()))
