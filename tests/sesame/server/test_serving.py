import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
import pytest
from tests.sesame.waiting import wait_for

from sesame.postgres.embedded import running

pytestmark = pytest.mark.processes


class Serve:
    """A ``sesame serve`` of its own, with all the processes that it started."""

    def __init__(self, folder: Path, *options: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SESAME_")}
        environment["SESAME_DATA_DIR"] = str(folder)
        self.folder = folder
        self._log = (folder / "serve.log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sesame", "serve", "--port", "0", *options],
            env=environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        wait_for(lambda: self.process.poll() is not None or self.is_healthy(), 60)
        self.started = {
            *psutil.Process(self.process.pid).children(recursive=True),
            psutil.Process(int((folder / "postgres/postmaster.pid").read_text().split()[0])),
        }

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text()

    @property
    def address(self) -> str | None:
        serving = (json.loads(line) for line in self.log.splitlines() if '"serving"' in line)
        return next((line["address"] for line in serving), None)

    def is_healthy(self) -> bool:
        address = self.address
        if address is None:
            return False
        with suppress(httpx.TransportError):
            return bool(httpx.get(f"{address}/health").json() == {"status": "ok"})
        return False

    def queue_workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if child.cmdline()[-1:] == ["worker"]]

    def left_over(self) -> list[psutil.Process]:
        return [each for each in self.started if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for process in self.left_over():
            process.kill()
        self._log.close()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="sesame-tests-") as folder:
        with running(Path(folder)):
            pass
        yield Path(folder)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Serve]:
    server = Serve(folder, *options)
    try:
        yield server
    finally:
        server.end()


@pytest.mark.parametrize(
    ("signal_number", "options"), [(signal.SIGINT, ()), (signal.SIGTERM, ("--workers", "2"))], ids=["one", "two"]
)
def test_a_signal_stops_everything_that_it_started(
    folder: Path, signal_number: signal.Signals, options: tuple[str, ...]
) -> None:
    with serving(folder, *options) as server:
        assert server.queue_workers()
        # As a terminal does it: to the whole group.
        os.killpg(server.process.pid, signal_number)
        assert server.process.wait(30) == 0
        wait_for(lambda: server.left_over() == [], 5)
        assert "Traceback" not in server.log


def test_nothing_outlives_a_killed_server(folder: Path) -> None:
    with serving(folder, "--workers", "2") as server:
        server.process.kill()
        server.process.wait()
        wait_for(lambda: server.left_over() == [], 30)


def test_a_killed_queue_worker_is_replaced(folder: Path) -> None:
    with serving(folder) as server:
        (first,) = server.queue_workers()
        first.kill()
        wait_for(lambda: any(worker != first for worker in server.queue_workers()))


def test_a_server_without_its_database_is_not_healthy_until_it_is_back(folder: Path) -> None:
    with serving(folder) as server:
        (postgres,) = [each for each in server.started if each.name() == "postgres"]
        data = folder / "postgres"
        data.rename(folder / "away")
        postgres.kill()
        postgres.wait(10)
        response = httpx.get(f"{server.address}/health")
        assert response.status_code == 503
        wait_for(lambda: "postgres does not start" in server.log)
        (folder / "away").rename(data)
        wait_for(server.is_healthy)
        assert "postgres runs again" in server.log
        server.started.add(psutil.Process(int((data / "postmaster.pid").read_text().split()[0])))


def test_more_processes_than_the_database_has_connections_for_are_refused(folder: Path) -> None:
    environment = {**os.environ, "SESAME_DATA_DIR": str(folder), "SESAME_POOL_SIZE": "100"}
    command = [sys.executable, "-m", "sesame", "serve", "--port", "0", "--workers", "2"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "SESAME_POOL_SIZE" in ended.stderr
