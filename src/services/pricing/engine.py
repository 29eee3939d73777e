"""The price of a basket, and whether an offer is open: the two questions that pricing answers.

Pure: the same facts and the same instant give the same answer. All amounts are whole minor units.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import UUID

from services.pricing.advantages import Given, grant
from services.pricing.basket import TicketCounts
from services.pricing.facts.offers import Advantage, Offer, PromotionalCode
from services.pricing.facts.refusals import EnteredCode, Refusal, RefusalCode
from services.pricing.facts.sale import NOTHING_HELD, Held, Sale, Taken
from services.pricing.facts.tickets import Line, TicketKind
from services.pricing.limits import bounds
from services.pricing.offer_index import OfferIndex
from services.pricing.promotions import promote
from services.pricing.result import PricedLine, PricedTicket, Pricing
from services.pricing.rules import needs_code, refusals, rules
from services.pricing.scope import ticket_refusals, used_up
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
    held: Held = NOTHING_HELD,
) -> Pricing:
    """Prices a basket by the five steps of docs/domain.md, Pricing a basket.

    ``taken`` is what *other* baskets and orders hold of each counted limit. Of the advantages, ``only`` these are
    considered if given; a code of another one then changes nothing. The offers in ``include`` count as RUNNING,
    whatever their state, to try them before they do. An offer that is over applies to as many tickets as are ``held``.

    Fees are asked once of a basket with tickets. A contact's balance pays no more than it has, and nothing if negative.
    """
    basket = TicketCounts.of(lines)
    terms = Terms(sale, offers, taken, include, held)
    entered = entries(codes, terms)
    granted = grant(basket, of_type(entered, Advantage), terms, only)
    prices = [
        basket.kinds[kind].full_price - given.saving
        for kind, given in zip(basket.tickets, granted.tickets, strict=True)
    ]
    promoted = promote(basket, prices, of_type(entered, PromotionalCode), terms)
    tickets = _tickets(prices, granted.tickets, promoted.shares)
    unknown = {place: entry.refused(()) for place, entry in enumerate(entered) if entry.offer is None}
    results = unknown | granted.codes | promoted.codes
    subtotal = sum([kind.full_price * count for kind, count in zip(basket.kinds, basket.counts, strict=True)])
    processing, delivery = (sale.processing_fee, sale.delivery_fee) if basket.tickets else (0, 0)
    total = sum(prices) - sum(promoted.shares) + processing + delivery
    return Pricing(
        lines=tuple([PricedLine(line.kind, tuple(islice(tickets, line.quantity))) for line in lines]),
        codes=tuple([results[place] for place in range(len(codes))]),
        holds=(*granted.holds, *promoted.holds),
        subtotal=subtotal,
        advantage_discount=subtotal - sum(prices),
        promotion_discount=sum(promoted.shares),
        processing_fee=processing,
        delivery_fee=delivery,
        balance_used=_balance_used(sale, total),
    )


def _tickets(prices: Sequence[int], gifts: Sequence[Given], shares: Sequence[int]) -> Iterator[PricedTicket]:
    """Neighbours are mostly alike, and then one value."""
    last, ticket = None, None
    for price, given, share in zip(prices, gifts, shares, strict=True):
        if ticket is None or given is not last or (price, share) != (ticket.advantage_price, ticket.promotion_share):
            advantage = given.advantage.id if given.advantage else None
            ticket = PricedTicket(price + given.saving, advantage, price, share, price - share, given.code)
            last = given
        yield ticket


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
