"""Server processes of their own, on a database that is there already."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from tests.gala import SECRET
from tests.sesame.waiting import wait_for

ROOT = Path(__file__).parents[1]


@contextmanager
def two_processes(url: str, **settings: str) -> Iterator[list[str]]:
    """The addresses of two server processes on one database, so that a test says who answers what."""
    with TemporaryDirectory(prefix="sesame-tests-") as folder:
        ports = [free_port(), free_port()]
        command = [sys.executable, "-m", "uvicorn", "sesame.server.app:create", "--factory", "--log-level", "critical"]
        environment = environment_for(url, Path(folder), **settings)
        with (Path(folder) / "log").open("wb") as log:
            processes = [
                subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=log, stderr=log)
                for port in ports
            ]
            try:
                addresses = [f"http://127.0.0.1:{port}" for port in ports]
                for address in addresses:
                    wait_for(partial(is_healthy, address), 60)
                yield addresses
            finally:
                for process in processes:
                    process.kill()
                    process.wait()


def environment_for(url: str, folder: Path, **more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SESAME_")}
    # Dozens of customers come from one address here.
    crowd = {"CLIENT_BASKETS": "100000", "CLIENT_TICKETS": "1000000"}
    settings = (
        {"DATABASE_URL": url, "SECRET_KEY": SECRET, "DATA_DIR": str(folder), "LOG_LEVEL": "warning"} | crowd | more
    )
    path = os.pathsep.join([str(ROOT), own.get("PYTHONPATH", "")])
    return {**own, "PYTHONPATH": path, **{f"SESAME_{name}": value for name, value in settings.items()}}


def is_healthy(address: str) -> bool:
    try:
        with urlopen(f"{address}/health", timeout=5) as response:  # noqa: S310
            return bool(json.load(response) == {"status": "ok"})
    except (OSError, ValueError):
        return False


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
