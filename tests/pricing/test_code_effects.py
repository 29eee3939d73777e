"""What each entered code does: what it took off, or every reason why not."""

from dataclasses import replace
from datetime import timedelta
from typing import Unpack

import pytest
from tests.pricing.playhouse import (
    BLANDINE,
    NOW,
    PERCENT,
    REGULARS,
    SHOW,
    AdvantageParts,
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
    AmountOffPerTicket,
    ElementLimits,
    FixedPrice,
    Limits,
    OfferState,
    PartnerTarget,
    PercentOff,
    Restriction,
    Scope,
    SingleUseTarget,
)
from services.pricing.facts.refusals import Amount, EnteredCode, Instant, Refusal, RefusalCode, Tickets, Words
from services.pricing.facts.tickets import ElementKind

ONE, TWO, THREE = (entered(text, "S") for text in ("S1", "S2", "S3"))


def single_use(covers: int | None = 1, off: int = 4000, **parts: Unpack[AdvantageParts]) -> Shop:
    return Shop([advantage("S", AmountOff(off), SingleUseTarget(covers), **parts)])


# ── Codes of advantages ──────────────────────────────────────────────────────────────────────────


def test_codes_of_one_offer_cover_a_ticket_each() -> None:
    pricing = single_use().price((3, ticket()), codes=[ONE, TWO])
    assert (prices(pricing), verdicts(pricing)) == ([4000, 4000, 8000], [4000, 4000])


def test_a_code_covers_as_many_tickets_as_its_offer_says() -> None:
    pricing = single_use(covers=2).price((5, ticket()), codes=[ONE, TWO])
    assert (prices(pricing), verdicts(pricing)) == ([4000] * 4 + [8000], [8000, 8000])


def test_a_code_that_is_not_needed_is_not_consumed() -> None:
    pricing = single_use().price((1, ticket()), codes=[ONE, TWO])
    assert verdicts(pricing) == [4000, ["NO_BENEFIT"]]
    assert [hold.code for hold in pricing.holds] == [ONE.code]


def test_a_code_may_cover_all_tickets() -> None:
    pricing = single_use(covers=None).price((5, ticket()), codes=[ONE, TWO])
    assert verdicts(pricing) == [20_000, ["NO_BENEFIT"]]


def test_codes_cover_the_tickets_they_save_the_most_on_in_the_order_of_entry() -> None:
    shop = Shop([advantage("S", PercentOff(50 * PERCENT), SingleUseTarget())])
    pricing = shop.price((1, ticket(3000, seat="CAT2")), (1, ticket(8000)), codes=[TWO, ONE])
    assert verdicts(pricing) == [4000, 1500]


def test_an_access_code_covers_any_number_of_tickets() -> None:
    shop = Shop([advantage("P", FixedPrice(100), PartnerTarget())])
    assert verdicts(shop.price((7, ticket(300)), codes=[entered("TYD-STAFF", "P")])) == [1400]


def test_an_offer_for_partners_needs_its_code() -> None:
    assert prices(Shop([advantage("P", FixedPrice(100), PartnerTarget())]).price((1, ticket(300)))) == [300]


def test_the_same_code_twice_counts_once() -> None:
    assert verdicts(single_use().price((2, ticket()), codes=[ONE, ONE])) == [4000, ["NO_BENEFIT"]]


def test_a_refused_code_opens_nothing_and_keeps_its_reasons() -> None:
    used = entered("S1", "S", RefusalCode.CODE_ALREADY_USED)
    pricing = single_use().price((1, ticket()), codes=[used])
    assert (prices(pricing), verdicts(pricing)) == ([8000], [["CODE_ALREADY_USED"]])


def test_a_good_code_applies_beside_a_refused_one() -> None:
    used = entered("S1", "S", RefusalCode.CODE_HELD)
    assert verdicts(single_use().price((2, ticket()), codes=[used, TWO])) == [["CODE_HELD"], 4000]


def test_a_code_is_refused_for_all_reasons_at_once() -> None:
    shop = single_use(
        state=OfferState.SUSPENDED,
        valid_until=NOW.replace(year=2025),
        channels=ids("PHONE"),
        delivery_modes=ids("POST"),
        scope=Scope(seat_categories=ids("CAT2")),
        limits=Limits(quota=0),
    )
    pricing = shop.price((1, ticket()), codes=[entered("S1", "S", RefusalCode.CODE_INVALIDATED)])
    assert verdicts(pricing) == [
        [
            "CODE_INVALIDATED",
            "OFFER_NOT_RUNNING",
            "EXPIRED",
            "WRONG_CHANNEL",
            "WRONG_DELIVERY_MODE",
            "NO_ELIGIBLE_TICKET",
            "QUOTA_EXHAUSTED",
        ]
    ]


