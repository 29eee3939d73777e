"""The rules of offers that the API and data files share, and the order of an offer's states."""

import pytest

from services.core.texts import Text, text
from services.offers.checks import Belonging, check_belonging, check_element_limits, check_elements, check_new_target
from services.offers.states import FOLLOWING, REACHABLE
from services.pricing.facts.offers import Limits, OfferState, TargetType

OWN = Belonging("EVENT", "2026")


@pytest.mark.parametrize(
    ("product", "reason"),
    [
        (Belonging("EVENT", "2026"), None),
        (Belonging("VISIT", "2026"), text("outside_family", family="EVENT")),
        (Belonging("EVENT", "2027"), text("outside_season", season="2026")),
        (Belonging("VISIT", "2027"), text("outside_family", family="EVENT")),
        (Belonging(None, "2027"), text("outside_season", season="2026")),
        (Belonging(None, None), None),
    ],
)
def test_an_advantage_names_only_products_of_its_own_family_and_season(product: Belonging, reason: Text | None) -> None:
    assert check_belonging(product, OWN) == reason


def test_nothing_is_outside_a_season_that_is_not_known() -> None:
    assert check_belonging(Belonging("EVENT", "2027"), Belonging("EVENT", None)) is None


def test_an_element_is_limited_once_and_to_something() -> None:
    assert list(check_elements(["hall", "stalls", "hall"])) == [None, None, text("limit_twice")]
    assert check_element_limits(Limits()) == text("limit_missing")
    assert check_element_limits(Limits(quota=0)) is None


@pytest.mark.parametrize("after", [None, TargetType.PUBLIC, TargetType.PARTNER])
def test_only_codes_that_were_made_keep_their_target(after: TargetType | None) -> None:
    single_use = TargetType.SINGLE_USE_CODE
    assert check_new_target(single_use, after, has_codes=True) == text("target_has_codes")
    assert check_new_target(single_use, after, has_codes=False) is None
    assert check_new_target(single_use, single_use, has_codes=True) is None
    assert check_new_target(TargetType.PUBLIC, after, has_codes=True) is None


def test_a_closed_offer_stays_closed_and_a_draft_can_become_everything() -> None:
    assert REACHABLE[OfferState.CLOSED] == {OfferState.CLOSED}
    assert REACHABLE[OfferState.DRAFT] == set(OfferState)


def test_no_offer_that_was_validated_is_a_draft_again() -> None:
    later = set(OfferState) - {OfferState.DRAFT}
    assert REACHABLE[OfferState.VALIDATED] == later
    assert REACHABLE[OfferState.RUNNING] == REACHABLE[OfferState.SUSPENDED] == later - {OfferState.VALIDATED}


@pytest.mark.parametrize("state", OfferState)
def test_what_follows_a_state_can_be_reached_from_it(state: OfferState) -> None:
    assert {state, *FOLLOWING[state]} <= REACHABLE[state]
