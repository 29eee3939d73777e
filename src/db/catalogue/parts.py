"""Catalogues read in parts: what changed since a look, and so many rows at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.catalogue.catalogue import (
    AudienceSubCategory,
    Campaign,
    CounterProfile,
    DeliveryMode,
    Indicator,
    Organisation,
    Performance,
    PointOfSale,
    ProductRow,
    Rates,
    SalesChannelRow,
    Season,
    SeatCategory,
)

Row = TypeVar(
    "Row",
    Season,
    SeatCategory,
    AudienceSubCategory,
    SalesChannelRow,
    PointOfSale,
    DeliveryMode,
    Indicator,
    CounterProfile,
    Campaign,
    ProductRow,
    Performance,
)

PAGE: Final = 250
"""Rows that are read at once: some milliseconds' work."""
NO_PART: Final = UUID(int=0)
"""Comes before every key."""


class Part(Generic[Row]):
    """A table of the catalogue, and the dataclass whose fields are named like its columns."""

    def __init__(self, name: str, row: type[Row]) -> None:
        self.name = name
        # As text: without the types that Core knows, and looks at in each row, reading takes a third of the time.
        query = (
            f"SELECT {', '.join(field.name for field in fields(row))} FROM {name} WHERE organisation_id = :organisation"
        )
        self._row: type[Row] = row
        self._page = text(f"{query} AND id > :after ORDER BY id LIMIT {PAGE}")
        self._some = text(f"{query} AND id = ANY(CAST(:ids AS uuid[])) ORDER BY id")

    async def page(self, connection: AsyncConnection, organisation_id: UUID, after: UUID) -> list[Row]:
        """The rows after this one, in the order of creation; ``PAGE`` of them, or all where they are fewer."""
        return await self._rows(connection, self._page, {"organisation": organisation_id, "after": after})

    async def some(self, connection: AsyncConnection, organisation_id: UUID, ids: Sequence[UUID]) -> list[Row]:
        """Those of these rows that there are, in the order of creation."""
        return await self._rows(connection, self._some, {"organisation": organisation_id, "ids": ids})

    async def _rows(self, connection: AsyncConnection, query: object, parameters: Mapping[str, object]) -> list[Row]:
        return [self._row(*row) for row in await connection.execute(query, parameters)]  # type: ignore[call-overload]


SEASONS: Final = Part("seasons", Season)
SEAT_CATEGORIES: Final = Part("seat_categories", SeatCategory)
AUDIENCE_SUB_CATEGORIES: Final = Part("audience_sub_categories", AudienceSubCategory)
SALES_CHANNELS: Final = Part("sales_channels", SalesChannelRow)
POINTS_OF_SALE: Final = Part("points_of_sale", PointOfSale)
DELIVERY_MODES: Final = Part("delivery_modes", DeliveryMode)
INDICATORS: Final = Part("indicators", Indicator)
COUNTER_PROFILES: Final = Part("counter_profiles", CounterProfile)
CAMPAIGNS: Final = Part("campaigns", Campaign)
PRODUCTS: Final = Part("products", ProductRow)
PERFORMANCES: Final = Part("performances", Performance)
RATES: Final = "rates"
"""Rate tables, by what they are of: a performance, or a product of a family without."""
OFFERS: Final = "offers"
"""Offers with their limits."""


@dataclass(frozen=True, slots=True)
class Look:
    """An organisation at one instant. ``seen`` names the transactions that were over by then, for a later look.

    ``changed`` are the keys of all that was changed since the look before, by the name of the part; what there is no
    more among them. None where that look was at a server that has been started anew since: it may be another one, with
    the same data from a dump, which numbers its transactions by itself.
    """

    organisation: Organisation
    seen: str
    changed: Mapping[str, Sequence[UUID]] | None


_ORGANISATION: Final = ", ".join(f"o.{field.name}" for field in fields(Organisation)[:-1])
# By transactions, which need no order: whoever changes the catalogue may move its version before or after, and be
# committed before who began earlier. What a copy of the data was noted with, elsewhere and later than all transactions
# here, is none of these.
_LOOK = text(f"""
SELECT extract(epoch FROM pg_postmaster_start_time()) || ' ' || CAST(pg_current_snapshot() AS text), c.part, c.ids,
    {_ORGANISATION}, o.catalogue_version
FROM organisations o LEFT JOIN LATERAL (
    SELECT part, array_agg(id) AS ids FROM catalogue_changes
    WHERE organisation_id = o.id
        AND changed_in >= pg_snapshot_xmin(CAST(CAST(:since AS text) AS pg_snapshot))
        AND changed_in < pg_snapshot_xmax(pg_current_snapshot())
        AND NOT pg_visible_in_snapshot(changed_in, CAST(CAST(:since AS text) AS pg_snapshot))
    GROUP BY part
) c ON true
WHERE o.id = :organisation
""")


async def look(connection: AsyncConnection, organisation_id: UUID, since: str | None = None) -> Look | None:
    """How the organisation is now, and what changed since an earlier look; None without such an organisation."""
    server, _, snapshot = (since or "").partition(" ")
    rows = (await connection.execute(_LOOK, {"organisation": organisation_id, "since": snapshot or None})).all()
    if not rows:
        return None
    seen, _, _, *organisation = rows[0]
    is_same = since is None or seen.partition(" ")[0] == server
    changed = {part: ids for _, part, ids, *_ in rows if part is not None} if is_same else None
    return Look(Organisation(*organisation), seen, changed)


# Gathered by the database: a row for each rate table costs a tenth of a row for each price.
_GATHERED: Final = """array_agg(seat_category_id ORDER BY id), array_agg(audience_sub_category_id ORDER BY id),
    array_agg(price ORDER BY id) FROM rates WHERE organisation_id = :organisation"""
_RATES = text(f"""
SELECT performance_id, {_GATHERED} AND performance_id = ANY(CAST(:ids AS uuid[])) GROUP BY performance_id
UNION ALL
SELECT product_id, {_GATHERED} AND product_id = ANY(CAST(:ids AS uuid[])) AND performance_id IS NULL GROUP BY product_id
""")


async def rates(connection: AsyncConnection, organisation_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Rates]:
    """The rate tables of these performances, and of these products of families without, where they have any."""
    parameters = {"organisation": organisation_id, "ids": ids}
    return {
        element: dict(zip(zip(seats, audiences, strict=True), prices, strict=True))
        for element, seats, audiences, prices in await connection.execute(_RATES, parameters)
    }
