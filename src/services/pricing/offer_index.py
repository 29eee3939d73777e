"""The offers of an organisation, indexed so that a ticket finds the few that may be for it, whatever their number."""

from collections import defaultdict
from collections.abc import Collection, Container, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Final, NamedTuple
from uuid import UUID

from services.pricing.benefits import saving
from services.pricing.facts.offers import (
    Advantage,
    CampaignTarget,
    IndicatorTarget,
    Offer,
    OfferState,
    PromotionalCode,
    Target,
)
from services.pricing.facts.sale import ContactFacts
from services.pricing.facts.tickets import ProductFamily, TicketKind
from services.pricing.kept import terms_of
from services.pricing.limits import is_counted
from services.pricing.result import OfferTerms
from services.pricing.rules import Rule, needs_code, rules
from services.pricing.scope import in_scope

REMEMBERED: Final = 20_000
"""Pairs of a kind of tickets and a group of contacts whose candidates an index keeps at hand."""

Level = tuple[UUID, str]
Group = UUID | Level | None
"""Whom running advantages that need no code are for: a campaign's contacts, those at an indicator's level, everyone."""
Shelf = tuple[UUID | ProductFamily | None, Group]
"""Where an index has the running advantages for those who need no code, by what a ticket in their scope names."""

_FEW: Final = 100
"""Offers of which an index looks, in each set of candidates that it remembers, whether they are new in it or gone."""
_EDITIONS: Final = 64
"""So many changes later it finds them anew instead."""
_A_FEW: Final = 64
"""Offers that are taken in without a rest: a millisecond's work."""


class Candidate(NamedTuple):
    """An advantage that may be for a ticket, and the minor units that it would take off, more than 0."""

    advantage: Advantage
    saving: int


class _Entry:
    """An offer of any state, and what is known of it for as long as it stays as it is, in however many indexes."""

    __slots__ = ("is_counted", "offer", "rules", "shelves", "terms")

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.is_counted = is_counted(offer)
        self.shelves = _shelves(offer)
        self.rules: tuple[Rule, ...] | None = None
        self.terms: OfferTerms | None = None

    def is_for(self, group: Group) -> bool:
        """Whether it runs, for these, without a code."""
        return bool(self.shelves) and self.shelves[0][1] == group


class _Remembered:
    """The candidates that were found, by group and kind, shared by an index and those that came of it by changes.

    Each is kept with the edition of the index that it is of: what has changed since is all that is looked at again.
    """

    __slots__ = ("editions", "found")

    def __init__(self) -> None:
        self.found: dict[tuple[Group, TicketKind], tuple[int, tuple[Candidate, ...]]] = {}
        self.editions = count()

    def keep(self, group: Group, kind: TicketKind, edition: int, candidates: tuple[Candidate, ...]) -> None:
        if len(self.found) >= REMEMBERED:
            del self.found[next(iter(self.found))]
        self.found[group, kind] = edition, candidates


