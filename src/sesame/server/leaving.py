"""uvicorn's server, which takes its leave: nobody who was let in goes without an answer."""

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

import structlog
from uvicorn import Server as UvicornServer
from uvicorn.config import STARTUP_FAILURE

from sesame.server.acceptor import Acceptor
from sesame.server.edge import Config, Edge

HAND_OVER: Final = signal.SIGUSR2
"""Has a process end alone, while others go on taking connections from the same socket."""

_SPREAD_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.05

_log = structlog.get_logger("sesame.server.leaving")


class Server(UvicornServer):
    """Ends in steps, all of them within ``SESAME_DRAIN_SECONDS``.

    ``/ready`` says that it leaves; a pause later nothing new comes in; what came in is answered; who watches is told to
    connect again; then the services close.
    """

    _hands_over = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        self.servers = []
        self._acceptors = [Acceptor(each, self._protocol, self._has_room) for each in sockets or ()]
        for acceptor in self._acceptors:
            acceptor.start()
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        settings = self._edge.settings
        loop = asyncio.get_running_loop()
        end = loop.time() + settings.drain_seconds
        self._edge.is_leaving = True
        if signal.SIGINT not in self._captured_signals:  # With Ctrl-C nobody's load balancer has to learn of it.
            await self._pause(min(settings.drain_pause_seconds, settings.drain_seconds))
        for acceptor in self._acceptors:
            await (acceptor.hand_over() if self._hands_over else acceptor.finish())
        for each in sockets or ():
            each.close()
        farewell = asyncio.create_task(self._edge.lasting.farewell(min(_SPREAD_SECONDS, max(0, end - loop.time()) / 2)))
        while not self._is_empty() and not self.force_exit and loop.time() < end:
            self._close_what_rests()
            await asyncio.sleep(_LOOK_SECONDS)
        farewell.cancel()
        if not self._is_empty():
            self._cut_off()
        if not self.force_exit:
            await self.lifespan.shutdown()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is threading.main_thread():
            signal.signal(HAND_OVER, lambda *_: self._begin_to_hand_over())
        with super().capture_signals():
            yield

    @property
    def _edge(self) -> Edge:
        return cast(Config, self.config).edge

    def _begin_to_hand_over(self) -> None:
        self._hands_over = self.should_exit = True

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg] # as uvicorn calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _has_room(self, starting: int) -> bool:
        return self._edge.connections.have_room(starting + len(self.server_state.connections))

    async def _pause(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while not self.force_exit and (left := end - asyncio.get_running_loop().time()) > 0:  # noqa: ASYNC110 - set by a signal
            await asyncio.sleep(min(_LOOK_SECONDS, left))

    def _is_empty(self) -> bool:
        return not self.server_state.connections and not self.server_state.tasks

    def _close_what_rests(self) -> None:
        for connection in tuple(self.server_state.connections):
            if connection in self._edge.connections:
                connection.shutdown()

    def _cut_off(self) -> None:
        _log.warning(
            "not all was answered in time",
            connections=len(self.server_state.connections),
            requests=len(self.server_state.tasks),
        )
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        for task in tuple(self.server_state.tasks):
            task.cancel()
