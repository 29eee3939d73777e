import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import psutil
import pytest

from sesame.errors import CommandError
from sesame.postgres.cluster import Cluster
from sesame.postgres.embedded import running

pytestmark = pytest.mark.processes

HOLDER = """
import sys
from pathlib import Path
from sesame.postgres.embedded import running
with running(Path(sys.argv[1])):
    print("up", flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another process that uses the embedded PostgreSQL until it is told to leave."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def wait_until_up(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"up\n"

    def leave(self) -> None:
        self._process.communicate(timeout=60)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def postmaster(folder: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int((folder / "postgres/postmaster.pid").read_text().split()[0]))
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """A folder with a cluster in it that is not running."""
    with TemporaryDirectory(prefix="sesame-tests-") as folder:
        with running(Path(folder)):
            pass
        yield Path(folder)


def test_the_last_of_several_processes_stops_it(prepared: Path) -> None:
    other = Holder(prepared)
    with running(prepared):
        other.wait_until_up()
        other.leave()
        assert postmaster(prepared)
    assert postmaster(prepared) is None


def test_processes_that_start_together_share_one_server(prepared: Path) -> None:
    holders = [Holder(prepared) for _ in range(3)]
    for holder in holders:
        holder.wait_until_up()
    server = postmaster(prepared)
    holders[0].leave()
    holders[1].leave()
    assert server == postmaster(prepared)
    holders[2].leave()
    assert postmaster(prepared) is None


def test_a_killed_user_does_not_keep_it_running_for_good(prepared: Path) -> None:
    killed = Holder(prepared)
    killed.wait_until_up()
    killed.kill()
    assert postmaster(prepared)
    with running(prepared):
        pass
    assert postmaster(prepared) is None


async def test_it_comes_up_after_it_was_killed_itself(prepared: Path) -> None:
    with running(prepared):
        server = postmaster(prepared)
        assert server
        server.kill()
        server.wait(10)
    with running(prepared) as url:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


def test_a_process_number_that_belongs_to_another_now_does_not_fool_it(prepared: Path) -> None:
    pid_file = prepared / "postgres/postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{prepared / 'postgres'}\n1\n5432\n{prepared / 'postgres'}\n\n1 1\nready\n")
    with running(prepared):
        server = postmaster(prepared)
        assert server
        assert server.pid != os.getpid()


def test_a_socket_that_a_living_process_seems_to_hold_does_not_stop_it(prepared: Path) -> None:
    data = prepared / "postgres"
    with subprocess.Popen(["/bin/sleep", "60"], user=data.owner() if os.geteuid() == 0 else None) as other:
        (data / ".s.PGSQL.5432.lock").write_text(f"{other.pid}\n{data}\n1\n5432\n{data}\n")
        try:
            with running(prepared):
                assert postmaster(prepared)
        finally:
            other.kill()


def test_ctrl_c_does_not_reach_it(prepared: Path) -> None:
    with running(prepared):
        server = postmaster(prepared)
        assert server
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_it_takes_enough_connections_and_none_from_the_network(prepared: Path) -> None:
    async def shown(url: str) -> tuple[int, str]:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return int(await connection.fetchval("SHOW max_connections")), await connection.fetchval(
                "SHOW listen_addresses"
            )
        finally:
            await connection.close()

    with running(prepared) as url:
        connections, addresses = asyncio.run(shown(url))
    assert connections >= 200
    assert addresses == ""


def test_a_long_path_is_no_hindrance(prepared: Path) -> None:
    deep = prepared / ("d" * 100)
    deep.mkdir()
    with running(deep) as url:
        sockets = Path(url.rpartition("host=")[2].partition("&")[0].replace("%2F", "/"))
        assert (sockets / ".s.PGSQL.5432").exists()
    assert not sockets.exists()


def test_a_cluster_of_another_version_is_told_apart(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(CommandError, match="made by PostgreSQL 16"):
        Cluster(data).ensure_running()


def test_a_failure_to_start_is_told_in_one_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    with TemporaryDirectory(prefix="sesame-tests-") as folder:
        with running(Path(folder)):
            pass
        with (Path(folder) / "postgres/postgresql.conf").open("a") as configuration:
            configuration.write("nonsense = 1\n")
        with pytest.raises(CommandError, match="PostgreSQL does not start") as refused, running(Path(folder)):
            pass
        assert "\n" not in str(refused.value)


def test_a_second_interrupt_while_it_stops_changes_nothing(prepared: Path) -> None:
    stopped = []

    class Interrupted(Cluster):
        def stop(self) -> None:
            signal.raise_signal(signal.SIGINT)
            super().stop()
            stopped.append(True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sesame.postgres.embedded.Cluster", Interrupted)
        with running(prepared):
            pass
    assert stopped
    assert postmaster(prepared) is None
