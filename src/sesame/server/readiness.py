"""Whether this process can answer, as of a moment ago: who asks takes no connection and waits for nobody."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from db.core import server
from db.core.sessions import Sessions

LOOK_SECONDS: Final = 1.0
"""Between two looks at the database."""

_PATIENCE_SECONDS: Final = 2.0
_WAIT_SECONDS: Final = 0.05
_OK: Final = "ok"

Look = Callable[[], Awaitable[str]]
"""Says what is wrong, or ``ok``."""

_log = structlog.get_logger("sesame.server.readiness")


class Readiness:
    """What the last look found; ``leaving`` says whether this process is about to end."""

    def __init__(self, look: Look, leaving: Callable[[], bool] = lambda: False) -> None:
        self._look = look
        self._leaving = leaving
        self._found = "starting"
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    def routes(self) -> list[BaseRoute]:
        """``/health`` says whether the database is reached, ``/ready`` also whether to send more clients here."""

        async def health(_: Request) -> JSONResponse:
            return _answer(await self.status())

        async def ready(_: Request) -> JSONResponse:
            return _answer("leaving" if self._leaving() else await self.status())

        return [Route("/health", health), Route("/ready", ready)]

    async def status(self) -> str:
        """What the last look found; where nobody looked of late, waits a little for a new one."""
        if time.monotonic() - self._looked_at > 2 * LOOK_SECONDS:
            await asyncio.wait([self._started()], timeout=_WAIT_SECONDS)
        return self._found

    async def run(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            await asyncio.wait([self._started()])
            await asyncio.sleep(LOOK_SECONDS)

    def _started(self) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._find())
        return self._looking

    async def _find(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                found = await self._look()
        except (OSError, TimeoutError, SQLAlchemyError) as error:
            found = "no database"
            if found != self._found:
                _log.warning("not healthy", reason=str(error))
        self._found = found
        self._looked_at = time.monotonic()


def reaches(sessions: Sessions) -> Look:
    """Whether the database answers."""

    async def look() -> str:
        async with sessions.reading() as session:
            await server.reach(session)
        return _OK

    return look


def _answer(status: str) -> JSONResponse:
    return JSONResponse({"status": status}, status_code=200 if status == _OK else 503)
