"""The data file's offers and batches of codes, object by object. Every field is checked on its own here."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from db.codes.batches import DocumentType
from services.catalogue.offer_details import CancellationPolicy
from services.codes.checks import MOST_CODES
from services.core.texts import Language
from services.dataset.fields import (
    AdvantageRef,
    Amount,
    AudienceSubCategoryRef,
    CampaignRef,
    ChannelRef,
    Code,
    ContactRef,
    Count,
    CounterProfileRef,
    DeliveryModeRef,
    Discount,
    Email,
    EnteredCode,
    IndicatorRef,
    Instant,
    Item,
    Percentage,
    PerformanceRef,
    PointOfSaleRef,
    Positive,
    ProductRef,
    PromotionalCodeRef,
    SeasonRef,
    SeatCategoryRef,
    Url,
    Words,
    wrong,
)
from services.dataset.format import Named, NameItem, PriceItem, ProseItem
from services.offers.target_and_benefit import LONGEST_TOLERANCE
from services.pricing.facts.offers import Limits, OfferState, TargetType
from services.pricing.facts.tickets import ProductFamily


def _exactly_one(item: Item, names: Sequence[str]) -> None:
    given = [name for name in names if getattr(item, name) is not None]
    if len(given) != 1:
        aliases = (type(item).model_fields[name].alias or name for name in names)
        raise wrong("exactly_one_of", names=", ".join(aliases))


class ScopeItem(Item):
    products: list[ProductRef] = Field(default_factory=list)
    performances: list[PerformanceRef] = Field(default_factory=list)
    seat_categories: list[SeatCategoryRef] = Field(default_factory=list)
    audience_sub_categories: list[AudienceSubCategoryRef] = Field(default_factory=list)


class OwnLimitsItem(Item):
    """What an offer or an element itself is limited to, in tickets."""

    quota: Count | None = None
    per_order: Positive | None = None
    per_contact: Positive | None = None

    @property
    def own(self) -> Limits:
        return Limits(self.quota, self.per_order, self.per_contact)


class ElementLimitItem(OwnLimitsItem):
    product: ProductRef | None = None
    performance: PerformanceRef | None = None
    seat_category: SeatCategoryRef | None = None
    audience_sub_category: AudienceSubCategoryRef | None = None

    @model_validator(mode="after")
    def _names_one_element(self) -> Self:
        _exactly_one(self, ("product", "performance", "seat_category", "audience_sub_category"))
        return self

    @property
    def element(self) -> tuple[str, str]:
        """The section of the file that the element is in, and its code."""
        sections = (
            ("products", self.product),
            ("performances", self.performance),
            ("seatCategories", self.seat_category),
            ("audienceSubCategories", self.audience_sub_category),
        )
        return next((section, code) for section, code in sections if code is not None)


class LimitsItem(OwnLimitsItem):
    elements: list[ElementLimitItem] = Field(default_factory=list)


class SaleEndItem(Item):
    tolerance_minutes: Annotated[int, Field(ge=-LONGEST_TOLERANCE, le=LONGEST_TOLERANCE)]


class OfferItem(Item):
    """What advantages and promotional codes share; a list that is empty or missing means all."""

    code: Code
    state: Annotated[OfferState, Named]
    internal_name: NameItem
    public_name: NameItem
    description: ProseItem = ProseItem()
    terms: ProseItem = ProseItem()
    picture: Url | None = None
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    sale_end: SaleEndItem | None = None
    channels: list[ChannelRef] = Field(default_factory=list)
    points_of_sale: list[PointOfSaleRef] = Field(default_factory=list)
    delivery_modes: list[DeliveryModeRef] = Field(default_factory=list)
    scope: ScopeItem = ScopeItem()
    limits: LimitsItem = LimitsItem()
    returns_codes: bool = True
    cancellation_policy: Annotated[CancellationPolicy, Named] = CancellationPolicy.KEEP


class TargetItem(Item):
    """For whom an advantage is; which fields there must be depends on its target type."""

    indicator: IndicatorRef | None = None
    level: str | None = None
    campaign: CampaignRef | None = None
    access_code: EnteredCode | None = None
    tickets_per_code: Positive | None = 1


class AdvantageBenefitItem(Item):
    rates: Annotated[list[PriceItem], Field(min_length=1)] | None = None
    percent_off: Percentage | None = None
    amount_off: Discount | None = None
    fixed_price: Amount | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        _exactly_one(self, ("rates", "percent_off", "amount_off", "fixed_price"))
        return self


class AdvantageItem(OfferItem):
    season: SeasonRef
    family: Annotated[ProductFamily, Named]
    target_type: Annotated[TargetType, Named]
    target: TargetItem = TargetItem()
    benefit: AdvantageBenefitItem


class PromotionBenefitItem(Item):
    percent_off: Percentage | None = None
    amount_off: Discount | None = None
    amount_off_per_ticket: Discount | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        _exactly_one(self, ("percent_off", "amount_off", "amount_off_per_ticket"))
        return self


class IndicatorLevelItem(Item):
    indicator: IndicatorRef
    level: str


class RestrictionItem(Item):
    indicator: IndicatorLevelItem | None = None
    has_ordered: bool | None = None
    newsletter: bool = False
    contacts: list[ContactRef] = Field(default_factory=list)
    counter_profiles: list[CounterProfileRef] = Field(default_factory=list)


class CustomCodeItem(Item):
    """``active`` left out switches on a code that is new, and leaves one that staff switched off as it is."""

    code: EnteredCode
    max_uses: Positive | None = None
    active: bool | None = None


class PromotionalCodeItem(OfferItem):
    benefit: PromotionBenefitItem
    minimum_basket: Amount = 0
    combinable: bool = False
    restricted_to: RestrictionItem = RestrictionItem()
    custom_codes: list[CustomCodeItem] = Field(default_factory=list)


class BatchItem(Item):
    """Random codes to be made, once, for an advantage or a promotional code.

    Those of a promotional code without a ``contact`` are the organisation's own.
    """

    code: Code
    advantage: AdvantageRef | None = None
    promotional_code: PromotionalCodeRef | None = None
    contact: ContactRef | None = None
    quantity: Annotated[int, Field(ge=1, le=MOST_CODES)]
    destination: Email | None = None
    document_type: Annotated[DocumentType, Named] = DocumentType.EMAIL_WITH_CODE_LIST
    language: Annotated[Language, Named] = Language.FR
    remark: Words | None = None

    @model_validator(mode="after")
    def _is_of_one_offer(self) -> Self:
        _exactly_one(self, ("advantage", "promotional_code"))
        return self
