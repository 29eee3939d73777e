"""What stands in the data folder is its owner's alone: customers' codes in mails, keys, the database."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sesame.errors import CommandError

_OWN: Final = ("*.key", "postgres.*", "outbox")
"""What sesame makes in the data folder; PostgreSQL sees to its own folder itself, and refuses one that is open."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def keep_private() -> None:
    """Has all files and sockets that this process and its children make from now on be their user's alone."""
    os.umask(_OTHERS)


def make_private(folder: Path) -> None:
    """Takes from everybody else the rights that they have in a data folder, which an earlier version left open.

    What is in it that is not sesame's stays as it is: nobody else comes there any more. Raises CommandError where the
    folder is meant to be shared, or is somebody else's.
    """
    for path in (folder, *_own(folder)):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            # A mail that has just been moved to its place.
            continue
        if stat.S_ISLNK(mode) or not mode & _OTHERS:
            continue
        if mode & stat.S_ISVTX:
            raise CommandError(f"{path} is shared by all users: name a folder of sesame's own with SESAME_DATA_DIR.")
        try:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
        except PermissionError:
            raise CommandError(
                f"{path} is open to other users, and belongs to one of them: run chmod go= {path}, or name another "
                "folder with SESAME_DATA_DIR."
            ) from None


def _own(folder: Path) -> Iterator[Path]:
    for pattern in _OWN:
        for path in folder.glob(pattern):
            # What is in a closed folder was made when that was closed, or closed with it.
            if path.is_dir() and not path.is_symlink() and path.stat().st_mode & _OTHERS:
                yield from path.rglob("*")
            yield path
