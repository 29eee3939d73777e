"""The tickets of a basket, one by one and by kind."""

from collections.abc import Sequence

from services.pricing.facts.tickets import Line, TicketKind
from services.pricing.values import value


@value
class TicketCounts:
    """``kinds`` are unlike, in an order that does not depend on the lines; ``counts`` are their tickets.

    ``tickets`` has the number of its kind for each ticket, in the order of the lines.
    """

    kinds: Sequence[TicketKind]
    counts: Sequence[int]
    tickets: Sequence[int]

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "TicketCounts":
        found: dict[TicketKind, int] = {}
        of_lines = [found.setdefault(line.kind, len(found)) for line in lines]
        kinds = sorted(found.items(), key=lambda item: order(item[0]))
        numbers = {place: number for number, (_, place) in enumerate(kinds)}
        counts = [0] * len(kinds)
        tickets: list[int] = []
        for place, line in zip(of_lines, lines, strict=True):
            counts[numbers[place]] += line.quantity
            tickets += [numbers[place]] * line.quantity
        return cls([kind for kind, _ in kinds], counts, tickets)


def order(kind: TicketKind) -> tuple[object, ...]:
    """Kinds by when they start, those without a performance last, then by what tells them apart."""
    ids = (kind.product, kind.performance, kind.seat_category, kind.audience_sub_category, kind.season)
    numbers = (-1 if each is None else each.int for each in ids)
    return kind.starts_at is None, kind.starts_at, *numbers, kind.family, kind.full_price