class OfferIndex(Mapping[UUID, Offer]):
    """Every offer in any state by id, in no set order; never changed, shared by all requests.

    Built once for a catalogue; what changes then makes a new one, which shares with it all that did not change.
    """

    def __init__(self, advantages: Iterable[Advantage] = (), promotional_codes: Iterable[PromotionalCode] = ()) -> None:
        self._entries: dict[UUID, _Entry] = {}
        self._shelves: dict[Shelf, tuple[Advantage, ...]] = {}
        self._groups: dict[Group, int] = {}
        self._begin_anew()
        for _ in self._change({offer.id: offer for offer in chain(advantages, promotional_codes)}):
            pass

    def changed(self, offers: Mapping[UUID, Offer | None]) -> Generator[None, None, "OfferIndex"]:
        """The index with these offers as they are now, None where there is none any more; yields where it may rest."""
        after = OfferIndex()
        after._entries, after._shelves, after._groups = dict(self._entries), dict(self._shelves), dict(self._groups)
        yield
        yield from after._change(offers)
        if len(offers) <= _FEW:
            after._remembered, after._edition = self._remembered, next(self._remembered.editions)
            after._line = (*self._line[-_EDITIONS:], (after._edition, frozenset(offers)))
        return after

    def _begin_anew(self) -> None:
        """With nothing remembered."""
        self._remembered = _Remembered()
        self._edition = next(self._remembered.editions)
        self._line: tuple[tuple[int, Collection[UUID]], ...] = ((self._edition, ()),)

    def __getitem__(self, offer: UUID) -> Offer:
        return self._entries[offer].offer

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def rules(self, offer: UUID) -> tuple[Rule, ...]:
        """The conditions of an offer on the sale."""
        entry = self._entries[offer]
        if entry.rules is None:
            entry.rules = tuple(rules(entry.offer))
        return entry.rules

    def terms(self, offer: UUID) -> OfferTerms:
        """The terms under which an offer is given now."""
        entry = self._entries[offer]
        if entry.terms is None:
            entry.terms = terms_of(entry.offer)
        return entry.terms

    def groups(self, contact: ContactFacts | None) -> Sequence[Group]:
        """The groups that offers are for and the contact is in; everyone is in the first."""
        own: Iterable[Group] = () if contact is None else (*contact.campaigns, *contact.indicators.items())
        return [None, *(group for group in own if group in self._groups)]

    def candidates(self, kind: TicketKind, groups: Iterable[Group], opened: Iterable[UUID]) -> list[Candidate]:
        """The advantages that would lower the price of the ticket, each once, in no set order.

        Those that run and are for one of the ``groups``; and the ``opened``, by a code or to be tried before they run.
        Their other conditions are still to be asked.
        """
        found = list(_fitting(map(self.get, opened), kind))
        for group in groups:
            found += self._open_to(group, kind)
        return found

    def limited_offer_ids(self, kinds: Iterable[TicketKind]) -> frozenset[UUID]:
        """The running advantages for everyone, for any of these tickets, with a limit that other sales count against.

        Their counters are to be read before pricing; those of the contact's own offers and of codes are known from
        the contact and the codes.
        """
        entries = self._entries
        candidates = chain.from_iterable([self._open_to(None, kind) for kind in kinds])
        return frozenset([advantage.id for advantage, _ in candidates if entries[advantage.id].is_counted])

    def _open_to(self, group: Group, kind: TicketKind) -> tuple[Candidate, ...]:
        edition, remembered = self._edition, self._remembered
        known, found = remembered.found.get((group, kind), (-1, ()))
        if known == edition:
            return found
        changed = self._changed_since(known)
        found = self._find(group, kind) if changed is None else self._with(changed, found, group, kind)
        # Where somebody still works with an index of before, what the newest has found stays.
        if known < edition:
            remembered.keep(group, kind, edition, found)
        return found

    def _changed_since(self, edition: int) -> set[UUID] | None:
        """What made this index of that edition; None where it is not one that this came of, or too old."""
        changed: set[UUID] = set()
        for each, offers in reversed(self._line):
            if each == edition:
                return changed
            changed.update(offers)
        return None

    def _find(self, group: Group, kind: TicketKind) -> tuple[Candidate, ...]:
        elements = (kind.performance, kind.product, kind.seat_category, kind.audience_sub_category, kind.family)
        advantages = chain.from_iterable(self._shelves.get((element, group), ()) for element in elements)
        return tuple(_fitting(advantages, kind))

    def _with(
        self, changed: set[UUID], found: tuple[Candidate, ...], group: Group, kind: TicketKind
    ) -> tuple[Candidate, ...]:
        """The candidates of another edition, as they are where these offers changed."""
        entries = [entry for entry in map(self._entries.get, changed) if entry and entry.is_for(group)]
        new = tuple(_fitting([entry.offer for entry in entries], kind))
        if not new and changed.isdisjoint([candidate.advantage.id for candidate in found]):
            return found
        return tuple([candidate for candidate in found if candidate.advantage.id not in changed]) + new

    def _change(self, offers: Mapping[UUID, Offer | None]) -> Iterator[None]:
        """Only while nobody else has this index."""
        left: set[Shelf] = set()
        entered: defaultdict[Shelf, list[Advantage]] = defaultdict(list)
        for place, (key, offer) in enumerate(offers.items(), start=1):
            before = self._entries.pop(key, None) if offer is None else self._entries.get(key)
            if before is not None:
                left.update(before.shelves)
            if offer is not None:
                entry = self._entries[key] = _Entry(offer)
                for shelf in entry.shelves:
                    entered[shelf].append(offer)  # type: ignore[arg-type]  # Only advantages have shelves.
            if place % _A_FEW == 0:
                yield
        for place, shelf in enumerate(left | entered.keys(), start=1):
            self._fill(shelf, offers, entered[shelf])
            if place % _A_FEW == 0:
                yield

    def _fill(self, shelf: Shelf, changed: Container[UUID], entered: Sequence[Advantage]) -> None:
        before, group = self._shelves.pop(shelf, None), shelf[1]
        after = tuple([each for each in before or () if each.id not in changed]) + tuple(entered)
        shelves = self._groups.pop(group, 0) + bool(after) - (before is not None)
        if after:
            self._shelves[shelf] = after
        if shelves:
            self._groups[group] = shelves


def _fitting(offers: Iterable[Offer | None], kind: TicketKind) -> Iterator[Candidate]:
    """Those of the offers that have the ticket in their scope and would lower its price."""
    for offer in offers:
        if isinstance(offer, Advantage) and in_scope(offer, kind) and (off := saving(offer.benefit, kind)):
            yield Candidate(offer, off)


def _shelves(offer: Offer) -> tuple[Shelf, ...]:
    if not isinstance(offer, Advantage) or offer.state is not OfferState.RUNNING or needs_code(offer):
        return ()
    group = _group(offer.target)
    return tuple((element, group) for element in _most_specific(offer))


def _most_specific(advantage: Advantage) -> Iterable[UUID | ProductFamily]:
    """What a ticket in scope surely names, as narrow as the scope allows."""
    scope = advantage.scope
    lists = (scope.performances, scope.products, scope.seat_categories, scope.audience_sub_categories)
    return next(filter(None, lists), (advantage.family,))


def _group(target: Target) -> Group:
    match target:
        case CampaignTarget(campaign):
            return campaign
        case IndicatorTarget(indicator, level):
            return indicator, level
        case _:
            return None
