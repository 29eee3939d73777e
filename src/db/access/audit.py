"""The audit log: what staff and partners changed, written in the transaction of the change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.ids import next_id
from db.core.keyset import Page, bounded_count, cut, in_order
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


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries: those of each of ``subjects``, with a part of ``actor``, one of ``actions`` (any where there is
    none), from ``since`` on and before ``until``.
    """

    subjects: tuple[UUID, ...] = ()
    actor: str | None = None
    actions: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


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


async def page(connection: AsyncConnection, organisation: UUID, wanted: AuditFilter, page: Page) -> list[AuditEntry]:
    """Entries from the newest on, their keys growing with time."""
    query = cut(_filtered(select(audit_entries), organisation, wanted), page, audit_entries.c.id, descending=True)
    return in_order(
        (
            AuditEntry(row.id, row.actor, row.action, row.subject_type, row.subject_id, row.details, row.created_at)
            for row in await connection.execute(query)
        ),
        page,
    )


async def count(connection: AsyncConnection, organisation: UUID, wanted: AuditFilter) -> int | None:
    """How many entries the filter lets through; None where they are more than are counted."""
    return await bounded_count(connection, _filtered(select(audit_entries.c.id), organisation, wanted))


def _filtered(query: Select[Any], organisation: UUID, wanted: AuditFilter) -> Select[Any]:
    columns = audit_entries.c
    query = query.where(columns.organisation_id == organisation)
    for subject in wanted.subjects:
        query = query.where(columns.subject_id == subject)
    if wanted.actor:
        query = query.where(columns.actor.icontains(wanted.actor, autoescape=True))
    if wanted.actions:
        query = query.where(columns.action.in_(wanted.actions))
    if wanted.since is not None:
        query = query.where(columns.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(columns.created_at < wanted.until)
    return query
