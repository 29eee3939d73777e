"""Which tickets get which advantage: the exact optimum under all limits (docs/domain.md, Pricing a basket, Advantages).

Like tickets are numbered kinds, in a canonical order, and offers are numbered in the order of preference. Usually each
kind takes its best option and no limit minds; what a limit does mind is left to ``integer_program``.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple

from services.pricing.solver.integer_program import Limit, solve
from services.pricing.steps import Steps

Option = tuple[int, int]
"""What an offer would take off each ticket of a kind (above 0), and the offer's number."""


class Cap(NamedTuple):
    """At most ``most`` tickets of these kinds together may get the offer."""

    offer: int
    kinds: Sequence[int]
    most: int


_SAVING = itemgetter(0)

Share = dict[int, int]
"""How many tickets of a kind get which offer; the rest get none."""


def assign(
    counts: Sequence[int], options: Sequence[Sequence[Option]], caps: Sequence[Cap], ranks: Sequence[int]
) -> Steps[list[Share]]:
    """The assignment with the largest saving in all, by kind; each kind's ``options`` come in the order of preference.

    Among equals, the one with the fewest tickets on offers of the highest of the ``ranks`` (0 for everyone's, more for
    more personal ones), then of the next below: a code without which the saving would be the same is not used up. Then
    the one with the most tickets on the first offer, then the second, and so on; then on kinds with low numbers.
    """
    shares = _best(counts, options)
    if all(sum(shares[kind].get(cap.offer, 0) for kind in cap.kinds) <= cap.most for cap in caps):
        return shares
    binding = [cap for cap in caps if sum(counts[kind] for kind in cap.kinds) > cap.most]
    return (yield from _optimum(counts, options, binding, ranks))


def _best(counts: Sequence[int], options: Sequence[Sequence[Option]]) -> list[Share]:
    """All tickets of a kind on its best option, as if there were no caps."""
    best = [max(choices, key=_SAVING, default=None) for choices in options]
    return [{option[1]: count} if option else {} for option, count in zip(best, counts, strict=True)]


def _optimum(
    counts: Sequence[int], options: Sequence[Sequence[Option]], caps: Sequence[Cap], ranks: Sequence[int]
) -> Steps[list[Share]]:
    """Each kind falls back on its best option without a cap; what is solved for is how many get a better one."""
    capped = {(kind, cap.offer) for cap in caps for kind in cap.kinds}
    free = [[each for each in choices if (kind, each[1]) not in capped] for kind, choices in enumerate(options)]
    fallbacks = _best(counts, free)
    worths = _worths(options, sum(counts), ranks)
    floors = [max((worths[kind, offer] for offer in fallback), default=0) for kind, fallback in enumerate(fallbacks)]
    gains = {pair: worth - floors[pair[0]] for pair, worth in worths.items() if worth > floors[pair[0]]}
    shares: list[Share] = [{} for _ in counts]
    solved = yield from solve(list(gains.values()), _limits(counts, gains, caps))
    for (kind, offer), tickets in zip(gains, solved, strict=True):
        if tickets:
            shares[kind][offer] = tickets
    for count, share, fallback in zip(counts, shares, fallbacks, strict=True):
        if rest := count - sum(share.values()):
            share.update(dict.fromkeys(fallback, rest))
    return shares


def _limits(counts: Sequence[int], pairs: Iterable[tuple[int, int]], caps: Sequence[Cap]) -> list[Limit]:
    """The tickets that there are of each kind, then the caps, over the pairs of kind and offer by number."""
    variables = {pair: number for number, pair in enumerate(pairs)}
    of_kinds: list[list[int]] = [[] for _ in counts]
    for (kind, _), variable in variables.items():
        of_kinds[kind].append(variable)
    limits = [Limit(of_kind, count) for of_kind, count in zip(of_kinds, counts, strict=True) if of_kind]
    for cap in caps:
        pairs_of_cap = ((kind, cap.offer) for kind in cap.kinds)
        limits.append(Limit([variables[pair] for pair in pairs_of_cap if pair in variables], cap.most))
    return limits


def _worths(options: Sequence[Sequence[Option]], tickets: int, ranks: Sequence[int]) -> dict[tuple[int, int], int]:
    """What one ticket of a kind is worth on an offer: the aims of ``assign``, in their order, as digits of one number.

    No sum of a digit passes its place, up or down, so that no lower aim outweighs a higher one.
    """
    bits = tickets.bit_length() + 1
    by_offer = bits + len(options).bit_length()
    by_rank = by_offer + bits * len(ranks)
    by_saving = by_rank + bits * max(ranks)
    return {
        (kind, offer): (saving << by_saving)
        - ((1 << by_rank + bits * (ranks[offer] - 1)) if ranks[offer] else 0)
        + (1 << by_offer + bits * (len(ranks) - 1 - offer))
        - kind
        for kind, choices in enumerate(options)
        for saving, offer in choices
    }
