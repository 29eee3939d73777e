"""What an organisation sells, read as one consistent whole for a snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core import tables

Row = TypeVar(
    "Row",
    "Season",
    "SeatCategory",
    "AudienceSubCategory",
    "SalesChannelRow",
    "PointOfSale",
    "DeliveryMode",
    "Indicator",
    "CounterProfile",
    "Campaign",
    "ProductRow",
    "Performance",
)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A tenant. ``version`` moves with every change of its catalogue or offers.

    A basket lives for ``basket_minutes`` after each of its changes, and ``basket_maximum_minutes`` in all. A gate lets
    in from ``entry_opens_minutes`` before a performance starts to ``entry_closes_minutes`` after it does.
    ``returns_fees``: an order's fees are given back with the last of its tickets.
    """

    id: UUID
    code: str
    name: str
    currency: str
    timezone: str
    basket_minutes: int
    basket_maximum_minutes: int
    entry_opens_minutes: int
    entry_closes_minutes: int
    returns_fees: bool
    version: int


@dataclass(frozen=True, slots=True)
class Season:
    """The period that products and advantages belong to."""

    id: UUID
    code: str
    name: Mapping[str, str]
    starts_on: datetime
    ends_on: datetime


@dataclass(frozen=True, slots=True)
class SeatCategory:
    id: UUID
    code: str
    name: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AudienceSubCategory:
    """A tariff: full, reduced, student."""

    id: UUID
    code: str
    name: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SalesChannelRow:
    id: UUID
    code: str
    name: Mapping[str, str]
    kind: str
    processing_fee: int


@dataclass(frozen=True, slots=True)
class PointOfSale:
    """One counter or web shop of a sales channel."""

    id: UUID
    code: str
    name: Mapping[str, str]
    channel_id: UUID
    url: str | None


@dataclass(frozen=True, slots=True)
class DeliveryMode:
    """How tickets reach the customer; ``fee`` in minor units, once an order."""

    id: UUID
    code: str
    name: Mapping[str, str]
    fee: int


@dataclass(frozen=True, slots=True)
class Indicator:
    """A figure kept on contacts; ``levels`` from the lowest to the highest."""

    id: UUID
    code: str
    name: Mapping[str, str]
    levels: Sequence[str]


@dataclass(frozen=True, slots=True)
class CounterProfile:
    """A kind of staff who sell at counters, such as managers; their tokens name it by its code."""

    id: UUID
    code: str
    name: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A marketing operation; the contacts in its target stay in the database."""

    id: UUID
    code: str
    name: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class ProductRow:
    """``entries_allowed``: how often a ticket that is sold from now on admits."""

    id: UUID
    code: str
    name: Mapping[str, str]
    season_id: UUID
    family: str
    entries_allowed: int


@dataclass(frozen=True, slots=True)
class Performance:
    """One date of a product; ``sale_ends_at`` None is its start."""

    id: UUID
    code: str
    product_id: UUID
    starts_at: datetime
    venue: str
    sale_ends_at: datetime | None = None

    @property
    def sold_until(self) -> datetime:
        """The last instant at which everybody may buy tickets for it."""
        return self.starts_at if self.sale_ends_at is None else self.sale_ends_at


Rates = Mapping[tuple[UUID | None, UUID], int]
"""A rate table in the order in which it was given: (seat category or None, audience sub-category) to minor units."""


@dataclass(frozen=True, slots=True)
class CatalogueRows:
    """Everything of one organisation, each list in the order of creation; ``rates`` by performance or product."""

    organisation: Organisation
    seasons: list[Season]
    seat_categories: list[SeatCategory]
    audience_sub_categories: list[AudienceSubCategory]
    sales_channels: list[SalesChannelRow]
    points_of_sale: list[PointOfSale]
    delivery_modes: list[DeliveryMode]
    indicators: list[Indicator]
    counter_profiles: list[CounterProfile]
    campaigns: list[Campaign]
    products: list[ProductRow]
    performances: list[Performance]
    rates: dict[UUID, Rates]


async def read_as_one(connection: AsyncConnection) -> None:
    """Makes all that the transaction reads from here on the state of one instant. Must come first in it."""
    await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))


_VERSION = text("SELECT catalogue_version FROM organisations WHERE id = :organisation")


async def version(connection: AsyncConnection, organisation_id: UUID) -> int | None:
    """The version of the catalogue now, None without such an organisation."""
    return (await connection.execute(_VERSION, {"organisation": organisation_id})).scalar_one_or_none()


async def organisation_id(connection: AsyncConnection, code: str) -> UUID | None:
    organisations = tables.organisations
    return (
        await connection.execute(select(organisations.c.id).where(organisations.c.code == code))
    ).scalar_one_or_none()


async def timezone(connection: AsyncConnection, organisation_id: UUID) -> str:
    """The IANA name of an organisation's time zone."""
    organisations = tables.organisations
    return str(await connection.scalar(select(organisations.c.timezone).where(organisations.c.id == organisation_id)))


