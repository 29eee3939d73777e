"""An offer as it was configured: what pricing is told of it, and what people are."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from db.offers.offers import OfferKind
from services.pricing.facts.offers import (
    Advantage,
    CampaignTarget,
    IndicatorTarget,
    OfferState,
    PartnerTarget,
    PromotionalCode,
    PublicTarget,
    SingleUseTarget,
    Target,
    TargetType,
)


class CancellationPolicy(StrEnum):
    """What becomes of the tickets that stay where others of their order are cancelled.

    KEEP: their prices stay. ANEW: they are priced once more, at the order's own instant and terms (docs/domain.md,
    Cancelling tickets).
    """

    KEEP = "KEEP"
    ANEW = "ANEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDetails:
    """All that was configured about an offer: ``offer`` is what pricing is told, the rest what people are.

    ``returns_codes``: its single-use codes are available again when none of their order's tickets is left.
    ``cancellation_policy`` says what becomes of the tickets that stay. ``unfinished`` are the
    fields of a copy that could not be copied as they were, until somebody gives them anew.
    """

    offer: Advantage | PromotionalCode
    internal_name: dict[str, str]
    public_name: dict[str, str]
    picture: str | None = None
    description: dict[str, str] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)
    unfinished: frozenset[str] = frozenset()
    returns_codes: bool = True
    cancellation_policy: CancellationPolicy = CancellationPolicy.KEEP
    version: int = 1

    @property
    def id(self) -> UUID:
        return self.offer.id

    @property
    def code(self) -> str:
        return self.offer.code

    @property
    def state(self) -> OfferState:
        return self.offer.state

    @property
    def kind(self) -> OfferKind:
        return OfferKind.ADVANTAGE if isinstance(self.offer, Advantage) else OfferKind.PROMOTIONAL_CODE

    @property
    def season_id(self) -> UUID | None:
        """The season of an advantage; None for promotional codes."""
        return self.offer.season if isinstance(self.offer, Advantage) else None

    @property
    def target_type(self) -> TargetType | None:
        """None for promotional codes, which always need their code entered."""
        return target_type(self.offer.target) if isinstance(self.offer, Advantage) else None

    @property
    def quota(self) -> int | None:
        return self.offer.limits.quota


def target_type(target: Target) -> TargetType:
    match target:
        case PublicTarget():
            return TargetType.PUBLIC
        case CampaignTarget():
            return TargetType.CONTACTS
        case IndicatorTarget():
            return TargetType.INDICATOR
        case PartnerTarget():
            return TargetType.PARTNER
        case SingleUseTarget():
            return TargetType.SINGLE_USE_CODE
