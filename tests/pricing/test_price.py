"""A basket's price, step by step; amounts in cents of the example theatre."""

from collections import Counter
from datetime import timedelta

import pytest
from tests.pricing.playhouse import (
    BLANDINE,
    NEWCOMER,
    PERCENT,
    REGULARS,
    REVIVAL,
    SHOW,
    UNKNOWN,
    Shop,
    advantage,
    an_id,
    element,
    entered,
    ids,
    prices,
    promotion,
    taken,
    ticket,
    verdicts,
)

from services.pricing.facts.offers import (
    AmountOff,
    ElementLimits,
    FixedPrice,
    IndicatorTarget,
    Limits,
    OfferState,
    PartnerTarget,
    PercentOff,
    Rates,
    Scope,
    SingleUseTarget,
)
from services.pricing.facts.sale import ContactFacts
from services.pricing.facts.tickets import ElementKind

PROMOTYD = advantage("PROMOTYD", PercentOff(50 * PERCENT), SingleUseTarget(), scope=Scope(seat_categories=ids("CAT1")))
COUPON3 = promotion("COUPON3", PercentOff(3 * PERCENT), minimum_basket=2000, combinable=False)
HALF = entered("48MK SKBN", "PROMOTYD")
COUPON = entered("COUPON3%", "COUPON3")
FOR_REGULARS = advantage("REGULARS", PercentOff(10 * PERCENT), REGULARS, limits=Limits(per_contact=6))
FOR_RETURNERS = advantage(
    "REVIVAL",
    Rates({(an_id("CAT1"), an_id("FULL")): 6000, (an_id("CAT2"), an_id("FULL")): 4500}),
    REVIVAL,
    limits=Limits(per_order=2),
)


# ── The example ──────────────────────────────────────────────────────────────────────────────────


def test_two_full_price_seats_cost_their_prices_and_the_fee() -> None:
    assert Shop().price((2, ticket(8000))).total == 16200


def test_a_code_covers_one_ticket() -> None:
    pricing = Shop([PROMOTYD]).price((2, ticket(8000)), codes=[HALF])
    assert (prices(pricing), verdicts(pricing), pricing.total) == ([4000, 8000], [4000], 12200)


def test_a_coupon_takes_its_part_of_what_advantages_left() -> None:
    pricing = Shop([PROMOTYD, COUPON3]).price((2, ticket(8000)), codes=[HALF, COUPON])
    assert (verdicts(pricing), pricing.total) == ([4000, 360], 11840)


def test_the_order_in_which_an_advantages_code_and_a_coupon_are_entered_does_not_matter() -> None:
    assert Shop([PROMOTYD, COUPON3]).price((2, ticket(8000)), codes=[COUPON, HALF]).total == 11840


def test_a_limit_per_order_leaves_the_rest_to_the_next_best_advantage() -> None:
    pricing = Shop([FOR_REGULARS, FOR_RETURNERS], BLANDINE).price((3, ticket(8000)))
    assert prices(pricing) == [6000, 6000, 7200]


# ── Benefits ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("benefit", "expected"),
    [
        (PercentOff(50 * PERCENT), 500),
        (PercentOff(100 * PERCENT), 0),
        (AmountOff(300), 699),
        (AmountOff(5000), 0),
        (FixedPrice(250), 250),
        (FixedPrice(0), 0),
        (Rates({(an_id("CAT1"), an_id("FULL")): 120}), 120),
    ],
)
def test_a_benefit_sets_the_price_of_a_ticket(
    benefit: PercentOff | AmountOff | FixedPrice | Rates, expected: int
) -> None:
    full = 1000 if isinstance(benefit, PercentOff) else 999
    assert prices(Shop([advantage("A", benefit)]).price((1, ticket(full)))) == [expected]


@pytest.mark.parametrize(
    ("full", "part", "expected"), [(5, 10, 4), (4, 10, 4), (15, 10, 13), (999, 33.3333, 666), (1, 50, 0)]
)
def test_a_percentage_off_a_ticket_is_rounded_half_up(full: int, part: float, expected: int) -> None:
    offer = advantage("A", PercentOff(round(part * PERCENT)))
    assert prices(Shop([offer]).price((1, ticket(full)))) == [expected]


