"""The rules once more, slow and obvious: every assignment is tried, ticket by ticket, and every rule stands in a line.

Knows the facts and nothing of the engine, so that a mistake would have to be made twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import product
from math import floor
from uuid import UUID

from services.pricing.facts.offers import (
    Advantage,
    AmountOff,
    AmountOffPerTicket,
    CampaignTarget,
    FixedPrice,
    IndicatorTarget,
    Offer,
    OfferState,
    PartnerTarget,
    PercentOff,
    PromotionalCode,
    PublicTarget,
    Rates,
    SingleUseTarget,
)
from services.pricing.facts.refusals import EnteredCode, RefusalCode
from services.pricing.facts.sale import LimitKey, Sale
from services.pricing.facts.tickets import Element, ElementKind, TicketKind

Taken = Mapping[LimitKey, int]
Assignment = tuple[Advantage | None, ...]

LEAST_PERSONAL_FIRST = [PublicTarget, IndicatorTarget, CampaignTarget, PartnerTarget, SingleUseTarget]


def half_up(exact: Fraction) -> int:
    return floor(exact + Fraction(1, 2))


def floored(sale: Sale) -> datetime:
    """The second at which the sale is: an end that is named by a second has all of it."""
    return sale.now.replace(microsecond=0)


def is_of(kind: TicketKind, element: Element | None) -> bool:
    if element is None:
        return True
    ids = {
        ElementKind.PRODUCT: kind.product,
        ElementKind.PERFORMANCE: kind.performance,
        ElementKind.SEAT_CATEGORY: kind.seat_category,
        ElementKind.AUDIENCE_SUB_CATEGORY: kind.audience_sub_category,
    }
    return ids[element.kind] == element.id


def matches(offer: Offer, kind: TicketKind) -> bool:
    lists = [
        (offer.scope.products, kind.product),
        (offer.scope.performances, kind.performance),
        (offer.scope.seat_categories, kind.seat_category),
        (offer.scope.audience_sub_categories, kind.audience_sub_category),
    ]
    return all(not wanted or found in wanted for wanted, found in lists)


def sale_refusals(offer: Offer, sale: Sale) -> set[RefusalCode]:
    found = set()
    if offer.state != OfferState.RUNNING:
        found.add(RefusalCode.OFFER_NOT_RUNNING)
    if offer.valid_from is not None and sale.now < offer.valid_from:
        found.add(RefusalCode.NOT_STARTED)
    if offer.valid_until is not None and floored(sale) > offer.valid_until:
        found.add(RefusalCode.EXPIRED)
    if offer.channels and sale.channel not in offer.channels:
        found.add(RefusalCode.WRONG_CHANNEL)
    if offer.delivery_modes and sale.delivery_mode not in offer.delivery_modes:
        found.add(RefusalCode.WRONG_DELIVERY_MODE)
    return found


def is_targeted(advantage: Advantage, sale: Sale, opened: set[UUID]) -> bool:
    target, contact = advantage.target, sale.contact
    if isinstance(target, PublicTarget):
        return True
    if isinstance(target, PartnerTarget | SingleUseTarget):
        return advantage.id in opened
    if contact is None:
        return False
    if isinstance(target, IndicatorTarget):
        return contact.indicators.get(target.indicator) == target.level
    return target.campaign in contact.campaigns and target.starts_at <= sale.now and floored(sale) <= target.ends_at


def price_with(advantage: Advantage, kind: TicketKind) -> int:
    """The ticket's price with the advantage, its full price where that does not apply."""
    benefit, full = advantage.benefit, kind.full_price
    if isinstance(benefit, PercentOff):
        changed = full - half_up(Fraction(full * benefit.ten_thousandths, 1_000_000))
    elif isinstance(benefit, AmountOff):
        changed = full - benefit.amount
    elif isinstance(benefit, FixedPrice):
        changed = benefit.price
    elif isinstance(benefit, Rates):
        changed = benefit.prices.get((kind.seat_category, kind.audience_sub_category), full)
    return min(full, max(0, changed))


def is_on_sale(offer: Offer, kind: TicketKind, sale: Sale) -> bool:
    if offer.sale_end_tolerance is None or kind.starts_at is None:
        return True
    return floored(sale) <= kind.starts_at + timedelta(minutes=offer.sale_end_tolerance)


def is_for(advantage: Advantage, kind: TicketKind, sale: Sale) -> bool:
    if (
        advantage.family != kind.family
        or not matches(advantage, kind)
        or price_with(advantage, kind) == kind.full_price
    ):
        return False
    return is_on_sale(advantage, kind, sale)


def broken_limits(offer: Offer, having: Sequence[TicketKind], sale: Sale, taken: Taken) -> set[RefusalCode]:
    """The limits that these tickets pass, if they all have the offer."""
    found = set()
    for element, limits in [(None, offer.limits), *((each.element, each.limits) for each in offer.element_limits)]:
        count = sum(is_of(kind, element) for kind in having)
        if count == 0:
            continue
        by_all = count + taken.get(LimitKey(offer.id, element, False), 0)
        by_contact = count + taken.get(LimitKey(offer.id, element, True), 0)
        if limits.quota is not None and by_all > limits.quota:
            found.add(RefusalCode.QUOTA_EXHAUSTED)
        if limits.per_order is not None and count > limits.per_order:
            found.add(RefusalCode.ORDER_LIMIT_EXCEEDED)
        if limits.per_contact is not None and sale.contact is None:
            found.add(RefusalCode.NOT_TARGETED)
        elif limits.per_contact is not None and by_contact > limits.per_contact:
            found.add(RefusalCode.CONTACT_LIMIT_EXCEEDED)
    return found


