"""uvicorn's HTTP protocol, for clients of whom some never finish what they begin."""

import asyncio
from typing import Any, Final, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sesame.server.edge import Config
from sesame.server.gate import refuse

ALWAYS_ANSWERED: Final = frozenset({"/health", "/ready"})

_TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class HttpProtocol(HttpToolsProtocol):
    """Gives each connection its place, and closes those that take too long (``sesame.server.connections``)."""

    _may_ask = True
    _has_asked = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._edge = cast(Config, self.config).edge
        self._places = self._edge.connections
        self._may_ask = self._places.enter(self, self.client[0] if self.client else "")
        if not self._may_ask:
            self.app = cast(Any, _Refusing(cast(ASGIApp, self.app)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._places.leave(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._places.leave(self)
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._has_asked = True
        self._places.idle.end(self)
        if self._may_ask and self not in self._places.asking:
            self._places.asking.begin(self)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._may_ask:
            self._places.asking.begin(self)
        if self.cycle is not None and (self._edge.is_leaving or not self._may_ask):
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._places.asking.end(self)
        if self.cycle is not None and self.cycle.response_complete:
            self._rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()
        if self not in self._places.asking:
            self._rest()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._places.stalled.begin(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._places.stalled.end(self)

    def shutdown(self) -> None:
        """What was asked is answered, and so is what is asked on a connection that is new."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        elif self._has_asked and self not in self._places.asking:
            self.transport.close()
        elif self not in self._places.surplus:
            self._places.surplus.begin(self)

    def too_late(self) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_TOO_LATE)
        elif not self.cycle.response_started:
            self.transport.write(_TOO_LATE)
            # Whatever the application says to it now goes nowhere.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def close_idle(self) -> None:
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    def _rest(self) -> None:
        if self.cycle.response_complete and not self.transport.is_closing():
            self._places.idle.begin(self)


class _Refusing:
    """Answers for the application, but where somebody asks how we are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        # To the end, or closing the connection would destroy the answer on its way.
        while (await receive()).get("more_body"):
            pass
        await refuse(scope, send)
