"""The HTTP connections of one process: how many, from where, and how long they may take."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import Final, Protocol

from resolvers.transport.lasting import customer
from sesame.server.deadlines import Deadlines
from sesame.server.descriptors import Places

ASKING_SECONDS: Final = 10.0
"""For a request's headers, and again for its body."""

STALLED_SECONDS: Final = 25.0
"""A client that takes nothing for so long is gone, or as good as gone."""

_REFUSED_SECONDS: Final = 2.0
_OLD_ENOUGH: Final = 2.0
_ANSWERED: Final = 0.2
_AT_ONCE: Final = 64


class Client(Protocol):
    """What may take nothing any more."""

    def abort(self) -> None:
        """Closes its connection without a word."""


class Connection(Client, Protocol):
    """What this needs of an HTTP connection."""

    def too_late(self) -> None:
        """Its request did not come in time."""

    def close_idle(self) -> None:
        """Nothing was asked on it for long, or its place is needed."""


class Connections:
    """Each is ``asking`` until its request is there, and ``idle`` once it is answered.

    One too many gives way to no other but an idle one, or one that sent nothing for long. Where there is none, it is
    ``surplus``: what it asks is refused, and then it is closed.
    """

    def __init__(
        self, places: Places, per_address: int, keep_alive: float, exempt: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._places = places
        self._per_address = per_address
        self._keep_alive = keep_alive
        self._exempt = exempt
        self._open: dict[Connection, str] = {}
        self._from: Counter[str] = Counter()

    @cached_property
    def asking(self) -> Deadlines[Connection]:
        return Deadlines(asyncio.get_running_loop(), ASKING_SECONDS, lambda late: late.too_late())

    @cached_property
    def idle(self) -> Deadlines[Connection]:
        return Deadlines(asyncio.get_running_loop(), self._keep_alive, lambda late: late.close_idle())

    @cached_property
    def surplus(self) -> Deadlines[Connection]:
        return Deadlines(asyncio.get_running_loop(), _REFUSED_SECONDS, lambda late: late.too_late())

    @cached_property
    def stalled(self) -> Deadlines[Client]:
        """WebSockets too."""
        return Deadlines(asyncio.get_running_loop(), STALLED_SECONDS, lambda late: late.abort())

    def __contains__(self, connection: object) -> bool:
        return connection in self._open

    def enter(self, connection: Connection, address: str) -> bool:
        """Whether it may ask."""
        address = customer(address)
        self._open[connection] = address
        self._from[address] += 1
        if self._from[address] > self._per_address and not self._exempt(address):
            self.surplus.begin(connection)
            return False
        if len(self._open) - len(self.surplus) > self._places.http and not self._one_gives_way():
            self.surplus.begin(connection)
            return False
        self.asking.begin(connection)
        return True

    def leave(self, connection: Connection) -> None:
        """It is closed, or a WebSocket from now on."""
        for deadlines in (self.asking, self.idle, self.surplus):
            deadlines.end(connection)
        self.stalled.end(connection)
        address = self._open.pop(connection, None)
        if address is not None:
            self._from[address] -= 1
            if not self._from[address]:
                del self._from[address]

    def have_room(self, connections: int) -> bool:
        """Whether one more can be accepted beside so many of every kind; if not, some are closed for later."""
        if connections < self._places.in_all:
            return True
        for _ in range(_AT_ONCE):
            if not (self._surplus_goes() or self._one_gives_way()):
                break
        return False

    def _surplus_goes(self) -> bool:
        first = self.surplus.first(_ANSWERED)
        if first is None:
            return False
        self.surplus.end(first)
        first.abort()
        return True

    def _one_gives_way(self) -> bool:
        if (idle := self.idle.first()) is not None:
            self.idle.end(idle)
            idle.close_idle()
            return True
        if (silent := self.asking.first(_OLD_ENOUGH)) is not None:
            self.asking.end(silent)
            silent.too_late()
            return True
        return False
