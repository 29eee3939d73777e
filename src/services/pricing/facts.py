"""What pricing is told: tickets, offers, the sale and what is left of each limit.

Frozen values without behaviour beyond reading themselves. All amounts are whole minor units of the organisation's
currency; all instants carry an offset. The words are those of ``docs/domain.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
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


class OfferState(StrEnum):
    """DRAFT → VALIDATED → RUNNING ⇄ SUSPENDED → CLOSED (docs/domain.md, Offers)."""

    DRAFT = "DRAFT"
    VALIDATED = "VALIDATED"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


class TargetType(StrEnum):
    """For whom an advantage is, in the order in which equal savings are used: the least personal first."""

    PUBLIC = "PUBLIC"
    INDICATOR = "INDICATOR"
    CONTACTS = "CONTACTS"
    PARTNER = "PARTNER"
    SINGLE_USE_CODE = "SINGLE_USE_CODE"


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


@value
class Line:
    """A number of like tickets (1 or more)."""

    kind: TicketKind
    quantity: int


# ── Benefits ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Rates:
    """A rate sub-table: prices by (seat category or None, audience sub-category), in place of the rate table's."""

    prices: Mapping[tuple[UUID | None, UUID], int]


@dataclass(frozen=True, slots=True)
class PercentOff:
    """A percentage off, in ten-thousandths of a percent: 3 % is 30,000."""

    ten_thousandths: int


@dataclass(frozen=True, slots=True)
class AmountOff:
    """An amount off: of one ticket for an advantage, of the basket for a promotional code."""

    amount: int


@dataclass(frozen=True, slots=True)
class FixedPrice:
    """One price for every ticket in scope."""

    price: int


@dataclass(frozen=True, slots=True)
class AmountOffPerTicket:
    """A promotional code's amount off each ticket in its scope."""

    amount: int


AdvantageBenefit = Rates | PercentOff | AmountOff | FixedPrice
PromotionBenefit = PercentOff | AmountOff | AmountOffPerTicket


# ── Targets ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PublicTarget:
    """Everyone."""


@dataclass(frozen=True, slots=True)
class CampaignTarget:
    """Contacts in the target of a campaign, while the campaign runs (both ends included)."""

    campaign: UUID
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class IndicatorTarget:
    """Contacts who have the indicator at this level now."""

    indicator: UUID
    level: str


@dataclass(frozen=True, slots=True)
class PartnerTarget:
    """Whoever enters the access code."""


@dataclass(frozen=True, slots=True)
class SingleUseTarget:
    """Whoever enters one of its codes; each covers ``tickets_per_code`` tickets of its one order, None for all."""

    tickets_per_code: int | None = 1


Target = PublicTarget | CampaignTarget | IndicatorTarget | PartnerTarget | SingleUseTarget


