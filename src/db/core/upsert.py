"""Rows made, or changed where they exist."""

from collections.abc import Collection, Sequence
from dataclasses import Field, fields
from typing import Any, ClassVar, Protocol
from uuid import UUID

from sqlalchemy import Table, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection


class Row(Protocol):
    """A dataclass whose fields are named like the columns of its table, one of them ``id``."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


async def upsert(
    connection: AsyncConnection,
    organisation_id: UUID,
    table: Table,
    rows: Sequence[Row],
    *,
    kept: Collection[str] = (),
) -> None:
    """Makes the rows, or changes those whose id exists, but for the columns that are ``kept``."""
    if not rows:
        return
    names = [field.name for field in fields(rows[0])]
    statement = insert(table)
    changed = {name: statement.excluded[name] for name in names if name not in ("id", *kept)}
    statement = statement.on_conflict_do_update(
        index_elements=["organisation_id", "id"],
        set_=changed,
        where=or_(*(table.c[name].is_distinct_from(value) for name, value in changed.items())),
    )
    values = [{"organisation_id": organisation_id} | {name: getattr(row, name) for name in names} for row in rows]
    await connection.execute(statement, values)