@pytest.mark.parametrize("benefit", [FixedPrice(8000), FixedPrice(9000), AmountOff(0), PercentOff(1), Rates({})])
def test_a_benefit_that_lowers_nothing_does_not_apply(benefit: FixedPrice | AmountOff | PercentOff | Rates) -> None:
    pricing = Shop([advantage("A", benefit)]).price((1, ticket(8000 if benefit != PercentOff(1) else 49)))
    assert pricing.lines[0].tickets[0].advantage is None
    assert pricing.holds == ()


def test_a_rate_never_raises_a_price() -> None:
    rates = Rates({(an_id("CAT1"), an_id("FULL")): 9000})
    assert prices(Shop([advantage("A", rates)]).price((1, ticket(8000)))) == [8000]


def test_a_rate_sub_table_does_not_apply_to_a_ticket_it_has_no_price_for() -> None:
    rates = Rates({(an_id("CAT2"), an_id("FULL")): 100, (None, an_id("FULL")): 100})
    assert prices(Shop([advantage("A", rates)]).price((1, ticket(8000)))) == [8000]


def test_a_rate_without_seat_category_is_for_tickets_without_one() -> None:
    rates = Rates({(None, an_id("FULL")): 100})
    assert prices(Shop([advantage("A", rates)]).price((1, ticket(8000, seat=None)))) == [100]


def test_a_free_ticket_stays_free_and_takes_no_advantage() -> None:
    pricing = Shop([advantage("A", AmountOff(100))]).price((1, ticket(0)))
    assert (prices(pricing), pricing.holds) == ([0], ())


# ── The best assignment ──────────────────────────────────────────────────────────────────────────


def test_the_assignment_is_the_best_and_not_the_greedy_one() -> None:
    first, second = ticket(10, performance="P1"), ticket(9, performance="P2")
    a = advantage("A", FixedPrice(0), limits=Limits(per_order=1))
    b = advantage("B", AmountOff(8), scope=Scope(performances=ids("P1")))
    pricing = Shop([a, b]).price((1, first), (1, second))
    assert (pricing.advantage_discount, prices(pricing)) == (17, [2, 0])


def test_each_ticket_takes_the_advantage_that_saves_the_most() -> None:
    offers = [advantage("A", PercentOff(10 * PERCENT)), advantage("B", AmountOff(500))]
    pricing = Shop(offers).price((1, ticket(8000)), (1, ticket(3000, tariff="CHILD")))
    assert prices(pricing) == [7200, 2500]


def test_a_limit_is_spent_where_it_saves_the_most() -> None:
    offer = advantage("A", PercentOff(50 * PERCENT), limits=Limits(per_order=1))
    pricing = Shop([offer]).price((2, ticket(3000, seat="CAT2")), (1, ticket(8000)))
    assert prices(pricing) == [3000, 3000, 4000]


def test_limits_of_crossing_elements_are_kept_together() -> None:
    limits = [
        (ElementKind.SEAT_CATEGORY, "CAT1"),
        (ElementKind.AUDIENCE_SUB_CATEGORY, "FULL"),
        (ElementKind.PERFORMANCE, "P1"),
    ]
    offer = advantage(
        "A", FixedPrice(0), element_limits=tuple(ElementLimits(element(*each), Limits(per_order=1)) for each in limits)
    )
    corners = [
        (9, "P1", "CAT1", "CHILD"),
        (8, "P1", "CAT2", "FULL"),
        (7, "P2", "CAT1", "FULL"),
        (1, "P2", "CAT2", "CHILD"),
    ]
    kinds = [ticket(full, performance=show, seat=seat, tariff=tariff) for full, show, seat, tariff in corners]
    pricing = Shop([offer]).price(*((1, kind) for kind in kinds))
    assert prices(pricing) == [0, 8, 7, 0]


