"""What is killed: a PostgreSQL of its own, and a server with two worker processes."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from uuid import uuid4

import asyncpg
import psutil
from sqlalchemy.engine import make_url
from tests.gala import Gala, build
from tests.ledger import connect
from tests.servers import environment_for, free_port, is_healthy
from tests.sesame.waiting import wait_for

from db.migrations.migrate import upgrade
from sesame.postgres.cluster import Cluster

_GROWING = ("baskets", "codes", "orders", "redemptions", "batches", "pgqueuer_log")
_FULL = """
CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$ LANGUAGE plpgsql
"""
_FILL = "CREATE OR REPLACE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {} EXECUTE FUNCTION full_disk()"


class Postgres:
    """A cluster in a folder, with a template that holds the gala."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "postgres"
        self._cluster = Cluster(self._data)
        self.start()
        self.url = self._cluster.url

    async def prepare(self) -> Gala:
        """Makes the template."""
        # What a commit does not write itself stays in memory for as long as can be, so that a kill shows it.
        await self._execute(
            "ALTER SYSTEM SET wal_writer_delay = '10s'", "SELECT pg_reload_conf()", "CREATE DATABASE gala"
        )
        url = self._database("gala")
        await upgrade(url)
        return await build(url)

    async def copy(self) -> str:
        """The URL of a fresh copy of the template."""
        name = f"run_{uuid4().hex}"
        # What a copied sequence gives out before a checkpoint would be given out once more after a crash.
        await self._execute(f"CREATE DATABASE {name} TEMPLATE gala", "CHECKPOINT")
        return self._database(name)

    def start(self) -> None:
        self._cluster.ensure_running()

    def stop(self) -> None:
        self._cluster.stop()

    def restart(self) -> None:
        """Stops it without its writing anything down, and starts it again."""
        postmaster = self._postmaster()
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(30)
        self.start()

    def kill(self) -> None:
        """``kill -9`` of every one of its processes at once: what was only in its memory is gone."""
        postmaster = self._postmaster()
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, 10)

    async def cut_connections(self, random: Random, share: float) -> None:
        """Ends so many of its sessions, whatever they are doing."""
        connection = await connect(self.url)
        try:
            for row in await connection.fetch("SELECT pid FROM pg_stat_activity WHERE datname LIKE 'run%'"):
                if random.random() < share:
                    await connection.execute("SELECT pg_terminate_backend($1)", row["pid"])
        finally:
            await connection.close()

    async def fill_disk(self, url: str, seconds: float) -> None:
        """Has a database for so long no room for anything new, as far as those can tell who ask for it."""
        connection = await connect(url)
        try:
            await connection.execute(_FULL)
            for table in _GROWING:
                await connection.execute(_FILL.format(table))
            await asyncio.sleep(seconds)
        finally:
            for table in _GROWING:
                await connection.execute(f"DROP TRIGGER IF EXISTS full_disk ON {table}")
            await connection.close()

    async def _execute(self, *statements: str) -> None:
        parsed = make_url(self.url)
        connection = await asyncpg.connect(host=str(parsed.query["host"]), user="postgres", database="postgres")
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    def _postmaster(self) -> psutil.Process:
        return psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))

    def _database(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def postgres() -> Iterator[Postgres]:
    with TemporaryDirectory(prefix="chaos-") as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder))
        try:
            yield server
        finally:
            server.stop()


class Service:
    """``sesame serve --workers 2``, or with a mutant the same processes without its queue worker."""

    def __init__(self, url: str, folder: Path, mutant: str | None, settings: dict[str, str]) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        options = ["--port", str(port), "--workers", "2"]
        own = {} if mutant is None else {"CHAOS_MUTANT": mutant}
        command = ["sesame", "serve", *options]
        if mutant is not None:
            command = ["uvicorn", "tests.chaos.mutants:create", "--factory", "--log-level", "critical", *options]
        self.log = folder / "serve.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**environment_for(url, folder, **settings), **own},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(lambda: self.is_healthy() or self._process.poll() is not None, 60)
        assert self._process.poll() is None, self.log.read_text()

    def is_healthy(self) -> bool:
        """Whether both worker processes run and can answer; asks often enough to meet both."""
        return len(self._workers()) == 2 and all(is_healthy(self.address) for _ in range(4))

    def kill_queue_worker(self) -> None:
        for worker in self._queue_workers():
            with suppress(psutil.NoSuchProcess):
                worker.kill()

    def kill_worker(self, random: Random) -> None:
        workers = self._workers()
        if workers:
            with suppress(psutil.NoSuchProcess):
                random.choice(workers).kill()

    def has_queue_worker(self) -> bool:
        """Whether a process that takes jobs is there; it may just be starting again."""
        return bool(self._queue_workers())

    def end(self) -> None:
        children = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self._process.wait()

    def _workers(self) -> list[psutil.Process]:
        return self._children(lambda command: any("spawn_main" in part for part in command))

    def _queue_workers(self) -> list[psutil.Process]:
        return self._children(lambda command: command[-1:] == ["worker"])

    def _children(self, is_wanted: Callable[[list[str]], bool]) -> list[psutil.Process]:
        found = []
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children():
                with suppress(psutil.NoSuchProcess):
                    if is_wanted(child.cmdline()):
                        found.append(child)
        return found


@contextmanager
def service(url: str, mutant: str | None, **settings: str) -> Iterator[Service]:
    with TemporaryDirectory(prefix="chaos-serve-") as folder:
        running = Service(url, Path(folder), mutant, settings)
        try:
            yield running
        finally:
            running.end()
