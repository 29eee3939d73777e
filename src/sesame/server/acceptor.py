"""Takes connections from the listening socket that all server processes share."""

import asyncio
import ctypes
import socket
import struct
from collections.abc import Callable
from typing import Final

import structlog

_AT_ONCE: Final = 64
_PAUSE: Final = 0.01
_UNDER_WAY_SECONDS: Final = 0.2
"""Longer than a handshake takes to cross the world."""

_SO_ATTACH_FILTER: Final = 26
_TCP_FLAGS, _SYN = 13, 0x02
# Of the kernel's packet filter: drop what begins a connection, pass all else.
_NO_NEW_ONES: Final = (
    (0x30, 0, 0, _TCP_FLAGS),  # load the byte with the flags
    (0x45, 0, 1, _SYN),  # where SYN is set, go on, else skip one
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # pass
)

_log = structlog.get_logger("sesame.server.acceptor")


class Acceptor:
    """Hands each connection to a protocol of its own.

    ``has_room`` says whether one more can be taken, beside so many that have no protocol yet.
    """

    def __init__(
        self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol], has_room: Callable[[int], bool]
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._has_room = has_room
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[object]] = set()
        self._resuming: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._listener.setblocking(False)
        self._resuming = None
        self._loop.add_reader(self._listener, self._accept)

    async def hand_over(self) -> None:
        """Takes no more: the other processes take what waits."""
        self._stop()
        await self._started()

    async def finish(self) -> None:
        """Takes what waits, and has the kernel refuse what is new: closing the socket then breaks no connection."""
        refuse_new_ones(self._listener)
        # Who is in the middle of the handshake comes through.
        await asyncio.sleep(_UNDER_WAY_SECONDS)
        self._stop()
        while self._accept_one():
            pass
        await self._started()

    def _stop(self) -> None:
        self._loop.remove_reader(self._listener)
        if self._resuming is not None:
            self._resuming.cancel()

    async def _started(self) -> None:
        if self._starting:
            await asyncio.wait(self._starting)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            if not self._has_room(len(self._starting)):
                self._pause()
                return
            if not self._accept_one():
                return

    def _accept_one(self) -> bool:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:
            return True
        except OSError as error:
            _log.warning("no connection is taken for a moment", reason=error)
            self._pause()
            return False
        connection.setblocking(False)
        task = self._loop.create_task(self._begin(connection))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return True

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:  # The client is gone already.
            connection.close()

    def _pause(self) -> None:
        """Leaves those who come to the other processes, or to wait."""
        self._stop()
        self._resuming = self._loop.call_later(_PAUSE, self.start)


def refuse_new_ones(listener: socket.socket) -> None:
    """Has the kernel drop what would begin a connection, but not what has begun; elsewhere than on Linux, nothing."""
    program = b"".join(struct.pack("HBBI", *step) for step in _NO_NEW_ONES)
    kept = ctypes.create_string_buffer(program)
    try:
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(_NO_NEW_ONES), ctypes.addressof(kept))
        )
    except OSError as error:
        _log.warning("who connects at this very moment may be cut off", reason=error)
