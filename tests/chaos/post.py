"""A mail server that hangs, breaks off or works, as chance has it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from aiosmtpd.smtp import SMTP, Envelope, Session


class _Silent(asyncio.Protocol):
    """Says nothing for as long as the client waits."""

    def __init__(self, held: "set[asyncio.BaseTransport]") -> None:
        self._held = held

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._held.add(transport)


class _Abrupt(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.abort()  # type: ignore[attr-defined]  # a transport of TCP


class FicklePost:
    """Takes some mails until it ``recovers``, and then all."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._is_well = False
        self._held: set[asyncio.BaseTransport] = set()
        self.url = ""
        self.taken = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._conversation, "127.0.0.1", 0)
        self.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            self.recover()
            server.close()

    def recover(self) -> None:
        """From now on all goes well, but for those who are waiting, who lose their connections."""
        self._is_well = True
        for transport in self._held:
            transport.abort()  # type: ignore[attr-defined]  # a transport of TCP
        self._held.clear()

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802 - its name
        self.taken += 1
        return "250 OK"

    def _conversation(self) -> asyncio.BaseProtocol:
        chance = 1.0 if self._is_well else self._random.random()
        if chance < 0.4:
            return _Silent(self._held)
        if chance < 0.6:
            return _Abrupt()
        return SMTP(self, loop=asyncio.get_running_loop(), data_size_limit=None)
