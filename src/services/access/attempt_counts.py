"""What failed, counted for all processes together: in Redis where there is one, else in PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import structlog

from db.access import attempts as db
from db.access.attempts import Added, Count
from db.access.redis_attempts import RedisAttempts, RedisAway
from db.core.sessions import Sessions
from services.core.coalescing import Coalescing

PAUSE: Final = 10.0
"""Seconds before Redis is asked again after it did not answer."""

"""Bits of an IPv6 address that a network's customer is given, and chooses the rest."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limit:
    """How many of ``what`` may fail in ten minutes, or in another ``window``, of one client."""

    what: str
    most: int
    window: timedelta = timedelta(minutes=10)

    def of(self, *whom: object) -> "Counted":
        """What is counted of somebody: under a digest, for the names and addresses of clients are nobody's business."""
        return Counted(self, sha256("/".join(map(str, (self.what, *whom))).encode(errors="replace")).hexdigest())


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted of one client, under its key."""

    limit: Limit
    key: str


Amounts = Mapping[Counted, int]
_Question = tuple[Amounts, datetime]


class AttemptCounts:
    """Adds to counts and tells them, in one step, so that of two who ask at once one is the first.

    What is asked at the same moment goes in one round trip. That takes a connection of its own: who holds one may not
    ask.
    """

    def __init__(self, sessions: Sessions, redis_url: str | None = None) -> None:
        self._sessions = sessions
        self._redis = None if redis_url is None else RedisAttempts(redis_url)
        self._away_until: float | None = None
        self._coalescing: Coalescing[_Question, dict[Counted, Count]] = Coalescing(self._add_all)

    async def add(self, amounts: Amounts, now: datetime) -> dict[Counted, Count]:
        """What each count is with its amount added. An amount of nothing only asks; one below gives back."""
        return await self._coalescing.add(None, (amounts, now))

    async def close(self) -> None:
        if self._redis is not None:
            await self._redis.close()

    async def _add_all(self, questions: Sequence[_Question]) -> list[dict[Counted, Count]]:
        now = max(at for _, at in questions)
        totals: Counter[Counted] = Counter()
        for amounts, _ in questions:
            for counted, amount in amounts.items():
                totals[counted] += amount
        untils = {counted: now + counted.limit.window for counted in totals}
        found = await self._stored([Added(each.key, totals[each], untils[each]) for each in totals], now)
        counts = {each: found.get(each.key, Count(0, untils[each])) for each in totals}
        return list(_in_turn([amounts for amounts, _ in questions], totals, counts))

    async def _stored(self, added: Sequence[Added], now: datetime) -> dict[str, Count]:
        found = None if self._redis is None else await self._in_redis(self._redis, added, now)
        if found is not None:
            return found
        async with self._sessions.reading() as connection:
            return await db.add(connection, added, now)

    async def _in_redis(self, redis: RedisAttempts, added: Sequence[Added], now: datetime) -> dict[str, Count] | None:
        """None while Redis is away."""
        clock, away_until = asyncio.get_running_loop(), self._away_until
        if away_until is not None and clock.time() < away_until:
            return None
        try:
            found = await redis.add(added, now)
        except RedisAway as error:
            self._away_until = clock.time() + PAUSE
            if away_until is None:
                _log.warning("attempts are counted in PostgreSQL", reason=error)
            return None
        self._away_until = None
        if away_until is not None:
            _log.warning("attempts are counted in Redis again")
        return found


def _in_turn(
    questions: Sequence[Amounts], totals: Amounts, counts: Mapping[Counted, Count]
) -> "list[dict[Counted, Count]]":
    """What each of those who asked together would have been told, one after the other."""
    numbers = {each: count.number - totals[each] for each, count in counts.items()}
    answers = []
    for amounts in questions:
        for counted, amount in amounts.items():
            numbers[counted] = max(numbers[counted] + amount, 0)
        answers.append({counted: Count(numbers[counted], counts[counted].until) for counted in amounts})
    return answers
