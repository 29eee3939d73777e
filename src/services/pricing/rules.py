"""Who may have an offer, where and when: its conditions on the sale, asked one by one.

They are small frozen values that answer None or a refusal, which says what was required and what was
found; nobody stops at the first, so that all that stands in the way is told at once (docs/domain.md, Offers).

NOT_TARGETED carries a ``detail``: ``campaign`` (not in its target), ``campaign_not_running``, ``level``,
``has_ordered``, ``has_not_ordered``, ``newsletter``, ``contacts``, ``counter_profile``, ``code`` (needs a code that was
not entered) or ``unknown_contact`` (has a limit per contact). WRONG_CHANNEL has ``point_of_sale`` where that is what
is wrong.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.pricing.facts.offers import (
    Advantage,
    CampaignTarget,
    IndicatorTarget,
    Offer,
    OfferState,
    PartnerTarget,
    PromotionalCode,
    Restriction,
    SingleUseTarget,
)
from services.pricing.facts.refusals import Instant, Refusal, RefusalCode, Things, Words
from services.pricing.facts.sale import Sale


class Rule(Protocol):
    """A condition of an offer on the sale."""

    def refusal(self, sale: Sale) -> Refusal | None: ...


@dataclass(frozen=True, slots=True)
class NotBefore:
    """The first instant of an offer counts."""

    start: datetime

    def refusal(self, sale: Sale) -> Refusal | None:
        if sale.now < self.start:
            return Refusal(RefusalCode.NOT_STARTED, Instant(self.start), Instant(sale.now))
        return None


@dataclass(frozen=True, slots=True)
class NotAfter:
    """The last second of an offer counts too, with its fractions: one until 23:59:59 sells at 23:59:59.9."""

    end: datetime

    def refusal(self, sale: Sale) -> Refusal | None:
        if is_over(self.end, sale.now):
            return Refusal(RefusalCode.EXPIRED, Instant(self.end), Instant(sale.now))
        return None


@dataclass(frozen=True, slots=True)
class InChannels:
    """Sold through these sales channels only."""

    channels: frozenset[UUID]

    def refusal(self, sale: Sale) -> Refusal | None:
        if sale.channel not in self.channels:
            return Refusal(RefusalCode.WRONG_CHANNEL, _things(self.channels), Things((sale.channel,)))
        return None


@dataclass(frozen=True, slots=True)
class AtPointsOfSale:
    """Sold at these points of sale only, whatever their channel."""

    points: frozenset[UUID]

    def refusal(self, sale: Sale) -> Refusal | None:
        if sale.point_of_sale not in self.points:
            found = Things((sale.point_of_sale,))
            return Refusal(RefusalCode.WRONG_CHANNEL, _things(self.points), found, "point_of_sale")
        return None


@dataclass(frozen=True, slots=True)
class DeliveredBy:
    """Delivered in these ways only. Until one is chosen the offer is refused: a basket may be concluded without one."""

    modes: frozenset[UUID]

    def refusal(self, sale: Sale) -> Refusal | None:
        if sale.delivery_mode not in self.modes:
            found = Things(() if sale.delivery_mode is None else (sale.delivery_mode,))
            return Refusal(RefusalCode.WRONG_DELIVERY_MODE, _things(self.modes), found)
        return None


@dataclass(frozen=True, slots=True)
class InTarget:
    """For contacts in the target of a campaign."""

    campaign: UUID

    def refusal(self, sale: Sale) -> Refusal | None:
        if sale.contact is None or self.campaign not in sale.contact.campaigns:
            return _not_targeted("campaign")
        return None


@dataclass(frozen=True, slots=True)
class WhileCampaignRuns:
    """The first instant and the last second of a campaign count."""

    start: datetime
    end: datetime

    def refusal(self, sale: Sale) -> Refusal | None:
        if self.start <= sale.now and not is_over(self.end, sale.now):
            return None
        bound = self.start if sale.now < self.start else self.end
        return Refusal(RefusalCode.NOT_TARGETED, Instant(bound), Instant(sale.now), "campaign_not_running")


@dataclass(frozen=True, slots=True)
class AtLevel:
    """For contacts who have an indicator at exactly this level."""

    indicator: UUID
    level: str

    def refusal(self, sale: Sale) -> Refusal | None:
        found = None if sale.contact is None else sale.contact.indicators.get(self.indicator)
        if found != self.level:
            return Refusal(RefusalCode.NOT_TARGETED, Words((self.level,)), _word(found), "level")
        return None


@dataclass(frozen=True, slots=True)
class HasOrdered:
    """For contacts with an order before this one, or, where ``before`` is False, for known ones without."""

    before: bool

    def refusal(self, sale: Sale) -> Refusal | None:
        if sale.contact is not None and sale.contact.has_ordered is self.before:
            return None
        return _not_targeted("has_ordered" if self.before else "has_not_ordered")


@dataclass(frozen=True, slots=True)
class Subscribes:
    """For subscribers to the newsletter."""

    def refusal(self, sale: Sale) -> Refusal | None:
        return None if sale.contact is not None and sale.contact.newsletter else _not_targeted("newsletter")


@dataclass(frozen=True, slots=True)
class IsListed:
    """For the contacts of a list, which is not disclosed."""

    contacts: frozenset[UUID]

    def refusal(self, sale: Sale) -> Refusal | None:
        return None if sale.contact is not None and sale.contact.id in self.contacts else _not_targeted("contacts")


@dataclass(frozen=True, slots=True)
class SoldBy:
    """For sales by staff with one of these counter profiles; who buys alone has none."""

    profiles: frozenset[str]

    def refusal(self, sale: Sale) -> Refusal | None:
        if sale.counter_profile not in self.profiles:
            required = Words(tuple(sorted(self.profiles)))
            return Refusal(RefusalCode.NOT_TARGETED, required, _word(sale.counter_profile), "counter_profile")
        return None


def rules(offer: Offer) -> Iterator[Rule]:
    """The conditions of an offer on the sale, its state aside; where a list is empty there is none."""
    if offer.valid_from:
        yield NotBefore(offer.valid_from)
    if offer.valid_until:
        yield NotAfter(offer.valid_until)
    if offer.channels:
        yield InChannels(offer.channels)
    if offer.points_of_sale:
        yield AtPointsOfSale(offer.points_of_sale)
    if offer.delivery_modes:
        yield DeliveredBy(offer.delivery_modes)
    if isinstance(offer, Advantage):
        yield from _targeting(offer)
    elif isinstance(offer, PromotionalCode):
        yield from _restrictions(offer.restriction)


def is_over(end: datetime, now: datetime) -> bool:
    """Whether an end has passed. People name ends by the second: that second is part of what ends with it."""
    return now.replace(microsecond=0) > end


def needs_code(offer: Offer) -> bool:
    """Whether the offer is for those only who enter a code."""
    return not isinstance(offer, Advantage) or isinstance(offer.target, PartnerTarget | SingleUseTarget)


def refusals(offer: Offer, conditions: Iterable[Rule], sale: Sale, include: frozenset[UUID]) -> list[Refusal]:
    """All that the sale has against an offer with these ``rules``, whatever the tickets.

    Offers in ``include`` count as RUNNING.
    """
    found = [refusal for rule in conditions if (refusal := rule.refusal(sale))]
    if offer.state is not OfferState.RUNNING and offer.id not in include:
        required = Words((OfferState.RUNNING.value,))
        found.insert(0, Refusal(RefusalCode.OFFER_NOT_RUNNING, required, Words((offer.state.value,))))
    return found


def _targeting(advantage: Advantage) -> Iterator[Rule]:
    match advantage.target:
        case CampaignTarget(campaign, starts_at, ends_at):
            yield InTarget(campaign)
            yield WhileCampaignRuns(starts_at, ends_at)
        case IndicatorTarget(indicator, level):
            yield AtLevel(indicator, level)


def _restrictions(restriction: Restriction) -> Iterator[Rule]:
    if restriction.indicator:
        yield AtLevel(restriction.indicator.indicator, restriction.indicator.level)
    if restriction.has_ordered is not None:
        yield HasOrdered(restriction.has_ordered)
    if restriction.newsletter:
        yield Subscribes()
    if restriction.contacts:
        yield IsListed(restriction.contacts)
    if restriction.counter_profiles:
        yield SoldBy(restriction.counter_profiles)


def _not_targeted(detail: str) -> Refusal:
    return Refusal(RefusalCode.NOT_TARGETED, detail=detail)


def _things(ids: frozenset[UUID]) -> Things:
    return Things(tuple(sorted(ids)))


def _word(value: str | None) -> Words:
    return Words(() if value is None else (value,))
