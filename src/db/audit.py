"""The audit log: what staff and partners changed, written in the transaction of the change."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from db.tables import audit_entries


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what to what. ``details`` is JSON."""

    actor: str
    action: str
    subject_type: str
    subject: UUID
    details: Mapping[str, object]


async def record(connection: AsyncConnection, organisation: UUID, entry: Entry) -> None:
    """Adds an entry, at the time of the transaction."""
    await connection.execute(
        insert(audit_entries).values(
            organisation_id=organisation,
            id=new_id(),
            actor=entry.actor,
            action=entry.action,
            subject_type=entry.subject_type,
            subject_id=entry.subject,
            details=dict(entry.details),
        )
    )
