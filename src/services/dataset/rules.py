"""Rules that hold in several sections of a data file."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from services.core.errors import Path, Problem
from services.core.texts import text
from services.dataset import format as form


def in_order(path: Path, begins: datetime | None, ends: datetime | None, end_key: str) -> Iterator[Problem]:
    if begins is not None and ends is not None and ends <= begins:
        yield Problem((*path, end_key), text("ends_before_begins"))


def each_once(path: Path, prices: Sequence[form.PriceItem]) -> Iterator[Problem]:
    """A rate table has one price for a combination."""
    seen = set()
    for position, price in enumerate(prices):
        if price.combination in seen:
            yield Problem((*path, str(position)), text("price_twice"))
        seen.add(price.combination)
