"""Finding contacts by a part of their name, e-mail address or code, of which there can be millions.

The pieces of a text lead to those that have the part. A part that more have than are gathered is looked for among all,
in the order of the list: a page of them is found soon.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.contacts.contacts import Contact, ContactKind, contact_of
from db.core.keyset import Page, bounded_count, cut, in_order
from db.core.tables import contacts

MOST_GATHERED: Final = 1_000
"""Contacts that a part may be found in to be led to by its pieces."""

NAMED: Final = "strpos(lower(name || E'\\n' || coalesce(email, '')), lower(:search)) > 0"
"""SQL: whether a contact has the part in the name or the e-mail address."""
LED_BY_NAME: Final = (
    "pieces_of(organisation_id, name || E'\\n' || coalesce(email, '')) @> pieces_of(:organisation, :search)"
)
"""SQL: what an index leads to of these, and of some others."""

# MATERIALIZED, so that the indexes are chosen as if all were wanted: a limit has PostgreSQL go through the table.
_GATHERED: Final = text(f"""
WITH named AS MATERIALIZED (
    SELECT id FROM contacts WHERE organisation_id = :organisation AND {NAMED} AND {LED_BY_NAME}
), coded AS MATERIALIZED (
    SELECT id FROM contacts WHERE organisation_id = :organisation AND strpos(lower(code), lower(:search)) > 0
        AND pieces_of(organisation_id, code) @> pieces_of(:organisation, :search)
)
SELECT id FROM named UNION SELECT id FROM coded LIMIT :most
""")


async def search(
    connection: AsyncConnection, organisation: UUID, part: str | None, kind: ContactKind | None, page: Page
) -> list[Contact]:
    """Contacts in the order of their keys whose name, e-mail address or code has ``part`` in it, in any case."""
    query = await _found(connection, select(contacts), organisation, part, kind)
    rows = await connection.execute(cut(query, page, contacts.c.id))
    return in_order(map(contact_of, rows), page)


async def count(
    connection: AsyncConnection, organisation: UUID, part: str | None, kind: ContactKind | None
) -> int | None:
    """How many contacts ``search`` finds on all its pages; None where they are more than are counted."""
    return await bounded_count(connection, await _found(connection, select(contacts.c.id), organisation, part, kind))


async def _found(
    connection: AsyncConnection, query: Select[Any], organisation: UUID, part: str | None, kind: ContactKind | None
) -> Select[Any]:
    query = query.where(contacts.c.organisation_id == organisation)
    if kind is not None:
        query = query.where(contacts.c.kind == kind)
    if not part:
        return query
    gathered = await _gathered(connection, organisation, part)
    if gathered is not None:
        return query.where(contacts.c.id.in_(gathered))
    columns = (contacts.c.name, contacts.c.email, contacts.c.code)
    return query.where(or_(*(column.icontains(part, autoescape=True) for column in columns)))


async def _gathered(connection: AsyncConnection, organisation: UUID, part: str) -> Sequence[UUID] | None:
    """All contacts that have the part; None where there are too many of them."""
    parameters = {"organisation": organisation, "search": part, "most": MOST_GATHERED + 1}
    found = (await connection.scalars(_GATHERED, parameters)).all()
    return found if len(found) <= MOST_GATHERED else None
