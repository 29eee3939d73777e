"""Who is asking, as the credentials say (docs/domain.md, Who may do what)."""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Final
from uuid import UUID

from services.core.errors import Forbidden
from services.core.texts import text

CODES_OF_OPERATION: Final = 100
"""Unknown codes that one operation may try."""
_LONGEST: Final = 64  # No address is longer, whatever a header says.


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


class CodeAllowance:
    """How many codes one operation may still have looked up: one operation is one customer's, whoever that is."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = CODES_OF_OPERATION

    def take(self, number: int) -> int:
        """As many of them as are left."""
        taken = min(number, self._left)
        self._left -= taken
        return taken

    def give_back(self, number: int) -> None:
        self._left += number


@dataclass(frozen=True, slots=True)
class Viewer:
    """A caller of one organisation.

    ``actor`` names the caller in audit entries and idempotency keys. ``contact`` is set for contacts and partners,
    ``point_of_sale`` for all but staff who did not sign in at one. ``counter_profile`` is the staff member's profile.
    ``catalogue_version`` is what the catalogue's was when the credentials were checked, None where nobody looked.
    ``address`` is the network address that the request came from, empty where it is not known. ``allowance`` is that of
    the operation that the viewer was made for.
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
    allowance: CodeAllowance = field(default_factory=CodeAllowance, compare=False, repr=False)

    @property
    def is_staff(self) -> bool:
        return self.audience is Audience.STAFF

    @property
    def reads_records(self) -> bool:
        """Whether this is a staff member to whom the records are open; to one who controls tickets alone they are not.

        Whoever they are not open to reads what any shopper reads.
        """
        return self.is_staff and not self.roles.isdisjoint(OFFICE)

    @property
    def client(self) -> str:
        """Whom limits of a customer count for: a contact, a partner, else whoever is at a network address.

        The address of an IPv6 client is its first 56 bits, which is what a household gets. Empty where it is not known.
        """
        return network(self.address) if self.contact is None else str(self.contact)

    def require_role(self, *roles: StaffRole) -> None:
        """Raises Forbidden unless this is a staff member with one of ``roles``, one who reads the records where none is
        named.
        """
        wanted = roles or OFFICE
        if not (self.is_staff and self.roles.intersection(wanted)):
            raise Forbidden(text("forbidden_role", roles=", ".join(wanted)))


@lru_cache(4_096)
def network(address: str) -> str:
    """What one customer has of addresses: one of IPv4, 2⁷² of IPv6."""
    try:
        parsed = ip_address(address[:_LONGEST])
    except ValueError:
        return address[:_LONGEST]
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    # A server that listens to both sees IPv4 so; all of it is in one /56.
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 56), strict=False))
