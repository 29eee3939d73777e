"""Offers between the form that pricing takes and the form that the database keeps: each the inverse of the other."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from db.catalogue.catalogue import Campaign
from db.offers.offers import (
    WHOLE_OFFER,
    LimitRow,
    OfferKind,
    OfferRow,
    StoredBenefit,
    StoredRestriction,
    StoredScope,
)
from services.catalogue.offer_details import CancellationPolicy, OfferDetails
from services.pricing.facts.offers import (
    Advantage,
    AdvantageBenefit,
    AmountOff,
    AmountOffPerTicket,
    CampaignTarget,
    ElementLimits,
    FixedPrice,
    IndicatorTarget,
    Limits,
    OfferState,
    PartnerTarget,
    PercentOff,
    PromotionalCode,
    PromotionBenefit,
    PublicTarget,
    Rates,
    Restriction,
    Scope,
    SingleUseTarget,
    Target,
    TargetType,
)
from services.pricing.facts.tickets import Element, ElementKind, ProductFamily

# ── From the database ────────────────────────────────────────────────────────────────────────────


def from_row(row: OfferRow, limits: Sequence[LimitRow], campaigns: Mapping[UUID, Campaign]) -> OfferDetails:
    """The offer of a row; ``limits`` are all that it has, ``campaigns`` all of its organisation."""
    own, elements = Limits(), []
    for each in limits:
        values = Limits(each.quota, each.per_order, each.per_contact)
        if each.element_kind is None:
            own = values
        else:
            elements.append(ElementLimits(Element(ElementKind(each.element_kind), each.element_id), values))
    return OfferDetails(
        offer=_offer(row, own, tuple(elements), campaigns),
        internal_name=row.internal_name,
        public_name=row.public_name,
        picture=row.picture,
        description=row.description,
        terms=row.terms,
        unfinished=frozenset(row.unfinished),
        returns_codes=row.returns_codes,
        cancellation_policy=CancellationPolicy(row.cancellation_policy),
        version=row.version,
    )


class SharedFields(TypedDict):
    """What both kinds of offers are made with."""

    id: UUID
    code: str
    state: OfferState
    valid_from: datetime | None
    valid_until: datetime | None
    channels: frozenset[UUID]
    points_of_sale: frozenset[UUID]
    delivery_modes: frozenset[UUID]
    scope: Scope
    limits: Limits
    element_limits: tuple[ElementLimits, ...]
    sale_end_tolerance: int | None


def _offer(
    row: OfferRow, limits: Limits, element_limits: tuple[ElementLimits, ...], campaigns: Mapping[UUID, Campaign]
) -> Advantage | PromotionalCode:
    shared = SharedFields(
        id=row.id,
        code=row.code,
        state=OfferState(row.state),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        channels=frozenset(row.channel_ids),
        points_of_sale=frozenset(row.point_of_sale_ids),
        delivery_modes=frozenset(row.delivery_mode_ids),
        scope=scope_of(row.scope),
        limits=limits,
        element_limits=element_limits,
        sale_end_tolerance=row.sale_end_tolerance,
    )
    if row.kind is OfferKind.PROMOTIONAL_CODE:
        return PromotionalCode(
            **shared,
            benefit=promotion_benefit(row.benefit),
            minimum_basket=row.minimum_basket,
            combinable=row.combinable,
            restriction=_restriction(row.restriction),
        )
    return Advantage(
        **shared,
        family=ProductFamily(row.family or ""),
        season=row.season_id,
        target=_target(row, campaigns),
        benefit=advantage_benefit(row.benefit),
    )


def scope_of(stored: StoredScope) -> Scope:
    return Scope(
        products=_ids(stored.get("products")),
        performances=_ids(stored.get("performances")),
        seat_categories=_ids(stored.get("seatCategories")),
        audience_sub_categories=_ids(stored.get("audienceSubCategories")),
    )


def _target(row: OfferRow, campaigns: Mapping[UUID, Campaign]) -> Target:
    match row.target_type, row.campaign_id, row.indicator_id, row.indicator_level:
        case TargetType.PUBLIC, *_:
            return PublicTarget()
        case TargetType.CONTACTS, UUID() as campaign, _, _:
            return CampaignTarget(campaign, campaigns[campaign].starts_at, campaigns[campaign].ends_at)
        case TargetType.INDICATOR, _, UUID() as indicator, str() as level:
            return IndicatorTarget(indicator, level)
        case TargetType.PARTNER, *_:
            return PartnerTarget()
        case TargetType.SINGLE_USE_CODE, *_:
            return SingleUseTarget(row.tickets_per_code)
        case _:
            raise ValueError(f"advantage {row.id} has no complete target")


def advantage_benefit(stored: StoredBenefit) -> AdvantageBenefit:
    if "rates" in stored:
        return Rates(
            {(_id(rate["seatCategory"]), UUID(rate["audienceSubCategory"])): rate["price"] for rate in stored["rates"]}
        )
    if "fixedPrice" in stored:
        return FixedPrice(stored["fixedPrice"])
    if "amountOff" in stored:
        return AmountOff(stored["amountOff"])
    return PercentOff(stored["percentOff"])


def promotion_benefit(stored: StoredBenefit) -> PromotionBenefit:
    if "amountOffPerTicket" in stored:
        return AmountOffPerTicket(stored["amountOffPerTicket"])
    if "amountOff" in stored:
        return AmountOff(stored["amountOff"])
    return PercentOff(stored["percentOff"])


def _restriction(stored: StoredRestriction) -> Restriction:
    level = stored.get("indicator")
    return Restriction(
        indicator=None if level is None else IndicatorTarget(UUID(level["id"]), level["level"]),
        has_ordered=stored.get("hasOrdered"),
        newsletter=stored.get("newsletter", False),
        contacts=_ids(stored.get("contacts")),
        counter_profiles=frozenset(stored.get("counterProfiles", ())),
    )


def _id(stored: str | None) -> UUID | None:
    return None if stored is None else UUID(stored)


def _ids(stored: Sequence[str] | None) -> frozenset[UUID]:
    return frozenset(map(UUID, stored or ()))


# ── To the database ──────────────────────────────────────────────────────────────────────────────


def to_row(details: OfferDetails) -> OfferRow:
    """The offer's row, without its limits."""
    offer = details.offer
    advantage = offer if isinstance(offer, Advantage) else None
    promotion = offer if isinstance(offer, PromotionalCode) else None
    target = advantage.target if advantage else None
    return OfferRow(
        id=offer.id,
        kind=details.kind,
        code=offer.code,
        state=offer.state,
        internal_name=details.internal_name,
        public_name=details.public_name,
        picture=details.picture,
        description=details.description,
        terms=details.terms,
        unfinished=sorted(details.unfinished),
        valid_from=offer.valid_from,
        valid_until=offer.valid_until,
        channel_ids=sorted(offer.channels),
        point_of_sale_ids=sorted(offer.points_of_sale),
        delivery_mode_ids=sorted(offer.delivery_modes),
        scope=stored_scope(offer.scope),
        benefit=stored_benefit(offer.benefit),
        season_id=details.season_id,
        family=advantage.family if advantage else None,
        target_type=details.target_type,
        campaign_id=target.campaign if isinstance(target, CampaignTarget) else None,
        indicator_id=target.indicator if isinstance(target, IndicatorTarget) else None,
        indicator_level=target.level if isinstance(target, IndicatorTarget) else None,
        tickets_per_code=target.tickets_per_code if isinstance(target, SingleUseTarget) else None,
        sale_end_tolerance=offer.sale_end_tolerance,
        minimum_basket=promotion.minimum_basket if promotion else 0,
        combinable=promotion.combinable if promotion else False,
        returns_codes=details.returns_codes,
        cancellation_policy=details.cancellation_policy,
        restriction=_stored_restriction(promotion.restriction) if promotion else {},
        version=details.version,
    )


