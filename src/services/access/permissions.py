"""Who may see and change sales, and whose codes a caller may follow (docs/domain.md, Who may do what)."""

from collections.abc import Mapping
from uuid import UUID

from services.access.audit import record
from services.core.errors import Forbidden
from services.core.texts import text
from services.core.transactions import Transaction
from services.core.viewer import Audience, StaffRole, Viewer

FOLLOWERS = (StaffRole.CODES, StaffRole.VIEWER)


def may_see(viewer: Viewer, contact: UUID | None) -> bool:
    """Whether the viewer may see a basket or order of ``contact``.

    One without a contact is open to whoever knows its unguessable id; a contact's own is theirs and the office's.
    """
    return viewer.reads_records or contact is None or contact == viewer.contact


def may_see_ticket(viewer: Viewer, contact: UUID | None) -> bool:
    """Whether the viewer may see a ticket of an order of ``contact``: as the order, and whoever controls tickets."""
    return (viewer.is_staff and StaffRole.CONTROL in viewer.roles) or may_see(viewer, contact)


def require_sale(viewer: Viewer) -> None:
    """Raises Forbidden for staff who do not sell; all others may keep baskets."""
    if viewer.is_staff:
        viewer.require_role(StaffRole.SALES)


def is_audited(viewer: Viewer) -> bool:
    """Whether what the viewer changes leaves an entry."""
    return viewer.is_staff or viewer.audience is Audience.PARTNER


async def audit_sale(
    transaction: Transaction, viewer: Viewer, action: str, kind: str, subject: UUID, details: Mapping[str, object]
) -> None:
    """Leaves an entry of what staff or a partner did to a sale; customers' own doings leave none."""
    if is_audited(viewer):
        await record(transaction, viewer.actor, action, kind, subject, details)


def may_follow(viewer: Viewer) -> bool:
    """Whether the caller may see batches and codes at all: staff who follow codes or read everything, and partners."""
    return viewer.audience is Audience.PARTNER or not viewer.roles.isdisjoint(FOLLOWERS)


def require_follower(viewer: Viewer) -> None:
    """Raises Forbidden where the caller may see no codes."""
    if not may_follow(viewer):
        raise Forbidden(text("forbidden_role", roles=", ".join(FOLLOWERS)))


def share_of(viewer: Viewer) -> UUID | None:
    """The structure contact whose codes alone a partner sees and changes; None for staff, to whom all are open."""
    return viewer.contact if viewer.audience is Audience.PARTNER else None
