"""An offer as a draft would make it: from what it is, or from nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from services.catalogue.checks import check_period
from services.catalogue.offer_details import CancellationPolicy, OfferDetails
from services.catalogue.snapshot import Catalogue
from services.core.errors import Path
from services.core.problems import Problems
from services.core.text_checks import check_label, check_text, check_url, check_words
from services.core.texts import text
from services.core.unset import UNSET, Given
from services.offers.checks import Belonging
from services.offers.forms import AdvantageDraft, NewAdvantage, NewPromotion, OfferDraft, PromotionDraft
from services.offers.scope_and_limits import ScopesAndLimits
from services.offers.target_and_benefit import TargetsAndBenefits
from services.pricing.facts.offers import (
    Advantage,
    FixedPrice,
    Limits,
    OfferState,
    PercentOff,
    PromotionalCode,
    PublicTarget,
    Restriction,
    Scope,
)

LONGEST_CODE: Final = 64
_YEARS: Final = range(1900, 9001)

Draft = TypeVar("Draft")
Value = TypeVar("Value")
OfferType = TypeVar("OfferType", Advantage, PromotionalCode)


class Editor:
    """Applies drafts, and notes every problem; what is made counts for nothing where there is one."""

    def __init__(self, catalogue: Catalogue, problems: Problems) -> None:
        self._catalogue = catalogue
        self._problems = problems
        self._terms = TargetsAndBenefits(catalogue, problems)

    # ── Advantages ───────────────────────────────────────────────────────────────────────────────

    def new_advantage(self, key: UUID, new: NewAdvantage) -> OfferDetails:
        """A new advantage, a draft of offers' first state."""
        if new.season not in self._catalogue.seasons:
            self._problems.add(("seasonId",), text("unknown_season"))
        blank = Advantage(
            id=key,
            code=self._code(new.code),
            state=OfferState.DRAFT,
            family=new.family,
            season=new.season,
            target=PublicTarget(),
            benefit=FixedPrice(0),
        )
        return self.advantage(OfferDetails(offer=blank, internal_name={}, public_name={}), blank, new.draft)

    def advantage(self, stored: OfferDetails, offer: Advantage, draft: AdvantageDraft) -> OfferDetails:
        """``stored``, whose offer is ``offer``, with what the draft gives."""
        season = None if offer.season is None else self._catalogue.seasons.get(offer.season)
        offer = self._offer(offer, draft, Belonging(offer.family, None if season is None else season.code))
        offer = replace(
            offer,
            target=self._required(("target",), draft.target, offer.target, self._terms.target),
            benefit=self._required(("benefit",), draft.benefit, offer.benefit, self._terms.advantage_benefit),
        )
        return self._details(replace(stored, offer=offer), draft)

    # ── Promotional codes ────────────────────────────────────────────────────────────────────────

    def new_promotion(self, key: UUID, new: NewPromotion) -> OfferDetails:
        """A new promotional code, a draft of offers' first state."""
        blank = PromotionalCode(
            id=key, code=self._code(new.code), state=OfferState.DRAFT, benefit=PercentOff(1), minimum_basket=0
        )
        return self.promotion(OfferDetails(offer=blank, internal_name={}, public_name={}), blank, new.draft)

    def promotion(self, stored: OfferDetails, offer: PromotionalCode, draft: PromotionDraft) -> OfferDetails:
        """``stored``, whose offer is ``offer``, with what the draft gives."""
        terms = self._terms
        offer = self._offer(offer, draft, None)
        offer = replace(
            offer,
            benefit=self._required(("benefit",), draft.benefit, offer.benefit, terms.promotion_benefit),
            minimum_basket=_merged(
                draft.minimum_basket, offer.minimum_basket, 0, lambda amount: terms.amount(("minimumBasket",), amount)
            ),
            combinable=_merged(draft.combinable, offer.combinable, False, bool),
            restriction=_merged(draft.restriction, offer.restriction, Restriction(), terms.restriction),
        )
        return self._details(replace(stored, offer=offer), draft)

    # ── Both ─────────────────────────────────────────────────────────────────────────────────────

    def _offer(self, offer: OfferType, draft: OfferDraft, of: Belonging | None) -> OfferType:
        reach = ScopesAndLimits(self._catalogue, self._problems, of)
        limits, element_limits = _merged(
            draft.limits, (offer.limits, offer.element_limits), (Limits(), ()), reach.limits
        )
        begins = _merged(draft.valid_from, offer.valid_from, None, lambda at: self._instant(("validFrom",), at))
        ends = _merged(draft.valid_until, offer.valid_until, None, lambda at: self._instant(("validUntil",), at))
        path = "validFrom" if draft.valid_until is UNSET else "validUntil"
        self._problems.refuse((path,), check_period(begins, ends))
        return replace(
            offer,
            valid_from=begins,
            valid_until=ends,
            channels=_merged(draft.channels, offer.channels, frozenset(), reach.channels),
            points_of_sale=_merged(draft.points_of_sale, offer.points_of_sale, frozenset(), reach.points_of_sale),
            delivery_modes=_merged(draft.delivery_modes, offer.delivery_modes, frozenset(), reach.delivery_modes),
            scope=_merged(draft.scope, offer.scope, Scope(), reach.scope),
            limits=limits,
            element_limits=element_limits,
            sale_end_tolerance=_merged(draft.sale_end, offer.sale_end_tolerance, None, self._terms.sale_end),
        )

    def _details(self, details: OfferDetails, draft: OfferDraft) -> OfferDetails:
        """The internal name is needed at once, the public one when the offer is validated."""
        internal = _merged(draft.internal_name, details.internal_name, {}, lambda n: self._name(("internalName",), n))
        if not internal:
            self._problems.add(("internalName",), text("name_missing"))
        return replace(
            details,
            internal_name=internal,
            public_name=_merged(
                draft.public_name, details.public_name, {}, lambda names: self._name(("publicName",), names)
            ),
            description=_merged(
                draft.description, details.description, {}, lambda texts: self._text(("description",), texts)
            ),
            terms=_merged(draft.terms, details.terms, {}, lambda texts: self._text(("terms",), texts)),
            picture=_merged(draft.picture, details.picture, None, self._picture),
            unfinished=_unfinished(details.unfinished, draft),
            returns_codes=_merged(draft.returns_codes, details.returns_codes, True, bool),
            cancellation_policy=_merged(
                draft.cancellation_policy, details.cancellation_policy, CancellationPolicy.KEEP, CancellationPolicy
            ),
        )

    def _required(self, path: Path, given: Given[Draft], stored: Value, read: Callable[[Draft], Value]) -> Value:
        if given is None:
            self._problems.add(path, text("cannot_be_cleared"))
        return _merged(given, stored, stored, read)

    def _code(self, code: str) -> str:
        self._problems.refuse(("code",), check_label(code, LONGEST_CODE))
        return code

    def _name(self, path: Path, names: dict[str, str]) -> dict[str, str]:
        for language, name in names.items():
            self._problems.refuse((*path, language), check_words(name))
        return names

    def _text(self, path: Path, texts: dict[str, str]) -> dict[str, str]:
        for language, written in texts.items():
            self._problems.refuse((*path, language), check_text(written))
        return texts

    def _picture(self, url: str) -> str:
        self._problems.refuse(("picture",), check_url(url))
        return url

    def _instant(self, path: Path, at: datetime) -> datetime:
        if at.year not in _YEARS:
            self._problems.add(path, text("instant_malformed"))
        return at


def _unfinished(unfinished: frozenset[str], draft: OfferDraft) -> frozenset[str]:
    """What nobody has given yet: whoever gives a field of a copy, if only anew, has looked at it."""
    given = {name for name, value in (("scope", draft.scope), ("limits", draft.limits)) if value is not UNSET}
    return unfinished - given


def _merged(given: Given[Draft], stored: Value, cleared: Value, read: Callable[[Draft], Value]) -> Value:
    if given is UNSET:
        return stored
    return cleared if given is None else read(given)
