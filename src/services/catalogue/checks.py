"""What rate tables, periods and levels must be, from wherever they come: why one cannot be taken, None where it can."""

from collections.abc import Collection, Hashable, Iterable, Iterator
from datetime import datetime

from services.core.problems import repeated
from services.core.texts import Text, text


def check_period(begins: datetime | None, ends: datetime | None) -> Text | None:
    """A period ends after it begins, unless it is open at either end."""
    if begins is not None and ends is not None and ends <= begins:
        return text("ends_before_begins")
    return None


def check_level(indicator: str, level: str, levels: Collection[object]) -> Text | None:
    """A level is one of the ``levels`` that the indicator with this code has."""
    return None if level in levels else text("level_unknown", indicator=indicator, level=level)


def check_prices(combinations: Iterable[Hashable]) -> Iterator[Text | None]:
    """A rate table has one price for a combination of seat category and audience sub-category: each price in turn."""
    return (text("price_twice") if again else None for again in repeated(combinations))
