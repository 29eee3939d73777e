"""The offers that an order has, as they were when it was made: its own terms, where its tickets may be priced anew.

Kept as JSON in a form of its own, which columns that offers get later do not change.
"""

from collections.abc import Mapping, Set
from datetime import UTC, datetime
from typing import Any, Final, TypedDict
from uuid import UUID

import orjson

from db.offers.offers import StoredBenefit, StoredScope
from services.catalogue.offer_details import CancellationPolicy, target_type
from services.catalogue.offer_rows import (
    advantage_benefit,
    promotion_benefit,
    scope_of,
    stored_benefit,
    stored_scope,
)
from services.catalogue.snapshot import Catalogue
from services.pricing.facts.offers import (
    Advantage,
    CampaignTarget,
    ElementLimits,
    IndicatorTarget,
    Limits,
    Offer,
    PartnerTarget,
    PromotionalCode,
    PublicTarget,
    SingleUseTarget,
    Target,
    TargetType,
)
from services.pricing.facts.tickets import Element, ElementKind, ProductFamily

_StoredLimits = tuple[int | None, int | None, int | None]

_ANY_TIME: Final = datetime.min.replace(tzinfo=UTC)
"""When a campaign ran does not matter any more: whoever was given its offer was entitled to it."""


class _StoredAdvantage(TypedDict):
    family: str
    season: str | None
    target: str
    # Of the campaign, or of the indicator.
    targeted: str | None
    level: str | None
    tickets_per_code: int | None


class _StoredPromotion(TypedDict):
    minimum_basket: int
    combinable: bool


class _StoredOffer(TypedDict):
    id: str
    code: str
    scope: StoredScope
    benefit: StoredBenefit
    limits: _StoredLimits
    # [element's kind, element, its limits]
    elements: list[tuple[str, str, _StoredLimits]]
    advantage: _StoredAdvantage | None
    promotion: _StoredPromotion | None


def dump(offers: Set[UUID], catalogue: Catalogue) -> str | None:
    """What is kept with an order that has these offers: nothing unless one of them has tickets priced anew.

    Of each what its tickets' prices follow from, without what only decides who may have it, where and when.
    """
    details = [catalogue.offer_details[offer] for offer in sorted(offers)]
    if all(each.cancellation_policy is CancellationPolicy.KEEP for each in details):
        return None
    return orjson.dumps([_stored(each.offer) for each in details]).decode()


def load(written: str) -> Mapping[UUID, Offer]:
    """The offers again, by id; to whoever was given them, open to all."""
    offers = [_offer(stored) for stored in orjson.loads(written)]
    return {offer.id: offer for offer in offers}


def _stored(offer: Advantage | PromotionalCode) -> _StoredOffer:
    return {
        "id": str(offer.id),
        "code": offer.code,
        "scope": stored_scope(offer.scope),
        "benefit": stored_benefit(offer.benefit),
        "limits": _stored_limits(offer.limits),
        "elements": [
            (each.element.kind, str(each.element.id), _stored_limits(each.limits)) for each in offer.element_limits
        ],
        "advantage": _stored_advantage(offer) if isinstance(offer, Advantage) else None,
        "promotion": None
        if isinstance(offer, Advantage)
        else {"minimum_basket": offer.minimum_basket, "combinable": offer.combinable},
    }


def _stored_advantage(offer: Advantage) -> _StoredAdvantage:
    target = offer.target
    targeted = level = None
    if isinstance(target, CampaignTarget):
        targeted = str(target.campaign)
    elif isinstance(target, IndicatorTarget):
        targeted, level = str(target.indicator), target.level
    return {
        "family": offer.family,
        "season": None if offer.season is None else str(offer.season),
        "target": target_type(target),
        "targeted": targeted,
        "level": level,
        "tickets_per_code": target.tickets_per_code if isinstance(target, SingleUseTarget) else None,
    }


def _stored_limits(limits: Limits) -> _StoredLimits:
    return limits.quota, limits.per_order, limits.per_contact


def _offer(stored: _StoredOffer) -> Offer:
    shared: dict[str, Any] = {
        "id": UUID(stored["id"]),
        "code": stored["code"],
        "scope": scope_of(stored["scope"]),
        "limits": Limits(*stored["limits"]),
        "element_limits": tuple(
            [
                ElementLimits(Element(ElementKind(kind), UUID(key)), Limits(*limits))
                for kind, key, limits in stored["elements"]
            ]
        ),
    }
    promotion, advantage = stored["promotion"], stored["advantage"]
    if promotion is not None:
        return PromotionalCode(**shared, **promotion, benefit=promotion_benefit(stored["benefit"]))
    if advantage is None:
        raise ValueError(f"offer {stored['id']} of an order is of no kind")
    return Advantage(
        **shared,
        family=ProductFamily(advantage["family"]),
        season=None if advantage["season"] is None else UUID(advantage["season"]),
        target=_target(advantage),
        benefit=advantage_benefit(stored["benefit"]),
    )


def _target(stored: _StoredAdvantage) -> Target:
    match TargetType(stored["target"]), stored["targeted"]:
        case TargetType.CONTACTS, str() as campaign:
            return CampaignTarget(UUID(campaign), _ANY_TIME, _ANY_TIME)
        case TargetType.INDICATOR, str() as indicator:
            return IndicatorTarget(UUID(indicator), stored["level"] or "")
        case TargetType.PARTNER, _:
            return PartnerTarget()
        case TargetType.SINGLE_USE_CODE, _:
            return SingleUseTarget(stored["tickets_per_code"])
    return PublicTarget()
