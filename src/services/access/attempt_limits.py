"""How many codes that there are not may be tried (docs/domain.md, Who may do what)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Final
from uuid import UUID

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from services.core.viewer import Viewer

OF_BASKET: Final = RateLimitItemPerMinute(20, 10)
"""Unknown codes for one basket, in ten minutes."""
OF_CLIENT: Final = RateLimitItemPerMinute(100, 10)
"""Unknown codes of one caller at one network address, in ten minutes: a whole school may come by one address."""

PAUSE: Final = 10.0
"""Seconds before Redis is asked again after it did not answer: who waits for it may keep rows locked."""

_PATIENCE: Final = 1.0  # Seconds to wait for Redis.

_log = structlog.get_logger()

_LONGEST: Final = 64  # No address is longer, whatever a header says.

_Keys = Sequence[tuple[RateLimitItem, str]]


class AttemptLimits:
    """Counts the unknown codes of baskets and clients: of one process, or in Redis of all.

    What is tried at the same moment is counted after it was looked up: a few more than the limit may slip through.
    """

    def __init__(self, redis_url: str | None = None) -> None:
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = None if redis_url is None else FixedWindowRateLimiter(_storage(redis_url))
        self._away_until = 0.0

    async def are_spent(self, viewer: Viewer, basket: UUID | None) -> bool:
        """Whether codes must not even be looked up for now. Never for staff, who see all codes anyway."""
        if viewer.reads_records:
            return False
        keys = _keys(viewer, basket)

        async def have_room(limiter: FixedWindowRateLimiter) -> bool:
            return all([await limiter.test(item, key) for item, key in keys])

        return not await self._ask(have_room)

    async def failed(self, viewer: Viewer, basket: UUID | None, number: int) -> None:
        """Counts unknown codes that were tried, for the basket and for the client."""
        keys = _keys(viewer, basket)

        async def count(limiter: FixedWindowRateLimiter) -> bool:
            return all([await limiter.hit(item, key, cost=number) for item, key in keys])

        if number and not viewer.reads_records:
            await self._ask(count)

    async def _ask(self, question: Callable[[FixedWindowRateLimiter], Awaitable[bool]]) -> bool:
        """What Redis answers; while it is away, what this process knows by itself."""
        clock = asyncio.get_running_loop()
        if self._shared is not None and clock.time() >= self._away_until:
            try:
                return await question(self._shared)
            except StorageError as error:
                self._away_until = clock.time() + PAUSE
                _log.warning("attempts are counted by this process alone", reason=str(error))
        return await question(self._own)


def _storage(url: str) -> RedisStorage:
    return RedisStorage(
        f"async+{url.replace('unix://', 'redis+unix://', 1)}",
        wrap_exceptions=True,
        implementation="redispy",
        socket_connect_timeout=_PATIENCE,
        socket_timeout=_PATIENCE,
    )


def _keys(viewer: Viewer, basket: UUID | None) -> _Keys:
    organisation = str(viewer.organisation_id)
    of_client = (OF_CLIENT, f"{organisation}/{viewer.actor}/{_network(viewer.address[:_LONGEST])}")
    return [of_client] if basket is None else [of_client, (OF_BASKET, f"{organisation}/{basket}")]


@lru_cache(4_096)
def _network(address: str) -> str:
    """What one customer has of addresses: one of IPv4, 2⁶⁴ of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    # A server that listens to both sees IPv4 so; all of it is in one /64.
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))
