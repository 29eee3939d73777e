"""Whether WebSockets that are quiet are still there."""

import asyncio
from functools import cached_property
from typing import Final, Protocol

from sesame.server.deadlines import Deadlines

INTERVAL_SECONDS: Final = 50.0
"""Below the minute after which proxies cut what is silent."""

PATIENCE_SECONDS: Final = 20.0


class Pinged(Protocol):
    """What this needs of a WebSocket."""

    def send_keepalive_ping(self) -> None:
        """Asks whether it is there."""

    def keepalive_timeout(self) -> None:
        """It did not answer."""


class Pings:
    """Asks each WebSocket that was quiet for ``interval`` seconds, and gives it up after ``patience`` more."""

    def __init__(self, interval: float = INTERVAL_SECONDS, patience: float = PATIENCE_SECONDS) -> None:
        self._interval = interval
        self._patience = patience

    @cached_property
    def _quiet(self) -> Deadlines[Pinged]:
        return Deadlines(asyncio.get_running_loop(), self._interval, self._ask)

    @cached_property
    def _asked(self) -> Deadlines[Pinged]:
        return Deadlines(asyncio.get_running_loop(), self._patience, lambda silent: silent.keepalive_timeout())

    def begin(self, socket: Pinged) -> None:
        self._quiet.begin(socket)

    def answered(self, socket: Pinged) -> None:
        if socket in self._asked:
            self._asked.end(socket)
            self._quiet.begin(socket)

    def end(self, socket: Pinged) -> None:
        self._quiet.end(socket)
        self._asked.end(socket)

    def _ask(self, socket: Pinged) -> None:
        self._asked.begin(socket)
        socket.send_keepalive_ping()
