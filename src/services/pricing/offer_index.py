"""The offers of an organisation, indexed so that a ticket finds the few that may be for it, whatever their number."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
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


class Candidate(NamedTuple):
    """An advantage that may be for a ticket, and the minor units that it would take off, more than 0."""

    advantage: Advantage
    saving: int


class OfferIndex(Mapping[UUID, Offer]):
    """Every offer in any state by id; built once for a catalogue, never changed, shared by all requests."""

    def __init__(self, advantages: Iterable[Advantage], promotional_codes: Iterable[PromotionalCode]) -> None:
        self._by_id: dict[UUID, Offer] = {offer.id: offer for offer in chain(advantages, promotional_codes)}
        shelves: defaultdict[tuple[UUID | ProductFamily | None, Group], list[Advantage]] = defaultdict(list)
        for offer in self._by_id.values():
            if isinstance(offer, Advantage) and offer.state is OfferState.RUNNING and not needs_code(offer):
                for element in _most_specific(offer):
                    shelves[element, _group(offer.target)].append(offer)
        self._shelves = dict(shelves)
        self._groups = frozenset(group for _, group in shelves)
        self._rules = {offer.id: tuple(rules(offer)) for offer in self._by_id.values()}
        self._counted = frozenset(offer.id for offer in self._by_id.values() if is_counted(offer))
        self._terms: dict[UUID, OfferTerms] = {}
        self._open_to = lru_cache(REMEMBERED)(self._find)

    def __getitem__(self, offer: UUID) -> Offer:
        return self._by_id[offer]

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def rules(self, offer: UUID) -> tuple[Rule, ...]:
        """The conditions of an offer on the sale."""
        return self._rules[offer]

    def terms(self, offer: UUID) -> OfferTerms:
        """The terms under which an offer is given now."""
        found = self._terms.get(offer)
        if found is None:
            found = self._terms[offer] = terms_of(self._by_id[offer])
        return found

    def groups(self, contact: ContactFacts | None) -> Sequence[Group]:
        """The groups that offers are for and the contact is in; everyone is in the first."""
        own: Iterable[Group] = () if contact is None else (*contact.campaigns, *contact.indicators.items())
        return [None, *(group for group in own if group in self._groups)]

    def candidates(self, kind: TicketKind, groups: Iterable[Group], opened: Iterable[UUID]) -> list[Candidate]:
        """The advantages that would lower the price of the ticket, each once, in no set order.

        Those that run and are for one of the ``groups``; and the ``opened``, by a code or to be tried before they run.
        Their other conditions are still to be asked.
        """
        found = list(_fitting(map(self._by_id.get, opened), kind))
        for group in groups:
            found += self._open_to(group, kind)
        return found

    def limited_offer_ids(self, kinds: Iterable[TicketKind]) -> frozenset[UUID]:
        """The running advantages for everyone, for any of these tickets, with a limit that other sales count against.

        Their counters are to be read before pricing; those of the contact's own offers and of codes are known from
        the contact and the codes.
        """
        candidates = chain.from_iterable([self._open_to(None, kind) for kind in kinds])
        return frozenset([advantage.id for advantage, _ in candidates if advantage.id in self._counted])

    def _find(self, group: Group, kind: TicketKind) -> Sequence[Candidate]:
        elements = (kind.performance, kind.product, kind.seat_category, kind.audience_sub_category, kind.family)
        advantages = chain.from_iterable(self._shelves.get((element, group), ()) for element in elements)
        return tuple(_fitting(advantages, kind))


def _fitting(offers: Iterable[Offer | None], kind: TicketKind) -> Iterator[Candidate]:
    """Those of the offers that have the ticket in their scope and would lower its price."""
    for offer in offers:
        if isinstance(offer, Advantage) and in_scope(offer, kind) and (off := saving(offer.benefit, kind)):
            yield Candidate(offer, off)


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
