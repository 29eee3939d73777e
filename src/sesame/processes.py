"""Processes that belong together: a child is kept running beside its parent, and never outlives it."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog

_PARENT: Final = "SESAME_PARENT"
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_LAST_WORD: Final = 10.0

_log = structlog.get_logger("sesame.processes")


@contextmanager
def kept_running(command: Sequence[str]) -> Iterator[None]:
    """Runs the command beside this process, again whenever it ends, after pauses that double up to half a minute.

    At the end it is asked to stop, and killed after ten seconds.
    """
    os.environ[_PARENT] = str(os.getpid())
    keeper = _Keeper(command)
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


class _Keeper:
    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._starting:
            self._stopping.set()
        if self._process:
            self._process.terminate()
            self._thread.join(_LAST_WORD)
            self._process.kill()
        self._thread.join()

    def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while process := self._next():
            began = time.monotonic()
            code = process.wait()
            if time.monotonic() - began > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            if self._stopping.is_set():
                return
            _log.warning("child ended", command=self._command[-1], code=code, restarts_in_seconds=pause)
            self._stopping.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _next(self) -> subprocess.Popen[bytes] | None:
        with self._starting:
            if self._stopping.is_set():
                return None
            # In a session of its own: Ctrl-C in the terminal is for the parent, who then asks it to stop.
            self._process = subprocess.Popen(self._command, start_new_session=True)  # noqa: S603 - our own program
            return self._process


def leave_with_parent() -> None:
    """Ends this process, in good order, when the one that started it is gone, even by ``kill -9``."""
    parent = int(os.environ.get(_PARENT, "0"))
    if parent in (0, os.getpid()):
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
