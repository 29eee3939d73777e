"""Where log lines go, so that writing one never raises: not on a full disk, a closed stream or a broken pipe."""

import io
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_BROKEN: Final = (OSError, ValueError)  # ValueError is raised for a stream that was closed.


class LogLines(io.TextIOBase):
    """Takes whole lines. Those that ``stream`` does not take are counted; ``lost`` says how many before the next one.

    Past the stream's buffers where it has some: what waited there would be tried again, and fail again, at the end.
    """

    def __init__(self, stream: TextIO | None, lost: Callable[[int], str]) -> None:
        self._stream = stream
        self._raw = _raw(stream)
        self._lost_line = lost
        self._lost = 0
        self._is_torn = False
        # Again by the same thread where collecting garbage, in the midst of it, has something to say.
        self._lock = threading.RLock()

    def write(self, line: str) -> int:
        """Writes a line with its line break. Raises nothing."""
        with self._lock:
            said = f"{self._lost_line(self._lost)}\n{line}" if self._lost else line
            try:
                self._put(said)
            except _BROKEN:
                self._lost += 1
            else:
                self._lost = 0
        return len(line)

    def flush(self) -> None:
        """Nothing waits."""

    def _put(self, said: str) -> None:
        if self._raw is not None:
            self._put_bytes(self._raw, said.encode(errors="backslashreplace"))
        elif self._stream is not None:
            self._stream.write(said)
            self._stream.flush()

    def _put_bytes(self, raw: io.RawIOBase, said: bytes) -> None:
        left = memoryview(b"\n" + said if self._is_torn else said)
        while left:
            taken = raw.write(left)
            if not taken:
                raise BlockingIOError
            left = left[taken:]
            self._is_torn = bool(left)


def _raw(stream: TextIO | None) -> io.RawIOBase | None:
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw if isinstance(raw, io.RawIOBase) else None


class LastSteps:
    """The last steps of a line, ours or a library's, to its text. Where one of them fails, the line says only that."""

    def __init__(self, steps: Sequence[Processor]) -> None:
        self._steps = steps

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        """Raises DropEvent where the line is one of many alike."""
        line: object = event
        try:
            for step in self._steps:
                line = step(logger, method, line)  # type: ignore[arg-type]  # each takes what the one before gave
            return str(line)
        except structlog.DropEvent:
            raise
        except Exception as error:  # noqa: BLE001 - whoever logs goes on
            return unwritten(error)


class LogHandler(logging.Handler):
    """Hands on the lines of libraries."""

    def __init__(self, lines: LogLines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except structlog.DropEvent:
            return
        except Exception as error:  # noqa: BLE001 - whoever logs goes on
            line = unwritten(error)
        self._lines.write(f"{line}\n")


def unwritten(error: Exception) -> str:
    """What stands in the place of a line that could not be made. Its parts may be secrets."""
    kind = type(error).__name__
    return orjson.dumps({"level": "error", "event": "a log line could not be made", "reason": kind}).decode()