def test_nothing_but_that_is_told_of_an_unknown_code() -> None:
    shop = single_use(channels=ids("PHONE"))
    (code,) = shop.price((1, ticket()), codes=[entered("S1", "S", RefusalCode.UNKNOWN_CODE)]).codes
    assert (code.offer, code.refusals) == (None, (Refusal(RefusalCode.UNKNOWN_CODE),))


def test_a_code_of_an_offer_that_is_not_there_is_unknown() -> None:
    assert verdicts(Shop().price((1, ticket()), codes=[ONE])) == [["UNKNOWN_CODE"]]


def test_a_code_that_opens_nothing_is_unknown() -> None:
    assert verdicts(Shop().price((1, ticket()), codes=[EnteredCode("X")])) == [["UNKNOWN_CODE"]]


def test_a_code_is_refused_where_something_better_applies_already() -> None:
    offers = [advantage("S", AmountOff(100), SingleUseTarget()), advantage("A", AmountOff(200))]
    assert verdicts(Shop(offers).price((1, ticket()), codes=[ONE])) == [["NO_BENEFIT"]]


def test_a_code_of_an_offer_that_is_for_everyone_by_now_changes_nothing() -> None:
    pricing = Shop([advantage("S", AmountOff(100))]).price((1, ticket()), codes=[ONE])
    assert (prices(pricing), verdicts(pricing), pricing.holds[0].code) == ([7900], [["NO_BENEFIT"]], None)


def test_a_code_that_would_raise_the_price_has_no_benefit() -> None:
    shop = Shop([advantage("S", FixedPrice(9000), SingleUseTarget())])
    assert verdicts(shop.price((1, ticket()), codes=[ONE])) == [["NO_BENEFIT"]]


def test_a_code_entered_for_an_empty_basket_finds_no_ticket() -> None:
    assert verdicts(single_use().price(codes=[ONE])) == [["NO_ELIGIBLE_TICKET"]]


# ── Codes and limits ─────────────────────────────────────────────────────────────────────────────


def test_a_code_says_that_the_quota_is_used_up() -> None:
    shop = single_use(limits=Limits(quota=5))
    (code,) = Shop(shop.offers, taken=taken("S", 5)).price((1, ticket()), codes=[ONE]).codes
    assert code.refusals == (Refusal(RefusalCode.QUOTA_EXHAUSTED, Tickets(0), Tickets(1)),)


def test_a_code_says_that_the_contact_has_had_its_share() -> None:
    shop = single_use(limits=Limits(per_contact=2))
    pricing = Shop(shop.offers, BLANDINE, taken=taken("S", 2, of_contact=True)).price((1, ticket()), codes=[ONE])
    assert verdicts(pricing) == [["CONTACT_LIMIT_EXCEEDED"]]


def test_a_code_with_a_limit_per_contact_needs_to_know_the_contact() -> None:
    (code,) = single_use(limits=Limits(per_contact=2)).price((1, ticket()), codes=[ONE]).codes
    assert [(refusal.code, refusal.detail) for refusal in code.refusals] == [
        (RefusalCode.NOT_TARGETED, "unknown_contact")
    ]


def test_a_second_code_says_which_limit_the_first_one_used_up() -> None:
    (first, second) = single_use(limits=Limits(quota=9, per_order=1)).price((2, ticket()), codes=[ONE, TWO]).codes
    assert first.applied
    assert second.refusals == (Refusal(RefusalCode.ORDER_LIMIT_EXCEEDED, Tickets(1), Tickets(2)),)


def test_a_code_says_that_the_quota_of_the_better_seats_is_used_up() -> None:
    limits = ElementLimits(element(ElementKind.SEAT_CATEGORY, "CAT1"), Limits(quota=1))
    offers = [
        advantage("S", AmountOff(500), SingleUseTarget(), element_limits=(limits,)),
        advantage("A", AmountOff(600), scope=Scope(seat_categories=ids("CAT2"))),
    ]
    shop = Shop(offers, taken=taken("S", 1, limits.element))
    pricing = shop.price((1, ticket()), (1, ticket(5500, seat="CAT2")), codes=[ONE])
    assert verdicts(pricing) == [["QUOTA_EXHAUSTED"]]


