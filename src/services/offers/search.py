"""Looking for offers in lists: by name, code, state, and what they are for."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from services.catalogue.offer_details import OfferDetails
from services.catalogue.snapshot import Catalogue
from services.core.text_checks import folded
from services.pricing.facts.offers import Advantage, CampaignTarget, OfferState, TargetType
from services.pricing.facts.tickets import ProductFamily

# An office types on, letter by letter, and looks through the same names each time.
_folded = lru_cache(50_000)(folded)


@dataclass(frozen=True, slots=True)
class OfferSearch:
    """Which offers: those that satisfy all that is set. ``part`` is of the code or of a name in any language."""

    part: str = ""
    states: frozenset[OfferState] | None = None
    season: UUID | None = None
    target_type: TargetType | None = None
    family: ProductFamily | None = None
    campaign: UUID | None = None

    def offers(self, catalogue: Catalogue, seen: Collection[UUID] | None = None, *, staff: bool = True) -> list[UUID]:
        """The ids in ascending order, which is that of making, among those that are ``seen``, all where that is None.

        Only ``staff`` finds offers by what staff call them.
        """
        part = _folded(self.part)
        return sorted(
            key
            for key, details in catalogue.offer_details.items()
            if (seen is None or key in seen) and self._lets_through(details) and _is_in(part, details, staff=staff)
        )

    def advantages(self, catalogue: Catalogue, seen: Collection[UUID] | None, *, staff: bool) -> list[UUID]:
        """The same of advantages alone."""
        found = self.offers(catalogue, seen, staff=staff)
        return [key for key in found if isinstance(catalogue.offer_details[key].offer, Advantage)]

    def promotional_codes(self, catalogue: Catalogue) -> list[UUID]:
        """The same of promotional codes alone, which only staff lists."""
        found = self.offers(catalogue)
        return [key for key in found if not isinstance(catalogue.offer_details[key].offer, Advantage)]

    def _lets_through(self, details: OfferDetails) -> bool:
        return (
            (self.states is None or details.state in self.states)
            and self.season in {None, details.season_id}
            and self.target_type in {None, details.target_type}
            and (self.family is None or _family(details) is self.family)
            and (self.campaign is None or _campaign(details) == self.campaign)
        )


def _is_in(part: str, details: OfferDetails, *, staff: bool) -> bool:
    if not part:
        return True
    names = [details.code, *details.public_name.values(), *(details.internal_name.values() if staff else ())]
    return any(part in _folded(name) for name in names)


def _family(details: OfferDetails) -> ProductFamily | None:
    return details.offer.family if isinstance(details.offer, Advantage) else None


def _campaign(details: OfferDetails) -> UUID | None:
    target = details.offer.target if isinstance(details.offer, Advantage) else None
    return target.campaign if isinstance(target, CampaignTarget) else None
