"""What promotional codes take off a basket (docs/domain.md, Pricing a basket, Promotional codes)."""

from collections.abc import Iterator, Mapping, Sequence

from services.pricing.basket import TicketCounts
from services.pricing.benefits import discounts
from services.pricing.facts.offers import PromotionalCode
from services.pricing.facts.refusals import Amount, Refusal, RefusalCode, Words
from services.pricing.facts.tickets import TicketPlace
from services.pricing.limits import exceeded
from services.pricing.result import Hold, PricedCode
from services.pricing.scope import in_scope
from services.pricing.terms import OpenedCode, Terms
from services.pricing.values import value

Promotions = Mapping[int, tuple[OpenedCode, PromotionalCode]]
"""By the place of the code among all that were entered, in that order."""

Scoped = Mapping[int, int]
"""How many tickets of a kind, by its number, are in scope; kinds without one are left out."""


@value
class Promoted:
    """What the codes together take off each ticket, in the order of the basket; and what came of the codes."""

    shares: list[int]
    codes: dict[int, PricedCode]
    holds: list[Hold]


def promote(basket: TicketCounts, prices: Sequence[int], promotions: Promotions, terms: Terms) -> Promoted:
    """Each code, in the order of entry, on what those before it left of the ``prices`` with advantages."""
    left = list(prices)
    standing: list[tuple[OpenedCode, PromotionalCode]] = []
    codes: dict[int, PricedCode] = {}
    holds: list[Hold] = []
    for place, (entry, promotion) in promotions.items():
        code = entry.entered.code
        scope = _scope(promotion, basket, terms.honoured(promotion, [code]))
        reasons = [
            *terms.refusals(promotion, code if scope else None),
            *_basket_refusals(promotion, basket, scope, sum(prices), terms),
            *(() if entry.repeats else _not_combinable(promotion, standing)),
        ]
        shares = {} if reasons or not entry.opens else _shares(place, promotions, basket, scope, left)
        if not any(shares.values()):
            codes[place] = entry.refused(reasons)
            continue
        for ticket, share in shares.items():
            left[ticket] -= share
        standing.append((entry, promotion))
        codes[place] = entry.applied(sum(shares.values()))
        holds += [Hold(promotion.id, code, basket.kinds[kind], count) for kind, count in scope.items()]
    return Promoted([price - rest for price, rest in zip(prices, left, strict=True)], codes, holds)


def _basket_refusals(
    promotion: PromotionalCode, basket: TicketCounts, scope: Scoped, worth: int, terms: Terms
) -> Iterator[Refusal]:
    """What the tickets have against it: unlike an advantage it is for all tickets in its scope, or for none."""
    if not scope:
        yield Refusal(RefusalCode.NO_ELIGIBLE_TICKET)
    yield from exceeded(terms.bounds(promotion), [(basket.kinds[kind], count) for kind, count in scope.items()])
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


def _shares(
    place: int, promotions: Promotions, basket: TicketCounts, scope: Scoped, left: Sequence[int]
) -> dict[int, int]:
    """What a code takes off each ticket in its scope; of a kind that is in it in part, off the first ones.

    Where a split leaves minor units over, equal claims are met in the order of the basket. If codes are still to come,
    unlike tickets come in an order of their own first, or the order of the lines could change what those codes find.
    """
    promotion = promotions[place][1]
    later = [other for at, (_, other) in promotions.items() if at > place]
    alike = [tuple(in_scope(other, kind) for other in later) for kind in basket.kinds]
    tickets = list(_first(basket, scope))
    turns = [(alike[basket.tickets[ticket]], -left[ticket] if later else 0, ticket) for ticket in tickets]
    off = discounts(promotion.benefit, [left[ticket] for ticket in tickets], turns)
    return dict(zip(tickets, off, strict=True))


def _first(basket: TicketCounts, scope: Scoped) -> Iterator[int]:
    """The first tickets of each kind, as many as are in scope: those that have the best of the advantages."""
    left = dict(scope)
    for ticket, kind in enumerate(basket.tickets):
        if left.get(kind, 0):
            left[kind] -= 1
            yield ticket


def _scope(
    promotion: PromotionalCode, basket: TicketCounts, honoured: Mapping[TicketPlace, int] | None
) -> dict[int, int]:
    """How many tickets of which kind a code is for; where its offer is over, no more than are ``honoured``."""
    scope = {
        number: count if honoured is None else min(count, honoured.get(kind.place, 0))
        for number, (kind, count) in enumerate(zip(basket.kinds, basket.counts, strict=True))
        if in_scope(promotion, kind)
    }
    return {number: count for number, count in scope.items() if count}
