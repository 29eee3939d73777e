"""uvicorn's WebSocket protocol, for a server that tells thousands the same at once and has them stay for hours."""

import struct
from asyncio import AbstractEventLoop, BaseTransport, TimerHandle, Transport
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from weakref import WeakKeyDictionary

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from resolvers.transport.websocket import PUSH

_TEXT: Final = 0x81  # The only frame of its message.
_PING: Final = b"\x89\x00"

_MOST_WAITING: Final = 16_384
"""Bytes beyond which a client reads too slowly: what comes next waits where the newest replaces the older."""


class Protocol(WebSocketsSansIOProtocol):
    """Offers ``sesame.push`` to the application: half the work of uvicorn's own sending, which queues and copies."""

    _outlet: "_Outlet"
    _keepalive: "_Keepalive | None" = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_MOST_WAITING)
        self._outlet = _Outlet(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._outlet.is_over = True
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        self._outlet.is_full = True
        super().pause_writing()

    def resume_writing(self) -> None:
        self._outlet.is_full = False
        super().resume_writing()

    async def run_asgi(self) -> None:
        self.scope["extensions"][PUSH] = {"send": self._outlet.send}
        await super().run_asgi()

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close":
            self._outlet.is_over = True
        await super().send(message)

    def start_keepalive(self) -> None:
        if self.ping_interval and self.ping_timeout:
            self._keepalive = _keepalive(self.config, self.loop, self.ping_interval, self.ping_timeout)
            self._keepalive.begin(self)

    def stop_keepalive(self) -> None:
        if self._keepalive is not None:
            self._keepalive.end(self)

    def handle_pong(self, event: Frame) -> None:
        if self._keepalive is not None:
            self._keepalive.answered(self)

    def send_keepalive_ping(self) -> None:
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(_PING)


class _Outlet:
    """What sending needs and no more: the forty attributes of ten thousand protocols are far from the processor."""

    __slots__ = ("_transport", "is_full", "is_over")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.is_full = False
        self.is_over = False

    def send(self, head: bytes, body: bytes) -> bool:
        """Sends a text message; False, and nothing is sent, where the client reads too slowly or is gone."""
        transport = self._transport
        if self.is_full or self.is_over or transport.is_closing():
            return False
        transport.write(b"".join((_frame_head(len(head) + len(body) + 1), head, body, b"}")))
        return True


class _Keepalive:
    """Pings the connections of one loop once ``interval`` seconds, and gives up those silent for ``patience`` after.

    In rounds: timers of their own would wake the process for each of ten thousand.
    """

    def __init__(self, loop: AbstractEventLoop, interval: float, patience: float) -> None:
        self._loop = loop
        self._interval = interval
        self._patience = patience
        # By when it is time, the earliest first.
        self._quiet: dict[Protocol, float] = {}
        self._asked: dict[Protocol, float] = {}
        self._timer: TimerHandle | None = None

    def begin(self, connection: Protocol) -> None:
        self._quiet[connection] = self._loop.time() + self._interval
        if self._timer is None:
            self._wait()

    def answered(self, connection: Protocol) -> None:
        if self._asked.pop(connection, None) is not None:
            self.begin(connection)

    def end(self, connection: Protocol) -> None:
        self._quiet.pop(connection, None)
        self._asked.pop(connection, None)

    def _round(self) -> None:
        now = self._loop.time()
        for connection in _taken(self._asked, now):
            connection.keepalive_timeout()
        for connection in _taken(self._quiet, now):
            self._asked[connection] = now + self._patience
            connection.send_keepalive_ping()
        self._timer = None
        if self._quiet or self._asked:
            self._wait()

    def _wait(self) -> None:
        self._timer = self._loop.call_later(min(1.0, self._interval / 10, self._patience / 10), self._round)


def _taken(due: dict[Protocol, float], now: float) -> Iterator[Protocol]:
    """The connections whose ping is due, taken out of those that wait."""
    while due:
        connection, at = next(iter(due.items()))
        if at > now:
            return
        del due[connection]
        yield connection


_keepalives: WeakKeyDictionary[Config, _Keepalive] = WeakKeyDictionary()


def _keepalive(config: Config, loop: AbstractEventLoop, interval: float, patience: float) -> _Keepalive:
    """The one of all connections of a server."""
    if config not in _keepalives:
        _keepalives[config] = _Keepalive(loop, interval, patience)
    return _keepalives[config]


@lru_cache
def _frame_head(size: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", _TEXT, size)
    if size < 1 << 16:
        return struct.pack("!BBH", _TEXT, 126, size)
    return struct.pack("!BBQ", _TEXT, 127, size)
