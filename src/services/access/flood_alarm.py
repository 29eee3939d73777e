"""Tells the operator when an organisation is being tried: one line a minute, with figures."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from db.access.attempts import Count
from services.access.attempt_counts import Counted, Limit

ALARM: Final = 200
"""Tries that failed or were refused in a minute, of one kind and of one organisation: no day of sale has as many."""

_log = structlog.get_logger()


class FloodAlarm:
    """Rings once a minute for an organisation, whichever process counts the try that is one too many.

    ``totals`` are what this process has counted of each kind since it began.
    """

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()

    def counted(self, what: str, organisation: UUID) -> Counted:
        """What is to be counted along with tries that failed."""
        return Limit(f"flood of {what}", ALARM, timedelta(minutes=1)).of(organisation)

    def hear(self, what: str, organisation: UUID, number: int, counts: Mapping[Counted, Count]) -> None:
        """Is told what the count is now, ``number`` of which have just been added."""
        self.totals[what] += number
        found = counts[self.counted(what, organisation)].number
        if found - number < ALARM <= found:
            _log.warning(
                "flood of failed tries",
                organisation=str(organisation),
                what=what,
                within_a_minute=found,
                total=self.totals[what],
            )