def test_a_code_whose_limits_have_room_but_bring_nothing_has_no_benefit() -> None:
    offers = [advantage("S", AmountOff(100), SingleUseTarget(), limits=Limits(quota=3)), advantage("A", AmountOff(200))]
    assert verdicts(Shop(offers).price((1, ticket()), codes=[ONE])) == [["NO_BENEFIT"]]


@pytest.mark.parametrize("covers", [0, 1, None])
def test_a_limit_of_nothing_gives_nothing(covers: int | None) -> None:
    pricing = single_use(covers, limits=Limits(per_order=0)).price((2, ticket()), codes=[ONE])
    assert (prices(pricing), verdicts(pricing)) == ([8000, 8000], [["ORDER_LIMIT_EXCEEDED"]])


# ── Promotional codes ────────────────────────────────────────────────────────────────────────────

TEN, FIVE = promotion("TEN", AmountOff(1000)), promotion("FIVE", PercentOff(5 * PERCENT))
TEN_CODE, FIVE_CODE = entered("MERCI10", "TEN"), entered("FIVE", "FIVE")


def test_a_promotional_code_needs_its_code() -> None:
    assert Shop([TEN]).price((1, ticket())).promotion_discount == 0


def test_promotional_codes_apply_in_the_order_in_which_they_are_entered() -> None:
    shop = Shop([TEN, FIVE])
    assert verdicts(shop.price((1, ticket()), codes=[TEN_CODE, FIVE_CODE])) == [1000, 350]
    assert verdicts(shop.price((1, ticket()), codes=[FIVE_CODE, TEN_CODE])) == [400, 1000]


def test_a_percentage_is_taken_of_the_sum_and_rounded_once() -> None:
    pricing = Shop([FIVE]).price((3, ticket(10)), codes=[FIVE_CODE])
    assert (verdicts(pricing), prices(pricing)) == ([2], [9, 9, 10])


def test_an_amount_off_never_exceeds_what_is_in_its_scope() -> None:
    offer = promotion("P", AmountOff(9000), scope=Scope(seat_categories=ids("CAT2")))
    pricing = Shop([offer]).price((1, ticket(8000)), (1, ticket(5500, seat="CAT2")), codes=[entered("C", "P")])
    assert (verdicts(pricing), prices(pricing)) == ([5500], [8000, 0])


def test_an_amount_per_ticket_is_cut_at_the_tickets_price() -> None:
    shop = Shop([promotion("P", AmountOffPerTicket(200))])
    pricing = shop.price((1, ticket(150)), (2, ticket(500, seat="CAT2")), codes=[entered("C", "P")])
    assert (verdicts(pricing), prices(pricing)) == ([550], [0, 300, 300])


def test_a_discount_is_split_by_largest_remainder_with_ties_to_the_earlier_ticket() -> None:
    shop = Shop([promotion("P", AmountOff(100))])
    pricing = shop.price((1, ticket(50)), (3, ticket(100, seat="CAT2")), codes=[entered("C", "P")])
    assert [each.promotion_share for line in pricing.lines for each in line.tickets] == [14, 29, 29, 28]


def test_equal_tickets_of_unlike_lines_share_in_the_order_of_the_basket() -> None:
    shop = Shop([promotion("P", AmountOff(5))])
    kinds = [ticket(100, performance=name) for name in ("P1", "P2")]
    for basket in (kinds, kinds[::-1]):
        assert prices(shop.price(*((1, kind) for kind in basket), codes=[entered("C", "P")])) == [97, 98]


def test_the_minimum_basket_is_of_all_tickets_at_their_advantage_prices() -> None:
    offer = promotion("P", AmountOff(100), minimum_basket=2000, scope=Scope(seat_categories=ids("CAT2")))
    shop = Shop([offer, advantage("A", AmountOff(160))])
    lines = (1, ticket(1000)), (1, ticket(1319, seat="CAT2"))
    (code,) = shop.price(*lines, codes=[entered("C", "P")]).codes
    assert code.refusals == (Refusal(RefusalCode.MINIMUM_BASKET_NOT_REACHED, Amount(2000), Amount(1999)),)
    assert verdicts(Shop([offer]).price(*lines, codes=[entered("C", "P")])) == [100]


