"""Offers as somebody who configures them asks for: parts of them, that nobody has checked yet.

A draft's fields are those of the API's inputs. One that is ``UNSET`` stays as it is, None clears it; one that is
given is given as a whole.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from services.catalogue.offer_details import CancellationPolicy
from services.core.errors import Problem
from services.core.unset import UNSET, Given
from services.pricing.facts.offers import Limits
from services.pricing.facts.tickets import Element, ElementKind, ProductFamily


@dataclass(frozen=True, slots=True)
class LevelDraft:
    """An indicator by its code, and one of its levels."""

    indicator: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDraft:
    """For whom an advantage is: exactly one of these. ``tickets_per_code`` may be None, which is all."""

    public: bool | None = None
    campaign: UUID | None = None
    indicator: LevelDraft | None = None
    access_code: str | None = None
    tickets_per_code: Given[int] = UNSET


@dataclass(frozen=True, slots=True)
class RateDraft:
    """A price of a rate sub-table."""

    seat_category: UUID | None
    audience_sub_category: UUID
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BenefitDraft:
    """Exactly one of these; rates and a fixed price are an advantage's, an amount per ticket a promotional code's."""

    rates: tuple[RateDraft, ...] | None = None
    percent_off: Decimal | None = None
    amount_off: Decimal | None = None
    fixed_price: Decimal | None = None
    amount_off_per_ticket: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ScopeDraft:
    """What an offer is for; an empty list is all."""

    products: tuple[UUID, ...] = ()
    performances: tuple[UUID, ...] = ()
    seat_categories: tuple[UUID, ...] = ()
    audience_sub_categories: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementLimitDraft:
    """Limits of one element: exactly one of the four."""

    product: UUID | None
    performance: UUID | None
    seat_category: UUID | None
    audience_sub_category: UUID | None
    limits: Limits

    @property
    def element(self) -> Element | None:
        """The element, None where it is not exactly one."""
        named = (
            (ElementKind.PRODUCT, self.product),
            (ElementKind.PERFORMANCE, self.performance),
            (ElementKind.SEAT_CATEGORY, self.seat_category),
            (ElementKind.AUDIENCE_SUB_CATEGORY, self.audience_sub_category),
        )
        given = [Element(kind, key) for kind, key in named if key is not None]
        return given[0] if len(given) == 1 else None


@dataclass(frozen=True, slots=True)
class LimitsDraft:
    """The limits of the offer itself, and of its elements."""

    own: Limits
    elements: tuple[ElementLimitDraft, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionDraft:
    """To whom a promotional code is restricted; all that is set must hold."""

    indicator: LevelDraft | None = None
    has_ordered: bool | None = None
    newsletter: bool = False
    contacts: tuple[UUID, ...] = ()
    counter_profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDraft:
    """What both kinds of offers have. ``sale_end`` is the tolerance in minutes after the start of a performance;
    ``unread`` is what was wrong before the draft could be made, such as ids.
    """

    internal_name: Given[dict[str, str]] = UNSET
    public_name: Given[dict[str, str]] = UNSET
    description: Given[dict[str, str]] = UNSET
    terms: Given[dict[str, str]] = UNSET
    picture: Given[str] = UNSET
    valid_from: Given[datetime] = UNSET
    valid_until: Given[datetime] = UNSET
    sale_end: Given[int] = UNSET
    channels: Given[tuple[UUID, ...]] = UNSET
    points_of_sale: Given[tuple[UUID, ...]] = UNSET
    delivery_modes: Given[tuple[UUID, ...]] = UNSET
    scope: Given[ScopeDraft] = UNSET
    limits: Given[LimitsDraft] = UNSET
    benefit: Given[BenefitDraft] = UNSET
    returns_codes: Given[bool] = UNSET
    cancellation_policy: Given[CancellationPolicy] = UNSET
    unread: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvantageDraft(OfferDraft):
    target: Given[TargetDraft] = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionDraft(OfferDraft):
    minimum_basket: Given[Decimal] = UNSET
    combinable: Given[bool] = UNSET
    restriction: Given[RestrictionDraft] = UNSET


@dataclass(frozen=True, slots=True)
class NewAdvantage:
    """An advantage to be made: what can never change, and the rest, with a target and a benefit."""

    season: UUID
    family: ProductFamily
    code: str
    draft: AdvantageDraft


@dataclass(frozen=True, slots=True)
class NewPromotion:
    """A promotional code to be made; its draft has a benefit."""

    code: str
    draft: PromotionDraft
