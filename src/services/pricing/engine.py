"""The price of a basket, and whether an offer is open: the two questions that pricing answers.

Pure: the same facts and the same instant give the same answer. All amounts are whole minor units.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import UUID

from services.pricing.advantages import Given, grant
from services.pricing.basket import TicketCounts
from services.pricing.facts.offers import Advantage, Offer, PromotionalCode
from services.pricing.facts.refusals import EnteredCode, Refusal, RefusalCode
from services.pricing.facts.sale import Sale, Taken
from services.pricing.facts.tickets import Line, TicketKind
from services.pricing.kept import NOTHING_KEPT, Kept, KeptTicket, priced
from services.pricing.limits import bounds
from services.pricing.offer_index import OfferIndex
from services.pricing.promotions import promote
from services.pricing.result import Hold, OfferTerms, PricedLine, PricedTicket, Pricing, PromotionShare
from services.pricing.rules import needs_code, refusals, rules
from services.pricing.scope import ticket_refusals, used_up
from services.pricing.steps import Steps, finished
from services.pricing.terms import Terms, entries, of_type


def price(
    lines: Sequence[Line],
    codes: Sequence[EnteredCode],
    sale: Sale,
    offers: OfferIndex,
    taken: Taken,
    *,
    only: frozenset[UUID] | None = None,
    include: frozenset[UUID] = frozenset(),
    kept: Kept = NOTHING_KEPT,
) -> Pricing:
    """What ``price_in_steps`` returns, all its steps at once."""
    return finished(price_in_steps(lines, codes, sale, offers, taken, only=only, include=include, kept=kept))


def price_in_steps(
    lines: Sequence[Line],
    codes: Sequence[EnteredCode],
    sale: Sale,
    offers: OfferIndex,
    taken: Taken,
    *,
    only: frozenset[UUID] | None = None,
    include: frozenset[UUID] = frozenset(),
    kept: Kept = NOTHING_KEPT,
) -> Steps[Pricing]:
    """Prices a basket by the five steps of docs/domain.md, Pricing a basket.

    ``taken`` is what *other* baskets and orders hold of each counted limit. Of the advantages, ``only`` these are
    considered if given; a code of another one then changes nothing. The offers in ``include`` count as RUNNING,
    whatever their state, to try them before they do.

    Tickets that are ``kept`` come first in their lines, besides what these ask for: they keep what they have, and what
    codes add to it. Fees are asked once of a basket with tickets. A contact's balance pays no more than it has, and
    nothing if negative.
    """
    terms = Terms(sale, offers, taken, include, kept)
    entered = entries(codes, terms)
    basket = TicketCounts.of(lines)
    granted = yield from grant(basket, of_type(entered, Advantage), terms, only)
    tickets = list(_given(lines, granted.tickets))
    if kept.tickets:
        basket, tickets = _together(lines, tickets, kept)
    prices = [ticket.advantage_price for ticket in tickets]
    results = {place: entry.refused(()) for place, entry in enumerate(entered) if entry.offer is None} | granted.codes
    holds = [*kept.holds, *granted.holds]
    if promotions := of_type(entered, PromotionalCode):
        had = [ticket.shares for ticket in tickets]
        promoted = yield from promote(basket, prices, had, promotions, terms)
        tickets = _with_shares(tickets, promoted.shares)
        results |= promoted.codes
        holds += promoted.holds
    subtotal = sum([ticket.full_price for ticket in tickets])
    promotion = sum([ticket.promotion_share for ticket in tickets])
    processing, delivery = (sale.processing_fee, sale.delivery_fee) if tickets else (0, 0)
    total = sum(prices) - promotion + processing + delivery
    return Pricing(
        lines=tuple(_lines(lines, tickets, kept)),
        codes=tuple([results[place] for place in range(len(codes))]),
        holds=tuple(_merged(holds) if kept.tickets else holds),
        subtotal=subtotal,
        advantage_discount=subtotal - sum(prices),
        promotion_discount=promotion,
        processing_fee=processing,
        delivery_fee=delivery,
        balance_used=_balance_used(sale, total),
        terms=_terms(holds, terms),
    )


def _together(
    lines: Sequence[Line], new: Sequence[PricedTicket], kept: Kept
) -> tuple[TicketCounts, list[PricedTicket]]:
    """All tickets in the order of the lines, those that are kept before the others of their line."""
    given = iter(new)
    of_lines: list[list[KeptTicket]] = [[] for _ in lines]
    for each in kept.tickets:
        of_lines[each.line].append(each)
    tickets: list[PricedTicket] = []
    every: list[Line] = []
    for line, mine in zip(lines, of_lines, strict=True):
        every += [Line(each.kind, 1) for each in mine]
        every.append(line)
        tickets += [each.ticket for each in mine]
        tickets += islice(given, line.quantity)
    return TicketCounts.of(every), tickets


def _given(lines: Sequence[Line], gifts: Sequence[Given]) -> Iterator[PricedTicket]:
    """Neighbours are mostly alike, and then one value."""
    last, full, ticket = None, None, None
    each = iter(gifts)
    for line in lines:
        for given in islice(each, line.quantity):
            if ticket is None or given is not last or line.kind.full_price != full:
                last, full = given, line.kind.full_price
                advantage = given.advantage.id if given.advantage else None
                ticket = priced(full, advantage, full - given.saving, given.code, ())
            yield ticket


def _with_shares(tickets: Sequence[PricedTicket], shares: Sequence[tuple[PromotionShare, ...]]) -> list[PricedTicket]:
    found: list[PricedTicket] = []
    last, of, new = None, None, None
    for ticket, share in zip(tickets, shares, strict=True):
        if new is None or ticket is not last or share != of:
            last, of = ticket, share
            new = priced(ticket.full_price, ticket.advantage, ticket.advantage_price, ticket.code, share)
        found.append(new)
    return found


def _lines(lines: Sequence[Line], tickets: Sequence[PricedTicket], kept: Kept) -> Iterator[PricedLine]:
    kept_in = Counter([each.line for each in kept.tickets]) if kept.tickets else {}
    each = iter(tickets)
    for place, line in enumerate(lines):
        yield PricedLine(line.kind, tuple(islice(each, kept_in.get(place, 0) + line.quantity)))


def _merged(holds: Sequence[Hold]) -> list[Hold]:
    """Each offer, code and kind once."""
    counts: dict[tuple[UUID, UUID | None, TicketKind], int] = {}
    for hold in holds:
        key = (hold.offer, hold.code, hold.kind)
        counts[key] = counts.get(key, 0) + hold.tickets
    return [Hold(*key, count) for key, count in counts.items()]


def _terms(holds: Sequence[Hold], terms: Terms) -> tuple[OfferTerms, ...]:
    """Those of each offer that is held; where kept tickets have it, theirs."""
    offers = dict.fromkeys([hold.offer for hold in holds])
    return tuple([terms.kept.terms.get(offer) or terms.offers.terms(offer) for offer in offers])


def _balance_used(sale: Sale, total: int) -> int:
    return min(max(0, sale.contact.balance), total) if sale.use_balance and sale.contact else 0


def eligibility(
    offer: Offer,
    sale: Sale,
    kinds: Sequence[TicketKind] | None,
    codes: Sequence[EnteredCode],
    taken: Taken,
    *,
    include: frozenset[UUID] = frozenset(),
) -> tuple[Refusal, ...]:
    """All that keeps an offer from applying in this sale to at least one ticket of these kinds; empty where it can.

    Without ``kinds`` (None) the question is of the sale alone: scope, sale end and limits on elements are left aside.
    An offer that needs a code is NOT_TARGETED until one is entered; ``codes`` that are refused say why. What depends on
    a whole basket (its minimum, other codes, better advantages) is for ``price`` to say.
    """
    limits = bounds(offer, sale, taken)
    found = [*_code_refusals(offer, codes), *refusals(offer, rules(offer), sale, include)]
    found += used_up(limits, ()) if kinds is None else ticket_refusals(offer, kinds, limits, sale.now)
    return tuple(dict.fromkeys(found))


def _code_refusals(offer: Offer, codes: Sequence[EnteredCode]) -> list[Refusal]:
    mine = [entered for entered in codes if entered.offer == offer.id]
    if not needs_code(offer) or any(not entered.refusals for entered in mine):
        return []
    against = [refusal for entered in mine for refusal in entered.refusals]
    return against or [Refusal(RefusalCode.NOT_TARGETED, detail="code")]
