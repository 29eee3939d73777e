"""What is sold: kinds of tickets and what they consist of (docs/domain.md, Words). Amounts are whole minor units."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.pricing.values import value


class ProductFamily(StrEnum):
    """The eleven families of what is sold (docs/domain.md, Words)."""

    SUBSCRIPTION = "SUBSCRIPTION"
    MEMBERSHIP = "MEMBERSHIP"
    VOUCHER = "VOUCHER"
    COMPETITION = "COMPETITION"
    EVENT = "EVENT"
    PACKAGE = "PACKAGE"
    DATED_PASS = "DATED_PASS"  # noqa: S105 - a pass, not a password
    TIMESLOT_PASS = "TIMESLOT_PASS"  # noqa: S105 - a pass, not a password
    OPEN_PASS = "OPEN_PASS"  # noqa: S105 - a pass, not a password
    SERVICE = "SERVICE"
    VISIT = "VISIT"


FAMILIES_WITH_PERFORMANCES = frozenset(
    {
        ProductFamily.EVENT,
        ProductFamily.VISIT,
        ProductFamily.COMPETITION,
        ProductFamily.DATED_PASS,
        ProductFamily.TIMESLOT_PASS,
    }
)


class ElementKind(StrEnum):
    """What a scope list or an element limit can name."""

    PRODUCT = "PRODUCT"
    PERFORMANCE = "PERFORMANCE"
    SEAT_CATEGORY = "SEAT_CATEGORY"
    AUDIENCE_SUB_CATEGORY = "AUDIENCE_SUB_CATEGORY"


class Element(NamedTuple):
    """One product, performance, seat category or audience sub-category."""

    kind: ElementKind
    id: UUID


class TicketPlace(NamedTuple):
    """What a ticket is for, whatever it costs."""

    product: UUID
    performance: UUID | None
    seat_category: UUID | None
    audience_sub_category: UUID


@value
class TicketKind:
    """What is sold: tickets that agree in all of this are alike.

    ``full_price`` comes from the rate table; ``starts_at`` and ``performance`` are None in families without
    performances; ``season`` is the product's.
    """

    family: ProductFamily
    product: UUID
    performance: UUID | None
    seat_category: UUID | None
    audience_sub_category: UUID
    starts_at: datetime | None
    full_price: int
    season: UUID | None = None

    @property
    def place(self) -> TicketPlace:
        return TicketPlace(self.product, self.performance, self.seat_category, self.audience_sub_category)


@value
class Line:
    """A number of like tickets (1 or more)."""

    kind: TicketKind
    quantity: int