def test_a_code_before_it_does_not_count_against_the_minimum_basket() -> None:
    shop = Shop([TEN, promotion("P", AmountOff(100), minimum_basket=8000)])
    assert verdicts(shop.price((1, ticket()), codes=[TEN_CODE, entered("C", "P")])) == [1000, 100]


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (False, False)])
def test_one_that_is_not_combinable_stands_alone(first: bool, second: bool) -> None:
    shop = Shop([promotion("P", AmountOff(100), combinable=first), promotion("Q", AmountOff(200), combinable=second)])
    pricing = shop.price((1, ticket()), codes=[entered("C", "P"), entered("D", "Q")])
    assert verdicts(pricing) == [100, ["NOT_COMBINABLE"]]
    assert pricing.codes[1].refusals[0].actual == Words(("C",))


def test_a_code_that_was_refused_stands_in_nobodys_way() -> None:
    shop = Shop([promotion("P", AmountOff(100), combinable=False, channels=ids("PHONE")), TEN])
    assert verdicts(shop.price((1, ticket()), codes=[entered("C", "P"), TEN_CODE])) == [["WRONG_CHANNEL"], 1000]


def test_a_third_code_is_taken_after_one_that_was_not_combinable_was_refused() -> None:
    shop = Shop([TEN, promotion("P", AmountOff(100), combinable=False), FIVE])
    pricing = shop.price((1, ticket()), codes=[TEN_CODE, entered("C", "P"), FIVE_CODE])
    assert verdicts(pricing) == [1000, ["NOT_COMBINABLE"], 350]


def test_two_codes_of_one_combinable_promotion_both_apply() -> None:
    pricing = Shop([TEN]).price((2, ticket()), codes=[TEN_CODE, entered("DANKE10", "TEN")])
    assert verdicts(pricing) == [1000, 1000]


def test_two_codes_of_one_promotion_that_stands_alone_do_not_combine() -> None:
    alone = replace(TEN, combinable=False)
    pricing = Shop([alone]).price((2, ticket()), codes=[TEN_CODE, entered("DANKE10", "TEN")])
    assert verdicts(pricing) == [1000, ["NOT_COMBINABLE"]]


def test_tickets_of_two_codes_of_one_promotion_count_once_against_its_limits() -> None:
    two = replace(TEN, limits=Limits(quota=2, per_order=2))
    pricing = Shop([two]).price((2, ticket()), codes=[TEN_CODE, entered("DANKE10", "TEN")])
    assert (verdicts(pricing), [hold.tickets for hold in pricing.holds]) == ([1000, 1000], [2, 0])


def test_a_promotional_code_takes_nothing_off_tickets_past_its_sale_end() -> None:
    hour_before = replace(TEN, sale_end_tolerance=-60, limits=Limits(per_order=1))
    late, early = ticket(), ticket(performance="HELENE-1218", starts_at=SHOW + timedelta(days=1))
    shop = replace(Shop([hour_before]), now=SHOW)
    pricing = shop.price((1, late), (1, early), codes=[TEN_CODE])
    shares = [line.tickets[0].promotion_share for line in pricing.lines]
    assert (verdicts(pricing), shares, [hold.tickets for hold in pricing.holds]) == ([1000], [0, 1000], [1])
    assert verdicts(shop.price((1, late), codes=[TEN_CODE])) == [["SALE_CLOSED"]]


@pytest.mark.parametrize(("after", "applies"), [(-3600, True), (-3599, False)])
def test_the_last_second_of_a_promotional_codes_sale_end_counts(after: int, *, applies: bool) -> None:
    shop = replace(Shop([replace(TEN, sale_end_tolerance=-60)]), now=SHOW + timedelta(seconds=after))
    assert verdicts(shop.price((1, ticket()), codes=[TEN_CODE])) == [1000 if applies else ["SALE_CLOSED"]]


def test_the_sale_end_of_a_promotional_code_leaves_what_has_no_performance() -> None:
    shop = replace(Shop([replace(TEN, sale_end_tolerance=-60)]), now=SHOW + timedelta(days=9))
    assert verdicts(shop.price((1, ticket(performance=None)), codes=[TEN_CODE])) == [1000]


def test_a_free_ticket_uses_up_nothing_of_a_code() -> None:
    one = replace(TEN, limits=Limits(per_order=1))
    pricing = Shop([one]).price((1, ticket()), (1, ticket(0, tariff="CHILD")), codes=[TEN_CODE])
    assert (verdicts(pricing), [hold.tickets for hold in pricing.holds]) == ([1000], [1])


def test_the_second_code_of_a_promotion_applies_where_the_first_may_not() -> None:
    first = entered("MERCI10", "TEN", RefusalCode.QUOTA_EXHAUSTED)
    pricing = Shop([TEN]).price((2, ticket()), codes=[first, entered("DANKE10", "TEN")])
    assert verdicts(pricing) == [["QUOTA_EXHAUSTED"], 1000]


