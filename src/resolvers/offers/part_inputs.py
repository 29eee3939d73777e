"""The parts of the inputs with which offers are configured, read into drafts that the services check."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

import strawberry

from resolvers.runtime.ids import Ids
from services.core.errors import Path
from services.core.unset import UNSET, Given
from services.offers.forms import (
    BenefitDraft,
    ElementLimitDraft,
    LevelDraft,
    LimitsDraft,
    RateDraft,
    RestrictionDraft,
    ScopeDraft,
    TargetDraft,
)
from services.pricing.facts.offers import Limits

T = TypeVar("T")
Read = TypeVar("Read")


def given(value: T | None, read: Callable[[T], Read]) -> Given[Read]:
    """A field that may have been left out, or null."""
    if value is strawberry.UNSET:
        return UNSET
    return None if value is None else read(value)


def as_is(value: T) -> T:
    return value


def _chosen(value: T | None) -> T | None:
    """A field of a @oneOf, None where another one was chosen."""
    return None if value is strawberry.UNSET else value


@strawberry.input(description="A text in one language or more; a reader without their own gets the French one.")
class LocalizedTextInput:
    fr: str | None = None
    en: str | None = None
    de: str | None = None
    es: str | None = None
    it: str | None = None

    def read(self) -> dict[str, str]:
        texts = {"fr": self.fr, "en": self.en, "de": self.de, "es": self.es, "it": self.it}
        return {language: text for language, text in texts.items() if text is not None}


@strawberry.input
class RatePriceInput:
    seat_category_id: strawberry.ID | None = None
    audience_sub_category_id: strawberry.ID
    price: Decimal

    def read(self, ids: Ids, path: Path) -> RateDraft:
        return RateDraft(
            ids.maybe(self.seat_category_id, "SeatCategory", path=(*path, "seatCategoryId")),
            ids.read(self.audience_sub_category_id, "AudienceSubCategory", path=(*path, "audienceSubCategoryId")),
            self.price,
        )


@strawberry.input(description="An indicator by its code, and one of its levels.")
class IndicatorTargetInput:
    indicator: str
    level: str

    def read(self) -> LevelDraft:
        return LevelDraft(self.indicator, self.level)


@strawberry.input
class SingleUseTargetInput:
    tickets_per_code: int | None = strawberry.field(
        default=1, description="How many tickets of its one order a code covers; null is all."
    )


@strawberry.input(one_of=True, description="For whom an advantage is.")
class AdvantageTargetInput:
    public: bool | None = strawberry.UNSET
    campaign_id: strawberry.ID | None = strawberry.UNSET
    indicator: IndicatorTargetInput | None = strawberry.UNSET
    access_code: str | None = strawberry.UNSET
    single_use_code: SingleUseTargetInput | None = strawberry.UNSET

    def read(self, ids: Ids) -> TargetDraft:
        indicator, single_use = _chosen(self.indicator), _chosen(self.single_use_code)
        return TargetDraft(
            public=_chosen(self.public),
            campaign=ids.maybe(_chosen(self.campaign_id), "Campaign", path=("target", "campaignId")),
            indicator=None if indicator is None else indicator.read(),
            access_code=_chosen(self.access_code),
            tickets_per_code=UNSET if single_use is None else single_use.tickets_per_code,
        )


@strawberry.input(one_of=True, description="What an advantage gives for each ticket.")
class AdvantageBenefitInput:
    rates: list[RatePriceInput] | None = strawberry.UNSET
    percent_off: Decimal | None = strawberry.UNSET
    amount_off: Decimal | None = strawberry.UNSET
    fixed_price: Decimal | None = strawberry.UNSET

    def read(self, ids: Ids) -> BenefitDraft:
        rates = _chosen(self.rates)
        return BenefitDraft(
            rates=None if rates is None else _rates(rates, ids),
            percent_off=_chosen(self.percent_off),
            amount_off=_chosen(self.amount_off),
            fixed_price=_chosen(self.fixed_price),
        )


def _rates(rates: Sequence[RatePriceInput], ids: Ids) -> tuple[RateDraft, ...]:
    return tuple(each.read(ids, ("benefit", "rates", str(position))) for position, each in enumerate(rates))


@strawberry.input(one_of=True, description="What a promotional code gives.")
class PromotionBenefitInput:
    percent_off: Decimal | None = strawberry.UNSET
    amount_off: Decimal | None = strawberry.UNSET
    amount_off_per_ticket: Decimal | None = strawberry.UNSET

    def read(self) -> BenefitDraft:
        return BenefitDraft(
            percent_off=_chosen(self.percent_off),
            amount_off=_chosen(self.amount_off),
            amount_off_per_ticket=_chosen(self.amount_off_per_ticket),
        )


@strawberry.input(description="What an offer is for. Empty or left out: all.")
class ScopeInput:
    product_ids: list[strawberry.ID] | None = None
    performance_ids: list[strawberry.ID] | None = None
    seat_category_ids: list[strawberry.ID] | None = None
    audience_sub_category_ids: list[strawberry.ID] | None = None

    def read(self, ids: Ids) -> ScopeDraft:
        return ScopeDraft(
            ids.all(self.product_ids or (), "Product", path=("scope", "productIds")),
            ids.all(self.performance_ids or (), "Performance", path=("scope", "performanceIds")),
            ids.all(self.seat_category_ids or (), "SeatCategory", path=("scope", "seatCategoryIds")),
            ids.all(
                self.audience_sub_category_ids or (), "AudienceSubCategory", path=("scope", "audienceSubCategoryIds")
            ),
        )


@strawberry.input(description="A limit on one element: exactly one of the four ids.")
class ElementLimitInput:
    product_id: strawberry.ID | None = None
    performance_id: strawberry.ID | None = None
    seat_category_id: strawberry.ID | None = None
    audience_sub_category_id: strawberry.ID | None = None
    quota: int | None = None
    per_order: int | None = None
    per_contact: int | None = None

    def read(self, ids: Ids, path: Path) -> ElementLimitDraft:
        audience = self.audience_sub_category_id
        return ElementLimitDraft(
            product=ids.maybe(self.product_id, "Product", path=(*path, "productId")),
            performance=ids.maybe(self.performance_id, "Performance", path=(*path, "performanceId")),
            seat_category=ids.maybe(self.seat_category_id, "SeatCategory", path=(*path, "seatCategoryId")),
            audience_sub_category=ids.maybe(audience, "AudienceSubCategory", path=(*path, "audienceSubCategoryId")),
            limits=Limits(self.quota, self.per_order, self.per_contact),
        )


@strawberry.input(description="Numbers of tickets; what is left out is without limit.")
class LimitsInput:
    quota: int | None = None
    per_order: int | None = None
    per_contact: int | None = None
    elements: list[ElementLimitInput] | None = None

    def read(self, ids: Ids) -> LimitsDraft:
        elements = (
            each.read(ids, ("limits", "elements", str(position))) for position, each in enumerate(self.elements or ())
        )
        return LimitsDraft(Limits(self.quota, self.per_order, self.per_contact), tuple(elements))


@strawberry.input
class SaleEndInput:
    tolerance_minutes: int = strawberry.field(
        description="Minutes after the start of a performance; negative is before it. 525,600 at the most."
    )

    def read(self) -> int:
        return self.tolerance_minutes


@strawberry.input(description="All that is set must hold.")
class PromotionRestrictionInput:
    indicator: IndicatorTargetInput | None = None
    has_ordered: bool | None = strawberry.field(
        default=None, description="To contacts who have ordered before; false is to those who have not."
    )
    newsletter: bool | None = None
    contact_ids: list[strawberry.ID] | None = None
    counter_profiles: list[str] | None = strawberry.field(
        default=None,
        description="Of the staff member who sells, by code: those that `counterProfiles` lists, where it lists any.",
    )

    def read(self, ids: Ids) -> RestrictionDraft:
        return RestrictionDraft(
            indicator=self.indicator.read() if self.indicator else None,
            has_ordered=self.has_ordered,
            newsletter=bool(self.newsletter),
            contacts=ids.all(self.contact_ids or (), "Contact", path=("restrictedTo", "contactIds")),
            counter_profiles=tuple(self.counter_profiles or ()),
        )
