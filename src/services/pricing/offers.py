"""The offers of an organisation, indexed so that a ticket finds the few that may be for it, whatever their number."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import chain
from uuid import UUID

from services.pricing.facts import (
    Advantage,
    CampaignTarget,
    ContactFacts,
    IndicatorTarget,
    Offer,
    OfferState,
    ProductFamily,
    PromotionalCode,
    PublicTarget,
    TicketKind,
)
from services.pricing.limits import is_counted
from services.pricing.rules import Rule, rules
from services.pricing.scope import in_scope


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The running advantages that name one element, by whom they are for."""

    public: list[Advantage] = field(default_factory=list)
    by_campaign: dict[UUID, list[Advantage]] = field(default_factory=lambda: defaultdict(list))
    by_level: dict[tuple[UUID, str], list[Advantage]] = field(default_factory=lambda: defaultdict(list))

    def place(self, advantage: Advantage) -> None:
        match advantage.target:
            case PublicTarget():
                self.public.append(advantage)
            case CampaignTarget(campaign):
                self.by_campaign[campaign].append(advantage)
            case IndicatorTarget(indicator, level):
                self.by_level[indicator, level].append(advantage)

    def reach(self, contact: ContactFacts | None) -> list[Advantage]:
        found = list(self.public)
        if contact is not None and self.by_campaign:
            for campaign in self.by_campaign.keys() & contact.campaigns:
                found += self.by_campaign[campaign]
        if contact is not None and self.by_level:
            for level in self.by_level.keys() & contact.indicators.items():
                found += self.by_level[level]
        return found


class Offers(Mapping[UUID, Offer]):
    """Every offer in any state by id; built once for a catalogue, never changed, shared by all requests."""

    def __init__(self, advantages: Iterable[Advantage], promotional_codes: Iterable[PromotionalCode]) -> None:
        self._by_id: dict[UUID, Offer] = {offer.id: offer for offer in chain(advantages, promotional_codes)}
        shelves: defaultdict[UUID | ProductFamily | None, _Shelf] = defaultdict(_Shelf)
        for offer in self._by_id.values():
            if isinstance(offer, Advantage) and offer.state is OfferState.RUNNING:
                for element in _most_specific(offer):
                    shelves[element].place(offer)
        self._shelves = dict(shelves)
        self._rules = {offer.id: tuple(rules(offer)) for offer in self._by_id.values()}

    def __getitem__(self, offer: UUID) -> Offer:
        return self._by_id[offer]

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def rules(self, offer: UUID) -> tuple[Rule, ...]:
        """The conditions of an offer on the sale."""
        return self._rules[offer]

    def candidates(self, kind: TicketKind, contact: ContactFacts | None, opened: Set[UUID]) -> list[Advantage]:
        """The advantages with the ticket in their scope that may be for the contact, each once, in no set order.

        Those that run and are for everyone, for a campaign or for a level; and the ``opened``, by a code or to be tried
        before they run. Their other conditions are still to be asked.
        """
        found: list[Offer | None] = [self._by_id.get(offer) for offer in opened]
        for element in (kind.performance, kind.product, kind.seat_category, kind.audience_sub_category, kind.family):
            shelf = self._shelves.get(element)
            if shelf is not None:
                found += shelf.reach(contact)
        return [offer for offer in found if isinstance(offer, Advantage) and in_scope(offer, kind)]

    def limited_offer_ids(self, kinds: Iterable[TicketKind]) -> frozenset[UUID]:
        """The running advantages for everyone, for any of these tickets, with a limit that other sales count against.

        Their counters are to be read before pricing; those of the contact's own offers and of codes are known from
        the contact and the codes.
        """
        advantages = chain.from_iterable(self.candidates(kind, None, frozenset()) for kind in kinds)
        return frozenset(advantage.id for advantage in advantages if is_counted(advantage))


def _most_specific(advantage: Advantage) -> Iterable[UUID | ProductFamily]:
    """What a ticket in scope surely names, as narrow as the scope allows."""
    scope = advantage.scope
    lists = (scope.performances, scope.products, scope.seat_categories, scope.audience_sub_categories)
    return next(filter(None, lists), (advantage.family,))
