"""The catalogue to browse: everything here comes from the organisation's snapshot, so that it costs no query."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from resolvers.runtime.connections import Connection, InstantAndKey, connection_in_memory, window
from resolvers.runtime.context import Info
from resolvers.runtime.enums import Language, ProductFamily
from resolvers.runtime.ids import Ids, Node, encode
from resolvers.runtime.scalars import Money, money
from services.catalogue import snapshot as services
from services.catalogue.snapshot import Catalogue, SalesChannelKind
from services.core.texts import localised

strawberry.enum(SalesChannelKind, description="Where a channel's customers are served.")


@strawberry.type
class Named(Node):
    """A thing of the catalogue with names in several languages."""

    names: strawberry.Private[Mapping[str, str]]

    @strawberry.field(description="In the language asked for, else the request's, else French.")
    def name(self, info: Info, language: Language | None = None) -> str:
        return localised(self.names, language or info.context.language)


@strawberry.type(description="The period that products and advantages belong to.")
class Season(Named):
    code: str
    starts_on: datetime
    ends_on: datetime

    @classmethod
    def of(cls, row: services.Season) -> Self:
        return cls(
            id=encode("Season", row.id), names=row.name, code=row.code, starts_on=row.starts_on, ends_on=row.ends_on
        )


@strawberry.type(description="What places at one price are called: Category 1, Category 2…")
class SeatCategory(Named):
    code: str

    @classmethod
    def of(cls, row: services.SeatCategory) -> Self:
        return cls(id=encode("SeatCategory", row.id), names=row.name, code=row.code)


@strawberry.type(description="A tariff: full, reduced, student…")
class AudienceSubCategory(Named):
    code: str

    @classmethod
    def of(cls, row: services.AudienceSubCategory) -> Self:
        return cls(id=encode("AudienceSubCategory", row.id), names=row.name, code=row.code)


@strawberry.type(description="How tickets reach the customer, such as by post, with a fee of its own.")
class DeliveryMode(Named):
    code: str
    fee: Money

    @classmethod
    def of(cls, row: services.DeliveryMode, catalogue: Catalogue) -> Self:
        return cls(
            id=encode("DeliveryMode", row.id),
            names=row.name,
            code=row.code,
            fee=money(row.fee, catalogue.organisation.currency),
        )


@strawberry.type(description="How customers reach the organisation; every sale happens at one of its points of sale.")
class SalesChannel(Named):
    code: str
    kind: SalesChannelKind
    processing_fee: Money
    row: strawberry.Private[services.SalesChannel]
    catalogue: strawberry.Private[Catalogue]

    @strawberry.field
    def points_of_sale(self) -> list["PointOfSale"]:
        return [PointOfSale.of(row, self.catalogue) for row in self.row.points_of_sale]

    @classmethod
    def of(cls, row: services.SalesChannel, catalogue: Catalogue) -> Self:
        return cls(
            id=encode("SalesChannel", row.id),
            names=row.name,
            code=row.code,
            kind=row.kind,
            processing_fee=money(row.processing_fee, catalogue.organisation.currency),
            row=row,
            catalogue=catalogue,
        )


@strawberry.type(description="One counter or web shop: every sale happens at one.")
class PointOfSale(Named):
    code: str
    url: str | None
    channel_id: strawberry.Private[UUID]
    catalogue: strawberry.Private[Catalogue]

    @strawberry.field
    def channel(self) -> SalesChannel:
        return SalesChannel.of(self.catalogue.sales_channels[self.channel_id], self.catalogue)

    @classmethod
    def of(cls, row: services.PointOfSale, catalogue: Catalogue) -> Self:
        return cls(
            id=encode("PointOfSale", row.id),
            names=row.name,
            code=row.code,
            url=row.url,
            channel_id=row.channel_id,
            catalogue=catalogue,
        )


@strawberry.type(description="The price of one combination in a rate table.")
class RatePrice:
    seat_category: SeatCategory | None
    audience_sub_category: AudienceSubCategory
    price: Money


def rate_prices(rates: Iterable[tuple[tuple[UUID | None, UUID], int]], catalogue: Catalogue) -> list[RatePrice]:
    """A rate table or sub-table as its rows."""
    return [
        RatePrice(
            seat_category=None if seat is None else SeatCategory.of(catalogue.seat_categories[seat]),
            audience_sub_category=AudienceSubCategory.of(catalogue.audience_sub_categories[audience]),
            price=money(price, catalogue.organisation.currency),
        )
        for (seat, audience), price in rates
    ]


@strawberry.type(description="What is sold, of one of eleven families.")
class Product(Named):
    code: str
    family: ProductFamily
    entries_allowed: int = strawberry.field(
        description="How often a ticket sold from now on admits: more than once for passes."
    )
    row: strawberry.Private[services.Product]
    catalogue: strawberry.Private[Catalogue]

    @strawberry.field
    def season(self) -> Season:
        return Season.of(self.catalogue.seasons[self.row.season_id])

    @strawberry.field(description="By start; empty for families without.")
    def performances(
        self,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection["Performance"]:
        return connection_in_memory(
            self.row.performances,
            window(first, after, InstantAndKey.read, last=last, before=before),
            lambda row: Performance.of(row, self.catalogue),
            lambda row: InstantAndKey(row.starts_at, row.id),
        )

    @strawberry.field(
        description="The rate table of a product without performances; empty where each of these has its own."
    )
    def prices(self) -> list[RatePrice]:
        return rate_prices(self.catalogue.rates.get(self.row.id, {}).items(), self.catalogue)

    @classmethod
    def of(cls, row: services.Product, catalogue: Catalogue) -> Self:
        return cls(
            id=encode("Product", row.id),
            names=row.name,
            code=row.code,
            family=row.family,
            entries_allowed=row.entries_allowed,
            row=row,
            catalogue=catalogue,
        )


@strawberry.type(description="One date of a product.")
class Performance(Node):
    code: str
    starts_at: datetime
    venue: str
    sale_ends_at: datetime = strawberry.field(
        description="The last instant at which its tickets are sold, its start unless said otherwise; after it only "
        "staff with SALES sell them."
    )
    row: strawberry.Private[services.Performance]
    catalogue: strawberry.Private[Catalogue]

    @strawberry.field
    def product(self) -> Product:
        return Product.of(self.catalogue.products[self.row.product_id], self.catalogue)

    @strawberry.field
    def prices(self) -> list[RatePrice]:
        return rate_prices(self.catalogue.rates.get(self.row.id, {}).items(), self.catalogue)

    @classmethod
    def of(cls, row: services.Performance, catalogue: Catalogue) -> Self:
        return cls(
            id=encode("Performance", row.id),
            code=row.code,
            starts_at=row.starts_at,
            venue=row.venue,
            sale_ends_at=row.sold_until,
            row=row,
            catalogue=catalogue,
        )


@strawberry.type
class CatalogueQuery:
    @strawberry.field
    async def seasons(self, info: Info) -> list[Season]:
        return [Season.of(row) for row in (await info.context.catalogue()).seasons.values()]

    @strawberry.field
    async def sales_channels(self, info: Info) -> list[SalesChannel]:
        catalogue = await info.context.catalogue()
        return [SalesChannel.of(row, catalogue) for row in catalogue.sales_channels.values()]

    @strawberry.field
    async def delivery_modes(self, info: Info) -> list[DeliveryMode]:
        catalogue = await info.context.catalogue()
        return [DeliveryMode.of(row, catalogue) for row in catalogue.delivery_modes.values()]

    @strawberry.field
    async def seat_categories(self, info: Info) -> list[SeatCategory]:
        return [SeatCategory.of(row) for row in (await info.context.catalogue()).seat_categories.values()]

    @strawberry.field
    async def audience_sub_categories(self, info: Info) -> list[AudienceSubCategory]:
        catalogue = await info.context.catalogue()
        return [AudienceSubCategory.of(row) for row in catalogue.audience_sub_categories.values()]

    @strawberry.field(description="In the order in which they were taken in.")
    async def products(
        self,
        info: Info,
        season_id: strawberry.ID | None = None,
        family: ProductFamily | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Product]:
        catalogue = await info.context.catalogue()
        ids = Ids()
        season = ids.maybe(season_id, "Season", path=("seasonId",))
        ids.check()
        rows = [
            row
            for row in catalogue.products.values()
            if season in {None, row.season_id} and family in {None, row.family}
        ]
        page = window(first, after, UUID, last=last, before=before)
        return connection_in_memory(rows, page, lambda row: Product.of(row, catalogue), lambda row: row.id)
