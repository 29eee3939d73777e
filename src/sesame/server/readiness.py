"""Whether this process can answer, as of a moment ago: who asks takes no connection and waits for nobody."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from db.core import queue
from db.core.sessions import Sessions

LOOK_SECONDS: Final = 1.0
"""Between two looks at the database."""

_PATIENCE_SECONDS: Final = 2.0
_WAIT_SECONDS: Final = 0.05
_NO_DATABASE: Final = {"status": "no database"}
_LEAVING: Final = {"status": "leaving"}

Told = Mapping[str, object]
Look = Callable[[], Awaitable[Told]]
"""Reaches the database and says what ``/ready`` is to tell; raises where it cannot."""

_log = structlog.get_logger("sesame.server.readiness")


class Readiness:
    """What the last look found; ``leaving`` says whether this process is about to end."""

    def __init__(self, look: Look, leaving: Callable[[], bool] = lambda: False) -> None:
        self._look = look
        self._leaving = leaving
        self._found: Told = _NO_DATABASE
        self._is_running = False
        self._looking: asyncio.Task[None] | None = None

    def routes(self) -> list[BaseRoute]:
        """``/health`` says whether the database is reached, ``/ready`` also whether to send more clients here."""

        async def health(_: Request) -> JSONResponse:
            found = await self.found()
            return _answer(_NO_DATABASE if found is _NO_DATABASE else {"status": "ok"})

        async def ready(_: Request) -> JSONResponse:
            return _answer(_LEAVING if self._leaving() else await self.found())

        return [Route("/health", health), Route("/ready", ready)]

    async def found(self) -> Told:
        """What the last look found; where nobody looks again and again, waits a little for a new one."""
        if not self._is_running:
            await asyncio.wait([self._started()], timeout=_WAIT_SECONDS)
        return self._found

    async def run(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            await asyncio.wait([self._started()])
            self._is_running = True
            await asyncio.sleep(LOOK_SECONDS)

    def _started(self) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._find())
        return self._looking

    async def _find(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                self._found = await self._look()
        except (OSError, TimeoutError, SQLAlchemyError) as error:
            if self._found is not _NO_DATABASE or not self._is_running:
                _log.warning("not healthy", reason=error)
            self._found = _NO_DATABASE


def looks(sessions: Sessions, queue_seconds: int) -> Look:
    """Whether the database answers, and the work that requests leave behind is being done.

    Where a job of the queue has been due for longer than ``queue_seconds`` that is told too, and requests go on being
    sent: sales need no queue.
    """

    async def look() -> Told:
        async with sessions.reading() as session:
            waited = await queue.longest_wait(session)
        if waited > queue_seconds:
            return {"status": "degraded", "reason": "queue", "oldestJobSeconds": round(waited)}
        return {"status": "ready"}

    return look


def _answer(told: Told) -> JSONResponse:
    return JSONResponse(told, status_code=503 if told in (_NO_DATABASE, _LEAVING) else 200)
