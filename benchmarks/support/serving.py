"""Sesame and its peer as real servers on free ports: two worker processes each, one after the other."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.dataset import moved_to

EXAMPLE = Path(__file__).parents[2] / "src" / "sesame" / "example.json"
WORKERS = 2
_PATIENCE = 60
# All customers come from one address here.
_CROWD = {f"SESAME_{whose}_{what}": "10000000" for whose in ("CLIENT", "SHOP") for what in ("BASKETS", "TICKETS")}


@contextmanager
def sesame(workers: int = WORKERS, changed: Callable[[dict[str, Any]], None] | None = None) -> Iterator["Sesame"]:
    """A server on the example's data, as ``changed`` leaves it, in a folder of its own, gone at the end."""
    with loaded(changed) as environment, served(environment, workers) as server:
        yield server


@contextmanager
def loaded(changed: Callable[[dict[str, Any]], None] | None = None) -> Iterator[dict[str, str]]:
    """The environment of servers on the example's data, as ``changed`` leaves it, gone at the end."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - PostgreSQL runs as another user where this runs as root
        environment = {**os.environ, "SESAME_DATA_DIR": f"{folder}/data", "SESAME_LOG_LEVEL": "warning", **_CROWD}
        data = Path(folder) / "data.json"
        document = moved_to(json.loads(EXAMPLE.read_text()), datetime.now(UTC))
        assert isinstance(document, dict)
        if changed is not None:
            changed(document)
        data.write_text(json.dumps(document))
        _command(environment, "load", str(data))
        yield environment


@contextmanager
def served(environment: dict[str, str], workers: int = WORKERS) -> Iterator["Sesame"]:
    """A server on data that was loaded; it ends with the block."""
    port = _free_port()
    serve = [sys.executable, "-m", "sesame", "serve", "--port", str(port), "--workers", str(workers)]
    with _running(serve, environment, f"http://127.0.0.1:{port}/health") as process:
        yield Sesame(port, process.pid, environment)


class Sesame:
    """A running server: its port and process, its environment, and tokens for it."""

    def __init__(self, port: int, pid: int, environment: dict[str, str]) -> None:
        self.port = port
        self.pid = pid
        self.environment = environment

    def token(self, *arguments: str) -> str:
        return _command(self.environment, "token", *arguments, "--organisation", "theatre").strip()

    def ask(self, token: str, query: str, variables: dict[str, object] | None = None) -> dict[str, Any]:
        """The data of one GraphQL answer. Raises RuntimeError where there are errors."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        message = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            body,
            {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(message) as response:  # noqa: S310
            answer = json.load(response)
        if "errors" in answer:
            raise RuntimeError(str(answer["errors"]))
        data: dict[str, Any] = answer["data"]
        return data


@contextmanager
def peer(body: bytes) -> Iterator[int]:
    """The port of a plain Starlette endpoint that reads its request and answers these bytes."""
    port = _free_port()
    with tempfile.NamedTemporaryFile(suffix=".json") as answer:
        answer.write(body)
        answer.flush()
        command = [sys.executable, "-m", "uvicorn", "benchmarks.support.peer:create", "--factory", "--port", str(port)]
        command += ["--workers", str(WORKERS), "--log-level", "warning", "--no-access-log"]
        with _running(command, {**os.environ, "PEER_ANSWER": answer.name}, f"http://127.0.0.1:{port}/health"):
            yield port


@contextmanager
def _running(command: list[str], environment: dict[str, str], health: str) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_until_healthy(process, health)
        yield process
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _wait_until_healthy(process: "subprocess.Popen[bytes]", health: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(health):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError("the server did not start")


def _command(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "sesame", *arguments]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