def test_the_lesser_advantage_takes_over_where_the_quota_ends() -> None:
    offers = [advantage("A", AmountOff(900), limits=Limits(quota=10)), advantage("B", AmountOff(200))]
    pricing = Shop(offers, taken=taken("A", 9)).price((3, ticket(1000)))
    assert prices(pricing) == [100, 800, 800]


# ── Equal savings ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("first", "second"), [("PUBLIC", "LEVEL"), ("LEVEL", "CAMPAIGN"), ("CAMPAIGN", "PARTNER"), ("PARTNER", "SINGLE")]
)
def test_of_equal_savings_the_less_personal_offer_is_used(first: str, second: str) -> None:
    targets = {
        "PUBLIC": None,
        "LEVEL": REGULARS,
        "CAMPAIGN": REVIVAL,
        "PARTNER": PartnerTarget(),
        "SINGLE": SingleUseTarget(),
    }
    offers = [
        advantage(f"Z-{first}", AmountOff(500), targets[first]),
        advantage(f"A-{second}", AmountOff(500), targets[second]),
    ]
    codes = [entered(f"CODE-{offer.code}", offer.code) for offer in offers]
    pricing = Shop(offers, BLANDINE).price((1, ticket()), codes=codes)
    assert pricing.lines[0].tickets[0].advantage == an_id(f"Z-{first}")


def test_of_equal_savings_and_targets_the_first_by_code_is_used() -> None:
    offers = [advantage("B", AmountOff(500)), advantage("A", AmountOff(500))]
    assert Shop(offers).price((1, ticket())).lines[0].tickets[0].advantage == an_id("A")


def test_a_limited_public_offer_is_used_up_before_a_personal_one_of_the_same_saving() -> None:
    offers = [advantage("A", AmountOff(500), REGULARS), advantage("Z", AmountOff(500), limits=Limits(per_order=1))]
    pricing = Shop(offers, BLANDINE).price((2, ticket()))
    assert Counter(each.advantage for each in pricing.lines[0].tickets) == Counter([an_id("A"), an_id("Z")])


def test_a_code_that_leaves_the_saving_as_it_is_is_not_consumed() -> None:
    first, second = ticket(17, performance="P1"), ticket(7, performance="P2")
    once = advantage("A", FixedPrice(0), limits=Limits(per_order=1))
    single = advantage("S", AmountOff(10), SingleUseTarget(), scope=Scope(performances=ids("P1")))
    pricing = Shop([once, single]).price((1, first), (1, second), codes=[entered("S1", "S")])
    assert (prices(pricing), verdicts(pricing)) == ([0, 7], [["NO_BENEFIT"]])


def test_of_equal_savings_on_unlike_tickets_the_earlier_performance_comes_first() -> None:
    shop = Shop([advantage("A", AmountOff(500), limits=Limits(per_order=1))])
    early, late = ticket(performance="Z"), ticket(performance="A", starts_at=SHOW + timedelta(days=1))
    assert prices(shop.price((1, late), (1, early))) == [8000, 7500]


# ── What is considered ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", [state for state in OfferState if state is not OfferState.RUNNING])
def test_only_running_offers_apply(state: OfferState) -> None:
    assert prices(Shop([advantage("A", AmountOff(500), state=state)]).price((1, ticket()))) == [8000]


def test_an_offer_can_be_tried_before_it_runs() -> None:
    shop = Shop([advantage("A", AmountOff(500), state=OfferState.DRAFT)])
    assert prices(shop.price((1, ticket()), include=ids("A"))) == [7500]


def test_an_offer_that_is_tried_keeps_its_other_conditions() -> None:
    shop = Shop([advantage("A", AmountOff(500), state=OfferState.DRAFT, channels=ids("PHONE"))])
    assert prices(shop.price((1, ticket()), include=ids("A"))) == [8000]


@pytest.mark.parametrize("target", [PartnerTarget(), SingleUseTarget(), SingleUseTarget(None)])
def test_an_offer_that_is_tried_still_needs_its_code(target: PartnerTarget | SingleUseTarget) -> None:
    shop = Shop([advantage("A", AmountOff(500), target, state=OfferState.VALIDATED)])
    assert prices(shop.price((1, ticket()), include=ids("A"))) == [8000]
    assert prices(shop.price((1, ticket()), codes=[entered("C", "A")], include=ids("A"))) == [7500]


