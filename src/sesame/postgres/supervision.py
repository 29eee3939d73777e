"""The embedded PostgreSQL is started again when it ends by itself."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import structlog

from sesame.errors import CommandError
from sesame.postgres.cluster import Cluster
from sesame.postgres.embedded import cluster_in, starting

LOOK_SECONDS: Final = 0.25
"""Between two looks at it: as long as nobody notices that it is gone."""

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0

_log = structlog.get_logger("sesame.postgres.supervision")


@contextmanager
def supervised(folder: Path) -> Iterator[None]:
    """Keeps the server inside ``folder`` running until the block ends, whoever else uses it.

    Where it does not start it is tried again, after pauses that double up to half a minute. Several processes may do
    this for one folder: one of them starts it, the others find it running.
    """
    supervisor = _Supervisor(folder)
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop()


class _Supervisor:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cluster: Cluster = cluster_in(folder)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="postgres", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when it starts nothing any more."""
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            if not self._cluster.is_alive():
                self._restart()

    def _restart(self) -> None:
        _log.warning("postgres ended by itself", folder=str(self._folder))
        began, pause = time.monotonic(), _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                with starting(self._folder):
                    self._cluster.start()
            except (CommandError, OSError, psutil.Error) as error:
                _log.error("postgres does not start", reason=str(error), again_in_seconds=pause)
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                _log.warning("postgres runs again", seconds=round(time.monotonic() - began, 1))
                return
