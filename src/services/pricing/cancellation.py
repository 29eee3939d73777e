"""What becomes of an order when tickets of it are cancelled (docs/domain.md, Cancelling tickets).

Pure, as all of pricing: what the tickets that stay cost, and what is given back. Amounts are whole minor units.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from services.pricing.benefits import split
from services.pricing.engine import price_in_steps
from services.pricing.facts.offers import (
    Advantage,
    CampaignTarget,
    ElementLimits,
    IndicatorTarget,
    Limits,
    Offer,
    OfferState,
    PromotionalCode,
    Restriction,
)
from services.pricing.facts.refusals import EnteredCode, Refusal, RefusalCode
from services.pricing.facts.sale import ContactFacts, Sale
from services.pricing.facts.tickets import Element, Line
from services.pricing.kept import CodeKey, Kept, KeptTicket
from services.pricing.limits import is_of
from services.pricing.offer_index import OfferIndex
from services.pricing.result import Hold, PricedCode, PricedLine, PricedTicket, Pricing
from services.pricing.steps import Steps
from services.pricing.values import value

Spot = tuple[int, int]
"""Where a ticket stands in a price: its line, and its place in that."""

_NOBODY: Final = UUID(int=0)


@value
class GivenBack:
    """What is given back for tickets and for fees; of both together, ``to_balance`` goes to the contact's balance."""

    for_tickets: int
    for_fees: int
    to_balance: int

    @property
    def total(self) -> int:
        return self.for_tickets + self.for_fees


@value
class Refund(GivenBack):
    """``each`` is what of it is for which cancelled ticket, in their order."""

    each: tuple[int, ...]


def without(pricing: Pricing, cancelled: Collection[Spot]) -> Pricing:
    """The price of an order without some of its tickets, each of the others as it was; its fees stay.

    A code that none of the others has applies no longer.
    """
    lines = tuple(
        [
            PricedLine(
                line.kind, tuple([ticket for at, ticket in enumerate(line.tickets) if (number, at) not in cancelled])
            )
            for number, line in enumerate(pricing.lines)
        ]
    )
    return _summed(pricing, lines, pricing.codes)


def priced_anew_in_steps(
    pricing: Pricing,
    cancelled: Collection[Spot],
    offers: Mapping[UUID, Offer],
    counted: Mapping[UUID, Collection[Element | None]],
    at: datetime,
) -> Steps[Pricing]:
    """The price of an order without some of its tickets, the others priced once more ``at`` the order's own instant.

    With the offers that the order has and no other, as they were: ``offers``. Whoever was given one was entitled to it
    then, so that of its conditions only those on the tickets themselves are asked again: scope, minimum basket, what
    one order and one code may have. Counters stay aside: what others took since keeps nothing from it, and where an
    offer was counted, or is by now (``counted``: as a whole, None, or by an element), it gets no more than it had. A
    code that no longer qualifies falls away, with the reasons; what comes of all this may be dearer than before.
    """
    rest = without(pricing, cancelled)
    holds = _holds_by_offer(pricing)
    held = {offer: _as_held(offers[offer], mine, counted.get(offer, ()), at) for offer, mine in holds.items()}
    held = _with_terms(held, pricing)
    index = OfferIndex(
        [offer for offer in held.values() if isinstance(offer, Advantage)],
        [offer for offer in held.values() if isinstance(offer, PromotionalCode)],
    )
    parts = list(_parts(rest))
    applied = [code for code in pricing.codes if code.applied]
    entered = [EnteredCode(code.text, code.code, code.offer) for code in applied]
    asked = [Line(replace(rest.lines[line].kind, full_price=full), len(spots)) for (line, full), spots in parts]
    found = yield from price_in_steps(asked, entered, _sale(held.values(), at), index, {})
    tickets: list[list[PricedTicket]] = [list(line.tickets) for line in rest.lines]
    for ((line, _), spots), priced in zip(parts, found.lines, strict=True):
        before = [tickets[line][spot] for spot in spots]
        for spot, ticket in zip(spots, _matched(before, priced.tickets), strict=True):
            tickets[line][spot] = ticket
    lines = tuple(
        [PricedLine(line.kind, tuple(mine)) for line, mine in zip(rest.lines, tickets, strict=True)],
    )
    told = iter(found.codes)
    return _summed(pricing, lines, tuple([next(told) if code.applied else code for code in pricing.codes]))