def test_the_same_promotional_code_twice_counts_once() -> None:
    assert verdicts(Shop([TEN]).price((2, ticket()), codes=[TEN_CODE, TEN_CODE])) == [1000, ["NO_BENEFIT"]]


def test_a_promotional_code_that_takes_nothing_off_is_not_consumed() -> None:
    shop = Shop([TEN, advantage("A", FixedPrice(0))])
    pricing = shop.price((1, ticket()), codes=[TEN_CODE])
    assert (verdicts(pricing), [hold.offer for hold in pricing.holds]) == ([["NO_BENEFIT"]], [an_id("A")])


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(per_order=2), (RefusalCode.ORDER_LIMIT_EXCEEDED, 2)),
        (Limits(quota=10), (RefusalCode.QUOTA_EXHAUSTED, 1)),
        (Limits(per_contact=5), (RefusalCode.CONTACT_LIMIT_EXCEEDED, 2)),
    ],
)
def test_a_promotional_code_is_for_all_tickets_in_its_scope_or_for_none(
    limits: Limits, expected: tuple[RefusalCode, int]
) -> None:
    offer = promotion("P", AmountOff(100), limits=limits, scope=Scope(seat_categories=ids("CAT1")))
    shop = Shop([offer], BLANDINE, taken=taken("P", 9) | taken("P", 3, of_contact=True))
    (code,) = shop.price((3, ticket()), (9, ticket(5500, seat="CAT2")), codes=[entered("C", "P")]).codes
    assert code.refusals == (Refusal(expected[0], Tickets(expected[1]), Tickets(3)),)


def test_a_promotional_code_with_just_enough_left_applies() -> None:
    shop = Shop([promotion("P", AmountOff(100), limits=Limits(quota=10, per_order=3))], taken=taken("P", 7))
    assert verdicts(shop.price((3, ticket()), codes=[entered("C", "P")])) == [100]


def test_a_promotional_codes_limit_on_an_element_counts_its_tickets_in_scope() -> None:
    limits = ElementLimits(element(ElementKind.SEAT_CATEGORY, "CAT2"), Limits(per_order=1))
    shop = Shop([promotion("P", AmountOff(100), element_limits=(limits,))])
    code = entered("C", "P")
    assert verdicts(shop.price((5, ticket()), (1, ticket(5500, seat="CAT2")), codes=[code])) == [100]
    assert verdicts(shop.price((5, ticket()), (2, ticket(5500, seat="CAT2")), codes=[code])) == [
        ["ORDER_LIMIT_EXCEEDED"]
    ]


def test_a_promotional_code_is_refused_for_all_reasons_at_once() -> None:
    offer = promotion(
        "P",
        AmountOff(100),
        combinable=False,
        valid_from=NOW.replace(year=2027),
        minimum_basket=10_000,
        limits=Limits(quota=1, per_order=1, per_contact=1),
        restriction=Restriction(
            indicator=REGULARS, has_ordered=True, newsletter=True, counter_profiles=frozenset({"A"})
        ),
    )
    pricing = Shop([TEN, offer]).price((2, ticket(3000)), codes=[TEN_CODE, entered("C", "P")])
    assert verdicts(pricing)[1] == [
        "NOT_STARTED",
        *["NOT_TARGETED"] * 4,
        "QUOTA_EXHAUSTED",
        "ORDER_LIMIT_EXCEEDED",
        "NOT_TARGETED",
        "MINIMUM_BASKET_NOT_REACHED",
        "NOT_COMBINABLE",
    ]
    assert pricing.codes[1].refusals[0].required == Instant(NOW.replace(year=2027))


def test_codes_come_back_in_the_order_in_which_they_were_entered() -> None:
    shop = Shop([TEN, FIVE, *single_use().offers])
    codes = [FIVE_CODE, EnteredCode("?"), ONE, TEN_CODE]
    assert [code.text for code in shop.price((1, ticket()), codes=codes).codes] == ["FIVE", "?", "S1", "MERCI10"]


def test_the_order_of_lines_does_not_change_what_later_codes_find() -> None:
    first = promotion("P", AmountOff(1))
    second = promotion("Q", AmountOffPerTicket(9), scope=Scope(performances=ids("P1")))
    shop = Shop([first, second])
    lines = [(1, ticket(10, performance=name)) for name in ("P1", "P2")]
    totals = {shop.price(*each, codes=[entered("C", "P"), entered("D", "Q")]).total for each in (lines, lines[::-1])}
    assert len(totals) == 1
