"""Where what a test throws away afterwards may lie."""

from pathlib import Path
from shutil import disk_usage

ENOUGH = 4 << 30
"""Bytes that the run's databases never reach."""


def memory() -> Path | None:
    """A folder in memory where there is much of it: on some disks a thousand files take a second, on each copy."""
    folder = Path("/dev/shm")  # noqa: S108 - made unguessable by who asks
    return folder if folder.is_dir() and disk_usage(folder).free > ENOUGH else None
