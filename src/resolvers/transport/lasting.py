"""Connections that last: WebSockets and event streams, how many there may be, and how they are told that we leave."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

import structlog

from resolvers.transport.work import Overloaded

IDLE_SECONDS: Final = 600.0
"""After so long without an operation a WebSocket is closed; clients connect again when they have something to ask."""

STRANGER_SECONDS: Final = 10.0
"""So long everybody may stay a stranger: ten thousand clients who come back at once are not all heard in a second."""

_ROUND_SECONDS: Final = 10.0
_LONGEST_PAUSE: Final = 0.05
_NORMAL, _RESTARTING, _TRY_LATER = 1000, 1012, 1013
_CUSTOMERS_PREFIX: Final = 56
"""Bits of an IPv6 address that one customer of a provider has; what follows is theirs to choose."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LastingLimits:
    """Of one process: in all, of one client's address, and of those who have not shown good credentials."""

    in_all: int = 12_000
    per_address: int = 1_000
    anonymous: int = 500


GoAway = Callable[[int, str], Awaitable[None]]
"""Ends a connection, after what is being answered on it; takes a WebSocket's code, and the reason."""


class Stay:
    """One connection: ``go_away`` from when it can be told, ``idle_since`` (of the loop) where nothing goes on."""

    __slots__ = ("address", "go_away", "idle_since")

    def __init__(self, address: str) -> None:
        self.address = address
        self.go_away: GoAway | None = None
        self.idle_since: float | None = None


class Lasting:
    """Those of one process. ``exempt`` says of which addresses any number may come: proxies, and this machine."""

    def __init__(self, limits: LastingLimits, exempt: Callable[[str], bool] = lambda _: False) -> None:
        self._limits = limits
        self._exempt = exempt
        self._stays: dict[Stay, None] = {}
        # Since when they are here, the longest first.
        self._anonymous: dict[Stay, float] = {}
        self._from: Counter[str] = Counter()
        self._round: asyncio.TimerHandle | None = None
        self._going: set[asyncio.Task[None]] = set()

    @contextmanager
    def stay(self, address: str, *, anonymous: bool = True) -> Iterator[Stay]:
        """Counts a connection while the block lasts. Raises Overloaded where there are too many."""
        address = customer(address)
        if self._has_enough(address) or (len(self._stays) >= self._limits.in_all and not self._stranger_goes()):
            raise Overloaded
        stay = Stay(address)
        self._stays[stay] = None
        self._from[address] += 1
        if anonymous:
            self._anonymous[stay] = asyncio.get_running_loop().time()
            self._make_room()
        if self._round is None:
            self._wait()
        try:
            yield stay
        finally:
            self._end(stay)

    def met(self, stay: Stay) -> None:
        """Its credentials were good: from now on no stranger takes its place."""
        self._anonymous.pop(stay, None)

    async def farewell(self, seconds: float) -> None:
        """Tells all to come again, spread over so many seconds at the most, so that they do not come all at once."""
        stays = tuple(self._stays)
        pause = min(seconds / max(len(stays), 1), _LONGEST_PAUSE)
        loop = asyncio.get_running_loop()
        start = loop.time()
        for place, stay in enumerate(stays, 1):
            self._send_away(stay, _RESTARTING, "The server restarts: connect again.")
            await asyncio.sleep(max(0.0, start + place * pause - loop.time()))

    def _has_enough(self, address: str) -> bool:
        return self._from[address] >= self._limits.per_address and not self._exempt(address)

    def _make_room(self) -> None:
        while len(self._anonymous) > self._limits.anonymous and self._stranger_goes():
            pass

    def _stranger_goes(self) -> bool:
        """The longest unknown gives way, where it had time to show credentials; whether there was one."""
        oldest, since = next(iter(self._anonymous.items()), (None, 0.0))
        if oldest is None or since + STRANGER_SECONDS > asyncio.get_running_loop().time():
            return False
        del self._anonymous[oldest]
        self._send_away(oldest, _TRY_LATER, "Too many connections without credentials.")
        return True

    def _send_away(self, stay: Stay, code: int, reason: str) -> None:
        if stay in self._stays and stay.go_away is not None:
            task = asyncio.ensure_future(_gone(stay.go_away(code, reason)))
            self._going.add(task)
            task.add_done_callback(self._going.discard)

    def _end(self, stay: Stay) -> None:
        del self._stays[stay]
        self._anonymous.pop(stay, None)
        self._from[stay.address] -= 1
        if not self._from[stay.address]:
            del self._from[stay.address]
        if not self._stays and self._round is not None:
            self._round.cancel()
            self._round = None

    def _wait(self) -> None:
        self._round = asyncio.get_running_loop().call_later(_ROUND_SECONDS, self._look_around)

    def _look_around(self) -> None:
        self._make_room()
        late = asyncio.get_running_loop().time() - IDLE_SECONDS
        for stay in self._stays:
            if stay.idle_since is not None and stay.idle_since < late:
                stay.idle_since = None
                self._send_away(stay, _NORMAL, "Nothing was asked for long.")
        self._wait()


async def _gone(going: Awaitable[None]) -> None:
    try:
        await going
    except Exception as error:  # noqa: BLE001 - it goes by itself, or is cut off at the end
        _log.warning("a connection could not be told to leave", reason=error)


def customer(address: str) -> str:
    """What all addresses of one customer have in common."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if not isinstance(known, IPv6Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(IPv6Address(int(known) >> (128 - _CUSTOMERS_PREFIX) << (128 - _CUSTOMERS_PREFIX)))
