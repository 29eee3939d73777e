"""What benefits take off, in whole minor units; the one place where amounts are rounded."""

from collections.abc import Sequence

from services.pricing.facts.offers import (
    AdvantageBenefit,
    AmountOff,
    AmountOffPerTicket,
    FixedPrice,
    PercentOff,
    PromotionBenefit,
    Rates,
)
from services.pricing.facts.tickets import TicketKind

WHOLE = 1_000_000
"""100 % in ten-thousandths of a percent."""


def percentage(amount: int, ten_thousandths: int) -> int:
    """That part of the amount, rounded half up to the minor unit."""
    return (amount * ten_thousandths + WHOLE // 2) // WHOLE


def rate(rates: Rates, kind: TicketKind) -> int | None:
    """The price in a rate sub-table of exactly this seat category (or none) and audience sub-category."""
    return rates.prices.get((kind.seat_category, kind.audience_sub_category))


def saving(benefit: AdvantageBenefit, kind: TicketKind) -> int:
    """What the benefit takes off one ticket, never more than its full price.

    0 where it has no price for the ticket or would not lower it, and so does not apply (docs/domain.md, Offers).
    """
    full = kind.full_price
    match benefit:
        case PercentOff():
            price = full - percentage(full, benefit.ten_thousandths)
        case AmountOff():
            price = full - benefit.amount
        case FixedPrice():
            price = benefit.price
        case Rates():
            found = rate(benefit, kind)
            price = full if found is None else found
    return 0 if price > full else full - max(0, price)


def discounts(benefit: PromotionBenefit, prices: Sequence[int], turns: Sequence[object]) -> list[int]:
    """What a promotional code takes off each ticket in its scope, given what earlier steps left of their prices.

    ``turns`` says who comes first where the split of a basket's discount leaves minor units over, as in ``split``.
    """
    match benefit:
        case AmountOffPerTicket(amount):
            return [min(amount, price) for price in prices]
        case PercentOff(part):
            return split(min(sum(prices), percentage(sum(prices), part)), prices, turns)
        case AmountOff(amount):
            return split(min(sum(prices), amount), prices, turns)


def split(discount: int, prices: Sequence[int], turns: Sequence[object]) -> list[int]:
    """Shares of a discount in proportion to the prices, by largest remainder; they add up to it exactly.

    No share passes its price, for the discount does not pass their sum. Equal remainders go by ``turns``, least first.
    """
    total = sum(prices)
    if not total:
        return [0] * len(prices)
    shares = [discount * price // total for price in prices]
    remainders = [discount * price % total for price in prices]
    order = sorted(range(len(prices)), key=lambda place: (-remainders[place], turns[place]))
    for place in order[: discount - sum(shares)]:
        shares[place] += 1
    return shares
