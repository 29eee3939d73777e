"""The inputs with which offers are configured, read into drafts that the services check."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

import strawberry

from resolvers.offers.part_inputs import (
    AdvantageBenefitInput,
    AdvantageTargetInput,
    LimitsInput,
    LocalizedTextInput,
    PromotionBenefitInput,
    PromotionRestrictionInput,
    SaleEndInput,
    ScopeInput,
    as_is,
    given,
)
from resolvers.runtime.enums import CancellationPolicy, ProductFamily
from resolvers.runtime.ids import Ids
from services.core.unset import Given
from services.offers.forms import (
    AdvantageDraft,
    LimitsDraft,
    NewAdvantage,
    NewPromotion,
    PromotionDraft,
    ScopeDraft,
)

_CODE = "What staff know it by: 1 to 64 printable characters, its own among the offers of its kind; it never changes."
FORMER = "`offerId` names an offer everywhere."
_UPDATE = "What is left out stays as it is; null clears it. What is given is given as a whole, lists and objects too."
_VERSION = "The `version` that you have read: the answer is a Conflict where somebody has changed the offer since."


class _Shared(TypedDict):
    """What both kinds of drafts are made with."""

    internal_name: Given[dict[str, str]]
    public_name: Given[dict[str, str]]
    description: Given[dict[str, str]]
    terms: Given[dict[str, str]]
    sale_end: Given[int]
    picture: Given[str]
    valid_from: Given[datetime]
    valid_until: Given[datetime]
    channels: Given[tuple[UUID, ...]]
    points_of_sale: Given[tuple[UUID, ...]]
    delivery_modes: Given[tuple[UUID, ...]]
    scope: Given[ScopeDraft]
    limits: Given[LimitsDraft]
    returns_codes: Given[bool]
    cancellation_policy: Given[CancellationPolicy]


@strawberry.input
class OfferInput:
    """The optional fields that all four inputs share."""

    scope: ScopeInput | None = strawberry.UNSET
    limits: LimitsInput | None = strawberry.UNSET
    valid_from: datetime | None = strawberry.UNSET
    valid_until: datetime | None = strawberry.UNSET
    channel_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Where it is sold; none is every channel, those to come included."
    )
    point_of_sale_ids: list[strawberry.ID] | None = strawberry.UNSET
    delivery_mode_ids: list[strawberry.ID] | None = strawberry.UNSET
    picture: str | None = strawberry.field(
        default=strawberry.UNSET, description="The address of its picture on the web: up to 2,000 characters."
    )
    description: LocalizedTextInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="What customers read about it: up to 10,000 characters a language, line breaks included.",
    )
    terms: LocalizedTextInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="Its terms and conditions: up to 10,000 characters a language, line breaks included.",
    )
    sale_end: SaleEndInput | None = strawberry.field(
        default=strawberry.UNSET, description="When its sale ends for a performance; null is without limit."
    )
    returns_codes: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whether its single-use codes are available again when their order is cancelled; they are where "
        "nothing is said.",
    )
    cancellation_policy: CancellationPolicy | None = strawberry.field(
        default=strawberry.UNSET,
        description="What becomes of the tickets that stay where others of their order are cancelled; KEEP where "
        "nothing is said.",
    )
    idempotency_key: str | None = None


@strawberry.input
class CreateAdvantageInput(OfferInput):
    season_id: strawberry.ID
    family: ProductFamily
    code: str = strawberry.field(description=_CODE)
    internal_name: LocalizedTextInput
    public_name: LocalizedTextInput
    target: AdvantageTargetInput
    benefit: AdvantageBenefitInput

    def read(self) -> NewAdvantage:
        ids = Ids()
        season = ids.read(self.season_id, "Season", path=("seasonId",))
        return NewAdvantage(season, self.family, self.code, _advantage(self, ids))


@strawberry.input(description=_UPDATE)
class UpdateAdvantageInput(OfferInput):
    offer_id: strawberry.ID | None = strawberry.field(default=None, description="The offer to change.")
    id: strawberry.ID = strawberry.field(
        default=strawberry.ID(""), description="The same as `offerId`.", deprecation_reason=FORMER
    )
    internal_name: LocalizedTextInput | None = strawberry.UNSET
    public_name: LocalizedTextInput | None = strawberry.UNSET
    target: AdvantageTargetInput | None = strawberry.UNSET
    benefit: AdvantageBenefitInput | None = strawberry.UNSET
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)

    def read(self) -> AdvantageDraft:
        return _advantage(self, Ids())


@strawberry.input
class CreatePromotionalCodeInput(OfferInput):
    code: str = strawberry.field(description=_CODE)
    internal_name: LocalizedTextInput
    public_name: LocalizedTextInput
    benefit: PromotionBenefitInput
    minimum_basket: Decimal | None = strawberry.UNSET
    combinable: bool = False
    restricted_to: PromotionRestrictionInput | None = strawberry.UNSET

    def read(self) -> NewPromotion:
        return NewPromotion(self.code, _promotion(self, Ids()))


@strawberry.input(description=_UPDATE)
class UpdatePromotionalCodeInput(OfferInput):
    offer_id: strawberry.ID | None = strawberry.field(default=None, description="The offer to change.")
    id: strawberry.ID = strawberry.field(
        default=strawberry.ID(""), description="The same as `offerId`.", deprecation_reason=FORMER
    )
    internal_name: LocalizedTextInput | None = strawberry.UNSET
    public_name: LocalizedTextInput | None = strawberry.UNSET
    benefit: PromotionBenefitInput | None = strawberry.UNSET
    minimum_basket: Decimal | None = strawberry.UNSET
    combinable: bool | None = strawberry.UNSET
    restricted_to: PromotionRestrictionInput | None = strawberry.UNSET
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)

    def read(self) -> PromotionDraft:
        return _promotion(self, Ids())


def _advantage(given_input: CreateAdvantageInput | UpdateAdvantageInput, ids: Ids) -> AdvantageDraft:
    return AdvantageDraft(
        **_shared(given_input, ids),
        target=given(given_input.target, lambda target: target.read(ids)),
        benefit=given(given_input.benefit, lambda benefit: benefit.read(ids)),
        unread=ids.problems,
    )


def _promotion(given_input: CreatePromotionalCodeInput | UpdatePromotionalCodeInput, ids: Ids) -> PromotionDraft:
    return PromotionDraft(
        **_shared(given_input, ids),
        benefit=given(given_input.benefit, PromotionBenefitInput.read),
        minimum_basket=given(given_input.minimum_basket, as_is),
        combinable=given(given_input.combinable, as_is),
        restriction=given(given_input.restricted_to, lambda restriction: restriction.read(ids)),
        unread=ids.problems,
    )


def _shared(
    given_input: CreateAdvantageInput | UpdateAdvantageInput | CreatePromotionalCodeInput | UpdatePromotionalCodeInput,
    ids: Ids,
) -> _Shared:
    """What all drafts are made with, the ids among it read by ``ids``."""
    return _Shared(
        internal_name=given(given_input.internal_name, LocalizedTextInput.read),
        public_name=given(given_input.public_name, LocalizedTextInput.read),
        description=given(given_input.description, LocalizedTextInput.read),
        terms=given(given_input.terms, LocalizedTextInput.read),
        sale_end=given(given_input.sale_end, SaleEndInput.read),
        picture=given(given_input.picture, as_is),
        valid_from=given(given_input.valid_from, as_is),
        valid_until=given(given_input.valid_until, as_is),
        channels=given(given_input.channel_ids, _reader(ids, "SalesChannel", "channelIds")),
        points_of_sale=given(given_input.point_of_sale_ids, _reader(ids, "PointOfSale", "pointOfSaleIds")),
        delivery_modes=given(given_input.delivery_mode_ids, _reader(ids, "DeliveryMode", "deliveryModeIds")),
        scope=given(given_input.scope, lambda scope: scope.read(ids)),
        limits=given(given_input.limits, lambda limits: limits.read(ids)),
        returns_codes=given(given_input.returns_codes, as_is),
        cancellation_policy=given(given_input.cancellation_policy, as_is),
    )


def _reader(ids: Ids, kind: str, field: str) -> Callable[[Sequence[str]], tuple[UUID, ...]]:
    return lambda keys: ids.all(keys, kind, path=(field,))
