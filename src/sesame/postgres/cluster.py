"""One PostgreSQL cluster: its folder, how it is made, started and stopped, and what it leaves in the folder."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy.engine import URL

from sesame.errors import CommandError
from sesame.postgres.programs import VERSION, User, check_reachable, fresh_user, last_line, owner_of, run, way_to

PATIENCE: Final = 120
"""Seconds that PostgreSQL may take to come up: after a crash it replays what it had promised to keep."""

_LAST_WORD: Final = 5
"""Seconds that what a dead postmaster left may take to go, once it is killed."""
_SOCKET: Final = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT: Final = 107
_QUICKLY: Final = "-c recovery_init_sync_method=syncfs" if sys.platform == "linux" else ""
"""After a crash all files are written down at once, not one by one, which takes seconds for a thousand of them."""

_CONFIGURATION: Final = {
    "max_connections": "200",
    "listen_addresses": "",
    "timezone": "UTC",
    "jit": "off",
    # A refused claim is an everyday event here, and its statement or details may hold a code.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Cluster:
    """The cluster in the folder ``data``. Whoever calls sees to it that nobody else starts or stops it meanwhile."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def ensure_running(self) -> None:
        """Makes and starts it where needed. Raises CommandError where it does not come up."""
        if not self._data.exists():
            self._initialise()
        self.start()

    def start(self) -> None:
        """Starts it where it is not running. Raises CommandError where it does not come up, or there is none."""
        if not self._data.exists():
            raise CommandError(f"The folder of PostgreSQL is gone: {self._data}.")
        version = (self._data / "PG_VERSION").read_text().strip()
        if version != VERSION:
            raise CommandError(
                f"{self._data} was made by PostgreSQL {version}, this is PostgreSQL {VERSION}: move it away, or dump "
                "and restore it."
            )
        if not self._is_ready():
            self._start()

    def stop(self) -> None:
        """Ends its sessions, writes everything down and stops it; waits until it is gone."""
        if not self.is_alive():
            return
        with way_to(self._data, owner_of(self._data)) as (way, descriptors):
            for mode in ("fast", "immediate"):
                if self._control(way, descriptors, "stop", "-w", "-t", "30", "-m", mode) is None:
                    break
        if not self._has_room_for_socket:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def is_alive(self) -> bool:
        """Whether its postmaster runs, be it that it takes no connections yet or no more."""
        lines = self._postmaster()
        try:
            return self._is_own(psutil.Process(int(lines[0])))
        except (psutil.Error, ValueError, IndexError):
            return False

    @property
    def url(self) -> str:
        """Where SQLAlchemy finds it while it runs."""
        # The port is named because asyncpg would otherwise take PGPORT's.
        address = {"host": str(self._sockets), "port": "5432"}
        return URL.create("postgresql+asyncpg", "postgres", database="postgres", query=address).render_as_string()

    def _initialise(self) -> None:
        """Makes it beside its place and moves it there whole, so that an interruption leaves nothing half made."""
        draft = self._data.with_name(f"{self._data.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        user = fresh_user()
        if user is not None:
            os.chown(draft, user.uid, user.gid)
        check_reachable(user)
        settings = [argument for name, value in _CONFIGURATION.items() for argument in ("-c", f"{name}={value}")]
        # The order of texts must not depend on the machine's language.
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        with way_to(draft, user) as (way, descriptors):
            arguments = ["--username=postgres", "--auth=trust", *locale, *settings, "-D", way]
            made = run("initdb", *arguments, user=user, descriptors=descriptors)
        if made.returncode:
            raise CommandError(f"PostgreSQL cannot set up {self._data}: {last_line(made.stdout)}")
        draft.rename(self._data)

    def _start(self) -> None:
        log = self._data / "server.log"
        if log.exists():
            log.replace(log.with_name("server.log.before"))
        user = owner_of(self._data)
        check_reachable(user)
        deadline = time.monotonic() + PATIENCE
        with way_to(self._data, user) as (way, descriptors):
            sockets = way if self._has_room_for_socket else str(self._short_folder(user))
            options = (
                "-w",
                "-t",
                str(PATIENCE),
                "-l",
                f"{way}/{log.name}",
                "-o",
                f"-k '{sockets}' -c cluster_name={self._mark} {_QUICKLY}",
            )
            while (said := self._control(way, descriptors, "start", *options)) is not None:
                trouble = last_line(log.read_text(errors="replace")) if log.exists() else said
                # Its processes are still leaving after a kill -9.
                if "shared memory" not in trouble or time.monotonic() > deadline:
                    raise CommandError(f"PostgreSQL does not start: {trouble} (the log is {log})")
                time.sleep(0.2)

    def _control(self, way: str, descriptors: Sequence[int], *arguments: str) -> str | None:
        """Has pg_ctl do something; where it fails, the last that it said."""
        user = owner_of(self._data)
        done = run("pg_ctl", "-D", way, *arguments, user=user, descriptors=descriptors)
        return last_line(done.stdout) if done.returncode else None

    def _is_ready(self) -> bool:
        """Whether it takes connections; waits while it is coming up or going down.

        Files that name no PostgreSQL of this folder are what a power cut or a kill -9 left: their number may be
        another's now, or that of a process that is gone but not yet buried.
        """
        while self.is_alive():
            lines = self._postmaster()
            if len(lines) >= 8 and lines[7] == "ready":
                return True
            time.sleep(0.05)
        self._end_left_behind()
        for left in ("postmaster.pid", f"{_SOCKET}.lock"):
            (self._data / left).unlink(missing_ok=True)
        return False

    def _end_left_behind(self) -> None:
        """Ends what a dead postmaster left: a process at work does not notice, and keeps the next from starting.

        They promised nothing that is not written down; the next replays it.
        """
        deadline = time.monotonic() + _LAST_WORD
        while (left := list(self._own_processes())) and time.monotonic() < deadline:
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            time.sleep(0.02)

    def _own_processes(self) -> Iterator[psutil.Process]:
        """Those that are still there; what is gone but not yet buried holds nothing."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if self._is_own(process):
                    yield process

    def _is_own(self, process: psutil.Process) -> bool:
        """Whether it is one of PostgreSQL's processes of this folder, by its command line, which everybody may read.

        What folder it works in would say so too, but not even root may ask where it has few rights, as in a container.
        """
        return process.name() == "postgres" and any(
            self._mark in word or word == str(self._data) for word in process.cmdline()
        )

    @property
    def _mark(self) -> str:
        """What stands in the command line of each of its processes, and of nobody else's."""
        return f"sesame-{sha256(os.fsencode(self._data.resolve())).hexdigest()[:16]}"

    def _postmaster(self) -> list[str]:
        """What it says of itself: process, folder, start, port, folder of the socket, address, memory, status."""
        with suppress(FileNotFoundError):
            return [line.strip() for line in (self._data / "postmaster.pid").read_text().splitlines()]
        return []

    @property
    def _sockets(self) -> Path:
        """Where its socket is while it runs: in the data, which are nobody else's, unless their path is too long."""
        return self._data if self._has_room_for_socket else Path(self._short.read_text())

    @property
    def _has_room_for_socket(self) -> bool:
        return len(os.fsencode(self._data / _SOCKET)) <= _SOCKET_PATH_LIMIT

    @property
    def _short(self) -> Path:
        """The file that says which folder has the socket instead."""
        return self._data.with_name(f"{self._data.name}.socket")

    def _short_folder(self, user: User | None) -> Path:
        """A folder with a short path, the same after a crash: those who are connected look for it where it was."""
        with suppress(FileNotFoundError):
            before = Path(self._short.read_text())
            if before.stat().st_uid == self._data.stat().st_uid:
                (before / f"{_SOCKET}.lock").unlink(missing_ok=True)
                return before
        short = Path(tempfile.mkdtemp(prefix="sesame-"))
        if user is not None:
            os.chown(short, user.uid, user.gid)
        self._short.write_text(str(short))
        return short