# ── Offers ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Scope:
    """What an offer is for; an empty set means all. A ticket is in scope when it matches every set."""

    products: frozenset[UUID] = frozenset()
    performances: frozenset[UUID] = frozenset()
    seat_categories: frozenset[UUID] = frozenset()
    audience_sub_categories: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of tickets, None where there is no limit: over all orders, in one order, of one contact."""

    quota: int | None = None
    per_order: int | None = None
    per_contact: int | None = None


@dataclass(frozen=True, slots=True)
class ElementLimits:
    """Limits on the tickets of one element."""

    element: Element
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What advantages and promotional codes share. Empty sets mean all."""

    id: UUID
    code: str
    state: OfferState = OfferState.RUNNING
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    channels: frozenset[UUID] = frozenset()
    points_of_sale: frozenset[UUID] = frozenset()
    delivery_modes: frozenset[UUID] = frozenset()
    scope: Scope = Scope()
    limits: Limits = Limits()
    element_limits: tuple[ElementLimits, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advantage(Offer):
    """Better prices on existing products of its family and, where it names one, its season.

    ``sale_end_tolerance`` is in minutes after the performance's start, negative for before it.
    """

    family: ProductFamily
    season: UUID | None = None
    target: Target
    benefit: AdvantageBenefit
    sale_end_tolerance: int | None = None


@dataclass(frozen=True, slots=True)
class Restriction:
    """To whom a promotional code is further restricted; every part that is set must hold."""

    indicator: IndicatorTarget | None = None
    has_ordered: bool = False
    newsletter: bool = False
    contacts: frozenset[UUID] = frozenset()
    counter_profiles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionalCode(Offer):
    """A discount on the whole basket for whoever knows its code. ``minimum_basket`` is in minor units."""

    benefit: PromotionBenefit
    minimum_basket: int = 0
    combinable: bool = False
    restriction: Restriction = Restriction()


# ── The sale ─────────────────────────────────────────────────────────────────────────────────────


@value
class ContactFacts:
    """What targeting knows of a contact. ``indicators`` maps an indicator to the level held now."""

    id: UUID
    indicators: Mapping[UUID, str] = field(default_factory=lambda: MappingProxyType({}))
    campaigns: frozenset[UUID] = frozenset()
    has_ordered: bool = False
    newsletter: bool = False
    balance: int = 0


@value
class Sale:
    """Where, when, by and for whom tickets are sold.

    ``counter_profile`` is the profile of the staff member who sells, if one does. Fees are in minor units.
    """

    now: datetime
    channel: UUID
    point_of_sale: UUID
    delivery_mode: UUID | None = None
    contact: ContactFacts | None = None
    counter_profile: str | None = None
    processing_fee: int = 0
    delivery_fee: int = 0
    use_balance: bool = False


class LimitKey(NamedTuple):
    """Names one counted limit: of an offer or of one of its elements, over all orders or of the sale's contact."""

    offer: UUID
    element: Element | None
    of_contact: bool


Taken = Mapping[LimitKey, int]
"""Tickets that *other* baskets and orders hold of each counted limit; a key that is missing counts as none."""


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────


class RefusalCode(StrEnum):
    """Why an offer or a code does not apply."""

    UNKNOWN_CODE = "UNKNOWN_CODE"
    CODE_ALREADY_USED = "CODE_ALREADY_USED"
    CODE_HELD = "CODE_HELD"
    CODE_INVALIDATED = "CODE_INVALIDATED"
    OFFER_NOT_RUNNING = "OFFER_NOT_RUNNING"
    NOT_STARTED = "NOT_STARTED"
    EXPIRED = "EXPIRED"
    SALE_CLOSED = "SALE_CLOSED"
    WRONG_CHANNEL = "WRONG_CHANNEL"
    WRONG_DELIVERY_MODE = "WRONG_DELIVERY_MODE"
    NOT_TARGETED = "NOT_TARGETED"
    NO_ELIGIBLE_TICKET = "NO_ELIGIBLE_TICKET"
    QUOTA_EXHAUSTED = "QUOTA_EXHAUSTED"
    ORDER_LIMIT_EXCEEDED = "ORDER_LIMIT_EXCEEDED"
    CONTACT_LIMIT_EXCEEDED = "CONTACT_LIMIT_EXCEEDED"
    MINIMUM_BASKET_NOT_REACHED = "MINIMUM_BASKET_NOT_REACHED"
    NOT_COMBINABLE = "NOT_COMBINABLE"
    NO_BENEFIT = "NO_BENEFIT"
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"


@value
class Amount:
    """Minor units."""

    minor: int


@value
class Tickets:
    """A number of tickets."""

    count: int


@value
class Instant:
    """A point in time."""

    at: datetime


@value
class Things:
    """Catalogue things named by id (channels, points of sale, delivery modes); () is none."""

    ids: tuple[UUID, ...]


@value
class Words:
    """Codes or enum values that need no translation: a level, a state, a counter profile."""

    values: tuple[str, ...]


Finding = Amount | Tickets | Instant | Things | Words


@value
class Refusal:
    """One thing that stands in the way, with what was required and what was found where that says more.

    ``detail`` picks a more exact message than the code's own, by key: ``mistyped`` for a failed check character, and
    what pricing itself says (``services.pricing.rules``).
    """

    code: RefusalCode
    required: Finding | None = None
    actual: Finding | None = None
    detail: str | None = None


@value
class EnteredCode:
    """A code as the customer entered it, with what a look-up found.

    ``offer`` is None for a code that opens nothing here; ``code`` is the stored code's id. ``refusals`` are what the
    look-up itself found against it (unknown, used, held elsewhere, invalidated, uses exhausted).
    """

    text: str
    code: UUID | None = None
    offer: UUID | None = None
    refusals: tuple[Refusal, ...] = ()
