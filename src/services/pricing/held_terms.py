"""The price of a basket that holds terms already (docs/domain.md, Baskets and what they hold).

A change prices anew what it touches. All else keeps its terms, unless a price of today is better: no ticket that the
change does not touch becomes dearer by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from services.pricing.engine import price_in_steps
from services.pricing.facts.refusals import EnteredCode
from services.pricing.facts.sale import Sale, Taken
from services.pricing.facts.tickets import Line, TicketKind
from services.pricing.kept import CodeKey, Kept, KeptTicket, without
from services.pricing.offer_index import OfferIndex
from services.pricing.result import OfferTerms, PricedLine, PricedTicket, Pricing
from services.pricing.steps import Steps
from services.pricing.values import value

Place = tuple[UUID, UUID | None, UUID | None, UUID]
"""What tells tickets apart that a customer asks for: product, performance, seat and audience sub-category."""

ROUNDS: Final = 3
"""How often a price may find further tickets that it would make dearer; after that all keep their terms."""


@value
class AskedLine:
    """A number of like tickets, and what they are today; None where they are no longer sold."""

    place: Place
    kind: TicketKind | None
    quantity: int


@value
class HeldTerms:
    """What a basket holds, and what a change does to it.

    ``lost`` are codes, with their offers, that the basket no longer has; ``same_contact`` and ``same_delivery_mode``
    say that the change leaves these alone.
    """

    pricing: Pricing
    lost: frozenset[CodeKey]
    same_contact: bool
    same_delivery_mode: bool


@value
class _HeldTicket:
    kind: TicketKind
    ticket: PricedTicket


@value
class _Part:
    """Tickets of one line and one kind: those that are held, and new ones."""

    line: int
    kind: TicketKind
    held: Sequence[_HeldTicket]
    new: int


def unsold(asked: Sequence[AskedLine], held: Pricing | None) -> list[int]:
    """The lines that ask for more tickets than the basket holds of what is no longer sold."""
    if all(line.kind for line in asked):
        return []
    rest = {} if held is None else {place: len(tickets) for place, tickets in _pool(held).items()}
    found = []
    for number, line in enumerate(asked):
        kept = min(line.quantity, rest.get(line.place, 0))
        rest[line.place] = rest.get(line.place, 0) - kept
        if line.kind is None and kept < line.quantity:
            found.append(number)
    return found


def kinds(asked: Sequence[AskedLine], held: Pricing | None) -> list[TicketKind]:
    """The kinds whose offers the price may meet: as they are sold, and as they are held where they no longer are.

    What is held at a lower full price than today's meets no other offers: none that saves something there saves
    nothing here.
    """
    sold = [line.kind for line in asked if line.kind]
    if held is None or len(sold) == len(asked):
        return sold
    return sold + [line.kind for line in held.lines]


def price_held_in_steps(
    asked: Sequence[AskedLine],
    held: HeldTerms,
    codes: Sequence[EnteredCode],
    sale: Sale,
    offers: OfferIndex,
    taken: Taken,
    *,
    only: frozenset[UUID] | None = None,
) -> Steps[Pricing]:
    """Prices a basket anew where that makes no held ticket dearer; the others keep their terms beside it.

    ``asked`` must be sold (``unsold``). Arguments else as of ``price``. A code that asks for a minimum which the
    tickets taken out leave unmet is judged anew.
    """
    terms = _terms(held.pricing, offers)
    released = _released(held, terms, sale, only)
    sale = _with_held_fees(sale, held)
    turns = _turns(codes, held)
    codes = [codes[place] for place in turns]
    while True:
        parts, fewer = _parts(asked, held.pricing, released)
        found = yield from _price(parts, terms, codes, sale, offers, taken, only)
        unmet = _unmet(found, terms) - released if fewer else frozenset()
        if not terms and len(parts) == len(asked) and len(codes) < 2:
            return found
        if not unmet:
            kept = tuple([terms.get(each.offer, each) for each in found.terms])
            told = dict(zip(turns, found.codes, strict=True))
            return replace(
                found,
                lines=tuple(_joined(asked, parts, found)),
                codes=tuple([told[place] for place in range(len(turns))]),
                terms=kept,
            )
        released |= unmet


def _turns(codes: Sequence[EnteredCode], held: HeldTerms) -> list[int]:
    """The places of the codes, those that apply already first: what came to nothing so far takes no other's place."""
    if len(codes) < 2:
        return list(range(len(codes)))
    applied = {(code.offer, code.code) for code in held.pricing.codes if code.applied} - held.lost
    return sorted(range(len(codes)), key=lambda place: (codes[place].offer, codes[place].code) not in applied)


def _terms(held: Pricing, offers: OfferIndex) -> dict[UUID, OfferTerms]:
    """The terms of each held offer; where a basket is older than they are, those of today."""
    given = {each.offer: each for each in held.terms}
    return {hold.offer: given.get(hold.offer) or offers.terms(hold.offer) for hold in held.holds}


def _released(
    held: HeldTerms, terms: Mapping[UUID, OfferTerms], sale: Sale, only: frozenset[UUID] | None
) -> frozenset[CodeKey]:
    """What the change takes from the basket, by offer and code."""
    keys = {(hold.offer, hold.code) for hold in held.pricing.holds}
    advantages = {ticket.advantage for line in held.pricing.lines for ticket in line.tickets}
    return held.lost | {
        (offer, code)
        for offer, code in keys
        if (terms[offer].personal and not held.same_contact)
        or (terms[offer].delivery_modes and sale.delivery_mode not in terms[offer].delivery_modes)
        or (only is not None and offer in advantages and offer not in only)
    }


