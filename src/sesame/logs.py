"""Logs: one JSON object a line on standard error, readable text where that is a terminal.

Every line written while a request is answered carries its id, which the answer carries too, as ``X-Request-ID``.
"""

import logging
import re
import sys
import time
from typing import Final
from uuid import uuid4

import orjson
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import Processor

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def configure(level: str) -> None:
    """Sends the lines of this program and of its libraries, from ``level`` upwards, the same way."""
    severity = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers = _renderers()
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(severity),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    logging.basicConfig(handlers=[handler], level=severity, force=True)
    # Libraries tell of their everyday work as INFO; ours is told by the access line.
    for chatty in ("uvicorn", "alembic", "pgqueuer", "httpx"):
        logging.getLogger(chatty).setLevel(max(severity, logging.WARNING))


def _renderers() -> list[Processor]:
    if sys.stderr.isatty():
        return [structlog.dev.ConsoleRenderer()]
    return [
        structlog.processors.dict_tracebacks,
        structlog.processors.JSONRenderer(lambda line, **_: orjson.dumps(line, default=str).decode()),
    ]


class RequestLog:
    """Gives each request its id and writes one line for it when it ends.

    The line has the path but never the query string, which may hold a code or a signature.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger("sesame.access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        status = 500
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.accept"):
                status = message.get("status", 101)
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                self._log.info(
                    "request",
                    method=scope.get("method", "WEBSOCKET"),
                    path=scope["path"],
                    status=status,
                    ms=round((time.perf_counter() - started) * 1000, 1),
                )


def _request_id(headers: Headers) -> str:
    """The caller's own id where it is safe to write into a log: one id then follows a request through all systems."""
    given = headers.get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else uuid4().hex
