"""An exact whole-number program: how many of each to take, worth the most in all, under limits.

The simplex method in whole numbers, upwards from nothing taken; where its answer has fractions, branch and bound. The
limits that offers set are nearly always such that it has none.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import floor, gcd
from typing import NamedTuple

from services.pricing.steps import Steps


class Limit(NamedTuple):
    """At most ``most`` (0 or more) of these variables together."""

    variables: Sequence[int]
    most: int


def solve(worths: Sequence[int], limits: Sequence[Limit]) -> Steps[list[int]]:
    """The values of the variables, whole and 0 or more, that keep the limits and are worth the most.

    Worths are above 0, and every variable stands in a limit.
    """
    best, most = [0] * len(worths), 0
    waiting = [(best, list(limits))]
    while waiting:
        least, under = waiting.pop()
        room = [Limit(each.variables, each.most - sum(least[v] for v in each.variables)) for each in under]
        if any(limit.most < 0 for limit in room):
            continue
        relaxed = yield from _relaxed(worths, room)
        values = [lower + more for lower, more in zip(least, relaxed, strict=True)]
        worth = floor(sum(worth * value for worth, value in zip(worths, values, strict=True)))
        if worth <= most:
            continue
        part = next((v for v, value in enumerate(values) if value.denominator > 1), None)
        if part is None:
            best, most = [int(value) for value in values], worth
        else:
            whole = floor(values[part])
            waiting.append((least, [*under, Limit([part], whole)]))
            waiting.append(([*least[:part], whole + 1, *least[part + 1 :]], under))
    return best


_RIGHT = -1
_WORTH = -2


def _relaxed(worths: Sequence[int], limits: Sequence[Limit]) -> Steps[list[Fraction]]:
    """The values worth the most when fractions are allowed.

    The variable that adds the most to the worth enters first; when that has brought nothing for a while, the one with
    the least number does (Bland's rule), so that no choice comes back for ever.
    """
    tableau = _Tableau(worths, limits)
    idle = 0
    while adding := [(loss, variable) for variable, loss in tableau.worth.items() if loss < 0]:
        entering = min(adding)[1] if idle <= len(limits) else min(variable for _, variable in adding)
        idle = 0 if (yield from tableau.enter(entering)) else idle + 1
    return [tableau.value(variable) for variable in range(len(worths))]


class _Tableau:
    """Equations, each solved for one variable by a factor above 0; the variables without an equation are 0.

    Each limit has a slack variable, numbered after the others. Of all but what a row is solved for, only the factors of
    slacks are kept: that of another variable is the sum of those of its limits' slacks. The row of the worth has them
    all; what has a factor below 0 there would add to it.
    """

    def __init__(self, worths: Sequence[int], limits: Sequence[Limit]) -> None:
        self.variables_of = {slack: limit.variables for slack, limit in enumerate(limits, start=len(worths))}
        self.slacks_of: dict[int, list[int]] = {slack: [slack] for slack in self.variables_of}
        for slack, variables in self.variables_of.items():
            for variable in variables:
                self.slacks_of.setdefault(variable, []).append(slack)
        self.rows = {
            slack: {slack: 1, _RIGHT: limit.most} for slack, limit in zip(self.variables_of, limits, strict=True)
        }
        self.worth = {variable: -worth for variable, worth in enumerate(worths)} | {_WORTH: 1}

    def enter(self, entering: int) -> Steps[bool]:
        """Solves for the variable the row that limits it first; whether that has added to the worth."""
        slacks = self.slacks_of[entering]
        column = {solved: sum([row.get(slack, 0) for slack in slacks]) for solved, row in self.rows.items()}
        leaving = min(
            (solved for solved, factor in column.items() if factor > 0),
            key=lambda solved: (Fraction(self.rows[solved].get(_RIGHT, 0), column[solved]), solved),
        )
        by, scale = self.rows.pop(leaving), column.pop(leaving)
        if leaving not in self.variables_of:
            del by[leaving]
        for solved, factor in column.items():
            if factor:
                _eliminate(self.rows[solved], by, factor, scale)
                yield
        _eliminate(self.worth, self._in_full(by), self.worth[entering], scale)
        self.rows[entering] = by | {entering: scale}
        yield
        return _RIGHT in by

    def value(self, variable: int) -> Fraction:
        row = self.rows.get(variable)
        return Fraction(row.get(_RIGHT, 0), row[variable]) if row else Fraction(0)

    def _in_full(self, row: dict[int, int]) -> dict[int, int]:
        full = dict(row)
        for slack, factor in row.items():
            for variable in self.variables_of.get(slack, ()):
                full[variable] = full.get(variable, 0) + factor
        return full


def _eliminate(row: dict[int, int], by: dict[int, int], factor: int, scale: int) -> None:
    """Takes out of a row the variable that has this factor in it, and the factor ``scale``, above 0, in the other."""
    if scale != 1:
        for place in row:
            row[place] *= scale
    for place, value in by.items():
        left = row.get(place, 0) - factor * value
        if left:
            row[place] = left
        else:
            row.pop(place, None)
    if scale != 1:
        shared = gcd(*row.values())
        for place in row:
            row[place] //= shared
