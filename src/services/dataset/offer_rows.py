"""The offers that a data file makes, in the form that pricing and the database take."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from services.catalogue.offer_details import OfferDetails
from services.catalogue.offer_rows import SharedFields
from services.dataset import offer_format as form
from services.dataset.existing import Existing, Keys
from services.dataset.format import PriceItem
from services.dataset.parsing import Document
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
from services.pricing.facts.tickets import Element, ElementKind

ELEMENT_KINDS: Mapping[str, ElementKind] = {
    "products": ElementKind.PRODUCT,
    "performances": ElementKind.PERFORMANCE,
    "seatCategories": ElementKind.SEAT_CATEGORY,
    "audienceSubCategories": ElementKind.AUDIENCE_SUB_CATEGORY,
}


class OfferRows:
    """Makes them, from a file without problems."""

    def __init__(self, document: Document, existing: Existing, ids: Keys) -> None:
        self._document = document
        self._ids = ids
        catalogue = existing.catalogue
        self._stored = {} if catalogue is None else catalogue.offer_details
        stored = () if catalogue is None else catalogue.campaigns.values()
        self._campaigns = {campaign.id: (campaign.starts_at, campaign.ends_at) for campaign in stored}
        for entry in document.campaigns:
            self._campaigns[ids("campaigns", entry.item.code)] = (entry.item.starts_on, entry.item.ends_on)

    def offers(self) -> tuple[list[OfferDetails], list[OfferDetails]]:
        """Those that are new, and those that changed, each with its next version."""
        details = [self._details(entry.item, self._advantage(entry.item)) for entry in self._document.advantages]
        details += [
            self._details(entry.item, self._promotion(entry.item)) for entry in self._document.promotional_codes
        ]
        new = [each for each in details if each.id not in self._stored]
        changed = []
        for each in details:
            stored = self._stored.get(each.id)
            if stored is not None and replace(each, version=stored.version) != stored:
                changed.append(replace(each, version=stored.version + 1))
        return new, changed

    def relimited(self, changed: Iterable[OfferDetails]) -> list[OfferDetails]:
        """Those among ``changed`` whose limits are others than before."""
        return [each for each in changed if _limits(each) != _limits(self._stored[each.id])]

    def _details(self, item: form.OfferItem, offer: Advantage | PromotionalCode) -> OfferDetails:
        return OfferDetails(
            offer=offer,
            internal_name=item.internal_name.by_language(),
            public_name=item.public_name.by_language(),
            picture=item.picture,
            description=item.description.by_language(),
            terms=item.terms.by_language(),
            returns_codes=item.returns_codes,
            cancellation_policy=item.cancellation_policy,
        )

    def _shared(self, section: str, item: form.OfferItem) -> SharedFields:
        elements = map(self._element_limits, item.limits.elements)
        return SharedFields(
            id=self._ids(section, item.code),
            code=item.code,
            state=item.state,
            valid_from=item.valid_from,
            valid_until=item.valid_until,
            channels=self._all("salesChannels", item.channels),
            points_of_sale=self._all("pointsOfSale", item.points_of_sale),
            delivery_modes=self._all("deliveryModes", item.delivery_modes),
            scope=Scope(
                products=self._all("products", item.scope.products),
                performances=self._all("performances", item.scope.performances),
                seat_categories=self._all("seatCategories", item.scope.seat_categories),
                audience_sub_categories=self._all("audienceSubCategories", item.scope.audience_sub_categories),
            ),
            limits=item.limits.own,
            element_limits=tuple(sorted(elements, key=lambda each: each.element.id)),
            sale_end_tolerance=None if item.sale_end is None else item.sale_end.tolerance_minutes,
        )

    def _element_limits(self, limit: form.ElementLimitItem) -> ElementLimits:
        section, code = limit.element
        element = Element(ELEMENT_KINDS[section], self._ids(section, code))
        return ElementLimits(element, limit.own)

    def _all(self, section: str, codes: Sequence[str]) -> frozenset[UUID]:
        return frozenset(self._ids(section, code) for code in codes)

    # ── Advantages ───────────────────────────────────────────────────────────────────────────────

    def _advantage(self, item: form.AdvantageItem) -> Advantage:
        return Advantage(
            **self._shared("advantages", item),
            family=item.family,
            season=self._ids("seasons", item.season),
            target=self._target(item),
            benefit=self._advantage_benefit(item.benefit),
        )

    def _target(self, item: form.AdvantageItem) -> Target:
        target = item.target
        if target.campaign is not None:
            campaign = self._ids("campaigns", target.campaign)
            return CampaignTarget(campaign, *self._campaigns[campaign])
        if target.indicator is not None and target.level is not None:
            return IndicatorTarget(self._ids("indicators", target.indicator), target.level)
        if target.access_code is not None:
            return PartnerTarget()
        if item.target_type is TargetType.SINGLE_USE_CODE:
            return SingleUseTarget(target.tickets_per_code)
        return PublicTarget()

    def _advantage_benefit(self, benefit: form.AdvantageBenefitItem) -> AdvantageBenefit:
        if benefit.percent_off is not None:
            return PercentOff(benefit.percent_off)
        if benefit.amount_off is not None:
            return AmountOff(benefit.amount_off)
        if benefit.fixed_price is not None:
            return FixedPrice(benefit.fixed_price)
        return Rates(rate_table(benefit.rates or (), self._ids))

    # ── Promotional codes ────────────────────────────────────────────────────────────────────────

    def _promotion(self, item: form.PromotionalCodeItem) -> PromotionalCode:
        restricted, wanted = item.restricted_to, item.restricted_to.indicator
        level = None if wanted is None else IndicatorTarget(self._ids("indicators", wanted.indicator), wanted.level)
        return PromotionalCode(
            **self._shared("promotionalCodes", item),
            benefit=_promotion_benefit(item.benefit),
            minimum_basket=item.minimum_basket,
            combinable=item.combinable,
            restriction=Restriction(
                indicator=level,
                has_ordered=restricted.has_ordered,
                newsletter=restricted.newsletter,
                contacts=self._all("contacts", restricted.contacts),
                counter_profiles=frozenset(restricted.counter_profiles),
            ),
        )


def _promotion_benefit(benefit: form.PromotionBenefitItem) -> PromotionBenefit:
    if benefit.percent_off is not None:
        return PercentOff(benefit.percent_off)
    if benefit.amount_off is not None:
        return AmountOff(benefit.amount_off)
    return AmountOffPerTicket(benefit.amount_off_per_ticket or 0)


def _limits(details: OfferDetails) -> tuple[Limits, tuple[ElementLimits, ...]]:
    return details.offer.limits, details.offer.element_limits


def rate_table(prices: Iterable[PriceItem], ids: Keys) -> dict[tuple[UUID | None, UUID], int]:
    """Prices by the keys of their combination, in their order."""
    return {
        (
            None if price.seat_category is None else ids("seatCategories", price.seat_category),
            ids("audienceSubCategories", price.audience_sub_category),
        ): price.price
        for price in prices
    }
