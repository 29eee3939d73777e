"""The audit log: what staff and partners changed."""

from datetime import datetime
from typing import Self
from uuid import UUID

import orjson
import strawberry

from resolvers.runtime.connections import Connection, connection, window
from resolvers.runtime.context import Info
from resolvers.runtime.ids import decode_any, encode
from services.access import audit as services


@strawberry.type(description="Who did what to what, and when.")
class AuditEntry:
    actor: str
    action: str = strawberry.field(description="The mutation.")
    subject_id: strawberry.ID = strawberry.field(description="What was changed, by its global id.")
    details: str = strawberry.field(description="JSON.")
    created_at: datetime

    @classmethod
    def of(cls, row: services.AuditEntry) -> Self:
        return cls(
            actor=row.actor,
            action=row.action,
            subject_id=encode(row.subject_type, row.subject),
            details=orjson.dumps(row.details).decode(),
            created_at=row.created_at,
        )


@strawberry.type
class AuditQuery:
    @strawberry.field(description="The newest first; of one thing where that is named. For staff.")
    async def audit_log(
        self, info: Info, subject_id: strawberry.ID | None = None, first: int | None = None, after: str | None = None
    ) -> Connection[AuditEntry]:
        await info.context.catalogue()  # For the offset of its instants.
        page = window(first, after, UUID)
        subject = None if subject_id is None else decode_any(subject_id, ("subjectId",))[1]
        rows = await info.context.services.audit.page(await info.context.viewer(), subject, page.after, page.first + 1)
        return connection(rows, page, AuditEntry.of, lambda row: row.id)
