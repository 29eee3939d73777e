"""Loading an organisation's data in bulk: rows are made, or changed where they exist; none is ever removed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Table, text, update
from sqlalchemy.dialects.postgresql import insert
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
from db.contacts.contacts import Contact, ContactKind, contact_of
from db.core import tables
from db.core.ids import next_id
from db.core.upsert import upsert


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact as a file has it; ``balance`` in minor units."""

    id: UUID
    code: str
    kind: ContactKind
    name: str
    email: str | None
    balance: int
    newsletter: bool
    has_ordered: bool


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch that has been made."""

    id: UUID
    code: str
    offer_id: UUID
    contact_id: UUID
    quantity: int


Row = (
    Season
    | SeatCategory
    | AudienceSubCategory
    | SalesChannelRow
    | PointOfSale
    | DeliveryMode
    | Indicator
    | CounterProfile
    | ProductRow
    | Performance
    | ContactRow
    | Campaign
)


async def claim_organisation(connection: AsyncConnection, wanted: Organisation) -> UUID:
    """The id of the organisation with this code, made as ``wanted`` where there was none.

    Whoever else loads the same organisation waits until this transaction ends.
    """
    statement = insert(tables.organisations).values(
        id=wanted.id,
        code=wanted.code,
        name=wanted.name,
        currency=wanted.currency,
        timezone=wanted.timezone,
        basket_minutes=wanted.basket_minutes,
        basket_maximum_minutes=wanted.basket_maximum_minutes,
        entry_opens_minutes=wanted.entry_opens_minutes,
        entry_closes_minutes=wanted.entry_closes_minutes,
        returns_fees=wanted.returns_fees,
    )
    statement = statement.on_conflict_do_update(index_elements=["code"], set_={"code": statement.excluded.code})
    claimed: UUID = (await connection.execute(statement.returning(tables.organisations.c.id))).scalar_one()
    return claimed


async def save_organisation(connection: AsyncConnection, organisation: Organisation) -> None:
    """Its name, time zone, and what it decides of baskets, entry and fees.

    The version moves, so that every process sees what was loaded.
    """
    await connection.execute(
        update(tables.organisations)
        .where(tables.organisations.c.id == organisation.id)
        .values(
            name=organisation.name,
            timezone=organisation.timezone,
            basket_minutes=organisation.basket_minutes,
            basket_maximum_minutes=organisation.basket_maximum_minutes,
            entry_opens_minutes=organisation.entry_opens_minutes,
            entry_closes_minutes=organisation.entry_closes_minutes,
            returns_fees=organisation.returns_fees,
            catalogue_version=tables.organisations.c.catalogue_version + 1,
        )
    )


async def save(connection: AsyncConnection, organisation_id: UUID, rows: Sequence[Row]) -> None:
    """Makes rows of one kind, or changes those whose id exists, but for what life has changed since they were made."""
    if rows:
        table, kept = _TABLES[type(rows[0])]
        await upsert(connection, organisation_id, table, rows, kept=kept)


_TABLES: Final[Mapping[type, tuple[Table, tuple[str, ...]]]] = {
    Season: (tables.seasons, ()),
    SeatCategory: (tables.seat_categories, ()),
    AudienceSubCategory: (tables.audience_sub_categories, ()),
    SalesChannelRow: (tables.sales_channels, ()),
    PointOfSale: (tables.points_of_sale, ()),
    DeliveryMode: (tables.delivery_modes, ()),
    Indicator: (tables.indicators, ()),
    CounterProfile: (tables.counter_profiles, ()),
    ProductRow: (tables.products, ()),
    Performance: (tables.performances, ()),
    ContactRow: (tables.contacts, ("balance", "has_ordered")),
    Campaign: (tables.campaigns, ()),
}
"""Where rows go, and the columns that stay as they are in a row that exists."""


async def mark_ordered(connection: AsyncConnection, organisation_id: UUID, ids: Sequence[UUID]) -> None:
    """Contacts who have ordered before, here or in the system that the file comes from: nobody goes back on that."""
    await connection.execute(_MARK_ORDERED, {"organisation": organisation_id, "contacts": list(ids)})


_MARK_ORDERED = text("""
UPDATE contacts SET has_ordered = true, ordered_elsewhere = true
WHERE organisation_id = :organisation AND id = ANY(CAST(:contacts AS uuid[])) AND NOT ordered_elsewhere
""")


async def set_levels(
    connection: AsyncConnection, organisation_id: UUID, levels: Sequence[tuple[UUID, UUID, str]]
) -> None:
    """The level that each (contact, indicator) is at from now on; other indicators stay."""
    if not levels:
        return
    statement = insert(tables.contact_indicators)
    statement = statement.on_conflict_do_update(
        index_elements=["organisation_id", "contact_id", "indicator_id"], set_={"level": statement.excluded.level}
    )
    await connection.execute(
        statement,
        [
            {"organisation_id": organisation_id, "contact_id": contact, "indicator_id": indicator, "level": level}
            for contact, indicator, level in levels
        ],
    )


async def set_targets(
    connection: AsyncConnection, organisation_id: UUID, targets: Mapping[UUID, Sequence[UUID]]
) -> None:
    """The contacts that each campaign targets from now on, these and no others."""
    for campaign, members in targets.items():
        parameters = {"organisation": organisation_id, "campaign": campaign, "contacts": list(members)}
        await connection.execute(_REMOVE_FROM_TARGET, parameters)
        await connection.execute(_ADD_TO_TARGET, parameters)


_REMOVE_FROM_TARGET = text("""
DELETE FROM campaign_contacts
WHERE organisation_id = :organisation AND campaign_id = :campaign AND contact_id <> ALL(CAST(:contacts AS uuid[]))
""")
_ADD_TO_TARGET = text("""
INSERT INTO campaign_contacts (organisation_id, campaign_id, contact_id)
SELECT :organisation, :campaign, unnest(CAST(:contacts AS uuid[])) ON CONFLICT DO NOTHING
""")


async def set_rates(
    connection: AsyncConnection, organisation_id: UUID, rates: Mapping[tuple[UUID, UUID | None], Rates]
) -> None:
    """The rate tables, by product and performance or None, from now on: these prices, in this order, and no others."""
    if not rates:
        return
    parameters = {
        "organisation": organisation_id,
        "performances": [performance for _, performance in rates if performance is not None],
        "products": [product for product, performance in rates if performance is None],
    }
    await connection.execute(_REMOVE_RATES, parameters)
    values = [
        {
            "organisation_id": organisation_id,
            "id": next_id(),
            "product_id": product,
            "performance_id": performance,
            "seat_category_id": seat_category,
            "audience_sub_category_id": audience_sub_category,
            "price": price,
        }
        for (product, performance), prices in rates.items()
        for (seat_category, audience_sub_category), price in prices.items()
    ]
    if values:
        await connection.execute(insert(tables.rates), values)


_REMOVE_RATES = text("""
DELETE FROM rates WHERE organisation_id = :organisation AND (
    performance_id = ANY(CAST(:performances AS uuid[]))
    OR performance_id IS NULL AND product_id = ANY(CAST(:products AS uuid[])))
""")

# ── What exists ──────────────────────────────────────────────────────────────────────────────────


async def contacts_by_code(
    connection: AsyncConnection, organisation_id: UUID, wanted: Collection[str]
) -> dict[str, Contact]:
    """The contacts among those wanted that exist."""
    rows = await connection.execute(_CONTACTS, {"organisation": organisation_id, "codes": list(wanted)})
    return {row.code: contact_of(row) for row in rows}


async def batches_by_code(
    connection: AsyncConnection, organisation_id: UUID, wanted: Collection[str]
) -> dict[str, StoredBatch]:
    """The batches among those wanted that have been made."""
    rows = await connection.execute(_BATCHES, {"organisation": organisation_id, "codes": list(wanted)})
    return {row.code: StoredBatch(*row) for row in rows}


_CONTACTS = text("""
SELECT id, code, kind, name, email, balance, newsletter, has_ordered FROM contacts
WHERE organisation_id = :organisation AND code = ANY(CAST(:codes AS text[]))
""")
_BATCHES = text("""
SELECT id, code, offer_id, contact_id, quantity FROM batches
WHERE organisation_id = :organisation AND code = ANY(CAST(:codes AS text[]))
""")
