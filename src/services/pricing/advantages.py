"""Which ticket gets which advantage, and by which code (docs/domain.md, Pricing a basket, Advantages)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, repeat
from operator import attrgetter
from uuid import UUID

from services.pricing.basket import TicketCounts
from services.pricing.benefits import saving
from services.pricing.facts.offers import (
    Advantage,
    CampaignTarget,
    IndicatorTarget,
    PartnerTarget,
    PublicTarget,
    SingleUseTarget,
)
from services.pricing.facts.refusals import Refusal
from services.pricing.kept import Kept
from services.pricing.limits import Bound
from services.pricing.result import Hold, PricedCode
from services.pricing.rules import needs_code
from services.pricing.scope import in_scope, is_on_sale, ticket_refusals
from services.pricing.solver.assignment import Cap, Option, assign
from services.pricing.steps import Steps
from services.pricing.terms import OpenedCode, Terms
from services.pricing.values import value

_RANKS = {PublicTarget: 0, IndicatorTarget: 1, CampaignTarget: 2, PartnerTarget: 3, SingleUseTarget: 4}
"""How personal an advantage is; of equal savings the least personal one is used."""


Entries = Mapping[int, tuple[OpenedCode, Advantage]]
"""The codes entered for advantages, by their place among all that were entered."""


@value
class Given:
    """What a ticket gets: an advantage, if any, what it takes off, and the stored code that opened it, if one did."""

    advantage: Advantage | None
    saving: int
    code: UUID | None


_NOTHING = Given(None, 0, None)
_SAVING = attrgetter("saving")


@value
class Granted:
    """What each ticket gets, in the order of the basket; and what came of the codes, by their place."""

    tickets: list[Given]
    codes: dict[int, PricedCode]
    holds: list[Hold]


@value
class _Choice:
    """An advantage that tickets may get: what it takes off which kinds, what its limits leave, and the places of the
    codes that open it, with how many tickets each of them may still cover, None for all.
    """

    advantage: Advantage
    limits: Sequence[Bound]
    savings: dict[int, int]
    places: Mapping[int, int | None]

    @property
    def rank(self) -> int:
        return _RANKS[type(self.advantage.target)]

    @property
    def covered(self) -> int | None:
        """How many tickets its codes may still cover together, None for all."""
        rooms = [room for room in self.places.values() if room is not None]
        return sum(rooms) if rooms else None


def grant(basket: TicketCounts, entries: Entries, terms: Terms, only: frozenset[UUID] | None) -> Steps[Granted]:
    """The assignment of advantages (of those in ``only``, if given) that saves the most.

    Within a kind the earlier tickets get what saves more. The first code of an offer covers the tickets on which it
    saves the most, as many as it may, the next one those after them.
    """
    choices = yield from _choices(basket, entries, terms, only)
    assigned = yield from _assign(basket, choices)
    holds: list[Hold] = []
    discounts = _kept_discounts(entries, terms.kept) if terms.kept.savings else {}
    of_kinds: list[list[Given]] = [[] for _ in basket.kinds]
    for choice, shares in assigned:
        for (place, kind), count in _covers(choice, shares):
            code = None if place is None else entries[place][0].entered.code
            given = Given(choice.advantage, choice.savings[kind], code)
            holds.append(Hold(choice.advantage.id, code, basket.kinds[kind], count))
            of_kinds[kind] += [given] * count
            if place is not None:
                discounts[place] = discounts.get(place, 0) + given.saving * count
    turns = [iter(sorted(of_kind, key=_SAVING, reverse=True)) for of_kind in of_kinds]
    tickets = [next(turns[kind], _NOTHING) for kind in basket.tickets]
    codes = {}
    for place, (entry, advantage) in entries.items():
        if place in discounts:
            codes[place] = entry.applied(discounts[place])
        else:
            codes[place] = entry.refused(_reasons(entry, advantage, basket, tickets, terms))
            yield
    return Granted(tickets, codes, holds)


def _choices(
    basket: TicketCounts, entries: Entries, terms: Terms, only: frozenset[UUID] | None
) -> Steps[list[_Choice]]:
    """The advantages that the sale, the codes and the limits allow for some ticket, in the order of preference."""
    places: dict[UUID, dict[int, int | None]] = {}
    for place, (entry, advantage) in entries.items():
        if entry.opens and needs_code(advantage):
            places.setdefault(advantage.id, {})[place] = _room(advantage, entry.entered.code, terms.kept)
    opened = {*places, *terms.tried()}
    groups = terms.offers.groups(terms.sale.contact)
    found: dict[UUID, tuple[Advantage, dict[int, int]]] = {}
    for number, kind in enumerate(basket.kinds):
        for advantage, off in terms.offers.candidates(kind, groups, opened):
            found.setdefault(advantage.id, (advantage, {}))[1][number] = off
        yield
    choices = []
    for advantage, savings in found.values():
        if (only is None or advantage.id in only) and not terms.refusals(advantage):
            choices.append(_choice(advantage, savings, basket, places.get(advantage.id, {}), terms))
        yield
    choices.sort(key=lambda choice: (choice.rank, choice.advantage.code, choice.advantage.id))
    return [choice for choice in choices if choice.savings]


def _room(advantage: Advantage, code: UUID | None, kept: Kept) -> int | None:
    """How many more tickets a code may cover, None for all."""
    target = advantage.target
    if not isinstance(target, SingleUseTarget) or target.tickets_per_code is None:
        return None
    return max(
        0, target.tickets_per_code - sum(hold.tickets for hold in kept.holds_of(advantage.id) if hold.code == code)
    )


def _kept_discounts(entries: Entries, kept: Kept) -> dict[int, int]:
    """What the codes take off kept tickets, by their place."""
    keys = {place: (advantage.id, entry.entered.code) for place, (entry, advantage) in entries.items()}
    return {
        place: kept.savings[key] for place, key in keys.items() if key in kept.savings and not entries[place][0].repeats
    }


def _choice(
    advantage: Advantage,
    savings: Mapping[int, int],
    basket: TicketCounts,
    places: Mapping[int, int | None],
    terms: Terms,
) -> _Choice:
    """Leaves out the kinds whose sale has ended, or that a limit has no room for."""
    limits = terms.bounds(advantage)
    full = [bound for bound in limits if bound.most < 1]
    left = {
        number: off
        for number, off in savings.items()
        if is_on_sale(advantage, basket.kinds[number], terms.sale.now)
        and not (full and any(bound.covers(basket.kinds[number]) for bound in full))
    }
    return _Choice(advantage, limits, left, places)


def _assign(basket: TicketCounts, choices: Sequence[_Choice]) -> Steps[list[tuple[_Choice, dict[int, int]]]]:
    """The choices that are taken, in their order, with how many tickets of which kind."""
    options: list[list[Option]] = [[] for _ in basket.kinds]
    caps = []
    for number, choice in enumerate(choices):
        for kind, off in choice.savings.items():
            options[kind].append((off, number))
        for bound in choice.limits:
            covered = [kind for kind in choice.savings if bound.covers(basket.kinds[kind])]
            caps.append(Cap(number, covered, bound.most))
        if choice.covered is not None:
            caps.append(Cap(number, list(choice.savings), choice.covered))
        yield
    assigned = yield from assign(basket.counts, options, caps, [choice.rank for choice in choices])
    shares: dict[int, dict[int, int]] = {}
    for kind, share in enumerate(assigned):
        for number, count in share.items():
            shares.setdefault(number, {})[kind] = count
    return [(choices[number], shares[number]) for number in sorted(shares)]


def _covers(choice: _Choice, shares: Mapping[int, int]) -> Iterable[tuple[tuple[int | None, int], int]]:
    """The tickets of a choice by the place of the code that covers them, None where it takes none, and by kind."""
    if not choice.places:
        return [((None, kind), count) for kind, count in shares.items()]
    kinds = sorted(shares, key=lambda kind: (-choice.savings[kind], kind))
    tickets = list(chain.from_iterable(repeat(kind, shares[kind]) for kind in kinds))
    places = chain.from_iterable(
        repeat(place, len(tickets) if room is None else room) for place, room in choice.places.items()
    )
    covered: dict[tuple[int | None, int], int] = {}
    for place, kind in zip(places, tickets, strict=False):
        covered[place, kind] = covered.get((place, kind), 0) + 1
    return covered.items()


def _reasons(
    entry: OpenedCode,
    advantage: Advantage,
    basket: TicketCounts,
    tickets: Sequence[Given],
    terms: Terms,
) -> list[Refusal]:
    """Why a code brought nothing: the sale, the tickets, or limits that kept better prices from some; else nothing."""
    limits = terms.bounds(advantage)
    found = [
        *terms.refusals(advantage),
        *ticket_refusals(advantage, basket.kinds, limits, terms.sale.now),
    ]
    if found or not entry.opens:
        return found
    return list(_held_back(advantage, limits, basket, tickets, terms.sale.now))


def _held_back(
    advantage: Advantage,
    limits: Sequence[Bound],
    basket: TicketCounts,
    tickets: Sequence[Given],
    now: datetime,
) -> Iterator[Refusal]:
    """The limits without which more tickets would have had the advantage."""
    savings = [
        saving(advantage.benefit, kind) if in_scope(advantage, kind) and is_on_sale(advantage, kind, now) else 0
        for kind in basket.kinds
    ]
    having: Counter[int] = Counter()
    wanting: Counter[int] = Counter()
    for kind, given in zip(basket.tickets, tickets, strict=True):
        having[kind] += given.advantage is advantage
        wanting[kind] += given.saving < savings[kind]
    for bound in limits:
        covered = [number for number, kind in enumerate(basket.kinds) if bound.covers(kind)]
        have, want = (sum(counts[kind] for kind in covered) for counts in (having, wanting))
        if want and have >= bound.most:
            yield bound.refusal(have + want)
