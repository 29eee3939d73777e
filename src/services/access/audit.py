"""The audit log: what staff and partners changed, written with it, and read (docs/domain.md, Who may do what)."""

from collections.abc import Collection, Mapping
from uuid import UUID

from db.access import audit as db
from db.access import subjects as db_subjects
from db.access.audit import AuditEntry, AuditFilter
from db.access.subjects import Subject
from db.core.keyset import Page
from db.core.sessions import Sessions
from services.core.errors import InvalidInput, Problem
from services.core.text_checks import check_search
from services.core.transactions import Transaction
from services.core.viewer import Viewer

__all__ = ["Audit", "AuditEntry", "AuditFilter", "Subject", "record"]


class Audit:
    """Use cases of the audit log."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def page(self, viewer: Viewer, wanted: AuditFilter, page: Page) -> list[AuditEntry]:
        """The page of the entries that the filter lets through, the newest first.

        Raises InvalidInput, and Forbidden for all but staff.
        """
        viewer.require_role()
        if reason := check_search(wanted.actor):
            raise InvalidInput([Problem(("actor",), reason)])
        if reason := next(filter(None, map(check_search, wanted.actions)), None):
            raise InvalidInput([Problem(("actions",), reason)])
        async with self._sessions.reading() as connection:
            return await db.page(connection, viewer.organisation_id, wanted, page)

    async def count(self, viewer: Viewer, wanted: AuditFilter) -> int | None:
        """How many entries the filter lets through; None where they are more than are counted."""
        viewer.require_role()
        async with self._sessions.reading() as connection:
            return await db.count(connection, viewer.organisation_id, wanted)

    async def subjects(self, viewer: Viewer, ids: Collection[UUID]) -> dict[UUID, Subject]:
        """Those of the things that are neither of the catalogue nor contacts; for staff who read the records alone."""
        if not viewer.reads_records:
            return {}
        async with self._sessions.reading() as connection:
            return await db_subjects.find(connection, viewer.organisation_id, ids)


async def record(
    transaction: Transaction, actor: str, action: str, kind: str, subject: UUID, details: Mapping[str, object]
) -> None:
    """Leaves an entry of what ``actor`` did to a thing of some ``kind``; ``details`` is JSON."""
    entry = db.NewAuditEntry(actor, action, kind, subject, details)
    await db.record(transaction.connection, transaction.organisation, entry)
