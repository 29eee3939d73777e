"""Contacts; there can be millions, so that they stay out of the catalogue's snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.ids import next_id
from db.core.tables import campaign_contacts, contact_indicators, contacts


class ContactKind(StrEnum):
    """A person, or a structure: a company, a school, a partner. Codes are generated for structures alone."""

    INDIVIDUAL = "INDIVIDUAL"
    STRUCTURE = "STRUCTURE"


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer. ``balance`` is in minor units."""

    id: UUID
    code: str
    kind: ContactKind
    name: str
    email: str | None
    balance: int


async def find(connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, Contact]:
    """Contacts by id."""
    statement = select(contacts).where(contacts.c.organisation_id == organisation, contacts.c.id.in_(ids))
    return {row.id: contact_of(row) for row in await connection.execute(statement)}


async def with_code(connection: AsyncConnection, organisation: UUID, code: str) -> UUID | None:
    """The contact with this code."""
    query = select(contacts.c.id).where(contacts.c.organisation_id == organisation, contacts.c.code == code)
    return await connection.scalar(query)


_MAKE_HOUSE = text("""
INSERT INTO contacts (organisation_id, id, code, kind, name)
SELECT id, :new, code, 'STRUCTURE', name FROM organisations WHERE id = :organisation
ON CONFLICT (organisation_id, code) DO NOTHING
""")
_HOUSE = text("""
SELECT c.id FROM organisations o JOIN contacts c ON c.organisation_id = o.id AND c.code = o.code
WHERE o.id = :organisation
""")


async def house(connection: AsyncConnection, organisation: UUID) -> UUID:
    """The contact that the organisation itself is, by its own code; a structure of its name where there is none yet."""
    await connection.execute(_MAKE_HOUSE, {"organisation": organisation, "new": next_id()})
    found = (await connection.execute(_HOUSE, {"organisation": organisation})).scalar_one()
    return UUID(str(found))


async def search(
    connection: AsyncConnection,
    organisation: UUID,
    part: str | None,
    kind: ContactKind | None,
    *,
    after: UUID | None,
    limit: int,
) -> list[Contact]:
    """Contacts in the order of their keys whose name, e-mail address or code has ``part`` in it, in any case."""
    statement = select(contacts).where(contacts.c.organisation_id == organisation).order_by(contacts.c.id).limit(limit)
    if after is not None:
        statement = statement.where(contacts.c.id > after)
    if kind is not None:
        statement = statement.where(contacts.c.kind == kind)
    if part:
        columns = (contacts.c.name, contacts.c.email, contacts.c.code)
        statement = statement.where(or_(*(column.icontains(part, autoescape=True) for column in columns)))
    return [contact_of(row) for row in await connection.execute(statement)]


async def targeting(
    connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]
) -> tuple[dict[UUID, set[UUID]], dict[UUID, dict[UUID, str]]]:
    """For each contact the campaigns that target them, and the level of each of their indicators."""
    campaigns: dict[UUID, set[UUID]] = {}
    rows = await connection.execute(
        select(campaign_contacts.c.contact_id, campaign_contacts.c.campaign_id).where(
            campaign_contacts.c.organisation_id == organisation, campaign_contacts.c.contact_id.in_(ids)
        )
    )
    for contact, campaign in rows:
        campaigns.setdefault(contact, set()).add(campaign)
    indicators: dict[UUID, dict[UUID, str]] = {}
    rows_of_levels = await connection.execute(
        select(contact_indicators.c.contact_id, contact_indicators.c.indicator_id, contact_indicators.c.level).where(
            contact_indicators.c.organisation_id == organisation, contact_indicators.c.contact_id.in_(ids)
        )
    )
    for contact, indicator, level in rows_of_levels:
        indicators.setdefault(contact, {})[indicator] = level
    return campaigns, indicators


def contact_of(row: Row[Any]) -> Contact:
    """The contact that a row of its table holds."""
    return Contact(row.id, row.code, ContactKind(row.kind), row.name, row.email, row.balance)
