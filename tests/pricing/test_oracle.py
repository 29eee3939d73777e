"""The engine against the oracle, on thousands of small random baskets."""

from collections import Counter
from dataclasses import replace

import pytest
from tests.pricing import oracle
from tests.pricing.random_sales import Case, dice, random_case

from services.pricing.facts.offers import Limits, PromotionalCode
from services.pricing.facts.refusals import RefusalCode
from services.pricing.facts.tickets import TicketKind
from services.pricing.result import PricedTicket, Pricing

BASKETS = 3_000
PARTS = 12


def tickets_of(case: Case) -> list[TicketKind]:
    return [line.kind for line in case.lines for _ in range(line.quantity)]


def priced_tickets(pricing: Pricing) -> list[PricedTicket]:
    return [each for line in pricing.lines for each in line.tickets]


def check_advantages(case: Case, pricing: Pricing) -> None:
    """No allowed assignment is better, and the prices are what it makes of them."""
    tickets = tickets_of(case)
    by_id = {each.id: each for each in case.advantages}
    assignment = tuple(by_id[each.advantage] if each.advantage else None for each in priced_tickets(pricing))
    assert oracle.is_allowed(assignment, tickets, case.codes, case.sale, case.taken)
    best = oracle.best_merit(tickets, case.codes, case.sale, case.advantages, case.taken)
    assert oracle.merit(assignment, tickets, case.advantages) == best
    for kind, given, priced in zip(tickets, assignment, priced_tickets(pricing), strict=True):
        assert priced.advantage_price == (oracle.price_with(given, kind) if given else kind.full_price)


def check_advantage_codes(case: Case, pricing: Pricing) -> None:
    """Codes that apply cover all tickets of their offer and take off what those save; each covers one at least."""
    saved = Counter[object]()
    for ticket in priced_tickets(pricing):
        saved[ticket.code] += ticket.full_price - ticket.advantage_price
    by_id = {each.id: each for each in case.advantages}
    for code in pricing.codes:
        if code.offer in by_id and code.applied:
            assert code.discount == saved.pop(code.code) > 0
            covered = sum(hold.tickets for hold in pricing.holds if hold.code == code.code)
            assert covered == sum(each.code == code.code for each in priced_tickets(pricing))
            assert covered <= (getattr(by_id[code.offer].target, "tickets_per_code", None) or covered)
    assert set(saved) <= {None}


def check_promotions(case: Case, pricing: Pricing) -> None:
    """Code by code the same refusals or the same discount, and in the end the same share for every ticket."""
    tickets = tickets_of(case)
    prices = [each.advantage_price for each in priced_tickets(pricing)]
    left = list(prices)
    by_id = {each.id: each for each in case.promotions}
    entered = [(by_id[code.offer], place) for place, code in enumerate(case.codes) if code.offer in by_id]
    standing: list[PromotionalCode] = []
    for turn, (promotion, place) in enumerate(entered):
        later = [other for other, _ in entered[turn + 1 :]]
        code, priced = case.codes[place], pricing.codes[place]
        repeats = any(code.code == other.code for other in case.codes[:place])
        refusals = {each.code for each in code.refusals}
        refusals |= oracle.promotion_refusals(
            promotion, tickets, left, sum(prices), [] if repeats else standing, case.sale, case.taken
        )
        shares = oracle.promotion_shares(promotion, later, tickets, left, case.sale)
        if not refusals and (repeats or not any(shares)):
            refusals = {RefusalCode.NO_BENEFIT}
        assert {each.code for each in priced.refusals} == refusals
        assert priced.applied == (not refusals)
        if priced.applied:
            assert priced.discount == sum(shares)
            left = [amount - share for amount, share in zip(left, shares, strict=True)]
            standing.append(promotion)
    assert [each.price for each in priced_tickets(pricing)] == left


@pytest.mark.parametrize("part", range(PARTS))
def test_the_engine_answers_like_the_oracle(part: int) -> None:
    for seed in range(part, BASKETS, PARTS):
        case = random_case(dice(seed))
        pricing = case.price()
        check_advantages(case, pricing)
        check_advantage_codes(case, pricing)
        check_promotions(case, pricing)


def test_the_baskets_are_worth_the_name() -> None:
    """The random baskets meet what they are to test: every refusal there is a rule for, and limits that bind."""
    met = Counter[object]()
    for seed in range(0, BASKETS, 4):
        case = random_case(dice(seed))
        pricing = case.price()
        met.update(refusal.code for code in pricing.codes for refusal in code.refusals)
        met["applied"] += sum(code.applied for code in pricing.codes)
        loose = [replace(each, limits=Limits(), element_limits=()) for each in case.advantages]
        free = replace(case, advantages=loose).price()
        met["bound"] += free.advantage_discount > pricing.advantage_discount > 0
    of_codes = {RefusalCode.CODE_HELD, RefusalCode.CODE_INVALIDATED, RefusalCode.SWITCHED_OFF}
    never = {RefusalCode.TOO_MANY_ATTEMPTS, *of_codes}
    assert set(met) >= set(RefusalCode) - never
    assert min(met["applied"], met["bound"]) > BASKETS / 40
