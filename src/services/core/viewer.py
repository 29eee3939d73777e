"""Who is asking, as the credentials say (docs/domain.md, Who may do what)."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.core.errors import Forbidden
from services.core.texts import text


class Audience(StrEnum):
    """The four kinds of callers."""

    SHOPPER = "SHOPPER"
    CONTACT = "CONTACT"
    PARTNER = "PARTNER"
    STAFF = "STAFF"


class StaffRole(StrEnum):
    """What a staff member may do."""

    CATALOGUE = "CATALOGUE"
    SALES = "SALES"
    CODES = "CODES"
    CONTROL = "CONTROL"
    VIEWER = "VIEWER"


OFFICE: Final = (StaffRole.CATALOGUE, StaffRole.SALES, StaffRole.CODES, StaffRole.VIEWER)
"""The roles to which the organisation's records are open: its contacts, sales, offers with their codes, its audit."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A caller of one organisation.

    ``actor`` names the caller in audit entries and idempotency keys. ``contact`` is set for contacts and partners,
    ``point_of_sale`` for all but staff who did not sign in at one. ``counter_profile`` is the staff member's profile.
    ``catalogue_version`` is what the catalogue's was when the credentials were checked, None where nobody looked.
    ``address`` is the network address that the request came from, empty where it is not known.
    """

    audience: Audience
    organisation_id: UUID
    organisation_code: str
    actor: str
    contact: UUID | None = None
    point_of_sale: UUID | None = None
    roles: frozenset[StaffRole] = frozenset()
    counter_profile: str | None = None
    catalogue_version: int | None = None
    address: str = field(default="", compare=False)

    @property
    def is_staff(self) -> bool:
        return self.audience is Audience.STAFF

    @property
    def reads_records(self) -> bool:
        """Whether this is a staff member to whom the records are open; to one who controls tickets alone they are not.

        Whoever they are not open to reads what any shopper reads.
        """
        return self.is_staff and not self.roles.isdisjoint(OFFICE)

    def require_role(self, *roles: StaffRole) -> None:
        """Raises Forbidden unless this is a staff member with one of ``roles``, one who reads the records where none is
        named.
        """
        wanted = roles or OFFICE
        if not (self.is_staff and self.roles.intersection(wanted)):
            raise Forbidden(text("forbidden_role", roles=", ".join(wanted)))
