"""Offers: advantages on products, and promotional codes on the whole basket."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

import strawberry

from resolvers.catalogue.catalogue import DeliveryMode, Named, PointOfSale, SalesChannel, Season
from resolvers.contacts.contacts import Contact, load_target, target_size
from resolvers.offers.redemption_counts import RedemptionCounts, load_counts
from resolvers.offers.scope_and_limits import OfferLimits, Scope
from resolvers.offers.target_and_benefit import (
    AdvantageBenefit,
    CustomCode,
    IndicatorLevel,
    IndicatorTarget,
    LocalizedText,
    PartnerTarget,
    PromotionBenefit,
    PromotionRestriction,
    PublicTarget,
    SaleEnd,
    SingleUseTarget,
    advantage_benefit,
    load_custom_codes,
    promotion_benefit,
    reads_records,
)
from resolvers.runtime.connections import Connection, window
from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import CancellationPolicy, Language, OfferState, ProductFamily, TargetType
from resolvers.runtime.ids import Node, encode
from resolvers.runtime.scalars import Money, money
from services.catalogue import snapshot as services
from services.catalogue.offer_details import OfferDetails
from services.catalogue.offer_details import target_type as target_type_of
from services.catalogue.snapshot import Catalogue
from services.core.texts import localised
from services.offers.search import OfferSearch
from services.pricing.facts import offers as offer_facts

_LANGUAGE: Final = "That of the request where left out; French, or any, where there is no text in it."


@strawberry.interface(description="What advantages and promotional codes share.")
class Offer(Node):
    code: str
    state: OfferState
    valid_from: datetime | None
    valid_until: datetime | None
    quota: int | None = strawberry.field(description="Tickets that may profit over all orders, none without a quota.")
    picture: str | None
    version: int = strawberry.field(
        description="Grows with every change of the offer, but not of its custom codes; `expectedVersion` takes it."
    )
    returns_codes: bool = strawberry.field(
        description="Whether its single-use codes are available again when their order is cancelled."
    )
    cancellation_policy: CancellationPolicy = strawberry.field(
        description="What becomes of the tickets that stay where others of their order are cancelled."
    )
    details: strawberry.Private[OfferDetails]
    catalogue: strawberry.Private[Catalogue]

    @strawberry.field(description="The staff's name for it; everybody else reads the public one.")
    async def internal_name(self, info: Info, language: Language | None = None) -> str:
        shows_own = await reads_records(info.context)
        names = self.details.internal_name if shows_own else self.details.public_name
        return localised(names, language or info.context.language)

    @strawberry.field
    def public_name(self, info: Info, language: Language | None = None) -> str:
        return localised(self.details.public_name, language or info.context.language)

    @strawberry.field(description="The staff's name in every language that it has. For staff.")
    async def internal_names(self, info: Info) -> LocalizedText | None:
        return LocalizedText.of(self.details.internal_name) if await reads_records(info.context) else None

    @strawberry.field(description="Its name for customers in every language that it has.")
    def public_names(self) -> LocalizedText:
        return LocalizedText.of(self.details.public_name)

    @strawberry.field(description="What customers read about it; null where nothing is written.")
    def description(
        self,
        info: Info,
        language: Annotated[Language | None, strawberry.argument(description=_LANGUAGE)] = None,
    ) -> str | None:
        return localised(self.details.description, language or info.context.language) or None

    @strawberry.field(description="The description in every language that it has.")
    def descriptions(self) -> LocalizedText:
        return LocalizedText.of(self.details.description)

    @strawberry.field(description="Its terms and conditions; null where none are written.")
    def terms(
        self,
        info: Info,
        language: Annotated[Language | None, strawberry.argument(description=_LANGUAGE)] = None,
    ) -> str | None:
        return localised(self.details.terms, language or info.context.language) or None

    @strawberry.field(description="Its terms and conditions in every language that they have.")
    def terms_by_language(self) -> LocalizedText:
        return LocalizedText.of(self.details.terms)

    @strawberry.field(description="When its sale ends for a performance; null is without limit.")
    def sale_end(self) -> SaleEnd | None:
        tolerance = self.details.offer.sale_end_tolerance
        return None if tolerance is None else SaleEnd(tolerance_minutes=tolerance)

    @strawberry.field(
        description="Of a copy, the fields of `update…` that could not be copied as they were: it is not validated "
        "until they are given anew. For staff; null for others."
    )
    async def unfinished(self, info: Info) -> list[str] | None:
        return sorted(self.details.unfinished) if await reads_records(info.context) else None

    @strawberry.field(
        description="Tickets that may still profit, none where there is no quota; baskets in progress count as taken."
    )
    async def remaining(self, info: Info) -> int | None:
        return None if self.quota is None else await info.context.load(_remaining, self.details.id)

    @strawberry.field(description="Where it is sold, one by one, all of them where it is sold in every channel.")
    def channels(self) -> list[SalesChannel]:
        chosen = self.details.offer.channels or self.catalogue.sales_channels
        return [
            SalesChannel.of(row, self.catalogue) for row in self.catalogue.sales_channels.values() if row.id in chosen
        ]

    @strawberry.field(description="Whether it is sold in every channel, those to come included.")
    def every_channel(self) -> bool:
        return not self.details.offer.channels

    @strawberry.field(description="The only ones that sell it; none is all of its channels.")
    def points_of_sale(self) -> list[PointOfSale]:
        chosen, rows = self.details.offer.points_of_sale, self.catalogue.points_of_sale
        return [PointOfSale.of(rows[key], self.catalogue) for key in sorted(chosen)]

    @strawberry.field(description="The only ones that it is for; none is all.")
    def delivery_modes(self) -> list[DeliveryMode]:
        chosen, rows = self.details.offer.delivery_modes, self.catalogue.delivery_modes
        return [DeliveryMode.of(rows[key], self.catalogue) for key in sorted(chosen)]

    @strawberry.field
    def scope(self) -> Scope:
        return Scope.of(self.details.offer.scope, self.catalogue)

    @strawberry.field
    def limits(self) -> OfferLimits:
        return OfferLimits.of(self.details.offer, self.catalogue)

    @strawberry.field(description="For staff; partners see what their own codes account for.")
    async def counts(self, info: Info) -> RedemptionCounts:
        return await load_counts(info.context, self.details.id)


@strawberry.type(description="A marketing operation with a target of contacts, who get its advantages while it runs.")
class Campaign(Named):
    code: str = strawberry.field(description="What staff know it by.")
    starts_at: datetime = strawberry.field(description="From when on it runs.")
    ends_at: datetime = strawberry.field(description="From when on it runs no more.")
    key: strawberry.Private[UUID]
    catalogue: strawberry.Private[Catalogue]

    @strawberry.field(description="The target: who gets its advantages, in the order in which they were taken in.")
    async def contacts(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Contact]:
        return await load_target(info.context, self.key, window(first, after, UUID, last=last, before=before))

    @strawberry.field(description="How many contacts are in the target; null where they are more than 10,000.")
    async def contact_count(self, info: Info) -> int | None:
        return await target_size(info.context, self.key)

    @strawberry.field(description="The advantages that are for its target, in any state.")
    def offers(self) -> list["Advantage"]:
        return [advantage_of(key, self.catalogue) for key in OfferSearch(campaign=self.key).offers(self.catalogue)]

    @classmethod
    def of(cls, row: services.Campaign, catalogue: Catalogue) -> Self:
        return cls(
            id=encode("Campaign", row.id),
            names=row.name,
            code=row.code,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            key=row.id,
            catalogue=catalogue,
        )


@strawberry.type(description="Contacts in the target of a campaign, while it runs.")
class CampaignTarget:
    found: strawberry.Private[services.Campaign]
    catalogue: strawberry.Private[Catalogue]

    @strawberry.field(description="Whose target it is. For staff; null for others.")
    async def campaign(self, info: Info) -> Campaign | None:
        return Campaign.of(self.found, self.catalogue) if await reads_records(info.context) else None


AdvantageTarget = Annotated[
    PublicTarget | CampaignTarget | IndicatorTarget | PartnerTarget | SingleUseTarget,
    strawberry.union("AdvantageTarget", description="For whom an advantage is."),
]


def _target_of(advantage: offer_facts.Advantage, catalogue: Catalogue) -> AdvantageTarget:
    match advantage.target:
        case offer_facts.PublicTarget():
            return PublicTarget(public=True)
        case offer_facts.CampaignTarget(campaign):
            return CampaignTarget(found=catalogue.campaigns[campaign], catalogue=catalogue)
        case offer_facts.IndicatorTarget() as target:
            return IndicatorTarget(found=IndicatorLevel.of(target, catalogue))
        case offer_facts.PartnerTarget():
            return PartnerTarget(offer=advantage.id)
        case offer_facts.SingleUseTarget(tickets_per_code):
            return SingleUseTarget(tickets_per_code=tickets_per_code)


@strawberry.type(description="Better prices on existing products, under conditions.")
class Advantage(Offer):
    family: ProductFamily
    target_type: TargetType
    season: Season
    target: AdvantageTarget
    benefit: AdvantageBenefit

    @classmethod
    def of(cls, details: OfferDetails, offer: offer_facts.Advantage, catalogue: Catalogue) -> Self:
        season = offer.season
        if season is None:
            raise TypeError(f"advantage {offer.id} has no season")
        return cls(
            id=encode("Advantage", offer.id),
            code=offer.code,
            state=offer.state,
            valid_from=offer.valid_from,
            valid_until=offer.valid_until,
            quota=offer.limits.quota,
            picture=details.picture,
            version=details.version,
            returns_codes=details.returns_codes,
            cancellation_policy=details.cancellation_policy,
            details=details,
            catalogue=catalogue,
            family=offer.family,
            target_type=target_type_of(offer.target),
            season=Season.of(catalogue.seasons[season]),
            target=_target_of(offer, catalogue),
            benefit=advantage_benefit(offer.benefit, catalogue),
        )


@strawberry.type(description="A discount on the whole basket, for whoever knows its code.")
class PromotionalCode(Offer):
    minimum_basket: Money | None
    combinable: bool
    benefit: PromotionBenefit

    @strawberry.field(description="Whom it is for; where nothing is set, for everybody. For staff; null for others.")
    async def restricted_to(self, info: Info) -> PromotionRestriction | None:
        if not (await reads_records(info.context) and isinstance(self.details.offer, offer_facts.PromotionalCode)):
            return None
        return PromotionRestriction.of(self.details.offer.restriction, self.catalogue)

    @strawberry.field(description="The chosen ones, in the order of their making. For staff; null for others.")
    async def custom_codes(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[CustomCode] | None:
        page = window(first, after, UUID, last=last, before=before)
        if not await reads_records(info.context):
            return None
        return await load_custom_codes(info.context, self.details.id, page)

    @classmethod
    def of(cls, details: OfferDetails, offer: offer_facts.PromotionalCode, catalogue: Catalogue) -> Self:
        minimum = offer.minimum_basket
        return cls(
            id=encode("PromotionalCode", offer.id),
            code=offer.code,
            state=offer.state,
            valid_from=offer.valid_from,
            valid_until=offer.valid_until,
            quota=offer.limits.quota,
            picture=details.picture,
            version=details.version,
            returns_codes=details.returns_codes,
            cancellation_policy=details.cancellation_policy,
            details=details,
            catalogue=catalogue,
            minimum_basket=money(minimum, catalogue.organisation.currency) if minimum else None,
            combinable=offer.combinable,
            benefit=promotion_benefit(offer.benefit, catalogue),
        )


def offer_of(key: UUID, catalogue: Catalogue) -> Advantage | PromotionalCode:
    """The offer with this key, which the catalogue has."""
    details = catalogue.offer_details[key]
    if isinstance(details.offer, offer_facts.PromotionalCode):
        return PromotionalCode.of(details, details.offer, catalogue)
    return Advantage.of(details, details.offer, catalogue)


def advantage_of(key: UUID, catalogue: Catalogue) -> Advantage:
    """The advantage with this key, which the catalogue has."""
    offer = offer_of(key, catalogue)
    if not isinstance(offer, Advantage):
        raise TypeError(f"offer {key} is no advantage")
    return offer


def promotional_code_of(key: UUID, catalogue: Catalogue) -> PromotionalCode:
    """The promotional code with this key, which the catalogue has."""
    offer = offer_of(key, catalogue)
    if not isinstance(offer, PromotionalCode):
        raise TypeError(f"offer {key} is no promotional code")
    return offer


async def _remaining(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, int]:
    viewer = await context.viewer()
    return await context.services.offers.remaining(viewer.organisation_id, keys)
