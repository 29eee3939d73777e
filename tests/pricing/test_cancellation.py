"""What is given back, and what the rest costs: against a slow and obvious oracle, for any order and any cancelling."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as some

from services.pricing.cancellation import GivenBack, Refund, priced_anew_in_steps, refund, without
from services.pricing.engine import price
from services.pricing.facts.offers import (
    Advantage,
    AmountOff,
    AmountOffPerTicket,
    CampaignTarget,
    IndicatorTarget,
    Limits,
    Offer,
    PercentOff,
    PromotionalCode,
    PublicTarget,
    SingleUseTarget,
)
from services.pricing.facts.refusals import EnteredCode, RefusalCode
from services.pricing.facts.sale import ContactFacts, Sale
from services.pricing.facts.tickets import Line, ProductFamily, TicketKind
from services.pricing.offer_index import OfferIndex
from services.pricing.result import PricedTicket, Pricing
from services.pricing.rules import needs_code
from services.pricing.steps import finished

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
NONE_YET = GivenBack(0, 0, 0)
CAMPAIGN, INDICATOR, CODE = UUID(int=901), UUID(int=902), UUID(int=903)


def kind(number: int, full: int) -> TicketKind:
    return TicketKind(ProductFamily.EVENT, UUID(int=1), UUID(int=10 + number), None, UUID(int=2), AT, full)


def tickets(pricing: Pricing) -> list[PricedTicket]:
    return [ticket for line in pricing.lines for ticket in line.tickets]


def spots(pricing: Pricing) -> list[tuple[int, int]]:
    return [(number, at) for number, line in enumerate(pricing.lines) for at, _ in enumerate(line.tickets)]


def advantage(key: int, **parts: object) -> Advantage:
    rest = {"target": PublicTarget(), "benefit": PercentOff(100_000), **parts}
    return Advantage(id=UUID(int=key), code=f"A{key}", family=ProductFamily.EVENT, **rest)  # type: ignore[arg-type]


def promotion(key: int, **parts: object) -> PromotionalCode:
    return PromotionalCode(id=UUID(int=key), code=f"P{key}", combinable=True, **parts)  # type: ignore[arg-type]


BENEFITS = some.one_of(some.integers(1, 1_000_000).map(PercentOff), some.integers(1, 9_000).map(AmountOff))
LIMITS = some.builds(Limits, per_order=some.none() | some.integers(1, 4), quota=some.none() | some.integers(1, 6))
TARGETS = some.sampled_from(
    [
        PublicTarget(),
        CampaignTarget(CAMPAIGN, AT, AT),
        IndicatorTarget(INDICATOR, "GOLD"),
        SingleUseTarget(2),
    ]
)


@some.composite
def sales(draw: some.DrawFn) -> tuple[Pricing, dict[UUID, Offer]]:
    """An order of a contact who is entitled to much, at prices of pennies and of pounds."""
    kinds = [kind(number, draw(some.integers(0, 9_000))) for number in range(draw(some.integers(1, 3)))]
    lines = [Line(each, draw(some.integers(1, 4))) for each in kinds]
    advantages = [
        advantage(100 + number, benefit=draw(BENEFITS), limits=draw(LIMITS), target=draw(TARGETS))
        for number in range(draw(some.integers(0, 3)))
    ]
    promotions = [
        promotion(
            200 + number,
            benefit=draw(BENEFITS | some.integers(1, 3_000).map(AmountOffPerTicket)),
            minimum_basket=draw(some.integers(0, 20_000)),
        )
        for number in range(draw(some.integers(0, 2)))
    ]
    codes = [
        EnteredCode(f"CODE-{offer.code}", UUID(int=offer.id.int + 1_000), offer.id)
        for offer in (*advantages, *promotions)
        if needs_code(offer)
    ]
    contact = ContactFacts(
        UUID(int=5), {INDICATOR: "GOLD"}, frozenset({CAMPAIGN}), balance=draw(some.integers(0, 30_000))
    )
    sale = Sale(
        AT,
        UUID(int=3),
        UUID(int=4),
        contact=contact,
        processing_fee=draw(some.integers(0, 300)),
        delivery_fee=draw(some.integers(0, 300)),
        use_balance=draw(some.booleans()),
    )
    sold = price(lines, codes, sale, OfferIndex(advantages, promotions), {})
    return sold, {offer.id: offer for offer in (*advantages, *promotions)}


def half_up(part: Fraction) -> int:
    return int(part + Fraction(1, 2))


class Box:
    """The till of an order: what is in it for tickets, fees, and how much of all came from the balance."""

    def __init__(self, sold: Pricing, returns_fees: bool) -> None:
        self.fees = sold.processing_fee + sold.delivery_fee
        self.tickets = sold.total - self.fees
        self.returns_fees = returns_fees
        self.of_balance = Fraction(sold.balance_used, sold.total) if sold.total else Fraction(0)
        self.given = 0

    def give(self, rest: Sequence[PricedTicket]) -> tuple[int, int, int]:
        for_tickets = max(0, self.tickets - sum(ticket.price for ticket in rest))
        for_fees = self.fees if self.returns_fees and not rest else 0
        self.tickets -= for_tickets
        before, self.given = self.given, self.given + for_tickets + for_fees
        to_balance = half_up(self.given * self.of_balance) - half_up(before * self.of_balance)
        return for_tickets, for_fees, to_balance


@given(sale=sales(), data=some.data(), anew=some.booleans(), returns_fees=some.booleans())
@settings(max_examples=300)
def test_what_is_given_back_is_what_the_till_gives(
    sale: tuple[Pricing, dict[UUID, Offer]], data: some.DataObject, anew: bool, returns_fees: bool
) -> None:
    sold, offers = sale
    till, so_far, current = Box(sold, returns_fees), NONE_YET, sold
    parts: list[Refund] = []
    while tickets(current):
        gone = data.draw(some.lists(some.sampled_from(spots(current)), min_size=1, unique=True))
        cancelled = [current.lines[line].tickets[at] for line, at in gone]
        steps = priced_anew_in_steps(current, gone, offers, {}, AT)
        rest = finished(steps) if anew and len(gone) < len(spots(current)) else without(current, gone)
        back = refund(sold, so_far, cancelled, rest, returns_fees=returns_fees)
        assert (back.for_tickets, back.for_fees, back.to_balance) == till.give(tickets(rest))
        assert sum(back.each) == back.for_tickets
        assert min((*back.each, back.to_balance, back.total - back.to_balance)) >= 0
        if not anew:
            assert list(back.each) == [ticket.price for ticket in cancelled]
        assert len(tickets(rest)) == len(tickets(current)) - len(gone)
        parts.append(back)
        so_far = GivenBack(
            so_far.for_tickets + back.for_tickets,
            so_far.for_fees + back.for_fees,
            so_far.to_balance + back.to_balance,
        )
        current = rest
    kept = 0 if returns_fees else sold.processing_fee + sold.delivery_fee
    assert so_far.total == sold.total - kept
    assert so_far.to_balance == sold.balance_used or not returns_fees
    whole = refund(sold, NONE_YET, tickets(sold), without(sold, spots(sold)), returns_fees=returns_fees)
    assert (whole.total, whole.to_balance) == (so_far.total, so_far.to_balance)


@given(sale=sales(), data=some.data())
@settings(max_examples=200)
def test_anew_no_more_is_taken_of_any_offer_or_code_than_the_order_had(
    sale: tuple[Pricing, dict[UUID, Offer]], data: some.DataObject
) -> None:
    sold, offers = sale
    gone = data.draw(some.lists(some.sampled_from(spots(sold)), unique=True))
    rest = finished(priced_anew_in_steps(sold, gone, offers, {}, AT))
    for key, offer in offers.items():
        had, has = (sum(hold.tickets for hold in each.holds if hold.offer == key) for each in (sold, rest))
        if offer.limits.quota is not None:
            assert has <= had
        if offer.limits.per_order is not None:
            assert has <= offer.limits.per_order
        if isinstance(offer, Advantage) and isinstance(offer.target, SingleUseTarget):
            assert has <= 2
    assert {hold.offer for hold in rest.holds} <= {hold.offer for hold in sold.holds}
    assert rest.total == sum(each.price for each in tickets(rest)) + sold.processing_fee + sold.delivery_fee


@given(sale=sales())
@settings(max_examples=200)
def test_anew_with_nothing_cancelled_an_order_costs_no_more_than_it_did(
    sale: tuple[Pricing, dict[UUID, Offer]],
) -> None:
    """Whoever was sold the best price of an instant cannot be sold a worse one at that instant."""
    sold, offers = sale
    again = finished(priced_anew_in_steps(sold, (), offers, {}, AT))
    assert sum(each.advantage_price for each in tickets(again)) == sum(each.advantage_price for each in tickets(sold))
    assert [code.applied for code in again.codes] == [code.applied for code in sold.codes]


def test_anew_the_offers_conditions_on_the_sale_are_met() -> None:
    """Neither the channel nor the hour, the campaign nor the state of an offer is asked again."""
    seats = kind(0, 5_000)
    given_to = advantage(
        1,
        target=CampaignTarget(CAMPAIGN, AT, AT),
        valid_from=AT,
        valid_until=AT,
        channels=frozenset({UUID(int=3)}),
        sale_end_tolerance=-1_000_000,
    )
    contact = ContactFacts(UUID(int=5), campaigns=frozenset({CAMPAIGN}))
    open_now = replace(given_to, sale_end_tolerance=None)
    sold = price(
        [Line(seats, 2)], [], Sale(AT, UUID(int=3), UUID(int=4), contact=contact), OfferIndex([open_now], []), {}
    )
    assert [each.price for each in tickets(sold)] == [4_500, 4_500]
    rest = finished(priced_anew_in_steps(sold, [(0, 0)], {given_to.id: given_to}, {given_to.id: [None]}, AT))
    assert [each.price for each in tickets(rest)] == [4_500]


def test_anew_two_levels_of_one_indicator_stand_beside_each_other() -> None:
    """Whose level rose while the basket was open has tickets by both."""
    seats = kind(0, 1_000)
    silver = advantage(1, target=IndicatorTarget(INDICATOR, "SILVER"), benefit=AmountOff(100))
    gold = advantage(2, target=IndicatorTarget(INDICATOR, "GOLD"), benefit=AmountOff(200), limits=Limits(per_order=1))
    entitled = ContactFacts(UUID(int=5), indicators={UUID(int=6): "SILVER", UUID(int=7): "GOLD"})
    both = [
        replace(silver, target=IndicatorTarget(UUID(int=6), "SILVER")),
        replace(gold, target=IndicatorTarget(UUID(int=7), "GOLD")),
    ]
    sale = Sale(AT, UUID(int=3), UUID(int=4), contact=entitled)
    sold = price([Line(seats, 3)], [], sale, OfferIndex(both, []), {})
    assert sorted(each.price for each in tickets(sold)) == [800, 900, 900]
    gone = next(spot for spot, each in zip(spots(sold), tickets(sold), strict=True) if each.price == 900)
    rest = finished(priced_anew_in_steps(sold, [gone], {silver.id: silver, gold.id: gold}, {}, AT))
    assert sorted(each.price for each in tickets(rest)) == [800, 900]


def test_a_code_that_no_ticket_has_any_more_applies_no_longer() -> None:
    cheap, dear = kind(0, 1_000), kind(1, 5_000)
    code = promotion(1, benefit=AmountOffPerTicket(500), scope=replace(promotion(2, benefit=AmountOff(1)).scope))
    only_dear = replace(code, scope=replace(code.scope, performances=frozenset({dear.performance or UUID(int=0)})))
    entered = EnteredCode("TEN", CODE, only_dear.id)
    sale = Sale(AT, UUID(int=3), UUID(int=4))
    sold = price([Line(cheap, 1), Line(dear, 1)], [entered], sale, OfferIndex([], [only_dear]), {})
    [was] = sold.codes
    [told] = without(sold, [(1, 0)]).codes
    assert (was.applied, was.discount) == (True, 500)
    assert (told.applied, told.discount, [each.code for each in told.refusals]) == (
        False,
        0,
        [RefusalCode.NO_ELIGIBLE_TICKET],
    )
