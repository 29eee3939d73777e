"""The embedded PostgreSQL: a real server inside the data folder, shared by any number of processes.

Each process holds a lock on one file for as long as it uses the server, and the kernel lets go of it however the
process ends; who leaves and gets that lock for itself alone is the last one, and stops the server. A second lock keeps
those who start and those who stop apart. (The package that brings the server counts its users by process id instead,
and is wrong for good after a ``kill -9``; so only its programs are used.)
"""

import fcntl
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sesame.postgres.cluster import Cluster


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The server inside ``folder``, started where it is not running; gives its SQLAlchemy URL.

    Raises CommandError where PostgreSQL does not start.
    """
    cluster = cluster_in(folder)
    with (folder / "postgres.users").open("a") as use:
        try:
            with starting(folder):
                cluster.ensure_running()
                fcntl.flock(use, fcntl.LOCK_SH)
            yield cluster.url
        finally:
            with _undisturbed(), starting(folder):
                if _is_last(use):
                    cluster.stop()


def cluster_in(folder: Path) -> Cluster:
    return Cluster(folder / "postgres")


@contextmanager
def starting(folder: Path) -> Iterator[None]:
    """Keeps apart those who start and those who stop the server inside ``folder``."""
    with (folder / "postgres.gate").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_last(use: IO[str]) -> bool:
    try:
        fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not leave PostgreSQL behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
