"""Whether the work that requests leave behind is being done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse

from db.core import queue
from db.core.sessions import Sessions

_SECONDS: Final = 2

_log = structlog.get_logger("sesame.server.queue_age")


def readiness(sessions: Sessions, queue_seconds: int) -> Callable[[Request], Awaitable[JSONResponse]]:
    """Answers 503 where the database does not answer within the time that a load balancer waits.

    Where a job of the queue has been due for longer than ``queue_seconds`` it says that too, and goes on being sent
    requests: sales need no queue.
    """

    async def ready(_: Request) -> JSONResponse:
        try:
            async with asyncio.timeout(_SECONDS), sessions.reading() as session:
                waited = await queue.longest_wait(session)
        except (OSError, SQLAlchemyError) as error:
            _log.warning("not ready", reason=error)
            return JSONResponse({"status": "no database"}, status_code=503)
        if waited > queue_seconds:
            return JSONResponse({"status": "degraded", "reason": "queue", "oldestJobSeconds": round(waited)})
        return JSONResponse({"status": "ready"})

    return ready
