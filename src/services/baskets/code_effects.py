"""What each code of a price does: the tickets that it covers and what it takes off them, for the records of uses."""

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from services.pricing.facts.tickets import TicketKind
from services.pricing.result import Pricing


@dataclass(slots=True)
class CodeEffect:
    """Tickets that a stored code covers, and its discount on them in minor units.

    A ticket is covered by the code that opened its advantage, and by each promotional code that it has a share of,
    although that share may be nothing by rounding.
    """

    tickets: int = 0
    discount: int = 0

    def add(self, discount: int) -> None:
        self.tickets += 1
        self.discount += discount


def by_kind(pricing: Pricing) -> dict[tuple[UUID, TicketKind], CodeEffect]:
    """The effect of each stored code on the tickets of each kind."""
    effects: dict[tuple[UUID, TicketKind], CodeEffect] = defaultdict(CodeEffect)
    if any(hold.code is not None for hold in pricing.holds):
        for line in pricing.lines:
            for ticket in line.tickets:
                if ticket.code is not None:
                    effects[ticket.code, line.kind].add(ticket.full_price - ticket.advantage_price)
                for share in ticket.shares:
                    if share.code is not None:
                        effects[share.code, line.kind].add(share.amount)
    return effects


def idle(pricing: Pricing) -> set[UUID]:
    """The stored codes that are entered and do nothing."""
    applied = {code.code for code in pricing.codes if code.applied}
    return {code.code for code in pricing.codes if code.code is not None and code.code not in applied}
