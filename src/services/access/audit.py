"""Reading the audit log."""

from uuid import UUID

from db.access import audit as db
from db.access.audit import AuditEntry
from db.core.sessions import Sessions
from services.core.viewer import Viewer

__all__ = ["Audit", "AuditEntry"]


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
