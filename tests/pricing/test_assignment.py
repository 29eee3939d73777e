"""The assignment of advantages to tickets in numbers, against every assignment there is."""

from collections.abc import Iterator, Sequence
from itertools import product
from random import Random
from time import process_time

import pytest
from tests.pricing.random_sales import dice

from services.pricing.solver.assignment import Cap, Option, Share, assign
from services.pricing.steps import finished

Problem = tuple[list[int], list[list[Option]], list[Cap], list[int]]


def every_share(count: int, offers: Sequence[int]) -> Iterator[Share]:
    if not offers:
        yield {}
        return
    for tickets in range(count + 1):
        for rest in every_share(count - tickets, offers[1:]):
            yield {offers[0]: tickets, **rest}


def keeps(shares: Sequence[Share], caps: Sequence[Cap]) -> bool:
    return all(sum(shares[kind].get(cap.offer, 0) for kind in cap.kinds) <= cap.most for cap in caps)


def merit(shares: Sequence[Share], options: Sequence[Sequence[Option]], ranks: Sequence[int]) -> list[int]:
    """What the best assignment has the most of, in this order."""
    given = [
        (saving, offer, kind, share.get(offer, 0))
        for kind, (share, choices) in enumerate(zip(shares, options, strict=True))
        for saving, offer in choices
    ]
    saved = sum(saving * tickets for saving, _, _, tickets in given)
    personal = [-sum(tickets for _, offer, _, tickets in given if ranks[offer] == rank) for rank in (4, 3, 2, 1)]
    by_offer = [sum(tickets for _, offer, _, tickets in given if offer == each) for each in range(len(ranks))]
    return [saved, *personal, *by_offer, -sum(kind * tickets for _, _, kind, tickets in given)]


def small_problem(random: Random) -> Problem:
    """Up to five kinds and three offers, with limits over any kinds, crossing as they like."""
    kinds, offers = range(random.randint(1, 5)), range(random.randint(1, 3))
    counts = [random.randint(1, random.choice([1, 1, 2, 3])) for _ in kinds]
    options = [[(random.randint(1, 6), offer) for offer in offers if random.random() < 0.7] for _ in kinds]
    caps = [
        Cap(random.choice(offers), random.sample(kinds, random.randint(1, len(kinds))), random.randint(0, 3))
        for _ in range(random.randint(0, 7))
    ]
    return counts, options, caps, sorted(random.randint(0, 4) for _ in offers)


@pytest.mark.parametrize("seed", range(20))
def test_no_assignment_is_better(seed: int) -> None:
    random = dice(seed)
    for _ in range(40):
        counts, options, caps, ranks = small_problem(random)
        shares = finished(assign(counts, options, caps, ranks))
        every = product(
            *(list(every_share(n, [offer for _, offer in of])) for n, of in zip(counts, options, strict=True))
        )
        assert keeps(shares, caps)
        assert merit(shares, options, ranks) == max(merit(each, options, ranks) for each in every if keeps(each, caps))


def test_limits_that_cross_may_leave_no_fractions() -> None:
    """Three limits over two of three kinds each: by halves 15 could be saved."""
    caps = [Cap(0, pair, 1) for pair in ((0, 1), (1, 2), (0, 2))]
    shares = finished(assign([1, 1, 1], [[(10, 0)]] * 3, caps, [0]))
    assert shares == [{0: 1}, {}, {}]


def test_the_fallback_is_the_best_option_without_a_limit() -> None:
    options = [[(9, 0), (5, 1), (4, 2)]]
    assert finished(assign([4], options, [Cap(0, [0], 1)], [0, 0, 0])) == [{0: 1, 1: 3}]


def test_nothing_is_assigned_where_nothing_saves() -> None:
    assert finished(assign([3], [[]], [], [])) == [{}]


def crossing_problem(random: Random, shows: int, offers: int) -> Problem:
    """A school's order: shows by two seat categories by three tariffs, 500 tickets, limits that bind on every level."""
    grid = list(product(range(shows), range(2), range(3)))
    counts = [500 // len(grid)] * len(grid)
    full = [random.randint(2000, 9000) for _ in grid]
    options = [[(price * (offer + 1) // 10, offer) for offer in range(offers)] for price in full]
    caps = []
    for offer in range(offers):
        caps.append(Cap(offer, range(len(grid)), random.randint(20, 150)))
        for level, size in enumerate((shows, 2, 3)):
            for element in range(size):
                kinds = [kind for kind, place in enumerate(grid) if place[level] == element]
                caps.append(Cap(offer, kinds, random.randint(10, 300 // size)))
    return counts, options, caps, [0] * offers


def test_limits_on_every_level_of_a_large_order_are_solved_at_once() -> None:
    start = process_time()
    for seed in range(5):
        counts, options, caps, ranks = crossing_problem(dice(seed), shows=8, offers=3)
        assert keeps(finished(assign(counts, options, caps, ranks)), caps)
    assert process_time() - start < 5
