"""Logs: one JSON object a line on standard error, readable text where that is a terminal.

Every line written while a request is answered carries its id, which the answer carries too, as ``X-Request-ID``. No
line holds a secret or a local variable (``sesame.log_masking``), an outage is one line that is counted
(``sesame.log_repeats``), and writing one never raises (``sesame.log_lines``).
"""

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Collection
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, TextIO, cast
from uuid import uuid4

import orjson
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, Processor, WrappedLogger

from sesame.log_lines import LastSteps, LogHandler, LogLines
from sesame.log_masking import Masking
from sesame.log_repeats import Repeats, in_one_line

_LONGEST_PATH: Final = 256  # None of ours has a third of that.
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def configure(level: str, secrets: Collection[str] = ()) -> None:
    """Sends the lines of this program and of its libraries, from ``level`` upwards, the same way.

    So go warnings, and errors that nobody caught. ``secrets`` are masked wherever they stand.
    """
    severity = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    is_terminal = sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()
    last = LastSteps(_last_steps(secrets, is_terminal=is_terminal))
    lines = LogLines(sys.stderr, _lost)
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(severity),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, lines)),
        cache_logger_on_first_use=True,
    )
    handler = LogHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    logging.basicConfig(handlers=[handler], level=severity, force=True)
    _take_over()
    # Libraries tell of their everyday work as INFO; ours is told by the access line.
    for chatty in ("uvicorn", "alembic", "pgqueuer", "httpx"):
        logging.getLogger(chatty).setLevel(max(severity, logging.WARNING))


def _last_steps(secrets: Collection[str], *, is_terminal: bool) -> list[Processor]:
    """From the event to its text. Tracebacks come without local variables: these hold whatever was being worked on."""
    one_line: list[Processor] = [in_one_line, Repeats()]
    masking = Masking(secrets)
    if is_terminal:
        return [*one_line, structlog.processors.format_exc_info, masking, structlog.dev.ConsoleRenderer()]
    traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [*one_line, structlog.processors.ExceptionRenderer(traceback), masking, _as_json]


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:
        # A lone surrogate, or a number past 64 bits: orjson refuses what JSON can write.
        return json.dumps(event, default=str)


def _lost(lines: int) -> str:
    now = datetime.now(UTC).isoformat()
    return orjson.dumps({"lines": lines, "event": "log lines were lost", "level": "warning", "timestamp": now}).decode()


def _take_over() -> None:
    """What would write to standard error by itself: handlers of others, warnings, errors that nobody caught."""
    logging.captureWarnings(capture=True)
    for name in tuple(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        for handler in tuple(logger.handlers):
            if isinstance(handler, logging.StreamHandler):
                logger.removeHandler(handler)
                logger.propagate = True
    # uvicorn's own has the query strings.
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        logging.getLogger("sesame").critical("nobody caught this", exc_info=(kind, error, traceback))


def _unraisable(about: "sys.UnraisableHookArgs") -> None:
    if about.exc_value is not None:
        logging.getLogger("sesame").error("nobody could be told of this", exc_info=about.exc_value)


def _uncaught_in_thread(about: threading.ExceptHookArgs) -> None:
    if about.exc_value is not None:
        logging.getLogger("sesame").critical("nobody caught this in a thread", exc_info=about.exc_value)


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
                    path=scope["path"][:_LONGEST_PATH],
                    status=status,
                    ms=round((time.perf_counter() - started) * 1000, 1),
                )


def _request_id(headers: Headers) -> str:
    """The caller's own id where it is safe to write into a log: one id then follows a request through all systems."""
    given = headers.get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else uuid4().hex
