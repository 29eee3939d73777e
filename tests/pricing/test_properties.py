"""What holds of every price, whatever the basket and the offers."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.pricing.oracle import is_over
from tests.pricing.playhouse import UNKNOWN, advantage, ticket
from tests.pricing.random_sales import Case, benefit, random_case, shared, target

from services.pricing.facts.offers import FixedPrice, OfferState
from services.pricing.facts.tickets import Line, ProductFamily, TicketPlace
from services.pricing.result import PricedTicket, Pricing

Property = Callable[[Random], None]


def for_all(check: Property) -> Property:
    """Asks a property of many random sales."""
    randoms = st.randoms(use_true_random=False)
    return settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))(
        given(randoms)(check)
    )


def tickets(pricing: Pricing) -> list[PricedTicket]:
    return [each for line in pricing.lines for each in line.tickets]


def without_promotions(random: Random) -> Case:
    case = random_case(random, most_tickets=9)
    kept = [code for code in case.codes if code.offer not in {each.id for each in case.promotions}]
    return replace(case, promotions=(), codes=kept)


@for_all
def test_the_parts_sum_to_the_total(random: Random) -> None:
    case = random_case(random, most_tickets=12)
    pricing = case.price()
    each = tickets(pricing)
    assert len(each) == sum(line.quantity for line in case.lines)
    assert pricing.subtotal == sum(ticket.full_price for ticket in each)
    assert pricing.advantage_discount == sum(ticket.full_price - ticket.advantage_price for ticket in each)
    assert pricing.promotion_discount == sum(ticket.promotion_share for ticket in each)
    assert pricing.total == sum(ticket.price for ticket in each) + pricing.processing_fee + pricing.delivery_fee
    assert pricing.total == sum(line.total for line in pricing.lines) + pricing.processing_fee + pricing.delivery_fee
    assert 0 <= pricing.balance_used <= pricing.total == pricing.amount_due + pricing.balance_used


@for_all
def test_no_ticket_is_negative_or_dearer_than_its_full_price(random: Random) -> None:
    for each in tickets(random_case(random, most_tickets=12).price()):
        assert 0 <= each.price <= each.advantage_price <= each.full_price
        assert each.price == each.advantage_price - each.promotion_share


@for_all
def test_codes_say_all_that_promotions_took_off(random: Random) -> None:
    case = random_case(random, most_tickets=12)
    pricing = case.price()
    promotions = {each.id for each in case.promotions}
    assert pricing.promotion_discount == sum(code.discount for code in pricing.codes if code.offer in promotions)
    assert all(code.applied == (not code.refusals) == (code.discount > 0) for code in pricing.codes)


@for_all
def test_the_holds_are_the_tickets_with_an_advantage(random: Random) -> None:
    case = random_case(random, most_tickets=12)
    pricing = case.price()
    promotions = {each.id for each in case.promotions}
    held = [hold for hold in pricing.holds if hold.offer not in promotions]
    assert sum(hold.tickets for hold in held) == sum(each.advantage is not None for each in tickets(pricing))
    assert len({(hold.offer, hold.code, hold.kind) for hold in pricing.holds}) == len(pricing.holds)
    assert {hold.offer for hold in pricing.holds if hold.offer in promotions} == {
        code.offer for code in pricing.codes if code.applied and code.offer in promotions
    }


@for_all
def test_the_order_of_lines_changes_neither_the_total_nor_what_codes_do(random: Random) -> None:
    case = random_case(random, most_tickets=9)
    lines = list(case.lines)
    random.shuffle(lines)
    before, after = case.price(), replace(case, lines=lines).price()
    assert (after.total, after.codes, after.holds) == (before.total, before.codes, before.holds)


@for_all
def test_splitting_a_line_in_two_changes_nothing(random: Random) -> None:
    case = random_case(random, most_tickets=9)
    split = [Line(line.kind, 1) for line in case.lines for _ in range(line.quantity)]
    before, after = case.price(), replace(case, lines=split).price()
    assert tickets(after) == tickets(before)
    assert (after.total, after.codes, after.holds) == (before.total, before.codes, before.holds)


@for_all
def test_one_more_advantage_never_raises_the_total(random: Random) -> None:
    case = without_promotions(random)
    more = advantage("MORE", benefit(random, 100), target(random), **shared(random, 0))
    assert replace(case, advantages=[*case.advantages, more]).price().total <= case.price().total


@for_all
def test_a_ticket_without_limits_leaves_the_others_as_they_are(random: Random) -> None:
    case = without_promotions(random)
    service = ticket(500, product="CLOAKROOM", performance=None, family=ProductFamily.SERVICE)
    more = advantage("CLOAKROOM", FixedPrice(100), family=ProductFamily.SERVICE)
    wider = replace(case, advantages=[*case.advantages, more], lines=[Line(service, 3), *case.lines]).price()
    assert tickets(wider)[3:] == tickets(case.price())
    assert [each.price for each in tickets(wider)[:3]] == [100, 100, 100]


@for_all
def test_one_more_ticket_never_lowers_what_is_saved(random: Random) -> None:
    case = without_promotions(random)
    if case.lines:
        wider = replace(case, lines=[*case.lines, Line(random.choice(case.lines).kind, 1)])
        assert wider.price().advantage_discount >= case.price().advantage_discount


@for_all
def test_a_refused_code_can_be_taken_out_without_a_change(random: Random) -> None:
    case = without_promotions(random)
    pricing = case.price()
    kept = [code for code, priced in zip(case.codes, pricing.codes, strict=True) if priced.applied]
    assert tickets(replace(case, codes=kept).price()) == tickets(pricing)


@for_all
def test_one_more_code_never_raises_the_total(random: Random) -> None:
    case = without_promotions(random)
    assert case.price().total <= replace(case, codes=case.codes[:-1]).price().total


@for_all
def test_the_same_facts_give_the_same_price(random: Random) -> None:
    case = random_case(random)
    assert case.price() == case.price()
    assert replace(case, codes=[*case.codes, UNKNOWN]).price().total == case.price().total


@for_all
def test_an_offer_that_is_over_applies_to_no_more_tickets_than_are_held(random: Random) -> None:
    case = random_case(random, most_tickets=9).touched(random)
    over = {each.id for each in (*case.advantages, *case.promotions) if is_over(each, case.sale)}
    holds = case.price().holds
    for offer in over:
        for line in case.lines:
            got = sum(hold.tickets for hold in holds if (hold.offer, hold.kind) == (offer, line.kind))
            assert got <= sum(held.get(line.kind.place, 0) for (of, _), held in case.held.items() if of == offer)


@for_all
def test_what_is_held_keeps_its_saving_when_all_offers_are_over(random: Random) -> None:
    case = without_promotions(random)
    held: dict[tuple[UUID, UUID | None], dict[TicketPlace, int]] = {}
    for hold in case.price().holds:
        held.setdefault((hold.offer, hold.code), {})[hold.kind.place] = hold.tickets
    ended = [replace(each, state=OfferState.SUSPENDED) for each in case.advantages]
    again = replace(case, advantages=ended, held=held)
    assert again.price().total == case.price().total
    wider = replace(again, lines=[*case.lines, *(Line(line.kind, 3) for line in case.lines)])
    assert wider.price().advantage_discount == case.price().advantage_discount
