"""An example's dates move by whole weeks, so that its season is current and its performances are ahead."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.dataset.samples import changed, example

from services.dataset import moved_to

PARIS = ZoneInfo("Europe/Paris")


def _dates(document: Any) -> list[datetime]:
    """Every date of the example, in its order."""
    things = [*document["seasons"], *document["campaigns"]]
    texts = [each[key] for each in things for key in ("startsOn", "endsOn")]
    texts += [each["startsAt"] for product in document["products"] for each in product.get("performances", ())]
    return [datetime.fromisoformat(each) for each in texts]


def _moved(now: str) -> Any:
    return moved_to(example(), datetime.fromisoformat(now))


@pytest.mark.parametrize("now", ["2026-09-01T00:00:00+02:00", "2026-11-23T12:00:00+01:00", "2026-12-17T19:59:59+01:00"])
def test_a_current_season_with_all_performances_ahead_stays(now: str) -> None:
    assert _moved(now) == example()


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2026-12-17T20:00:00+01:00", "2026-12-24T20:00:00+01:00"),
        ("2027-06-01T12:00:00+02:00", "2027-06-03T20:00:00+02:00"),
        ("2030-01-01T00:00:00+00:00", "2030-01-03T20:00:00+01:00"),
        ("2026-08-31T12:00:00+02:00", "2026-12-10T20:00:00+01:00"),
        ("2026-01-01T00:00:00+01:00", "2026-04-16T20:00:00+02:00"),
    ],
)
def test_dates_move_by_as_few_weeks_as_it_takes(now: str, first: str) -> None:
    assert _moved(now)["products"][0]["performances"][0]["startsAt"] == first


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_season_is_current_and_every_performance_ahead(now: datetime) -> None:
    begins, ends, *_, first, _, _ = _dates(moved_to(example(), now))
    assert begins <= now < first < ends


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_all_dates_move_by_the_same_weeks_at_the_same_time_of_day(now: datetime) -> None:
    pairs = zip(_dates(example()), _dates(moved_to(example(), now)), strict=True)
    moves = {after.astimezone(PARIS).replace(tzinfo=None) - before.replace(tzinfo=None) for before, after in pairs}
    [move] = moves
    assert move % timedelta(weeks=1) == timedelta(0)


def test_a_time_that_daylight_saving_skips_is_an_hour_later() -> None:
    document = changed(("products.0.performances.0.startsAt", "2026-12-20T02:30:00+01:00"))
    moved: Any = moved_to(document, datetime.fromisoformat("2027-03-26T12:00:00+01:00"))
    assert moved["products"][0]["performances"][0]["startsAt"] == "2027-03-28T03:30:00+02:00"


def test_validity_moves_along_and_names_do_not() -> None:
    document = changed(("advantages.0.validFrom", "2026-10-01T00:00:00+02:00"))
    moved: Any = moved_to(document, datetime.fromisoformat("2026-12-18T00:00:00+01:00"))
    assert moved["advantages"][0]["validFrom"] == "2026-10-08T00:00:00+02:00"
    assert moved["products"][0]["performances"][0]["code"] == "HELENE-1217"
    assert moved["seasons"][0]["name"] == example()["seasons"][0]["name"]


@pytest.mark.parametrize("document", [None, [], {}, {"organisation": {"timezone": "../x"}}, changed(("seasons", 1))])
def test_what_cannot_be_loaded_is_left_for_loading_to_refuse(document: object) -> None:
    now = datetime.fromisoformat("2026-11-23T12:00:00+01:00")
    assert moved_to(document, now) == document
