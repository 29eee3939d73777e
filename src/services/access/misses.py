"""What does not exist and was asked for: barcodes, ids, keys, links, counted of each client.

All of these have 74 random bits and more. Who does not say who they are, and may stand behind one address with many
others, is therefore answered as ever for what exists, and only told when they guess.
"""

from datetime import datetime
from math import ceil
from typing import Final

import structlog

from services.access.attempt_counts import AttemptCounts, Limit
from services.access.flood_alarm import FloodAlarm
from services.core.errors import TooMany
from services.core.texts import text
from services.core.viewer import Audience, Viewer, network

OF_IDS: Final = Limit("ids", 1_000)
OF_BARCODES: Final = Limit("barcodes", 1_000)
"""Several scanners may work with one member's token."""
OF_CREDENTIALS: Final = Limit("credentials", 1_000)
OF_LINKS: Final = Limit("links", 300)

_MOST_REMEMBERED: Final = 10_000

_log = structlog.get_logger()


class Misses:
    """Counts what was asked for in vain, and refuses those who do so too often.

    What exists costs nothing here: a process learns that a client is to be refused from the first miss past the limit,
    and remembers it.
    """

    def __init__(self, counts: AttemptCounts, alarm: FloodAlarm) -> None:
        self._counts = counts
        self._alarm = alarm
        self._refused: dict[str, datetime] = {}

    def check(self, limit: Limit, viewer: Viewer, now: datetime) -> None:
        """Raises TooMany where this client, known by name, is not to be answered for now."""
        if self._refused and viewer.audience is not Audience.SHOPPER:
            self._check(limit.of(*_client(viewer)).key, now)

    async def count(self, limit: Limit, viewer: Viewer, now: datetime) -> None:
        """Counts a miss. Raises TooMany where there were too many."""
        ring = self._alarm.counted(limit.what, viewer.organisation_id)
        counted = limit.of(*_client(viewer))
        self._check(counted.key, now)
        counts = await self._counts.add({counted: 1, ring: 1}, now)
        self._alarm.hear(limit.what, viewer.organisation_id, 1, counts)
        self._remember(limit, counted.key, counts[counted].number, counts[counted].until)
        self._check(counted.key, now)

    async def count_from(self, limit: Limit, address: str, now: datetime) -> None:
        """Counts a miss of somebody of whom nothing is known but the address. Raises TooMany."""
        counted = limit.of(network(address))
        self._check(counted.key, now)
        count = (await self._counts.add({counted: 1}, now))[counted]
        self._remember(limit, counted.key, count.number, count.until)
        self._check(counted.key, now)

    def _check(self, key: str, now: datetime) -> None:
        until = self._refused.get(key)
        if until is None:
            return
        if now < until:
            raise TooMany(text("too_many_attempts"), ceil((until - now).total_seconds()))
        del self._refused[key]

    def _remember(self, limit: Limit, key: str, number: int, until: datetime) -> None:
        if number <= limit.most:
            return
        if number == limit.most + 1:
            _log.warning("a client asks for what does not exist", what=limit.what, tries=number)
        if len(self._refused) >= _MOST_REMEMBERED:
            # They are found again by their next miss.
            self._refused.clear()
        self._refused[key] = until


def _client(viewer: Viewer) -> tuple[object, ...]:
    """Who is counted: by name, but for shoppers, who have the point of sale's token in common."""
    if viewer.audience is Audience.SHOPPER:
        return viewer.organisation_id, network(viewer.address)
    return viewer.organisation_id, viewer.actor
