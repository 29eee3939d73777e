"""Offers as pricing is told of them: for whom they are, on what, and what they give (docs/domain.md, Offers).

All amounts are whole minor units of the organisation's currency; all instants carry an offset.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.pricing.facts.tickets import Element, ProductFamily


class OfferState(StrEnum):
    """DRAFT → VALIDATED → RUNNING ⇄ SUSPENDED → CLOSED, or at once CLOSED (docs/domain.md, Offers, State)."""

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
    """What advantages and promotional codes share. Empty sets mean all.

    ``sale_end_tolerance`` is in minutes after the performance's start, negative for before it; None is without limit.
    """

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
    sale_end_tolerance: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advantage(Offer):
    """Better prices on existing products of its family and, where it names one, its season."""

    family: ProductFamily
    season: UUID | None = None
    target: Target
    benefit: AdvantageBenefit


@dataclass(frozen=True, slots=True)
class Restriction:
    """To whom a promotional code is further restricted; every part that is set must hold.

    ``has_ordered``: to contacts who have ordered before, or, if False, to those who have not.
    """

    indicator: IndicatorTarget | None = None
    has_ordered: bool | None = None
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