async def touch(connection: AsyncConnection, organisation_id: UUID) -> None:
    """Moves the version: to be part of every transaction that changes the catalogue or an offer, and of those alone."""
    organisations = tables.organisations
    await connection.execute(
        update(organisations)
        .where(organisations.c.id == organisation_id)
        .values(catalogue_version=organisations.c.catalogue_version + 1)
    )


async def read(connection: AsyncConnection, organisation_id: UUID) -> CatalogueRows | None:
    """The catalogue of one organisation, None without such an organisation."""
    c = tables.organisations.c
    names = [each.name for each in fields(Organisation)[:-1]]
    query = select(*(c[name] for name in names), c.catalogue_version)
    organisation = (await connection.execute(query.where(c.id == organisation_id))).one_or_none()
    if organisation is None:
        return None

    rows = _Rows(connection, organisation_id)
    return CatalogueRows(
        organisation=Organisation(*organisation),
        seasons=await rows.of(Season, "seasons"),
        seat_categories=await rows.of(SeatCategory, "seat_categories"),
        audience_sub_categories=await rows.of(AudienceSubCategory, "audience_sub_categories"),
        sales_channels=await rows.of(SalesChannelRow, "sales_channels"),
        points_of_sale=await rows.of(PointOfSale, "points_of_sale"),
        delivery_modes=await rows.of(DeliveryMode, "delivery_modes"),
        indicators=await rows.of(Indicator, "indicators"),
        counter_profiles=await rows.of(CounterProfile, "counter_profiles"),
        campaigns=await rows.of(Campaign, "campaigns"),
        products=await rows.of(ProductRow, "products"),
        performances=await rows.of(Performance, "performances"),
        rates=await _rates(connection, organisation_id),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    connection: AsyncConnection
    organisation_id: UUID

    async def of(self, kind: type[Row], table: str) -> list[Row]:
        """All rows of a table, as the dataclass whose fields are named like its columns."""
        # As text: without the types that Core knows, and looks at in each row, reading takes a third of the time.
        names = ", ".join(field.name for field in fields(kind))
        query = text(f"SELECT {names} FROM {table} WHERE organisation_id = :organisation ORDER BY id")
        return [kind(*row) for row in await self.connection.execute(query, {"organisation": self.organisation_id})]


# Gathered by the database: a row for each rate table costs a tenth of a row for each price.
_RATES = text("""
SELECT coalesce(performance_id, product_id), array_agg(seat_category_id ORDER BY id),
    array_agg(audience_sub_category_id ORDER BY id), array_agg(price ORDER BY id)
FROM rates WHERE organisation_id = :organisation GROUP BY 1
""")


async def _rates(connection: AsyncConnection, organisation_id: UUID) -> dict[UUID, Rates]:
    return {
        element: dict(zip(zip(seats, audiences, strict=True), prices, strict=True))
        for element, seats, audiences, prices in await connection.execute(_RATES, {"organisation": organisation_id})
    }