def test_trying_an_offer_that_runs_already_changes_nothing() -> None:
    shop = Shop([advantage("A", AmountOff(500))])
    assert shop.price((2, ticket()), include=ids("A")) == shop.price((2, ticket()))


def test_trying_an_unknown_offer_changes_nothing() -> None:
    assert prices(Shop().price((1, ticket()), include=ids("A"))) == [8000]


def test_a_promotional_code_can_be_tried_before_it_runs() -> None:
    shop = Shop([promotion("P", AmountOff(500), state=OfferState.DRAFT)])
    assert verdicts(shop.price((1, ticket()), codes=[entered("C", "P")], include=ids("P"))) == [500]


def test_only_the_advantages_asked_for_are_considered() -> None:
    shop = Shop([advantage("A", AmountOff(500)), advantage("B", AmountOff(900))])
    assert prices(shop.price((1, ticket()), only=ids("A"))) == [7500]


def test_none_asked_for_is_none_considered() -> None:
    assert prices(Shop([advantage("A", AmountOff(500))]).price((1, ticket()), only=frozenset())) == [8000]


def test_the_code_of_an_advantage_not_asked_for_changes_nothing() -> None:
    shop = Shop([PROMOTYD, COUPON3])
    assert verdicts(shop.price((2, ticket()), codes=[HALF, COUPON], only=ids("OTHER"))) == [["NO_BENEFIT"], 480]


def test_an_advantage_for_another_family_or_season_does_not_apply() -> None:
    shop = Shop([advantage("A", AmountOff(500), season=an_id("2026-27"))])
    assert prices(shop.price((1, ticket(season="2026-27")), (1, ticket(season="2027-28")))) == [7500, 8000]


# ── Fees, balance, sums ──────────────────────────────────────────────────────────────────────────


def test_fees_are_asked_once_of_an_order() -> None:
    pricing = Shop(delivery_fee=450, delivery_mode="POST").price((2, ticket(100)), (1, ticket(100, seat="CAT2")))
    assert (pricing.processing_fee, pricing.delivery_fee, pricing.total) == (200, 450, 950)


def test_a_basket_without_tickets_costs_nothing() -> None:
    pricing = Shop(delivery_fee=450).price()
    assert (pricing.total, pricing.lines, pricing.holds) == (0, (), ())


def test_no_offer_touches_fees() -> None:
    shop = Shop([advantage("A", FixedPrice(0)), promotion("P", AmountOff(99999))], delivery_fee=450)
    assert shop.price((1, ticket()), codes=[entered("C", "P")]).total == 650


@pytest.mark.parametrize(("balance", "used"), [(17_500, 8200), (5000, 5000), (0, 0), (-300, 0)])
def test_the_balance_pays_up_to_the_total(balance: int, used: int) -> None:
    shop = Shop(contact=ContactFacts(an_id("C"), balance=balance), use_balance=True)
    pricing = shop.price((1, ticket(8000)))
    assert (pricing.balance_used, pricing.amount_due) == (used, 8200 - used)


def test_the_balance_is_left_alone_unless_asked_for() -> None:
    assert Shop(contact=BLANDINE).price((1, ticket())).balance_used == 0


def test_an_unknown_contact_has_no_balance() -> None:
    assert Shop(use_balance=True).price((1, ticket())).balance_used == 0


def test_lines_come_back_in_the_order_of_the_basket() -> None:
    kinds = [ticket(100, seat="CAT2"), ticket(300), ticket(100, seat="CAT2")]
    pricing = Shop().price(*((2, kind) for kind in kinds))
    assert [(line.kind, line.total) for line in pricing.lines] == [(kinds[0], 200), (kinds[1], 600), (kinds[2], 200)]


