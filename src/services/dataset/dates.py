"""Moving a data file in time, so that an example stays current."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.dataset.fields import instant
from services.dataset.parsing import objects_at, strings_at

_WEEK: Final = timedelta(weeks=1)
_DATES: Final = frozenset({"startsOn", "endsOn", "startsAt", "saleEndsAt", "validFrom", "validUntil"})


def moved_to(document: object, now: datetime) -> object:
    """The document with all its dates moved by the same number of whole weeks, its wall-clock times kept.

    By as few as it takes for every performance to be ahead and the season of the first one to have begun: by none
    where that is so already, back where the season has yet to begin. Of the two, performances ahead matter more. A time
    that daylight saving skips on its new day is read as one hour later. A document whose organisation has no time zone
    that exists is left to ``Datasets.load`` to refuse.
    """
    zone = _zone(document)
    weeks = 0 if zone is None else _weeks(document, now, zone)
    return document if zone is None or weeks == 0 else _moved(document, weeks, zone)


def _zone(document: object) -> ZoneInfo | None:
    for _, name in strings_at(document, "organisation", "timezone"):
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            return None
    return None


def _weeks(document: object, now: datetime, zone: ZoneInfo) -> int:
    performances = list(_performances(document))
    begins = {code: at for code, season in objects_at(document, "seasons") if (at := _instant(season.get("startsOn")))}
    ends = [at for _, season in objects_at(document, "seasons") if (at := _instant(season.get("endsOn")))]
    if performances:
        first, season = min(performances)
        least = _first_week_after(now, first, zone)
        most = _first_week_after(now, begins[season], zone) - 1 if season in begins else 0
    elif begins and ends:
        least = _first_week_after(now, max(ends), zone)
        most = _first_week_after(now, min(begins.values()), zone) - 1
    else:
        return 0
    return max(least, min(0, most))


def _performances(document: object) -> Iterator[tuple[datetime, str]]:
    """The start of each performance, with the code of its season."""
    for _, product in objects_at(document, "products"):
        for _, performance in objects_at(product, "performances"):
            at = _instant(performance.get("startsAt"))
            if at is not None:
                yield at, str(product.get("season"))


def _first_week_after(now: datetime, at: datetime, zone: ZoneInfo) -> int:
    """The least number of weeks by which ``at`` must move to be after ``now``."""
    weeks = (now - at) // _WEEK - 1
    while _shifted(at, weeks, zone) <= now:
        weeks += 1
    return weeks


def _shifted(at: datetime, weeks: int, zone: ZoneInfo) -> datetime:
    # Aware arithmetic in one zone is arithmetic on its wall clock; the way through UTC lands on a time that exists.
    return (at.astimezone(zone) + weeks * _WEEK).astimezone(UTC).astimezone(zone)


def _moved(value: object, weeks: int, zone: ZoneInfo) -> object:
    if isinstance(value, list):
        return [_moved(each, weeks, zone) for each in value]
    if not isinstance(value, dict):
        return value
    moved = {}
    for key, each in value.items():
        at = _instant(each) if key in _DATES else None
        moved[key] = _moved(each, weeks, zone) if at is None else _shifted(at, weeks, zone).isoformat()
    return moved


def _instant(value: object) -> datetime | None:
    try:
        return instant(value)
    except ValueError:
        return None
