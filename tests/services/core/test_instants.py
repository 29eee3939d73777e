"""Instants with the offset of a place."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.core.instants import at_home, local

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "2026-07-01T14:00:00+02:00"),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "2027-01-01T00:30:00+01:00"),
        # The hour that autumn has twice.
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "2026-10-25T02:30:00+02:00"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2026-10-25T02:30:00+01:00"),
        # By the sun of Paris, with seconds in the offset, and past the end of the calendar.
        (datetime(1900, 6, 1, 12, tzinfo=UTC), "1900-06-01T12:00:00+00:00"),
        (datetime.max.replace(tzinfo=UTC), "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_an_instant_has_the_offset_of_its_day(instant: datetime, expected: str) -> None:
    assert at_home(instant, PARIS).isoformat() == expected
    assert at_home(instant, PARIS).timestamp() == instant.timestamp()


def test_people_read_it_to_the_second() -> None:
    assert local(datetime(2026, 7, 1, 12, 0, 0, 5, tzinfo=UTC), PARIS) == "2026-07-01 14:00:00+02:00"