def to_limit_rows(offer: Advantage | PromotionalCode) -> list[LimitRow]:
    """A row for the offer itself, where it has a limit at all, and one for each limited element."""
    own = [] if offer.limits == Limits() else [_limit_row(offer.id, None, offer.limits)]
    return own + [_limit_row(offer.id, each.element, each.limits) for each in offer.element_limits]


def _limit_row(offer: UUID, element: Element | None, limits: Limits) -> LimitRow:
    kind, key = element or (None, WHOLE_OFFER)
    return LimitRow(offer, key, kind, limits.quota, limits.per_order, limits.per_contact)


def stored_scope(scope: Scope) -> StoredScope:
    return {
        "products": _texts(scope.products),
        "performances": _texts(scope.performances),
        "seatCategories": _texts(scope.seat_categories),
        "audienceSubCategories": _texts(scope.audience_sub_categories),
    }


def stored_benefit(benefit: AdvantageBenefit | PromotionBenefit) -> StoredBenefit:
    match benefit:
        case Rates(prices):
            return {
                "rates": [
                    {
                        "seatCategory": None if seat is None else str(seat),
                        "audienceSubCategory": str(audience),
                        "price": price,
                    }
                    for (seat, audience), price in prices.items()
                ]
            }
        case PercentOff(ten_thousandths):
            return {"percentOff": ten_thousandths}
        case AmountOff(amount):
            return {"amountOff": amount}
        case FixedPrice(price):
            return {"fixedPrice": price}
        case AmountOffPerTicket(amount):
            return {"amountOffPerTicket": amount}


def _stored_restriction(restriction: Restriction) -> StoredRestriction:
    stored: StoredRestriction = {
        "newsletter": restriction.newsletter,
        "contacts": _texts(restriction.contacts),
        "counterProfiles": sorted(restriction.counter_profiles),
    }
    if restriction.has_ordered is not None:
        stored["hasOrdered"] = restriction.has_ordered
    if restriction.indicator is not None:
        stored["indicator"] = {"id": str(restriction.indicator.indicator), "level": restriction.indicator.level}
    return stored


def _text(key: UUID | None) -> str | None:
    return None if key is None else str(key)


def _texts(ids: frozenset[UUID]) -> list[str]:
    return sorted(map(str, ids))
