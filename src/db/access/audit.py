"""The audit log: what staff and partners changed, written in the transaction of the change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.ids import next_id
from db.core.tables import audit_entries


@dataclass(frozen=True, slots=True)
class NewAuditEntry:
    """Who did what to what. ``details`` is JSON."""

    actor: str
    action: str
    subject_type: str
    subject: UUID
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry as it stands in the log."""

    id: UUID
    actor: str
    action: str
    subject_type: str
    subject: UUID
    details: Mapping[str, object]
    created_at: datetime


async def record(connection: AsyncConnection, organisation: UUID, entry: NewAuditEntry) -> None:
    """Adds an entry, at the time of the transaction."""
    await connection.execute(
        insert(audit_entries).values(
            organisation_id=organisation,
            id=next_id(),
            actor=entry.actor,
            action=entry.action,
            subject_type=entry.subject_type,
            subject_id=entry.subject,
            details=dict(entry.details),
        )
    )


async def page(
    connection: AsyncConnection, organisation: UUID, subject: UUID | None, before: UUID | None, most: int
) -> list[AuditEntry]:
    """Entries from the newest on, their keys growing with time."""
    query = select(audit_entries).where(audit_entries.c.organisation_id == organisation)
    if subject is not None:
        query = query.where(audit_entries.c.subject_id == subject)
    if before is not None:
        query = query.where(audit_entries.c.id < before)
    rows = await connection.execute(query.order_by(audit_entries.c.id.desc()).limit(most))
    return [
        AuditEntry(row.id, row.actor, row.action, row.subject_type, row.subject_id, row.details, row.created_at)
        for row in rows
    ]
