"""Offers: advantages on products, and promotional codes on the whole basket."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

import strawberry

from resolvers.catalogue.catalogue import DeliveryMode, PointOfSale, SalesChannel, Season
from resolvers.offers.redemption_counts import RedemptionCounts, load_counts
from resolvers.offers.scope_and_limits import OfferLimits, Scope
from resolvers.offers.target_and_benefit import (
    AdvantageBenefit,
    AdvantageTarget,
    CustomCode,
    LocalizedText,
    PromotionBenefit,
    PromotionRestriction,
    SaleEnd,
    advantage_benefit,
    load_custom_codes,
    promotion_benefit,
    reads_records,
    target_of,
)
from resolvers.runtime.connections import Connection, connection_in_memory, window
from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import Language, OfferState, ProductFamily, TargetType
from resolvers.runtime.ids import Ids, Node, encode
from resolvers.runtime.scalars import Money, money
from services.catalogue.offer_details import OfferDetails
from services.catalogue.offer_details import target_type as target_type_of
from services.catalogue.snapshot import Catalogue
from services.core.texts import localised
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
    version: int = strawberry.field(description="Grows with every change, for `expectedVersion`.")
    returns_codes: bool = strawberry.field(
        description="Whether its single-use codes are available again when their order is cancelled."
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

    @strawberry.field(description="In every language that it has.")
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

    @strawberry.field(description="Where it is sold.")
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
            details=details,
            catalogue=catalogue,
            family=offer.family,
            target_type=target_type_of(offer.target),
            season=Season.of(catalogue.seasons[season]),
            target=target_of(offer, catalogue),
            benefit=advantage_benefit(offer.benefit, catalogue),
        )


@strawberry.type(description="A discount on the whole basket, for whoever knows its code.")
class PromotionalCode(Offer):
    minimum_basket: Money | None
    combinable: bool
    benefit: PromotionBenefit

    @strawberry.field(description="For staff; null for others.")
    async def restricted_to(self, info: Info) -> PromotionRestriction | None:
        if not (await reads_records(info.context) and isinstance(self.details.offer, offer_facts.PromotionalCode)):
            return None
        return PromotionRestriction.of(self.details.offer.restriction, self.catalogue)

    @strawberry.field(description="The chosen ones, in the order of their making. For staff; null for others.")
    async def custom_codes(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[CustomCode] | None:
        page = window(first, after, UUID)
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


async def _remaining(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, int]:
    viewer = await context.viewer()
    return await context.services.offers.remaining(viewer.organisation_id, keys)


@strawberry.type
class OffersQuery:
    @strawberry.field(description="Staff see all; others the public ones that run, and those reserved for them.")
    async def advantages(
        self,
        info: Info,
        season_id: strawberry.ID | None = None,
        state: OfferState | None = None,
        target_type: TargetType | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[Advantage]:
        ids = Ids()
        season = ids.maybe(season_id, "Season", path=("seasonId",))
        ids.check()
        catalogue = await info.context.catalogue()
        visible = await info.context.services.offers.visible(await info.context.viewer(), catalogue, info.context.now)
        keys = sorted(
            offer.id
            for offer in catalogue.offers.values()
            if isinstance(offer, offer_facts.Advantage)
            and offer.id in visible
            and season in {None, offer.season}
            and state in {None, offer.state}
            and target_type in {None, target_type_of(offer.target)}
        )
        return connection_in_memory(
            keys, window(first, after, UUID), lambda key: advantage_of(key, catalogue), lambda key: key
        )

    @strawberry.field(description="For staff.")
    async def promotional_codes(
        self, info: Info, state: OfferState | None = None, first: int | None = None, after: str | None = None
    ) -> Connection[PromotionalCode]:
        (await info.context.viewer()).require_role()
        catalogue = await info.context.catalogue()
        offers = sorted(
            (
                offer
                for offer in catalogue.offers.values()
                if isinstance(offer, offer_facts.PromotionalCode) and state in {None, offer.state}
            ),
            key=lambda offer: offer.id,
        )
        return connection_in_memory(
            offers,
            window(first, after, UUID),
            lambda offer: PromotionalCode.of(catalogue.offer_details[offer.id], offer, catalogue),
            lambda offer: offer.id,
        )