def test_like_tickets_on_two_lines_share_one_limit() -> None:
    shop = Shop([advantage("A", AmountOff(500), limits=Limits(per_order=3))])
    assert prices(shop.price((2, ticket()), (2, ticket()))) == [7500, 7500, 7500, 8000]


# ── What a basket must hold ──────────────────────────────────────────────────────────────────────


def test_every_advantage_is_held_by_kind_and_code() -> None:
    pricing = Shop([FOR_REGULARS, FOR_RETURNERS, PROMOTYD], BLANDINE).price(
        (3, ticket(8000)), (1, ticket(5500, seat="CAT2")), codes=[HALF]
    )
    held = {(hold.offer, hold.code, hold.kind.full_price, hold.tickets) for hold in pricing.holds}
    assert held == {
        (an_id("PROMOTYD"), HALF.code, 8000, 1),
        (an_id("REVIVAL"), None, 8000, 2),
        (an_id("REGULARS"), None, 5500, 1),
    }


def test_a_promotional_code_holds_all_tickets_in_its_scope() -> None:
    offer = promotion("P", AmountOff(500), scope=Scope(seat_categories=ids("CAT1")))
    code = entered("C", "P")
    pricing = Shop([offer]).price((3, ticket()), (2, ticket(5500, seat="CAT2")), codes=[code])
    assert [(hold.offer, hold.code, hold.tickets) for hold in pricing.holds] == [(offer.id, code.code, 3)]


def test_a_ticket_names_the_code_that_opened_its_advantage() -> None:
    pricing = Shop([PROMOTYD]).price((2, ticket()), codes=[HALF])
    assert [each.code for each in pricing.lines[0].tickets] == [HALF.code, None]


def test_the_holds_do_not_depend_on_the_order_of_lines() -> None:
    shop = Shop([FOR_REGULARS, FOR_RETURNERS, PROMOTYD, COUPON3], BLANDINE)
    lines = [(2, ticket()), (1, ticket(5500, seat="CAT2")), (2, ticket(8500, performance="HELENE-1218"))]
    forward, backward = (shop.price(*each, codes=[HALF, COUPON]).holds for each in (lines, lines[::-1]))
    assert forward == backward


def test_an_unknown_code_changes_nothing() -> None:
    pricing = Shop([FOR_REGULARS], BLANDINE).price((1, ticket()), codes=[UNKNOWN])
    assert (verdicts(pricing), pricing.advantage_discount) == ([["UNKNOWN_CODE"]], 800)


def test_a_level_reached_is_enough_and_another_is_not() -> None:
    shop = Shop([advantage("A", AmountOff(500), IndicatorTarget(an_id("ASSIDUITY"), "CONSTANT"))], BLANDINE)
    assert prices(shop.price((1, ticket()))) == [8000]


def test_a_contact_gets_no_more_than_its_share() -> None:
    shop = Shop([FOR_REGULARS], BLANDINE, taken=taken("REGULARS", 5, of_contact=True))
    assert prices(shop.price((2, ticket()))) == [7200, 8000]


def test_an_offer_with_a_limit_per_contact_does_not_apply_to_an_unknown_contact() -> None:
    offer = advantage("A", AmountOff(500), limits=Limits(per_contact=6))
    assert prices(Shop([offer]).price((1, ticket()))) == [8000]
    assert prices(Shop([offer], NEWCOMER).price((1, ticket()))) == [7500]


def test_a_limit_per_contact_on_an_element_keeps_only_its_tickets_from_an_unknown_contact() -> None:
    limits = ElementLimits(element(ElementKind.SEAT_CATEGORY, "CAT1"), Limits(per_contact=2))
    shop = Shop([advantage("A", AmountOff(500), element_limits=(limits,))])
    assert prices(shop.price((1, ticket()), (1, ticket(5500, seat="CAT2")))) == [8000, 5000]


def test_more_may_be_taken_than_a_lowered_limit_allows() -> None:
    offer = advantage("A", AmountOff(500), limits=Limits(quota=3))
    assert prices(Shop([offer], taken=taken("A", 7)).price((1, ticket()))) == [8000]