def refund(
    sold: Pricing, so_far: GivenBack, cancelled: Sequence[PricedTicket], rest: Pricing, *, returns_fees: bool
) -> Refund:
    """What is given back for tickets that are ``cancelled``, beside what was ``so_far``, of an order that was ``sold``.

    It is what was paid for tickets and is still kept, less what those that stay, the ``rest``, cost now; never less
    than nothing. Where their prices stay, that is what each cancelled ticket cost. Where they are priced anew, it is
    divided among the cancelled tickets in proportion to their prices. Fees come with the last ticket, where the
    organisation ``returns_fees``. Balance and payment get of all that was ever given back the part that they paid,
    rounded half up: so in the end each has exactly what it paid.
    """
    fees = sold.processing_fee + sold.delivery_fee
    is_last = not any(line.tickets for line in rest.lines)
    for_tickets = max(0, sold.total - fees - so_far.for_tickets - sum(line.total for line in rest.lines))
    for_fees = fees if is_last and returns_fees else 0
    all_of_it = so_far.total + for_tickets + for_fees
    to_balance = _of_balance(sold, all_of_it) - so_far.to_balance
    return Refund(for_tickets, for_fees, to_balance, tuple(_divided(for_tickets, cancelled)))


def _divided(amount: int, tickets: Sequence[PricedTicket]) -> list[int]:
    """In proportion to what they cost; of tickets that were free, to their full prices; of such of none, evenly."""
    for prices in ([each.price for each in tickets], [each.full_price for each in tickets], [1 for _ in tickets]):
        if sum(prices):
            return split(amount, prices, range(len(prices)))
    return []


def _of_balance(sold: Pricing, amount: int) -> int:
    return (2 * amount * sold.balance_used + sold.total) // (2 * sold.total) if sold.total else 0


def holds_of(pricing: Pricing) -> Sequence[Hold]:
    """What the tickets of a price take of each offer, by code and kind."""
    return _kept(pricing.lines).holds


def _kept(lines: Sequence[PricedLine]) -> Kept:
    tickets = [KeptTicket(number, line.kind, ticket) for number, line in enumerate(lines) for ticket in line.tickets]
    return Kept.of(tickets, {})


def _summed(pricing: Pricing, lines: tuple[PricedLine, ...], codes: Sequence[PricedCode]) -> Pricing:
    """The price that these lines make, with the fees and the terms of ``pricing``."""
    kept, tickets = _kept(lines), [ticket for line in lines for ticket in line.tickets]
    offers = {hold.offer for hold in kept.holds}
    return replace(
        pricing,
        lines=lines,
        codes=tuple([_code(code, kept) for code in codes]),
        holds=tuple(kept.holds),
        subtotal=sum(ticket.full_price for ticket in tickets),
        advantage_discount=sum(ticket.full_price - ticket.advantage_price for ticket in tickets),
        promotion_discount=sum(ticket.promotion_share for ticket in tickets),
        terms=tuple([each for each in pricing.terms if each.offer in offers]),
    )


def _code(code: PricedCode, kept: Kept) -> PricedCode:
    if not code.applied or code.offer is None:
        return code
    key: CodeKey = (code.offer, code.code)
    if key in kept.savings or key in kept.shares:
        return replace(code, discount=kept.savings.get(key, 0) + kept.shares.get(key, 0))
    return replace(code, applied=False, discount=0, refusals=(Refusal(RefusalCode.NO_ELIGIBLE_TICKET),))


