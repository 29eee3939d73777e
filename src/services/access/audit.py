"""The audit log: what staff and partners changed, written with it, and read (docs/domain.md, Who may do what)."""

from collections.abc import Mapping
from uuid import UUID

from db.access import audit as db
from db.access.audit import AuditEntry
from db.core.sessions import Sessions
from services.core.transactions import Transaction
from services.core.viewer import Viewer

__all__ = ["Audit", "AuditEntry", "record"]


class Audit:
    """Use cases of the audit log."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def page(self, viewer: Viewer, subject: UUID | None, before: UUID | None, most: int) -> list[AuditEntry]:
        """The ``most`` newest entries older than ``before``, of one subject where that is given.

        Raises Forbidden for all but staff.
        """
        viewer.require_role()
        async with self._sessions.reading() as connection:
            return await db.page(connection, viewer.organisation_id, subject, before, most)


async def record(
    transaction: Transaction, actor: str, action: str, kind: str, subject: UUID, details: Mapping[str, object]
) -> None:
    """Leaves an entry of what ``actor`` did to a thing of some ``kind``; ``details`` is JSON."""
    entry = db.NewAuditEntry(actor, action, kind, subject, details)
    await db.record(transaction.connection, transaction.organisation, entry)
