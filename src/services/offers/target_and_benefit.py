"""For whom an offer is and what it gives: targets, restrictions and benefits of a draft."""

from decimal import Decimal
from typing import Final
from uuid import UUID

from services.catalogue.checks import check_level, check_prices
from services.catalogue.snapshot import Catalogue
from services.codes.format import check_chosen
from services.core.errors import Path
from services.core.money import AmountError, to_minor
from services.core.percentages import PercentageError, to_ten_thousandths
from services.core.problems import Problems
from services.core.text_checks import check_label
from services.core.texts import Text, text
from services.core.unset import UNSET
from services.offers.forms import BenefitDraft, LevelDraft, RateDraft, RestrictionDraft, TargetDraft
from services.pricing.facts.offers import (
    AdvantageBenefit,
    AmountOff,
    AmountOffPerTicket,
    CampaignTarget,
    FixedPrice,
    IndicatorTarget,
    PartnerTarget,
    PercentOff,
    PromotionBenefit,
    PublicTarget,
    Rates,
    Restriction,
    SingleUseTarget,
    Target,
)

LONGEST_TOLERANCE: Final = 525_600
"""Of a sale end, in minutes before or after the start: a year."""


class TargetsAndBenefits:
    """Reads the target, the restriction and the benefit of a draft.

    What is wrong reads as something harmless, for its problem keeps all of the draft from being used.
    """

    def __init__(self, catalogue: Catalogue, problems: Problems) -> None:
        self._catalogue = catalogue
        self._problems = problems

    # ── For whom ─────────────────────────────────────────────────────────────────────────────────

    def target(self, draft: TargetDraft) -> Target:
        """A target; whether an access code is still free is for others to find out."""
        if draft.campaign is not None:
            return self._campaign(draft.campaign)
        if draft.indicator is not None:
            return self._level(("target", "indicator"), draft.indicator)
        if draft.access_code is not None:
            self._problems.refuse(("target", "accessCode"), check_chosen(draft.access_code))
            return PartnerTarget()
        if draft.tickets_per_code is not UNSET:
            if draft.tickets_per_code is not None and draft.tickets_per_code < 1:
                self._problems.add(("target", "singleUseCode", "ticketsPerCode"), text("number_too_small", ge=1))
            return SingleUseTarget(draft.tickets_per_code)
        if not draft.public:
            self._problems.add(("target", "public"), text("public_is_true"))
        return PublicTarget()

    def _campaign(self, key: UUID) -> Target:
        campaign = self._catalogue.campaigns.get(key)
        if campaign is None:
            self._problems.add(("target", "campaignId"), text("unknown_campaign"))
            return PublicTarget()
        return CampaignTarget(campaign.id, campaign.starts_at, campaign.ends_at)

    def _level(self, path: Path, draft: LevelDraft) -> IndicatorTarget:
        indicators = self._catalogue.indicators.values()
        indicator = next((each for each in indicators if each.code == draft.indicator), None)
        if indicator is None:
            self._problems.add((*path, "indicator"), text("unknown_indicator"))
            return IndicatorTarget(UUID(int=0), draft.level)
        self._problems.refuse((*path, "level"), check_level(indicator.code, draft.level, indicator.levels))
        return IndicatorTarget(indicator.id, draft.level)

    def restriction(self, draft: RestrictionDraft) -> Restriction:
        """A restriction; whether its contacts exist is for others to find out."""
        reasons = (self._profile(profile) for profile in draft.counter_profiles)
        self._problems.refuse_each(("restrictedTo", "counterProfiles"), reasons)
        level = None if draft.indicator is None else self._level(("restrictedTo", "indicator"), draft.indicator)
        return Restriction(
            indicator=level,
            has_ordered=draft.has_ordered,
            newsletter=draft.newsletter,
            contacts=frozenset(draft.contacts),
            counter_profiles=frozenset(draft.counter_profiles),
        )

    def _profile(self, code: str) -> Text | None:
        """Why staff can have no such counter profile. An organisation that keeps no list of them may name any."""
        known = {profile.code for profile in self._catalogue.counter_profiles.values()}
        return text("unknown_counter_profile", code=code) if known and code not in known else check_label(code)

    # ── What ─────────────────────────────────────────────────────────────────────────────────────

    def advantage_benefit(self, draft: BenefitDraft) -> AdvantageBenefit:
        if draft.rates is not None:
            return Rates(self._rates(("benefit", "rates"), draft.rates))
        if draft.fixed_price is not None:
            return FixedPrice(self.amount(("benefit", "fixedPrice"), draft.fixed_price))
        return self._off(draft)

    def promotion_benefit(self, draft: BenefitDraft) -> PromotionBenefit:
        if draft.amount_off_per_ticket is not None:
            return AmountOffPerTicket(self._discount(("benefit", "amountOffPerTicket"), draft.amount_off_per_ticket))
        return self._off(draft)

    def _off(self, draft: BenefitDraft) -> PercentOff | AmountOff:
        if draft.amount_off is not None:
            return AmountOff(self._discount(("benefit", "amountOff"), draft.amount_off))
        try:
            return PercentOff(to_ten_thousandths(draft.percent_off or Decimal()))
        except PercentageError as error:
            self._problems.add(("benefit", "percentOff"), error.text)
            return PercentOff(1)

    def _rates(self, path: Path, drafts: tuple[RateDraft, ...]) -> dict[tuple[UUID | None, UUID], int]:
        """A rate sub-table: at least one price, and one for a combination."""
        if not drafts:
            self._problems.add(path, text("list_empty"))
        prices: dict[tuple[UUID | None, UUID], int] = {}
        reasons = check_prices((draft.seat_category, draft.audience_sub_category) for draft in drafts)
        for position, (draft, reason) in enumerate(zip(drafts, reasons, strict=True)):
            place = (*path, str(position))
            seat, audience = draft.seat_category, draft.audience_sub_category
            if seat is not None and seat not in self._catalogue.seat_categories:
                self._problems.add((*place, "seatCategoryId"), text("unknown_seat_category"))
            if audience not in self._catalogue.audience_sub_categories:
                self._problems.add((*place, "audienceSubCategoryId"), text("unknown_audience_sub_category"))
            self._problems.refuse(place, reason)
            prices[seat, audience] = self.amount((*place, "price"), draft.price)
        return prices

    def amount(self, path: Path, amount: Decimal) -> int:
        """An amount of the draft in minor units, zero or more."""
        if amount < 0:
            self._problems.add(path, text("amount_negative"))
            return 0
        try:
            return to_minor(amount, self._catalogue.currency)
        except AmountError as error:
            self._problems.add(path, error.text)
            return 0

    def _discount(self, path: Path, amount: Decimal) -> int:
        if amount == 0:
            self._problems.add(path, text("amount_zero"))
        return self.amount(path, amount)

    def sale_end(self, tolerance: int) -> int:
        if abs(tolerance) > LONGEST_TOLERANCE:
            self._problems.add(("saleEnd", "toleranceMinutes"), text("tolerance_range", most=LONGEST_TOLERANCE))
        return tolerance
