"""uvicorn's WebSocket protocol, for a server that tells thousands the same at once and has them stay for hours."""

import struct
from asyncio import BaseTransport, Transport
from functools import lru_cache
from typing import Final, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from resolvers.transport.websocket import PUSH
from sesame.server.edge import Config

_TEXT: Final = 0x81  # The only frame of its message.
_PING: Final = b"\x89\x00"

_CLOSING_SECONDS: Final = 3.0
"""For the other side to say that it closes too."""

_MOST_WAITING: Final = 16_384
"""Bytes beyond which a client reads too slowly: what comes next waits where the newest replaces the older."""


class Protocol(WebSocketsSansIOProtocol):
    """Offers ``sesame.push`` to the application: half the work of uvicorn's own sending, which queues and copies."""

    _outlet: "_Outlet"

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        edge = cast(Config, self.config).edge
        self._pings = edge.pings
        self._stalled = edge.connections.stalled
        self.close_timeout = _CLOSING_SECONDS
        self.transport.set_write_buffer_limits(high=_MOST_WAITING)
        self._outlet = _Outlet(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._outlet.is_over = True
        self._stalled.end(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        self._outlet.is_full = True
        self._stalled.begin(self)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._outlet.is_full = False
        self._stalled.end(self)
        super().resume_writing()

    async def run_asgi(self) -> None:
        self.scope["extensions"][PUSH] = {"send": self._outlet.send}
        await super().run_asgi()

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close":
            self._outlet.is_over = True
        await super().send(message)

    def start_keepalive(self) -> None:
        self._pings.begin(self)

    def stop_keepalive(self) -> None:
        self._pings.end(self)

    def handle_ping(self) -> None:
        if self._outlet.is_full:
            self.conn.data_to_send()  # The answer is left out: who reads none of them would have us keep them all.
        else:
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        self._pings.answered(self)

    def send_keepalive_ping(self) -> None:
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(_PING)

    def abort(self) -> None:
        self.transport.abort()


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


@lru_cache
def _frame_head(size: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", _TEXT, size)
    if size < 1 << 16:
        return struct.pack("!BBH", _TEXT, 126, size)
    return struct.pack("!BBQ", _TEXT, 127, size)
