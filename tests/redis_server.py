"""Debian's Redis on a port of its own, which a test may kill and start again."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import create_connection

import pytest
from tests.servers import free_port
from tests.sesame.waiting import wait_for


class RedisServer:
    """Keeps nothing on disk."""

    def __init__(self, program: str) -> None:
        self._port = free_port()
        self._command = [program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, cwd="/")
        wait_for(self._takes_connections)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """It takes connections still, and answers nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def _takes_connections(self) -> bool:
        with suppress(OSError), create_connection(("127.0.0.1", self._port)):
            return True
        return False


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Where NO_SKIPPED_TESTS is set, as .ci/run does, it must be there; elsewhere the test is skipped without it."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        reason = "redis-server is not installed: apt-get install redis-server"
        if os.environ.get("NO_SKIPPED_TESTS"):
            pytest.fail(reason)
        pytest.skip(reason)
    server = RedisServer(program)
    server.start()
    try:
        yield server
    finally:
        server.kill()
