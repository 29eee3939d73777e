"""Counts against guessing in Redis or Valkey, where there is one: PostgreSQL has less to do."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from db.access.attempts import Added, Count

_PREFIX: Final = "sesame_attempts:"
_PATIENCE: Final = 1.0  # Seconds to wait for Redis.
_COMMANDS: Final = 3


class RedisAway(Exception):  # noqa: N818 - says what was found
    """Redis does not answer."""


class RedisAttempts:
    """Adds to counts like ``db.access.attempts``; Redis itself forgets those whose windows are over."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            socket_connect_timeout=_PATIENCE,
            socket_timeout=_PATIENCE,
            retry=Retry(NoBackoff(), 0),
        )

    async def add(self, added: Sequence[Added], now: datetime) -> dict[str, Count]:
        """All of it in one round trip. Raises RedisAway."""
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                for each in added:
                    key = _PREFIX + each.key
                    # Who gives back, or only asks, begins no window that lasts.
                    seconds = (each.until - now).total_seconds() if each.number > 0 else 1
                    pipeline.set(key, 0, px=max(round(seconds * 1000), 1), nx=True)
                    pipeline.incrby(key, each.number)
                    pipeline.pttl(key)
                answers = await pipeline.execute()
        except (OSError, TimeoutError, RedisError) as error:
            raise RedisAway(str(error)) from error
        return {
            each.key: Count(max(number, 0), now + timedelta(milliseconds=left))
            for each, number, left in zip(added, answers[1::_COMMANDS], answers[2::_COMMANDS], strict=True)
        }

    async def close(self) -> None:
        await self._redis.aclose()
