"""Who may see and change sales (docs/domain.md, Who may do what)."""

from uuid import UUID

from services.viewer import StaffRole, Viewer


def may_see(viewer: Viewer, contact: UUID | None) -> bool:
    """Whether the viewer may see a basket or order of ``contact``.

    One without a contact is open to whoever knows its unguessable id; a contact's own is theirs and the staff's.
    """
    return viewer.is_staff or contact is None or contact == viewer.contact


def require_sale(viewer: Viewer) -> None:
    """Raises Forbidden for staff who do not sell; all others may keep baskets."""
    if viewer.is_staff:
        viewer.require_role(StaffRole.SALES)
