"""What promotional codes take off a basket (docs/domain.md, Pricing a basket, Promotional codes)."""

from collections.abc import Iterator, Mapping, Sequence

from services.pricing.basket import TicketCounts
from services.pricing.benefits import discounts
from services.pricing.facts.offers import PromotionalCode
from services.pricing.facts.refusals import Amount, Refusal, RefusalCode, Words
from services.pricing.facts.tickets import TicketKind
from services.pricing.limits import exceeded
from services.pricing.result import Hold, PricedCode
from services.pricing.scope import in_scope
from services.pricing.steps import Steps
from services.pricing.terms import OpenedCode, Terms
from services.pricing.values import value

Promotions = Mapping[int, tuple[OpenedCode, PromotionalCode]]
"""By the place of the code among all that were entered, in that order."""


@value
class Promoted:
    """What the codes together take off each ticket, in the order of the basket; and what came of the codes."""

    shares: list[int]
    codes: dict[int, PricedCode]
    holds: list[Hold]


def promote(basket: TicketCounts, prices: Sequence[int], promotions: Promotions, terms: Terms) -> Steps[Promoted]:
    """Each code, in the order of entry, on what those before it left of the ``prices`` with advantages."""
    left = list(prices)
    standing: list[tuple[OpenedCode, PromotionalCode]] = []
    codes: dict[int, PricedCode] = {}
    holds: list[Hold] = []
    for place, (entry, promotion) in promotions.items():
        yield
        reasons = [
            *terms.refusals(promotion),
            *_basket_refusals(promotion, basket, sum(prices), terms),
            *(() if entry.repeats else _not_combinable(promotion, standing)),
        ]
        shares = {} if reasons or not entry.opens else _shares(place, promotions, basket, left)
        if not any(shares.values()):
            codes[place] = entry.refused(reasons)
            continue
        for ticket, share in shares.items():
            left[ticket] -= share
        standing.append((entry, promotion))
        codes[place] = entry.applied(sum(shares.values()))
        holds += [Hold(promotion.id, entry.entered.code, kind, count) for kind, count in _scope(promotion, basket)]
    return Promoted([price - rest for price, rest in zip(prices, left, strict=True)], codes, holds)


def _basket_refusals(promotion: PromotionalCode, basket: TicketCounts, worth: int, terms: Terms) -> Iterator[Refusal]:
    """What the tickets have against it: unlike an advantage it is for all tickets in its scope, or for none."""
    scope = _scope(promotion, basket)
    if not scope:
        yield Refusal(RefusalCode.NO_ELIGIBLE_TICKET)
    yield from exceeded(terms.bounds(promotion), scope)
    if worth < promotion.minimum_basket:
        yield Refusal(RefusalCode.MINIMUM_BASKET_NOT_REACHED, Amount(promotion.minimum_basket), Amount(worth))


def _not_combinable(
    promotion: PromotionalCode, standing: Sequence[tuple[OpenedCode, PromotionalCode]]
) -> Iterator[Refusal]:
    """A code joins those that applied before it if all are combinable, and never one of its own offer."""
    against = tuple(
        entry.entered.text
        for entry, other in standing
        if other.id == promotion.id or not (other.combinable and promotion.combinable)
    )
    if against:
        yield Refusal(RefusalCode.NOT_COMBINABLE, actual=Words(against))


def _shares(place: int, promotions: Promotions, basket: TicketCounts, left: Sequence[int]) -> dict[int, int]:
    """What a code takes off each ticket in its scope.

    Where a split leaves minor units over, equal claims are met in the order of the basket. If codes are still to come,
    unlike tickets come in an order of their own first, or the order of the lines could change what those codes find.
    """
    promotion = promotions[place][1]
    later = [other for at, (_, other) in promotions.items() if at > place]
    scoped = [in_scope(promotion, kind) for kind in basket.kinds]
    alike = [tuple(in_scope(other, kind) for other in later) for kind in basket.kinds]
    tickets = [ticket for ticket, kind in enumerate(basket.tickets) if scoped[kind]]
    turns = [(alike[basket.tickets[ticket]], -left[ticket] if later else 0, ticket) for ticket in tickets]
    off = discounts(promotion.benefit, [left[ticket] for ticket in tickets], turns)
    return dict(zip(tickets, off, strict=True))


def _scope(promotion: PromotionalCode, basket: TicketCounts) -> list[tuple[TicketKind, int]]:
    return [each for each in zip(basket.kinds, basket.counts, strict=True) if in_scope(promotion, each[0])]
