"""An offer comes back from the database as it went in."""

from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest

from db.catalogue.catalogue import Campaign
from db.offers.offers import OfferRow
from services.catalogue.offer_details import CancellationPolicy, OfferDetails
from services.catalogue.offer_rows import from_row, to_limit_rows, to_row
from services.pricing.facts.offers import (
    Advantage,
    AdvantageBenefit,
    AmountOff,
    AmountOffPerTicket,
    CampaignTarget,
    ElementLimits,
    FixedPrice,
    IndicatorTarget,
    Limits,
    OfferState,
    PartnerTarget,
    PercentOff,
    PromotionalCode,
    PromotionBenefit,
    PublicTarget,
    Rates,
    Restriction,
    Scope,
    SingleUseTarget,
    Target,
)
from services.pricing.facts.tickets import Element, ElementKind, ProductFamily

BEGIN, END = datetime(2026, 9, 1, tzinfo=UTC), datetime(2027, 7, 15, tzinfo=UTC)
CAMPAIGN = Campaign(UUID(int=1), "C", {"fr": "C"}, BEGIN, END)
SEASON, SEAT, TARIFF, PRODUCT, PERFORMANCE, OTHER = (UUID(int=number) for number in range(2, 8))
SHARED = {
    "id": UUID(int=9),
    "code": "X",
    "state": OfferState.SUSPENDED,
    "valid_from": BEGIN,
    "valid_until": END,
    "channels": frozenset({OTHER, SEAT}),
    "points_of_sale": frozenset({OTHER}),
    "delivery_modes": frozenset({OTHER}),
    "scope": Scope(frozenset({PRODUCT}), frozenset({PERFORMANCE}), frozenset({SEAT}), frozenset({TARIFF, OTHER})),
    "limits": Limits(10, 4, None),
    "element_limits": (ElementLimits(Element(ElementKind.PRODUCT, PRODUCT), Limits(None, None, 2)),),
}


def _there_and_back(offer: Advantage | PromotionalCode) -> OfferDetails:
    details = OfferDetails(
        offer=offer,
        internal_name={"fr": "A"},
        public_name={"en": "B"},
        picture="https://x.example/p",
        cancellation_policy=CancellationPolicy.ANEW,
        version=7,
    )
    row = to_row(details)
    as_json = {name: orjson.loads(orjson.dumps(getattr(row, name))) for name in ("scope", "benefit", "restriction")}
    values = {name: getattr(row, name) for name in OfferRow.__slots__} | as_json
    found = from_row(OfferRow(**values), to_limit_rows(offer), {CAMPAIGN.id: CAMPAIGN})
    assert found == details
    return found


@pytest.mark.parametrize(
    "target",
    [
        PublicTarget(),
        CampaignTarget(CAMPAIGN.id, BEGIN, END),
        IndicatorTarget(OTHER, "REGULAR"),
        PartnerTarget(),
        SingleUseTarget(None),
        SingleUseTarget(3),
    ],
)
def test_every_target_is_kept(target: Target) -> None:
    advantage = Advantage(
        **SHARED,  # type: ignore[arg-type]
        family=ProductFamily.VISIT,
        season=SEASON,
        target=target,
        benefit=PercentOff(1),
        sale_end_tolerance=-60,
    )
    assert _there_and_back(advantage).season_id == SEASON


@pytest.mark.parametrize(
    "benefit", [Rates({(SEAT, TARIFF): 100, (None, OTHER): 0}), PercentOff(30_000), AmountOff(5), FixedPrice(0)]
)
def test_every_benefit_of_an_advantage_is_kept(benefit: AdvantageBenefit) -> None:
    offer = Advantage(
        id=OTHER, code="X", family=ProductFamily.EVENT, season=SEASON, target=PublicTarget(), benefit=benefit
    )
    _there_and_back(offer)


@pytest.mark.parametrize("benefit", [PercentOff(30_000), AmountOff(5), AmountOffPerTicket(2)])
def test_every_benefit_of_a_promotional_code_is_kept(benefit: PromotionBenefit) -> None:
    promotion = PromotionalCode(**SHARED, benefit=benefit, minimum_basket=2000, combinable=True)  # type: ignore[arg-type]
    assert _there_and_back(promotion).season_id is None


def test_every_restriction_of_a_promotional_code_is_kept() -> None:
    restriction = Restriction(
        indicator=IndicatorTarget(OTHER, "REGULAR"),
        has_ordered=True,
        newsletter=True,
        contacts=frozenset({SEAT, OTHER}),
        counter_profiles=frozenset({"TILL", "PHONE"}),
    )
    _there_and_back(PromotionalCode(id=OTHER, code="X", benefit=AmountOff(1), restriction=restriction))
