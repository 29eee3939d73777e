"""PostgreSQL that ends by itself is back at once, whatever it left (docs/architecture.md, One machine)."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import psutil
import pytest
from structlog.testing import capture_logs
from tests.sesame.waiting import wait_for

from sesame.postgres import supervision
from sesame.postgres.cluster import Cluster
from sesame.postgres.embedded import running
from sesame.postgres.supervision import supervised

pytestmark = pytest.mark.processes

SOON = 5.0
"""Seconds within which it must be back."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="sesame-tests-") as folder:
        with running(Path(folder)):
            pass
        yield Path(folder)


def postmaster(folder: Path) -> psutil.Process | None:
    """The one that takes connections."""
    try:
        lines = (folder / "postgres/postmaster.pid").read_text().splitlines()
        return psutil.Process(int(lines[0])) if lines[7].strip() == "ready" else None
    except (FileNotFoundError, psutil.NoSuchProcess, ValueError, IndexError):
        return None


def kill(folder: Path) -> psutil.Process:
    killed = postmaster(folder)
    assert killed
    killed.kill()
    return killed


def is_back(folder: Path, after: psutil.Process) -> bool:
    return postmaster(folder) not in {None, after}


async def opened(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url.replace("+asyncpg", ""))


async def test_it_is_back_however_often_it_is_killed_and_says_so(folder: Path) -> None:
    with running(folder) as url, capture_logs() as lines, supervised(folder):
        for _ in range(3):
            killed = kill(folder)
            wait_for(lambda killed=killed: is_back(folder, killed), SOON)  # type: ignore[misc]
            connection = await opened(url)
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()
        wait_for(lambda: len(lines) == 6)
    said = [line["event"] for line in lines]
    assert said == 3 * ["postgres ended by itself", "postgres runs again"]
    assert postmaster(folder) is None


async def test_it_waits_for_no_process_that_is_still_at_work(folder: Path) -> None:
    """One that computes does not see that its postmaster is gone, and holds the memory that the next one wants."""
    with running(folder) as url, supervised(folder):
        busy = await opened(url)
        pid = await busy.fetchval("SELECT pg_backend_pid()")
        backend = psutil.Process(pid)
        backend.suspend()
        killed = kill(folder)
        wait_for(lambda: is_back(folder, killed), SOON)
        assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE
        busy.terminate()


async def test_what_was_committed_is_there_and_what_was_not_is_not(folder: Path) -> None:
    with running(folder) as url, supervised(folder):
        connection = await opened(url)
        await connection.execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (number integer)")
        await connection.execute("INSERT INTO kept VALUES (1)")
        await connection.execute("BEGIN; INSERT INTO kept VALUES (2)")
        killed = kill(folder)
        wait_for(lambda: is_back(folder, killed), SOON)
        again = await opened(url)
        assert await again.fetchval("SELECT array_agg(number) FROM kept") == [1]
        await again.close()


async def test_a_killed_session_ends_the_others_for_a_moment_only(folder: Path) -> None:
    """PostgreSQL itself sees to that one: the postmaster stays."""
    with running(folder) as url, supervised(folder):
        server, connection = postmaster(folder), await opened(url)
        os.kill(await connection.fetchval("SELECT pg_backend_pid()"), signal.SIGKILL)
        end = time.monotonic() + SOON
        while True:
            try:
                again = await opened(url)
                break
            except (asyncpg.PostgresError, OSError):
                assert time.monotonic() < end
        assert await again.fetchval("SELECT 1") == 1
        await again.close()
        assert postmaster(folder) == server


async def test_a_long_path_keeps_its_socket(folder: Path) -> None:
    deep = folder / ("d" * 100)
    deep.mkdir(exist_ok=True)
    with running(deep) as url, supervised(deep):
        killed = kill(deep)
        wait_for(lambda: is_back(deep, killed), SOON)
        connection = await opened(url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


def test_two_that_supervise_one_folder_start_it_once(folder: Path) -> None:
    with running(folder), ExitStack() as both, capture_logs() as lines:
        for _ in range(2):
            both.enter_context(supervised(folder))
        killed = kill(folder)
        wait_for(lambda: is_back(folder, killed), SOON)
        server = postmaster(folder)
        wait_for(lambda: [line["event"] for line in lines].count("postgres runs again") >= 1)
        time.sleep(2 * supervision.LOOK_SECONDS)
        assert postmaster(folder) == server


def test_where_it_does_not_start_it_is_tried_more_and_more_seldom(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_FIRST_PAUSE", 0.05)
    configuration = folder / "postgres/postgresql.conf"
    good = configuration.read_text()
    with running(folder), capture_logs() as lines, supervised(folder):
        configuration.write_text(good + "nonsense = 1\n")
        killed = kill(folder)
        wait_for(lambda: sum(line["event"] == "postgres does not start" for line in lines) >= 3, 30)
        configuration.write_text(good)
        wait_for(lambda: is_back(folder, killed), 30)
    failures = [line for line in lines if line["event"] == "postgres does not start"]
    pauses = [line["again_in_seconds"] for line in failures]
    assert pauses == [0.05 * 2**number for number in range(len(pauses))]
    assert all("configuration" in line["reason"] and "\n" not in line["reason"] for line in failures)


def test_data_that_are_gone_are_not_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty ones would look as if nothing had ever been sold."""
    data, moved = folder / "postgres", folder / "moved"
    with running(folder), capture_logs() as lines, supervised(folder):
        killed = postmaster(folder)
        assert killed
        data.rename(moved)
        try:
            killed.kill()
            wait_for(lambda: any("gone" in str(line.get("reason")) for line in lines))
            assert not data.exists()
        finally:
            moved.rename(data)
        wait_for(lambda: is_back(folder, killed), 30)


def test_it_is_left_alone_once_the_block_has_ended(folder: Path) -> None:
    with running(folder):
        with supervised(folder):
            threads = {thread.name for thread in threading.enumerate()}
            assert "postgres" in threads
        kill(folder).wait(10)
        time.sleep(2 * supervision.LOOK_SECONDS)
        assert not Cluster(folder / "postgres").is_alive()
