"""The data file's catalogue and contacts, object by object. Every field is checked on its own here."""

from typing import Annotated, Final, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator

from db.contacts.contacts import ContactKind
from services.catalogue.snapshot import SalesChannelKind
from services.core.money import currencies
from services.dataset.fields import (
    Amount,
    AudienceSubCategoryRef,
    Code,
    ContactRef,
    Email,
    IndicatorRef,
    Instant,
    Item,
    Prose,
    SeasonRef,
    SeatCategoryRef,
    Url,
    Words,
    wrong,
)
from services.pricing.facts.tickets import ProductFamily

LONGEST_ENTRY: Final = 366 * 24 * 60
"""The most minutes that a gate may let in before a performance starts, and after it did: a year."""

MOST_ENTRIES: Final = 1_000_000
"""By one ticket."""

Named = Field(strict=False)
"""An enum value, which JSON can only give by its name."""


class NameItem(Item):
    """A text in one language or more."""

    fr: Words | None = None
    en: Words | None = None
    de: Words | None = None
    es: Words | None = None
    it: Words | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not self.by_language():
            raise wrong("name_missing")
        return self

    def by_language(self) -> dict[str, str]:
        return self.model_dump(exclude_none=True)


class ProseItem(Item):
    """A text of several lines in one language or more, or in none."""

    fr: Prose | None = None
    en: Prose | None = None
    de: Prose | None = None
    es: Prose | None = None
    it: Prose | None = None

    def by_language(self) -> dict[str, str]:
        return self.model_dump(exclude_none=True)


def _currency(value: str) -> str:
    if value not in currencies():
        raise wrong("currency_unknown")
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise wrong("time_zone_unknown")
    return value


class OrganisationItem(Item):
    code: Code
    name: Words
    currency: Annotated[str, AfterValidator(_currency)]
    timezone: Annotated[str, AfterValidator(_time_zone)]
    basket_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 15
    basket_maximum_minutes: Annotated[int, Field(ge=1, le=24 * 60)] | None = None
    entry_opens_minutes: Annotated[int, Field(ge=0, le=LONGEST_ENTRY)] = 180
    entry_closes_minutes: Annotated[int, Field(ge=0, le=LONGEST_ENTRY)] = 24 * 60
    returns_fees: bool = True

    @property
    def basket_minutes_in_all(self) -> int:
        """An hour unless said otherwise, or longer where a basket lives longer by itself."""
        return self.basket_maximum_minutes or max(60, self.basket_minutes)


# ── Catalogue ────────────────────────────────────────────────────────────────────────────────────


class SeasonItem(Item):
    code: Code
    name: NameItem
    starts_on: Instant
    ends_on: Instant


class CategoryItem(Item):
    """A seat category, or an audience sub-category."""

    code: Code
    name: NameItem


class PointOfSaleItem(Item):
    code: Code
    name: NameItem
    url: Url | None = None


class SalesChannelItem(Item):
    code: Code
    kind: Annotated[SalesChannelKind, Named]
    name: NameItem
    processing_fee: Amount = 0
    points_of_sale: list[PointOfSaleItem] = Field(default_factory=list)


class DeliveryModeItem(Item):
    code: Code
    name: NameItem
    fee: Amount = 0


class IndicatorItem(Item):
    code: Code
    name: NameItem
    levels: Annotated[list[Code], Field(min_length=1)]


class CounterProfileItem(Item):
    code: Code
    name: NameItem


class PriceItem(Item):
    seat_category: SeatCategoryRef | None = None
    audience_sub_category: AudienceSubCategoryRef
    price: Amount

    @property
    def combination(self) -> tuple[str | None, str]:
        return self.seat_category, self.audience_sub_category


class PerformanceItem(Item):
    """``sale_ends_at`` left out is its start."""

    code: Code
    starts_at: Instant
    sale_ends_at: Instant | None = None
    venue: Words
    prices: list[PriceItem] = Field(default_factory=list)


class ProductItem(Item):
    code: Code
    season: SeasonRef
    family: Annotated[ProductFamily, Named]
    name: NameItem
    entries_allowed: Annotated[int, Field(ge=1, le=MOST_ENTRIES)] = 1
    performances: list[PerformanceItem] = Field(default_factory=list)
    prices: list[PriceItem] = Field(default_factory=list)


# ── Contacts ─────────────────────────────────────────────────────────────────────────────────────


class ContactItem(Item):
    code: Code
    kind: Annotated[ContactKind, Named]
    name: Words
    email: Email | None = None
    balance: Amount = 0
    indicators: dict[IndicatorRef, str] = Field(default_factory=dict)
    newsletter: bool = False
    has_ordered: bool = False


class CampaignItem(Item):
    code: Code
    name: NameItem
    starts_on: Instant
    ends_on: Instant
    contacts: list[ContactRef] = Field(default_factory=list)
