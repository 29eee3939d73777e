"""Contacts; there can be millions, so that they stay out of the catalogue's snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.ids import next_id
from db.core.keyset import MOST_COUNTED, Page
from db.core.tables import campaign_contacts, contact_indicators, contacts


class ContactKind(StrEnum):
    """A person, or a structure: a company, a school, a partner. Codes are generated for structures alone."""

    INDIVIDUAL = "INDIVIDUAL"
    STRUCTURE = "STRUCTURE"


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer. ``balance`` is in minor units; ``has_ordered`` here, or in the system that they come from."""

    id: UUID
    code: str
    kind: ContactKind
    name: str
    email: str | None
    balance: int
    newsletter: bool
    has_ordered: bool


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
    return campaigns, await levels(connection, organisation, ids)


async def levels(connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, dict[UUID, str]]:
    """The level of each of the contacts' indicators, by the indicator's id."""
    indicators: dict[UUID, dict[UUID, str]] = {}
    rows = await connection.execute(
        select(contact_indicators.c.contact_id, contact_indicators.c.indicator_id, contact_indicators.c.level).where(
            contact_indicators.c.organisation_id == organisation, contact_indicators.c.contact_id.in_(ids)
        )
    )
    for contact, indicator, level in rows:
        indicators.setdefault(contact, {})[indicator] = level
    return indicators


_TARGETS: Final = text("""
SELECT wanted AS campaign, c.* FROM unnest(CAST(:campaigns AS uuid[])) wanted CROSS JOIN LATERAL (
    SELECT contact_id FROM campaign_contacts
    WHERE organisation_id = :organisation AND campaign_id = wanted
        AND (CAST(:after AS uuid) IS NULL OR contact_id > :after)
        AND (CAST(:before AS uuid) IS NULL OR contact_id < :before)
    ORDER BY contact_id LIMIT :most
) t JOIN contacts c ON c.organisation_id = :organisation AND c.id = t.contact_id ORDER BY c.id
""")
_LAST_TARGETS: Final = text(_TARGETS.text.replace("ORDER BY contact_id LIMIT", "ORDER BY contact_id DESC LIMIT"))
_TARGET_SIZES: Final = text("""
SELECT wanted AS campaign, (
    SELECT count(*) FROM (
        SELECT FROM campaign_contacts WHERE organisation_id = :organisation AND campaign_id = wanted LIMIT :most
    ) counted
) AS size FROM unnest(CAST(:campaigns AS uuid[])) wanted
""")


async def targets(
    connection: AsyncConnection, organisation: UUID, campaigns: Sequence[UUID], page: Page
) -> dict[UUID, list[Contact]]:
    """Of each campaign that page of the contacts in its target, in the order of their keys."""
    bounds = {"after": page.after, "before": page.before, "most": page.most}
    parameters = {"organisation": organisation, "campaigns": list(campaigns), **bounds}
    found: dict[UUID, list[Contact]] = {}
    for row in await connection.execute(_LAST_TARGETS if page.backwards else _TARGETS, parameters):
        found.setdefault(row.campaign, []).append(contact_of(row))
    return found


async def target_sizes(
    connection: AsyncConnection, organisation: UUID, campaigns: Sequence[UUID]
) -> dict[UUID, int | None]:
    """How many contacts each campaign has in its target; None where they are more than are counted."""
    parameters = {"organisation": organisation, "campaigns": list(campaigns), "most": MOST_COUNTED + 1}
    rows = await connection.execute(_TARGET_SIZES, parameters)
    return {row.campaign: row.size if row.size <= MOST_COUNTED else None for row in rows}


def contact_of(row: Row[Any]) -> Contact:
    """The contact that a row of its table holds."""
    return Contact(
        row.id, row.code, ContactKind(row.kind), row.name, row.email, row.balance, row.newsletter, row.has_ordered
    )
