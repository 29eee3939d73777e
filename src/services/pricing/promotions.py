"""What promotional codes take off a basket (docs/domain.md, Pricing a basket, Promotional codes)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from services.pricing.basket import TicketCounts
from services.pricing.benefits import discounts
from services.pricing.facts.offers import AmountOff, PromotionalCode
from services.pricing.facts.refusals import Amount, Refusal, RefusalCode, Words
from services.pricing.facts.tickets import TicketKind
from services.pricing.limits import exceeded
from services.pricing.result import Hold, PricedCode, PromotionShare
from services.pricing.scope import in_scope, is_on_sale, sale_closed
from services.pricing.steps import Steps
from services.pricing.terms import OpenedCode, Terms
from services.pricing.values import value

Promotions = Mapping[int, tuple[OpenedCode, PromotionalCode]]
"""By the place of the code among all that were entered, in that order."""


@value
class Promoted:
    """What each code takes off each ticket, in the order of the basket; and what came of the codes."""

    shares: list[tuple[PromotionShare, ...]]
    codes: dict[int, PricedCode]
    holds: list[Hold]


def promote(
    basket: TicketCounts,
    prices: Sequence[int],
    kept: Sequence[tuple[PromotionShare, ...]],
    promotions: Promotions,
    terms: Terms,
) -> Steps[Promoted]:
    """Each code, in the order of entry, on what those before it left of the ``prices`` with advantages.

    ``kept`` are the shares that tickets have and keep: they are off before any code adds to them.
    """
    left = [price - sum([share.amount for share in shares]) for price, shares in zip(prices, kept, strict=True)]
    shares = list(kept)
    standing = _Standing.of(promotions, terms)
    codes: dict[int, PricedCode] = {}
    holds: list[Hold] = []
    for place, (entry, promotion) in promotions.items():
        yield
        key = (promotion.id, entry.entered.code)
        held = None if entry.repeats else terms.kept.shares.get(key)
        covered = _covered(promotion, entry.entered.code, basket, left, shares, terms)
        reasons = [
            *terms.refusals(promotion),
            *_basket_refusals(promotion, basket, covered, shares, sum(prices), terms),
            *(() if entry.repeats else standing.against(entry, promotion)),
        ]
        off = {} if reasons or not entry.opens else _shares(place, promotions, basket, left, covered, held or 0, terms)
        if not any(off.values()):
            codes[place] = entry.refused(reasons) if held is None else entry.applied(held)
            continue
        counted = Counter[int]()
        for ticket, amount in off.items():
            left[ticket] -= amount
            counted[basket.tickets[ticket]] += not _is_under(promotion.id, shares[ticket])
            shares[ticket] += (PromotionShare(*key, amount),)
        standing.add(entry, promotion)
        codes[place] = entry.applied(sum(off.values()) + (held or 0))
        holds += [Hold(*key, basket.kinds[kind], counted[kind]) for kind in sorted(counted)]
    return Promoted(shares, codes, holds)


class _Standing:
    """The codes that apply, with whether each can be combined: those that kept tickets have, and then those found."""

    def __init__(self) -> None:
        self._codes: list[tuple[OpenedCode, UUID, bool]] = []

    @classmethod
    def of(cls, promotions: Promotions, terms: Terms) -> "_Standing":
        standing = cls()
        for entry, promotion in promotions.values():
            if (promotion.id, entry.entered.code) in terms.kept.shares and not entry.repeats:
                held = terms.kept.terms.get(promotion.id)
                standing._codes.append((entry, promotion.id, held.combinable if held else promotion.combinable))
        return standing

    def add(self, entry: OpenedCode, promotion: PromotionalCode) -> None:
        if all(other is not entry for other, _, _ in self._codes):
            self._codes.append((entry, promotion.id, promotion.combinable))

    def against(self, entry: OpenedCode, promotion: PromotionalCode) -> Iterator[Refusal]:
        """A code joins those that apply before it if all are combinable."""
        against = tuple(
            other.entered.text
            for other, _, combinable in self._codes
            if other is not entry and not (combinable and promotion.combinable)
        )
        if against:
            yield Refusal(RefusalCode.NOT_COMBINABLE, actual=Words(against))


def _covered(
    promotion: PromotionalCode,
    code: UUID | None,
    basket: TicketCounts,
    left: Sequence[int],
    shares: Sequence[Sequence[PromotionShare]],
    terms: Terms,
) -> list[int]:
    """The tickets of which a code could take something off, or more than it has.

    A ticket that is free already gains nothing, and so uses up nothing.
    """
    scoped = _scoped(promotion, basket, terms)
    return [
        ticket
        for ticket, kind in enumerate(basket.tickets)
        if scoped[kind]
        and left[ticket]
        and not any(share.offer == promotion.id and share.code == code for share in shares[ticket])
    ]


def _scoped(promotion: PromotionalCode, basket: TicketCounts, terms: Terms) -> list[bool]:
    """Of each kind of tickets, whether it is in the promotional code's scope and on sale with it still."""
    now = terms.sale.now
    return [in_scope(promotion, kind) and is_on_sale(promotion, kind, now) for kind in basket.kinds]


def _is_under(offer: UUID, shares: Sequence[PromotionShare]) -> bool:
    return any(share.offer == offer for share in shares)


def _basket_refusals(
    promotion: PromotionalCode,
    basket: TicketCounts,
    covered: Sequence[int],
    shares: Sequence[Sequence[PromotionShare]],
    worth: int,
    terms: Terms,
) -> Iterator[Refusal]:
    """What the tickets have against it: unlike an advantage it is for all tickets in its scope, or for none.

    Tickets that another code of the offer covers already count once.
    """
    scoped = [kind for kind in basket.kinds if in_scope(promotion, kind)]
    if not scoped:
        yield Refusal(RefusalCode.NO_ELIGIBLE_TICKET)
    elif not any(is_on_sale(promotion, kind, terms.sale.now) for kind in scoped):
        yield sale_closed(promotion, scoped, terms.sale.now)
    limits = terms.bounds(promotion)
    if limits:
        counts = Counter(basket.tickets[ticket] for ticket in covered if not _is_under(promotion.id, shares[ticket]))
        wanted: list[tuple[TicketKind, int]] = [(basket.kinds[kind], count) for kind, count in counts.items()]
        yield from exceeded(limits, wanted)
    if worth < promotion.minimum_basket:
        yield Refusal(RefusalCode.MINIMUM_BASKET_NOT_REACHED, Amount(promotion.minimum_basket), Amount(worth))


def _shares(
    place: int,
    promotions: Promotions,
    basket: TicketCounts,
    left: Sequence[int],
    tickets: Sequence[int],
    held: int,
    terms: Terms,
) -> dict[int, int]:
    """What a code takes off each of these tickets, which has taken ``held`` off others.

    Where a split leaves minor units over, equal claims are met in the order of the basket. If codes are still to come,
    unlike tickets come in an order of their own first, or the order of the lines could change what those codes find.
    """
    promotion = promotions[place][1]
    benefit = promotion.benefit
    if isinstance(benefit, AmountOff) and held:
        benefit = replace(benefit, amount=max(0, benefit.amount - held))
    later = [_scoped(other, basket, terms) for at, (_, other) in promotions.items() if at > place]
    alike = [tuple([scoped[kind] for scoped in later]) for kind in range(len(basket.kinds))]
    turns = [(alike[basket.tickets[ticket]], -left[ticket] if later else 0, ticket) for ticket in tickets]
    off = discounts(benefit, [left[ticket] for ticket in tickets], turns)
    return dict(zip(tickets, off, strict=True))
