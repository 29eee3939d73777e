"""Workers in which something hangs: they end, are started again, and their batches come to an end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.servers import environment_for
from tests.services.theatre import House, build
from tests.sesame.waiting import wait_for

from db.core.sessions import Sessions
from services.codes.batches import BatchState
from sesame.processes import kept_running
from sesame.worker.process import STOP_SECONDS
from sesame.worker.watchdog import GIVEN_UP

pytestmark = [pytest.mark.long, pytest.mark.processes]

OTHERS = text("""
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
""")
WORKER = """
import asyncio, sys, time
from datetime import timedelta
from pathlib import Path
from services.codes.generation import Generation
from sesame.settings import Settings
from sesame.worker import jobs, process

jobs.Worker.__init__.__kwdefaults__.update(step=timedelta(seconds=0.5), patience=timedelta(seconds=1))
process._LOOP_SECONDS = process.STOP_SECONDS = 2
kind, begun = sys.argv[1], Path(sys.argv[2])
advance = Generation.advance

async def hanging(self, *step):
    with begun.open("a") as file:
        file.write("begun ")
    if begun.read_text().count("begun") > 1:
        return await advance(self, *step)
    while kind == "deaf":
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
    if kind == "busy":
        time.sleep(3600)
    await asyncio.Event().wait()

Generation.advance = hanging
process.run(Settings.read())
"""
"""The first step of all hangs, for good, in one of three ways; later ones do not."""


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


@contextmanager
def running(command: Sequence[str], url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker by itself, that nobody starts again."""
    process = subprocess.Popen(command, env=environment_for(url, folder))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def hanging(kind: str, folder: Path) -> list[str]:
    return [sys.executable, "-c", WORKER, kind, str(folder / "begun")]


@pytest.mark.parametrize("kind", ["willing", "deaf", "busy"])
async def test_a_step_that_never_returns_ends_the_worker_which_is_started_again(
    kind: str, house: House, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``willing`` heeds its cancellation, ``deaf`` does not, ``busy`` has the whole event loop hang."""
    batch = await house.request(quantity=1_000)
    for name, value in environment_for(database_url, tmp_path).items():
        monkeypatch.setenv(name, value)
    begun = tmp_path / "begun"
    with kept_running(hanging(kind, tmp_path)):
        deadline = time.monotonic() + 90
        while (await house.batch(batch)).state is not BatchState.DONE:
            assert time.monotonic() < deadline
            time.sleep(0.2)  # noqa: ASYNC251 - nothing else runs here
    assert begun.read_text().count("begun") >= 2
    assert len(set(await house.codes(batch))) == (await house.counts()).generated == 1_000


async def test_a_worker_that_hung_says_so_by_how_it_ends(house: House, database_url: str, tmp_path: Path) -> None:
    await house.request()
    with running(hanging("willing", tmp_path), database_url, tmp_path) as process:
        assert process.wait(60) == GIVEN_UP


@pytest.mark.parametrize("kind", ["deaf", "busy"])
async def test_a_worker_that_hangs_ends_all_the_same_when_asked_to(
    kind: str, house: House, database_url: str, tmp_path: Path
) -> None:
    await house.request()
    with running(hanging(kind, tmp_path), database_url, tmp_path) as process:
        wait_for((tmp_path / "begun").exists, 60)
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS + 20)


async def test_a_batch_that_always_hangs_fails_with_a_reason(house: House, database_url: str, tmp_path: Path) -> None:
    batch = await house.request()
    async with house.sessions.writing() as connection:
        await connection.execute(text("UPDATE pgqueuer SET attempts = 19"))
    with running(hanging("willing", tmp_path), database_url, tmp_path) as process:
        process.wait(60)
    found = await house.batch(batch)
    assert found.state is BatchState.FAILED
    assert "bloqu" in (found.error or "") or "avancé" in (found.error or "")


async def test_a_database_that_stops_answering_keeps_no_worker_from_ending(
    house: House, database_url: str, tmp_path: Path
) -> None:
    await house.request(quantity=5_000_000)
    with running([sys.executable, "-m", "sesame", "worker"], database_url, tmp_path) as process:
        deadline = time.monotonic() + 60
        while not (await house.counts()).generated:
            assert time.monotonic() < deadline
            time.sleep(0.05)  # noqa: ASYNC251 - nothing else runs here
        async with house.sessions.reading() as connection:
            backends = list((await connection.scalars(OTHERS)).all())
        for backend in backends:
            os.kill(backend, signal.SIGSTOP)
        try:
            process.terminate()
            process.wait(STOP_SECONDS + 10)
        finally:
            for backend in backends:
                os.kill(backend, signal.SIGCONT)


async def test_a_worker_finds_at_its_start_what_the_queue_has_lost(
    house: House, database_url: str, tmp_path: Path
) -> None:
    batch = await house.request(quantity=1_000)
    async with house.sessions.writing() as connection:
        await connection.execute(text("DELETE FROM pgqueuer"))
    with running([sys.executable, "-m", "sesame", "worker"], database_url, tmp_path):
        deadline = time.monotonic() + 60
        while (await house.batch(batch)).state is not BatchState.DONE:
            assert time.monotonic() < deadline
            time.sleep(0.1)  # noqa: ASYNC251 - nothing else runs here
