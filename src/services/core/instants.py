"""Instants as people read them: one way for lists, mails and messages."""

from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo


def local(instant: datetime, zone: ZoneInfo) -> str:
    """An instant in the time of a zone, to the second and with its offset: "2026-10-25 02:30:00+02:00".

    The offset tells the two instants of the hour that autumn has twice. An end at midnight is 00:00 of the day after.
    Where the calendar has no such day there, at the ends of time, it is shown as it is.
    """
    with suppress(OverflowError):
        instant = instant.astimezone(zone)
    return instant.isoformat(" ", "seconds")


def local_or_empty(instant: datetime | None, zone: ZoneInfo) -> str:
    """The same, and nothing where there is none."""
    return "" if instant is None else local(instant, zone)
