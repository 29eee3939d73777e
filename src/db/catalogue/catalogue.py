"""What an organisation sells, and the version that moves with each change of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core import tables


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
