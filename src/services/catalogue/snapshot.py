"""An organisation's catalogue and offers as one immutable snapshot, kept by each process and replaced as a whole."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

from db.catalogue import catalogue as db
from db.catalogue.catalogue import (
    AudienceSubCategory,
    Campaign,
    CatalogueRows,
    CounterProfile,
    DeliveryMode,
    Indicator,
    Organisation,
    Performance,
    PointOfSale,
    Season,
    SeatCategory,
)
from db.offers.offers import LimitRow, OfferRow
from services.catalogue.offer_details import OfferDetails
from services.catalogue.offer_rows import from_rows
from services.pricing.facts.offers import Advantage, PromotionalCode
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

    ``rates`` maps a performance, or a product of a family without, to its rate table. Nothing here changes; whoever
    needs several things of one state keeps the same snapshot.
    """

    organisation: Organisation
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
    """The kinds of tickets that were asked for, of this snapshot: a basket is priced more often than it changes."""

    @property
    def currency(self) -> str:
        return self.organisation.currency

    @property
    def timezone(self) -> str:
        return self.organisation.timezone

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


class _HasId(Protocol):
    @property
    def id(self) -> UUID: ...


Coded = TypeVar("Coded", bound=_HasCode)
Thing = TypeVar("Thing", bound=_HasId)


def by_code(things: Mapping[UUID, Coded]) -> dict[str, Coded]:
    """Elements of the catalogue by their codes."""
    return {thing.code: thing for thing in things.values()}


def by_id(things: Iterable[Thing]) -> dict[UUID, Thing]:
    """Elements of the catalogue by their ids."""
    return {thing.id: thing for thing in things}


def build(rows: CatalogueRows, offer_rows: list[OfferRow], limit_rows: list[LimitRow]) -> Catalogue:
    """The snapshot that these rows make."""
    points_of_sale = _grouped(rows.points_of_sale, lambda point: point.channel_id)
    performances = _grouped(
        sorted(rows.performances, key=lambda performance: performance.starts_at),
        lambda performance: performance.product_id,
    )
    channels = [
        SalesChannel(
            row.id,
            row.code,
            row.name,
            SalesChannelKind(row.kind),
            row.processing_fee,
            tuple(points_of_sale.get(row.id, ())),
        )
        for row in rows.sales_channels
    ]
    products = [
        Product(
            row.id,
            row.code,
            row.name,
            row.season_id,
            ProductFamily(row.family),
            row.entries_allowed,
            tuple(performances.get(row.id, ())),
        )
        for row in rows.products
    ]
    campaigns = by_id(rows.campaigns)
    details = from_rows(offer_rows, limit_rows, campaigns)
    offers = [each.offer for each in details.values()]
    return Catalogue(
        organisation=rows.organisation,
        seasons=by_id(rows.seasons),
        seat_categories=by_id(rows.seat_categories),
        audience_sub_categories=by_id(rows.audience_sub_categories),
        sales_channels=by_id(channels),
        points_of_sale=by_id(rows.points_of_sale),
        delivery_modes=by_id(rows.delivery_modes),
        indicators=by_id(rows.indicators),
        counter_profiles=by_id(rows.counter_profiles),
        campaigns=campaigns,
        products=by_id(products),
        performances=by_id(rows.performances),
        rates=rows.rates,
        offer_details=details,
        offers=OfferIndex(
            [offer for offer in offers if isinstance(offer, Advantage)],
            [offer for offer in offers if isinstance(offer, PromotionalCode)],
        ),
    )


def _grouped(things: Iterable[Thing], key: Callable[[Thing], UUID]) -> dict[UUID, list[Thing]]:
    groups: dict[UUID, list[Thing]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups
