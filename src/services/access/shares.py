"""Whose codes a caller may follow (docs/domain.md, Who may do what)."""

from uuid import UUID

from services.core.errors import Forbidden
from services.core.texts import text
from services.core.viewer import Audience, StaffRole, Viewer

FOLLOWERS = (StaffRole.CODES, StaffRole.VIEWER)


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
