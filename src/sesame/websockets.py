"""uvicorn's WebSocket protocol with a short way out, for a server that tells thousands the same at once."""

import struct
from asyncio import BaseTransport
from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from resolvers.websocket import PUSH

_TEXT: Final = 0x81  # The only frame of its message.

_MOST_WAITING: Final = 16_384
"""Bytes beyond which a client reads too slowly: what comes next waits where the newest replaces the older."""


class Protocol(WebSocketsSansIOProtocol):
    """Offers ``sesame.push`` to the application: half the work of uvicorn's own sending, which queues and copies."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_MOST_WAITING)

    async def run_asgi(self) -> None:
        self.scope["extensions"][PUSH] = {"send": self.push}
        await super().run_asgi()

    def push(self, message: bytes) -> bool:
        """Sends a text message in UTF-8; False, and nothing is sent, where the client reads too slowly or is gone."""
        if self.close_sent or self.disconnected or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(_head(len(message)) + message)
        return True


def _head(size: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", _TEXT, size)
    if size < 1 << 16:
        return struct.pack("!BBH", _TEXT, 126, size)
    return struct.pack("!BBQ", _TEXT, 127, size)
