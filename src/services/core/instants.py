"""Instants as people read them: one way for lists, mails and messages, and one for programs."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_END = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def at_home(instant: datetime, zone: ZoneInfo) -> datetime:
    """The same instant with the offset that the clocks of a zone have then.

    As it is where the calendar has no such day there, at the ends of time, or where clocks went by the sun: RFC 3339
    has no offsets with seconds.
    """
    with suppress(OverflowError):
        there = instant.astimezone(zone)
        offset = there.utcoffset()
        if offset is not None and not offset % _MINUTE:
            return there
    return instant


def in_calendar(instant: datetime) -> datetime:
    """The same instant in UTC; where the calendar has it at its own offset alone, the nearest that UTC has."""
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        return _BEGINNING if instant.year == 1 else _END


def local(instant: datetime, zone: ZoneInfo) -> str:
    """An instant in the time of a zone, to the second and with its offset: "2026-10-25 02:30:00+02:00".

    The offset tells the two instants of the hour that autumn has twice. An end at midnight is 00:00 of the day after.
    """
    return at_home(instant, zone).isoformat(" ", "seconds")


def local_or_empty(instant: datetime | None, zone: ZoneInfo) -> str:
    """The same, and nothing where there is none."""
    return "" if instant is None else local(instant, zone)