def _parts(pricing: Pricing) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """The places of the tickets in each line by the full price that they were sold at."""
    for number, line in enumerate(pricing.lines):
        by_full: defaultdict[int, list[int]] = defaultdict(list)
        for spot, ticket in enumerate(line.tickets):
            by_full[ticket.full_price].append(spot)
        for full, spots in by_full.items():
            yield (number, full), spots


def _matched(before: Sequence[PricedTicket], after: Sequence[PricedTicket]) -> list[PricedTicket]:
    """New prices of like tickets, in such an order that as many as can be keep the advantage and code that they had."""
    left = list(after)
    found: list[PricedTicket | None] = []
    for ticket in before:
        same = next((each for each in left if (each.advantage, each.code) == (ticket.advantage, ticket.code)), None)
        if same is not None:
            left.remove(same)
        found.append(same)
    others = iter(left)
    return [next(others) if ticket is None else ticket for ticket in found]


def _holds_by_offer(pricing: Pricing) -> dict[UUID, list[Hold]]:
    found: dict[UUID, list[Hold]] = {}
    for hold in holds_of(pricing):
        found.setdefault(hold.offer, []).append(hold)
    return found


# ── Offers as an order has them ──────────────────────────────────────────────────────────────────


def _as_held(offer: Offer, holds: Sequence[Hold], counted: Collection[Element | None], at: datetime) -> Offer:
    """The offer to whoever was given it: conditions on the sale are met, and what is counted is what was taken."""
    elements = {each.element: each.limits for each in offer.element_limits}
    every = {element: elements.get(element, Limits()) for element in (*elements, *filter(None, counted))}
    held = {element: sum(hold.tickets for hold in holds if is_of(element, hold.kind)) for element in every}
    is_counted = bool(counted) or offer.limits.quota is not None or offer.limits.per_contact is not None
    own = Limits(sum(hold.tickets for hold in holds) if is_counted else None, offer.limits.per_order)
    met = replace(
        offer,
        state=OfferState.RUNNING,
        valid_from=None,
        valid_until=None,
        channels=frozenset(),
        points_of_sale=frozenset(),
        delivery_modes=frozenset(),
        sale_end_tolerance=None,
        limits=own,
        element_limits=tuple(
            [ElementLimits(element, Limits(held[element], limits.per_order)) for element, limits in every.items()]
        ),
    )
    if isinstance(met, PromotionalCode):
        return replace(met, restriction=Restriction())
    if isinstance(met, Advantage) and isinstance(met.target, CampaignTarget):
        return replace(met, target=CampaignTarget(met.target.campaign, at, at))
    if isinstance(met, Advantage) and isinstance(met.target, IndicatorTarget):
        # One of its own: the contact may have had two levels of one indicator while the basket was open.
        return replace(met, target=IndicatorTarget(met.id, met.target.level))
    return met


def _with_terms(held: Mapping[UUID, Offer], pricing: Pricing) -> dict[UUID, Offer]:
    """A promotional code asks for the minimum under which it was given, and combines as it did then."""
    given = {each.offer: each for each in pricing.terms}
    return {
        key: replace(offer, minimum_basket=given[key].minimum_basket, combinable=given[key].combinable)
        if isinstance(offer, PromotionalCode) and key in given
        else offer
        for key, offer in held.items()
    }


def _sale(offers: Collection[Offer], at: datetime) -> Sale:
    """A sale to somebody who is entitled to all of these."""
    targets = [offer.target for offer in offers if isinstance(offer, Advantage)]
    contact = ContactFacts(
        _NOBODY,
        indicators={each.indicator: each.level for each in targets if isinstance(each, IndicatorTarget)},
        campaigns=frozenset(each.campaign for each in targets if isinstance(each, CampaignTarget)),
    )
    return Sale(now=at, channel=_NOBODY, point_of_sale=_NOBODY, contact=contact)
