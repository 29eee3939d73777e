"""Signals between processes by the publish and subscribe of Redis or Valkey, in place of PostgreSQL's own."""

from collections.abc import Callable, Collection, Mapping
from typing import Final
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from db.counts.signals import Heard, Lost, hear, signals

CHANNEL: Final = "sesame_counts"

_PATIENCE = 5
_HEARTBEAT = 10


class RedisCarrier:
    """Takes the signals off PostgreSQL where very many processes listen, or where it stands behind a pooler."""

    def __init__(self, url: str) -> None:
        # Whoever listens makes the connection anew: tried again in here, the gap would go unseen.
        self._redis = Redis.from_url(
            url,
            socket_connect_timeout=_PATIENCE,
            socket_timeout=_PATIENCE,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )

    async def send(self, changed: Mapping[UUID, Collection[UUID]]) -> None:
        """Tells all processes what changed, in one round trip. Raises Lost."""
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for signal in signals(changed):
                    pipeline.publish(CHANNEL, signal)
                await pipeline.execute()
        except (OSError, TimeoutError, RedisError) as error:
            raise Lost(str(error)) from error

    async def listen(self, heard: Heard, began: Callable[[], None]) -> None:
        """Looks every ten seconds whether the connection is still there. Raises Lost."""
        try:
            async with self._redis.pubsub() as channel:
                await channel.subscribe(CHANNEL)
                await _until_lost(channel, heard, began)
        except (OSError, TimeoutError, RedisError) as error:
            raise Lost(str(error)) from error

    async def close(self) -> None:
        await self._redis.aclose()


async def _until_lost(channel: PubSub, heard: Heard, began: Callable[[], None]) -> None:
    asked = False
    while True:
        message = await channel.get_message(timeout=_PATIENCE if asked else _HEARTBEAT)
        if message is None and asked:
            raise Lost("it does not answer")
        asked = message is None
        if message is None:
            await channel.ping()
        elif message["type"] == "subscribe":
            began()
        elif message["type"] == "message":
            hear(message["data"].decode(errors="replace"), heard)
