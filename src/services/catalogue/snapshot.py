"""An organisation's catalogue and offers as one immutable snapshot, which shares with the next what does not change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

from db.catalogue import catalogue as db
from db.catalogue.catalogue import (
    AudienceSubCategory,
    Campaign,
    CounterProfile,
    DeliveryMode,
    Indicator,
    Organisation,
    Performance,
    PointOfSale,
    Season,
    SeatCategory,
)
from services.catalogue.offer_details import OfferDetails
from services.pricing.facts.tickets import ProductFamily, TicketKind
from services.pricing.offer_index import OfferIndex

__all__ = [
    "AudienceSubCategory",
    "Campaign",
    "Catalogue",
    "CounterProfile",
    "DeliveryMode",
    "Indicator",
    "OfferDetails",
    "Organisation",
    "Performance",
    "PointOfSale",
    "Product",
    "SalesChannel",
    "SalesChannelKind",
    "Season",
    "SeatCategory",
    "by_code",
]


class SalesChannelKind(StrEnum):
    """Where a channel's customers are served."""

    BOX_OFFICE = "BOX_OFFICE"
    PHONE = "PHONE"
    INTERNET = "INTERNET"
    MOBILE = "MOBILE"
    PARTNER = "PARTNER"


@dataclass(frozen=True, slots=True)
class SalesChannel:
    """``processing_fee`` in minor units, once an order; points of sale in the order of creation."""

    id: UUID
    code: str
    name: Mapping[str, str]
    kind: SalesChannelKind
    processing_fee: int
    points_of_sale: tuple[PointOfSale, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """``performances`` from the earliest to the latest, none in families without.

    ``entries_allowed``: how often a ticket that is sold from now on admits.
    """

    id: UUID
    code: str
    name: Mapping[str, str]
    season_id: UUID
    family: ProductFamily
    entries_allowed: int
    performances: tuple[Performance, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that one organisation sells and offers at one version, by id, each in the order of creation.

    ``rates`` maps a performance, or a product of a family without, to its rate table, in no set order. ``seen`` are the
    transactions whose changes are in it. Nothing here changes; whoever needs several things of one state keeps the same
    snapshot.
    """

    organisation: Organisation
    seen: str = field(repr=False, compare=False)
    seasons: Mapping[UUID, Season]
    seat_categories: Mapping[UUID, SeatCategory]
    audience_sub_categories: Mapping[UUID, AudienceSubCategory]
    sales_channels: Mapping[UUID, SalesChannel]
    points_of_sale: Mapping[UUID, PointOfSale]
    delivery_modes: Mapping[UUID, DeliveryMode]
    indicators: Mapping[UUID, Indicator]
    counter_profiles: Mapping[UUID, CounterProfile]
    campaigns: Mapping[UUID, Campaign]
    products: Mapping[UUID, Product]
    performances: Mapping[UUID, Performance]
    rates: Mapping[UUID, db.Rates]
    offer_details: Mapping[UUID, OfferDetails]
    offers: OfferIndex
    kinds: dict[tuple[UUID, UUID | None, UUID], TicketKind] = field(default_factory=dict, repr=False, compare=False)
    """The kinds of tickets that were asked for, of all snapshots with the same products, performances and rates: a
    basket is priced more often than these change.
    """

    @property
    def currency(self) -> str:
        return self.organisation.currency

    @property
    def timezone(self) -> str:
        return self.organisation.timezone

    @property
    def size(self) -> int:
        """Parts that it consists of, by which its memory grows."""
        return len(self.offer_details) + len(self.products) + len(self.performances) + len(self.rates)

    def ticket_kind(self, element: UUID, seat_category: UUID | None, audience_sub_category: UUID) -> TicketKind | None:
        """A ticket for a performance, or for a product of a family without; None where that is not sold."""
        sold = (element, seat_category, audience_sub_category)
        if sold in self.kinds:
            return self.kinds[sold]
        price = self.rates.get(element, {}).get((seat_category, audience_sub_category))
        if price is None:
            return None
        performance = self.performances.get(element)
        product = self.products[performance.product_id if performance else element]
        kind = self.kinds[sold] = TicketKind(
            family=product.family,
            product=product.id,
            performance=performance.id if performance else None,
            seat_category=seat_category,
            audience_sub_category=audience_sub_category,
            starts_at=performance.starts_at if performance else None,
            full_price=price,
            season=product.season_id,
        )
        return kind


class _HasCode(Protocol):
    @property
    def code(self) -> str: ...


Coded = TypeVar("Coded", bound=_HasCode)


def by_code(things: Mapping[UUID, Coded]) -> dict[str, Coded]:
    """Elements of the catalogue by their codes."""
    return {thing.code: thing for thing in things.values()}
