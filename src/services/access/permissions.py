"""Who may see and change sales (docs/domain.md, Who may do what)."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.access import audit
from services.core.viewer import Audience, StaffRole, Viewer


def may_see(viewer: Viewer, contact: UUID | None) -> bool:
    """Whether the viewer may see a basket or order of ``contact``.

    One without a contact is open to whoever knows its unguessable id; a contact's own is theirs and the staff's.
    """
    return viewer.is_staff or contact is None or contact == viewer.contact


def require_sale(viewer: Viewer) -> None:
    """Raises Forbidden for staff who do not sell; all others may keep baskets."""
    if viewer.is_staff:
        viewer.require_role(StaffRole.SALES)


def is_audited(viewer: Viewer) -> bool:
    """Whether what the viewer changes leaves an entry."""
    return viewer.is_staff or viewer.audience is Audience.PARTNER


async def audit_sale(
    connection: AsyncConnection, viewer: Viewer, action: str, kind: str, subject: UUID, details: Mapping[str, object]
) -> None:
    """Leaves an entry of what staff or a partner did to a sale; customers' own doings leave none."""
    if is_audited(viewer):
        entry = audit.NewAuditEntry(viewer.actor, action, kind, subject, details)
        await audit.record(connection, viewer.organisation_id, entry)