def _with_held_fees(sale: Sale, held: HeldTerms) -> Sale:
    given = held.pricing
    if not any(line.tickets for line in given.lines):
        return sale
    if sale.processing_fee <= given.processing_fee and sale.delivery_fee <= given.delivery_fee:
        return sale
    delivery = min(sale.delivery_fee, given.delivery_fee) if held.same_delivery_mode else sale.delivery_fee
    return replace(sale, processing_fee=min(sale.processing_fee, given.processing_fee), delivery_fee=delivery)


def _pool(held: Pricing) -> dict[Place, list[_HeldTicket]]:
    found: dict[Place, list[_HeldTicket]] = {}
    for line in held.lines:
        found.setdefault(place_of(line.kind), []).extend([_HeldTicket(line.kind, each) for each in line.tickets])
    return found


def place_of(kind: TicketKind) -> Place:
    """What a customer asks for who asks for such a ticket."""
    return kind.product, kind.performance, kind.seat_category, kind.audience_sub_category


def _parts(asked: Sequence[AskedLine], held: Pricing, released: frozenset[CodeKey]) -> tuple[list[_Part], bool]:
    """The tickets asked for, each with the terms that it keeps; and whether any were taken out, the dearest first."""
    pool = {
        place: sorted(
            [_HeldTicket(each.kind, without(each.ticket, released)) for each in tickets],
            key=lambda each: each.ticket.price,
        )
        for place, tickets in _pool(held).items()
    }
    parts = []
    for number, line in enumerate(asked):
        mine = pool.get(line.place, [])
        pool[line.place], of_line = mine[line.quantity :], mine[: line.quantity]
        by_kind: dict[TicketKind, list[_HeldTicket]] = {}
        for each in of_line:
            by_kind.setdefault(_today(each, line.kind), []).append(each)
        new = line.quantity - len(of_line)
        if new and line.kind is not None:
            by_kind.setdefault(line.kind, [])
        parts += [_Part(number, kind, mine, new if kind == line.kind else 0) for kind, mine in by_kind.items()]
    return parts, any(pool.values())


def _today(held: _HeldTicket, now: TicketKind | None) -> TicketKind:
    """A held ticket as it is sold today, at its own full price where that has risen."""
    full = held.ticket.full_price
    if now is None:
        return replace(held.kind, full_price=full)
    return now if now.full_price <= full else replace(now, full_price=full)


def _price(
    parts: Sequence[_Part],
    terms: Mapping[UUID, OfferTerms],
    codes: Sequence[EnteredCode],
    sale: Sale,
    offers: OfferIndex,
    taken: Taken,
    only: frozenset[UUID] | None,
) -> Steps[Pricing]:
    """The price in which each held ticket that today's price would make dearer keeps its terms."""
    if not terms:
        # At full price no held ticket becomes dearer: its kind has the lower one of then and of today.
        lines = [Line(part.kind, part.new + len(part.held)) for part in parts]
        return (yield from price_in_steps(lines, codes, sale, offers, taken, only=only))
    keeping: list[frozenset[int]] = [frozenset() for _ in parts]
    for turn in range(ROUNDS + 1):
        lines = [
            Line(part.kind, part.new + len(part.held) - len(kept)) for part, kept in zip(parts, keeping, strict=True)
        ]
        kept_tickets = [
            KeptTicket(number, part.held[each].kind, part.held[each].ticket)
            for number, (part, kept) in enumerate(zip(parts, keeping, strict=True))
            for each in sorted(kept)
        ]
        kept = Kept.of(kept_tickets, terms)
        found = yield from price_in_steps(lines, codes, sale, offers, taken, only=only, kept=kept)
        dearer = _dearer(parts, keeping, found)
        if not dearer:
            return found
        if turn == ROUNDS - 1:
            dearer = [(number, each) for number, part in enumerate(parts) for each in range(len(part.held))]
        for number, each in dearer:
            keeping[number] |= {each}
    return found


def _dearer(parts: Sequence[_Part], keeping: Sequence[frozenset[int]], found: Pricing) -> list[tuple[int, int]]:
    """The held tickets, by part and place in it, that cost more than they did: of like tickets, the fewest."""
    held: dict[Place, list[tuple[int, int, int]]] = {}
    now: dict[Place, list[int]] = {}
    for number, (part, kept, line) in enumerate(zip(parts, keeping, found.lines, strict=True)):
        place = place_of(part.kind)
        for each, one in enumerate(part.held):
            if each not in kept:
                held.setdefault(place, []).append((one.ticket.price, number, each))
        now.setdefault(place, []).extend([ticket.price for ticket in line.tickets[len(kept) :]])
    return [
        (number, each)
        for place, mine in held.items()
        for (before, number, each), after in zip(sorted(mine), sorted(now[place]), strict=False)
        if after > before
    ]


def _unmet(found: Pricing, terms: Mapping[UUID, OfferTerms]) -> frozenset[CodeKey]:
    """The codes that are held for a minimum basket which this one does not reach."""
    worth = found.subtotal - found.advantage_discount
    return frozenset(
        (hold.offer, hold.code)
        for hold in found.holds
        if hold.offer in terms and terms[hold.offer].minimum_basket > worth
    )


def _joined(asked: Sequence[AskedLine], parts: Sequence[_Part], found: Pricing) -> Iterator[PricedLine]:
    """The lines as they were asked for."""
    tickets: list[list[PricedTicket]] = [[] for _ in asked]
    kinds: list[TicketKind | None] = [line.kind for line in asked]
    for part, line in zip(parts, found.lines, strict=True):
        tickets[part.line] += line.tickets
        kinds[part.line] = kinds[part.line] or part.kind
    for kind, mine in zip(kinds, tickets, strict=True):
        if kind is not None:
            yield PricedLine(kind, tuple(mine))