def good_codes(codes: Sequence[EnteredCode]) -> dict[UUID, set[UUID | None]]:
    """The codes that open offers, each counted once."""
    found: dict[UUID, set[UUID | None]] = {}
    for entered in codes:
        if entered.offer is not None and not entered.refusals:
            found.setdefault(entered.offer, set()).add(entered.code)
    return found


def is_allowed(
    assignment: Assignment, tickets: Sequence[TicketKind], codes: Sequence[EnteredCode], sale: Sale, taken: Taken
) -> bool:
    for advantage in {each.id: each for each in assignment if each is not None}.values():
        having = [kind for kind, each in zip(tickets, assignment, strict=True) if each is advantage]
        if broken_limits(advantage, having, sale, taken):
            return False
        target = advantage.target
        if isinstance(target, SingleUseTarget) and target.tickets_per_code is not None:
            entered = len(good_codes(codes)[advantage.id])
            if len(having) > target.tickets_per_code * entered:
                return False
    return True


def merit(assignment: Assignment, tickets: Sequence[TicketKind], advantages: Sequence[Advantage]) -> list[int]:
    """What the right assignment has the most of: saving, then few personal offers, then offers first by code."""
    in_order = sorted(advantages, key=lambda each: (LEAST_PERSONAL_FIRST.index(type(each.target)), each.code))
    given = [(each, kind) for each, kind in zip(assignment, tickets, strict=True) if each is not None]
    saved = sum(kind.full_price - price_with(each, kind) for each, kind in given)
    personal = [-sum(isinstance(each.target, of) for each, _ in given) for of in reversed(LEAST_PERSONAL_FIRST[1:])]
    by_code = [sum(each is offer for each, _ in given) for offer in in_order]
    return [saved, *personal, *by_code]


def best_merit(
    tickets: Sequence[TicketKind],
    codes: Sequence[EnteredCode],
    sale: Sale,
    advantages: Sequence[Advantage],
    taken: Taken,
) -> list[int]:
    """The merit of the best of all allowed assignments."""
    opened = set(good_codes(codes))
    usable = [each for each in advantages if not sale_refusals(each, sale) and is_targeted(each, sale, opened)]
    choices = [[None, *(each for each in usable if is_for(each, kind, sale))] for kind in tickets]
    allowed = (each for each in product(*choices) if is_allowed(each, tickets, codes, sale, taken))
    return max(merit(each, tickets, advantages) for each in allowed)


def largest_remainder(discount: int, amounts: Sequence[int], order: Sequence[int]) -> list[int]:
    """Shares of a discount in proportion to the amounts; ties to who is first in the order."""
    if discount == 0:
        return [0 for _ in amounts]
    exact = [Fraction(discount * amount, sum(amounts)) for amount in amounts]
    shares = [floor(each) for each in exact]
    while sum(shares) < discount:
        most = max(each - share for each, share in zip(exact, shares, strict=True))
        shares[next(place for place in order if exact[place] - shares[place] == most)] += 1
    return shares


def promotion_refusals(
    promotion: PromotionalCode,
    tickets: Sequence[TicketKind],
    left: Sequence[int],
    basket: int,
    standing: Sequence[PromotionalCode],
    sale: Sale,
    taken: Taken,
) -> set[RefusalCode]:
    """Tickets that are free already use up nothing; those of another code of the same offer count once."""
    having = [kind for kind in tickets if matches(promotion, kind)]
    paid = [kind for kind, amount in zip(tickets, left, strict=True) if amount and is_promoted(promotion, kind, sale)]
    counted = [] if promotion in standing else paid
    found = sale_refusals(promotion, sale) | broken_limits(promotion, counted, sale, taken)
    if not having:
        found.add(RefusalCode.NO_ELIGIBLE_TICKET)
    elif not any(is_on_sale(promotion, kind, sale) for kind in having):
        found.add(RefusalCode.SALE_CLOSED)
    if promotion.restriction.newsletter and not (sale.contact and sale.contact.newsletter):
        found.add(RefusalCode.NOT_TARGETED)
    if basket < promotion.minimum_basket:
        found.add(RefusalCode.MINIMUM_BASKET_NOT_REACHED)
    if any(not (other.combinable and promotion.combinable) for other in standing):
        found.add(RefusalCode.NOT_COMBINABLE)
    return found


def is_promoted(promotion: PromotionalCode, kind: TicketKind, sale: Sale) -> bool:
    """In its scope, and before its sale end."""
    return matches(promotion, kind) and is_on_sale(promotion, kind, sale)


def tie_order(
    later: Sequence[PromotionalCode], tickets: Sequence[TicketKind], left: Sequence[int], sale: Sale
) -> list[int]:
    """The order of the basket; before codes to come, unlike tickets come in an order that is not the basket's."""
    places = list(range(len(tickets)))
    if later:
        places.sort(key=lambda place: ([is_promoted(code, tickets[place], sale) for code in later], -left[place]))
    return places


def promotion_shares(
    promotion: PromotionalCode,
    later: Sequence[PromotionalCode],
    tickets: Sequence[TicketKind],
    left: Sequence[int],
    sale: Sale,
) -> list[int]:
    """What the code takes off each ticket, given what is left of their prices and the codes entered after it."""
    benefit = promotion.benefit
    scoped = [amount if is_promoted(promotion, kind, sale) else 0 for kind, amount in zip(tickets, left, strict=True)]
    if isinstance(benefit, AmountOffPerTicket):
        return [min(benefit.amount, amount) for amount in scoped]
    if isinstance(benefit, AmountOff):
        discount = min(benefit.amount, sum(scoped))
    else:
        discount = half_up(Fraction(sum(scoped) * benefit.ten_thousandths, 1_000_000))
    return largest_remainder(discount, scoped, tie_order(later, tickets, left, sale))
