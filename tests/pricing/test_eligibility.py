"""Who may have an offer, where, when and on which tickets; and what was required and found."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Unpack

import pytest
from tests.pricing.playhouse import (
    BLANDINE,
    NEWCOMER,
    NOW,
    REGULARS,
    REVIVAL,
    SHOW,
    AdvantageParts,
    Shop,
    advantage,
    an_id,
    element,
    entered,
    ids,
    promotion,
    reasons,
    taken,
    ticket,
)

from services.pricing.engine import eligibility
from services.pricing.facts.offers import (
    AmountOff,
    ElementLimits,
    FixedPrice,
    Limits,
    OfferState,
    PartnerTarget,
    Rates,
    Restriction,
    Scope,
    SingleUseTarget,
    Target,
)
from services.pricing.facts.refusals import Instant, Refusal, RefusalCode, Things, Tickets, Words
from services.pricing.facts.sale import ContactFacts, Sale
from services.pricing.facts.tickets import ElementKind, ProductFamily
from services.pricing.rules import NotAfter

FIVE_OFF = AmountOff(500)
SECOND = timedelta(seconds=1)


def offered(target: Target | None = None, **parts: Unpack[AdvantageParts]) -> Shop:
    return Shop([advantage("A", FIVE_OFF, target, **parts)])


def restricted(
    restriction: Restriction, contact: ContactFacts | None = None, profile: str | None = None
) -> list[str | None]:
    """What a restricted promotional code says to this contact: the details of its refusals."""
    shop = Shop([promotion("P", FIVE_OFF, restriction=restriction)], contact, counter_profile=profile)
    return [refusal.detail for refusal in shop.refusals(ticket(), codes=[entered("C", "P")])]


# ── State and validity ───────────────────────────────────────────────────────────────────────────


def test_a_running_offer_without_conditions_is_open() -> None:
    assert offered().refusals(ticket()) == ()


@pytest.mark.parametrize("state", [state for state in OfferState if state is not OfferState.RUNNING])
def test_an_offer_that_does_not_run_says_so(state: OfferState) -> None:
    refusal = Refusal(RefusalCode.OFFER_NOT_RUNNING, Words(("RUNNING",)), Words((state.value,)))
    assert offered(state=state).refusals(ticket()) == (refusal,)
    assert offered(state=state).refusals(ticket(), include=ids("A")) == ()


def test_both_ends_of_the_validity_count() -> None:
    assert offered(valid_from=NOW, valid_until=NOW).refusals(ticket()) == ()


def test_an_offer_is_closed_before_its_validity() -> None:
    start = NOW + SECOND
    assert offered(valid_from=start).refusals(ticket()) == (
        Refusal(RefusalCode.NOT_STARTED, Instant(start), Instant(NOW)),
    )


def test_an_offer_is_closed_after_its_validity() -> None:
    end = NOW - SECOND
    assert offered(valid_until=end).refusals(ticket()) == (Refusal(RefusalCode.EXPIRED, Instant(end), Instant(NOW)),)


# ── Where ────────────────────────────────────────────────────────────────────────────────────────


def test_an_offer_is_open_in_its_channels_at_its_points_of_sale() -> None:
    assert offered(channels=ids("WEB", "PHONE"), points_of_sale=ids("SHOP")).refusals(ticket()) == ()


def test_a_wrong_channel_says_which_are_right() -> None:
    refusal = Refusal(RefusalCode.WRONG_CHANNEL, Things((an_id("PHONE"),)), Things((an_id("WEB"),)))
    assert offered(channels=ids("PHONE")).refusals(ticket()) == (refusal,)


def test_a_wrong_point_of_sale_is_a_wrong_channel() -> None:
    found = offered(channels=ids("WEB"), points_of_sale=ids("HALL")).refusals(ticket())
    assert [(refusal.code, refusal.detail) for refusal in found] == [(RefusalCode.WRONG_CHANNEL, "point_of_sale")]


def test_channel_and_point_of_sale_can_both_be_wrong() -> None:
    found = offered(channels=ids("PHONE"), points_of_sale=ids("HALL")).refusals(ticket())
    assert reasons(found) == ["WRONG_CHANNEL", "WRONG_CHANNEL"]


@pytest.mark.parametrize(("chosen", "expected"), [("PRINT", []), ("POST", ["POST"]), (None, [])])
def test_an_offer_with_delivery_modes_needs_one_of_them_chosen(chosen: str | None, expected: list[str]) -> None:
    shop = replace(offered(delivery_modes=ids("PRINT")), delivery_mode=chosen)
    found = Things(tuple(map(an_id, expected)))
    refusal = Refusal(RefusalCode.WRONG_DELIVERY_MODE, Things((an_id("PRINT"),)), found)
    assert shop.refusals(ticket()) == (() if chosen == "PRINT" else (refusal,))


# ── For whom ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("contact", "expected"), [(BLANDINE, []), (NEWCOMER, ["campaign"]), (None, ["campaign"])])
def test_an_offer_of_a_campaign_is_for_its_target(contact: ContactFacts | None, expected: list[str]) -> None:
    found = replace(offered(target=REVIVAL), contact=contact).refusals(ticket())
    assert [refusal.detail for refusal in found] == expected


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        (REVIVAL.starts_at - SECOND, False),
        (REVIVAL.starts_at, True),
        (REVIVAL.ends_at, True),
        (REVIVAL.ends_at + SECOND, False),
    ],
)
def test_an_offer_of_a_campaign_is_open_while_the_campaign_runs(now: datetime, is_open: bool) -> None:
    found = replace(offered(target=REVIVAL), contact=BLANDINE, now=now).refusals(ticket())
    assert reasons(found) == ([] if is_open else ["NOT_TARGETED"])


def test_an_offer_for_a_level_says_which_was_found() -> None:
    found = replace(offered(target=replace(REGULARS, level="CONSTANT")), contact=BLANDINE).refusals(ticket())
    assert found == (Refusal(RefusalCode.NOT_TARGETED, Words(("CONSTANT",)), Words(("REGULAR",)), "level"),)


@pytest.mark.parametrize("contact", [NEWCOMER, None])
def test_an_offer_for_a_level_is_not_for_who_has_none(contact: ContactFacts | None) -> None:
    found = replace(offered(target=REGULARS), contact=contact).refusals(ticket())
    assert found == (Refusal(RefusalCode.NOT_TARGETED, Words(("REGULAR",)), Words(()), "level"),)


@pytest.mark.parametrize("target", [PartnerTarget(), SingleUseTarget()])
def test_an_offer_with_codes_is_for_who_enters_one(target: PartnerTarget | SingleUseTarget) -> None:
    shop = offered(target=target)
    assert shop.refusals(ticket()) == (Refusal(RefusalCode.NOT_TARGETED, detail="code"),)
    assert shop.refusals(ticket(), codes=[entered("C", "A")]) == ()
    assert shop.refusals(ticket(), codes=[entered("C", "B")]) == (Refusal(RefusalCode.NOT_TARGETED, detail="code"),)


def test_a_refused_code_says_why_its_offer_is_not_open() -> None:
    shop = offered(target=SingleUseTarget())
    used = entered("C", "A", RefusalCode.CODE_ALREADY_USED)
    assert reasons(shop.refusals(ticket(), codes=[used])) == ["CODE_ALREADY_USED"]
    assert shop.refusals(ticket(), codes=[used, entered("D", "A")]) == ()


def test_a_promotional_code_is_for_who_enters_it() -> None:
    shop = Shop([promotion("P", FIVE_OFF)])
    assert reasons(shop.refusals(ticket())) == ["NOT_TARGETED"]
    assert shop.refusals(ticket(), codes=[entered("C", "P")]) == ()


def test_a_restriction_to_a_level() -> None:
    assert restricted(Restriction(indicator=REGULARS), BLANDINE) == []
    assert restricted(Restriction(indicator=REGULARS), NEWCOMER) == ["level"]


def test_a_restriction_to_who_has_ordered() -> None:
    assert restricted(Restriction(has_ordered=True), replace(NEWCOMER, has_ordered=True)) == []
    assert restricted(Restriction(has_ordered=True), NEWCOMER) == ["has_ordered"]
    assert restricted(Restriction(has_ordered=True)) == ["has_ordered"]


def test_a_restriction_to_subscribers() -> None:
    assert restricted(Restriction(newsletter=True), BLANDINE) == []
    assert restricted(Restriction(newsletter=True), NEWCOMER) == ["newsletter"]
    assert restricted(Restriction(newsletter=True)) == ["newsletter"]


def test_a_restriction_to_a_list_of_contacts_does_not_disclose_it() -> None:
    assert restricted(Restriction(contacts=ids("BLANDINE")), BLANDINE) == []
    shop = Shop([promotion("P", FIVE_OFF, restriction=Restriction(contacts=ids("BLANDINE")))], NEWCOMER)
    found = shop.refusals(ticket(), codes=[entered("C", "P")])
    assert found == (Refusal(RefusalCode.NOT_TARGETED, detail="contacts"),)


def test_a_restriction_to_counter_profiles() -> None:
    assert restricted(Restriction(counter_profiles=frozenset({"HALL", "PHONE"})), profile="HALL") == []
    assert restricted(Restriction(counter_profiles=frozenset({"HALL"})), profile="INTERN") == ["counter_profile"]
    assert restricted(Restriction(counter_profiles=frozenset({"HALL"}))) == ["counter_profile"]


def test_every_part_of_a_restriction_must_hold() -> None:
    assert restricted(Restriction(has_ordered=True, newsletter=True), NEWCOMER) == ["has_ordered", "newsletter"]


def test_an_offer_with_a_limit_per_contact_is_not_for_an_unknown_one() -> None:
    found = offered(limits=Limits(per_contact=2)).refusals(ticket())
    assert [(refusal.code, refusal.detail) for refusal in found] == [(RefusalCode.NOT_TARGETED, "unknown_contact")]


# ── On which tickets ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("scope", "fits"),
    [
        (Scope(), True),
        (Scope(products=ids("HELENE", "ZINMAN")), True),
        (Scope(products=ids("ZINMAN")), False),
        (Scope(performances=ids("HELENE-1217")), True),
        (Scope(performances=ids("HELENE-1218")), False),
        (Scope(seat_categories=ids("CAT1")), True),
        (Scope(seat_categories=ids("CAT2")), False),
        (Scope(audience_sub_categories=ids("FULL")), True),
        (Scope(audience_sub_categories=ids("STUDENT")), False),
        (Scope(products=ids("HELENE"), performances=ids("HELENE-1218")), False),
        (Scope(ids("HELENE"), ids("HELENE-1217"), ids("CAT1"), ids("FULL")), True),
        (Scope(ids("HELENE"), ids("HELENE-1217"), ids("CAT1"), ids("STUDENT")), False),
    ],
)
def test_a_ticket_is_in_scope_when_it_matches_every_list(scope: Scope, fits: bool) -> None:
    assert reasons(offered(scope=scope).refusals(ticket())) == ([] if fits else ["NO_ELIGIBLE_TICKET"])


def test_a_ticket_without_seat_category_is_in_no_list_of_them() -> None:
    assert reasons(offered(scope=Scope(seat_categories=ids("CAT1"))).refusals(ticket(seat=None))) == [
        "NO_ELIGIBLE_TICKET"
    ]


def test_an_advantage_is_for_tickets_of_its_family() -> None:
    shop = offered(family=ProductFamily.OPEN_PASS)
    assert reasons(shop.refusals(ticket())) == ["NO_ELIGIBLE_TICKET"]
    assert shop.refusals(ticket(family=ProductFamily.OPEN_PASS, performance=None)) == ()


def test_one_ticket_in_scope_is_enough() -> None:
    assert offered(scope=Scope(seat_categories=ids("CAT1"))).refusals(ticket(seat="CAT2"), ticket()) == ()


def test_no_tickets_are_none_in_scope() -> None:
    assert reasons(offered().refusals()) == ["NO_ELIGIBLE_TICKET"]


def test_without_tickets_only_the_sale_is_asked() -> None:
    shop = Shop([advantage("A", FIVE_OFF, scope=Scope(products=ids("ZINMAN")), limits=Limits(quota=0))])
    found = eligibility(shop.offers[0], shop.sale, None, (), {})
    assert found == (Refusal(RefusalCode.QUOTA_EXHAUSTED, Tickets(0), Tickets(1)),)


def test_a_sub_table_without_a_price_for_any_ticket_finds_none() -> None:
    shop = Shop([advantage("A", Rates({(an_id("CAT2"), an_id("FULL")): 100}))])
    assert reasons(shop.refusals(ticket())) == ["NO_ELIGIBLE_TICKET"]


def test_an_offer_that_lowers_no_price_has_no_benefit() -> None:
    assert reasons(Shop([advantage("A", FixedPrice(8000))]).refusals(ticket())) == ["NO_BENEFIT"]


@pytest.mark.parametrize(
    ("tolerance", "now", "is_open"),
    [
        (None, SHOW + timedelta(days=9), True),
        (0, SHOW, True),
        (0, SHOW + SECOND, False),
        (30, SHOW + timedelta(minutes=30), True),
        (30, SHOW + timedelta(minutes=30) + SECOND, False),
        (-60, SHOW - timedelta(minutes=60), True),
        (-60, SHOW - timedelta(minutes=60) + SECOND, False),
    ],
)
def test_the_sale_ends_at_the_start_and_its_tolerance(tolerance: int | None, now: datetime, is_open: bool) -> None:
    found = replace(offered(sale_end_tolerance=tolerance), now=now).refusals(ticket())
    assert reasons(found) == ([] if is_open else ["SALE_CLOSED"])


def test_a_closed_sale_says_when_the_last_one_closed() -> None:
    shop = replace(offered(sale_end_tolerance=-60), now=SHOW + timedelta(days=3))
    later = SHOW + timedelta(days=1)
    found = shop.refusals(ticket(), ticket(performance="HELENE-1218", starts_at=later))
    assert found == (Refusal(RefusalCode.SALE_CLOSED, Instant(later - timedelta(hours=1)), Instant(shop.now)),)


def test_the_sale_of_one_performance_is_enough() -> None:
    shop = replace(offered(sale_end_tolerance=0), now=SHOW + SECOND)
    assert shop.refusals(ticket(), ticket(performance="LATER", starts_at=SHOW + timedelta(days=1))) == ()


def test_sale_end_does_not_apply_to_tickets_without_a_performance() -> None:
    shop = Shop([advantage("A", FIVE_OFF, family=ProductFamily.OPEN_PASS, sale_end_tolerance=0)], now=SHOW + SECOND)
    assert shop.refusals(ticket(family=ProductFamily.OPEN_PASS, performance=None)) == ()


# ── Limits ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(quota=5), ["QUOTA_EXHAUSTED"]),
        (Limits(quota=6), []),
        (Limits(per_order=0), ["ORDER_LIMIT_EXCEEDED"]),
        (Limits(per_order=1), []),
        (Limits(per_contact=2), ["CONTACT_LIMIT_EXCEEDED"]),
        (Limits(per_contact=3), []),
        (Limits(quota=5, per_contact=2), ["QUOTA_EXHAUSTED", "CONTACT_LIMIT_EXCEEDED"]),
    ],
)
def test_limits_with_nothing_left_close_an_offer(limits: Limits, expected: list[str]) -> None:
    counters = taken("A", 5) | taken("A", 2, of_contact=True)
    found = replace(offered(limits=limits), contact=BLANDINE, taken=counters).refusals(ticket())
    assert reasons(found) == expected


def test_an_element_that_is_used_up_closes_an_offer_for_its_tickets_only() -> None:
    limits = ElementLimits(element(ElementKind.SEAT_CATEGORY, "CAT1"), Limits(quota=4))
    shop = replace(offered(element_limits=(limits,)), taken=taken("A", 4, limits.element))
    assert reasons(shop.refusals(ticket())) == ["QUOTA_EXHAUSTED"]
    assert shop.refusals(ticket(), ticket(seat="CAT2")) == ()


def test_only_limits_that_stand_in_the_way_of_these_tickets_are_told() -> None:
    full = [ElementLimits(element(ElementKind.SEAT_CATEGORY, "CAT1"), Limits(quota=0))]
    full.append(ElementLimits(element(ElementKind.SEAT_CATEGORY, "CAT2"), Limits(per_order=0)))
    assert reasons(offered(element_limits=tuple(full)).refusals(ticket())) == ["QUOTA_EXHAUSTED"]


def test_limits_of_several_elements_can_close_an_offer_together_and_say_the_same_once() -> None:
    limits = [ElementLimits(element(ElementKind.SEAT_CATEGORY, seat), Limits(per_order=0)) for seat in ("CAT1", "CAT2")]
    shop = offered(element_limits=tuple(limits))
    assert reasons(shop.refusals(ticket(), ticket(seat="CAT2"))) == ["ORDER_LIMIT_EXCEEDED"]


@pytest.mark.parametrize("kind", list(ElementKind))
def test_every_kind_of_element_can_be_limited(kind: ElementKind) -> None:
    named = {
        ElementKind.PRODUCT: "HELENE",
        ElementKind.PERFORMANCE: "HELENE-1217",
        ElementKind.SEAT_CATEGORY: "CAT1",
        ElementKind.AUDIENCE_SUB_CATEGORY: "FULL",
    }
    for name, expected in ((named[kind], ["ORDER_LIMIT_EXCEEDED"]), ("OTHER", [])):
        limits = ElementLimits(element(kind, name), Limits(per_order=0))
        assert reasons(offered(element_limits=(limits,)).refusals(ticket())) == expected


def test_everything_that_stands_in_the_way_is_told_at_once() -> None:
    shop = offered(
        state=OfferState.DRAFT,
        valid_from=NOW + SECOND,
        channels=ids("PHONE"),
        delivery_modes=ids("POST"),
        target=REVIVAL,
        limits=Limits(quota=0),
        sale_end_tolerance=-60 * 24 * 60,
    )
    assert reasons(shop.refusals(ticket())) == [
        "OFFER_NOT_RUNNING",
        "NOT_STARTED",
        "WRONG_CHANNEL",
        "WRONG_DELIVERY_MODE",
        "NOT_TARGETED",
        "SALE_CLOSED",
        "QUOTA_EXHAUSTED",
    ]


@pytest.mark.parametrize("later", ["23:59:58", "23:59:59", "23:59:59.999999"])
def test_an_end_that_is_named_by_a_second_has_all_of_it(later: str) -> None:
    end = datetime.fromisoformat("2026-12-31T23:59:59+01:00")
    until = NotAfter(end)
    now = datetime.fromisoformat(f"2026-12-31T{later}+01:00")
    assert until.refusal(Sale(now, an_id("WEB"), an_id("SHOP"))) is None
    assert until.refusal(Sale(end + timedelta(seconds=1), an_id("WEB"), an_id("SHOP"))) is not None
