"""What comes again and again while something is away is written once, and then counted."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

from db.core.outages import cause_of, is_unavailable, reason

PERIOD: Final = 60.0
"""Seconds between two lines that say the same."""

Later = Callable[[float, Callable[[], None]], None]
"""Calls something so many seconds later."""


def in_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """An outage needs no traceback: nobody has to find out where it was met."""
    error = _raised(event.get("exc_info"))
    if error is not None and is_unavailable(error):
        del event["exc_info"]
        event["reason"] = error
    return event


def later(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()


@dataclass(slots=True)
class _Repeated:
    event: EventDict
    more: int = 0


class Repeats:
    """Lets a line whose ``reason`` is an exception pass as one line, and counts those like it for a minute.

    Then one line says how many more there were. A line with an id that somebody was told is always written.
    """

    def __init__(self, later: Later = later) -> None:
        self._later = later
        # Again by the same thread where collecting garbage, in the midst of it, has something to say.
        self._lock = threading.RLock()
        self._known: dict[tuple[str, str], _Repeated] = {}

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        error = event.get("reason")
        if not isinstance(error, BaseException):
            return event
        event["reason"] = reason(error)
        if "id" in event or "fault" in event:
            return event
        key = str(event.get("logger", event["event"])), type(cause_of(error)).__name__
        with self._lock:
            repeated = self._known.get(key)
            if repeated is not None:
                repeated.more += 1
                raise structlog.DropEvent
            told = {name: event[name] for name in ("event", "logger", "reason") if name in event}
            self._known[key] = _Repeated(told)
        self._later(PERIOD, lambda: self._tell(key))
        return event

    def _tell(self, key: tuple[str, str]) -> None:
        with self._lock:
            repeated = self._known[key]
            more, repeated.more = repeated.more, 0
            if not more:
                del self._known[key]
                return
        structlog.get_logger().warning(**repeated.event, more=more, seconds=PERIOD)
        self._later(PERIOD, lambda: self._tell(key))


def _raised(exc_info: object) -> BaseException | None:
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exc_info()[1]
    return None
