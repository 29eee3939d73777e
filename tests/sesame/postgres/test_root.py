"""Started by root, PostgreSQL runs as somebody else, and nothing changes on the way to it."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import psutil
import pytest

from sesame.errors import CommandError
from sesame.postgres import programs
from sesame.postgres.embedded import running

pytestmark = [pytest.mark.processes, pytest.mark.skipif(os.geteuid() != 0, reason="is about root")]

ACCOUNTS = ("/etc/passwd", "/etc/group", "/etc/shadow")


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that nobody but root may enter, below one that everybody may."""
    with TemporaryDirectory(prefix="sesame-tests-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def closed_programs(closed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PostgreSQL's programs where only root can come, as in a virtual environment below root's own folder."""
    package = programs.installation().parent
    installed = closed / "venv" / package.name / programs.installation().name
    shutil.copytree(programs.installation(), installed)
    libraries = f"{package.name}.libs"
    shutil.copytree(package.with_name(libraries), closed / "venv" / libraries)
    monkeypatch.setattr(programs, "installation", lambda: installed)
    return installed


def around(*paths: Path) -> dict[str, tuple[int, int, int]]:
    """Rights and owners of all that stands above, and the accounts of the machine."""
    places = {*map(Path, ACCOUNTS), *(parent for path in paths for parent in path.parents)}
    return {
        str(place): ((found := place.stat()).st_mode, found.st_uid, found.st_size * (str(place) in ACCOUNTS))
        for place in places
    }


async def answers(url: str) -> bool:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return bool(await connection.fetchval("SELECT count(*) > 0 FROM pg_timezone_names"))
    finally:
        await connection.close()


def processes_of(data: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == "postgres" and process.cwd() == str(data):
                found.append(process)
    return found


def mounted() -> str:
    return Path("/proc/mounts").read_text()


def status_of(process: psutil.Process) -> dict[str, str]:
    """What the kernel says of it, by name."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@pytest.mark.parametrize("users", [("sesame", "nobody"), ("nobody",)], ids=["usual", "no user of its own"])
async def test_a_folder_below_a_closed_one_needs_no_right_changed(
    closed: Path, users: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_USERS", users)
    folder = closed / "deep" / "data"
    folder.mkdir(mode=0o700, parents=True)
    before = around(folder / "postgres", programs.installation())
    with running(folder) as url:
        assert await answers(url)
        uids = {process.uids().effective for process in processes_of(folder / "postgres")}
        assert uids == {(folder / "postgres").stat().st_uid}
        assert uids != {0}
    with running(folder) as url:
        assert await answers(url)
    assert around(folder / "postgres", programs.installation()) == before


async def test_nor_do_programs_that_only_root_can_come_to(closed: Path, closed_programs: Path) -> None:
    folder = closed / "data"
    folder.mkdir(mode=0o700)
    mounts = mounted()
    before = around(folder / "postgres", closed_programs)
    with running(folder) as url:
        assert await answers(url)
        assert around(folder / "postgres", closed_programs) == before
        assert mounted() == mounts
    assert (closed_programs / "bin/postgres").exists()
    assert around(folder / "postgres", closed_programs) == before
    assert processes_of(folder / "postgres") == []


def test_where_that_cannot_be_the_operator_is_told_what_to_do(
    closed: Path, closed_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_ENCLOSING", ("/bin/false",))
    folder = closed / "data"
    folder.mkdir(mode=0o700)
    with pytest.raises(CommandError, match="does not run as root") as refused, running(folder):
        pass
    assert str(closed) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


async def test_the_processes_have_no_right_beyond_their_users(closed: Path, closed_programs: Path) -> None:
    folder = closed / "data"
    folder.mkdir(mode=0o700)
    with running(folder):
        for process in processes_of(folder / "postgres"):
            status = status_of(process)
            assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
            assert status["Groups"].strip() == ""


FEW_RIGHTS = "--bounding-set=-sys_admin,-sys_ptrace,-dac_read_search"
"""What root in a container lacks, as far as it matters here."""
KILLED_AND_BACK = """
import asyncio, os, signal, sys
from pathlib import Path
import asyncpg
from sesame.postgres.embedded import cluster_in, running
folder = Path(sys.argv[1])
def postmaster():
    return int((folder / "postgres/postmaster.pid").read_text().split()[0])
async def send(url, number):
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    os.kill(await connection.fetchval("SELECT pg_backend_pid()"), number)
with running(folder) as url:
    assert cluster_in(folder).is_alive()
    first = postmaster()
    # At work, as far as can be seen: it does not notice that its postmaster is gone.
    asyncio.run(send(url, signal.SIGSTOP))
    os.kill(first, signal.SIGKILL)
    while cluster_in(folder).is_alive():
        pass
    cluster_in(folder).start()
    assert postmaster() != first
    asyncio.run(send(url, 0))
print("done")
"""


def test_root_with_few_rights_as_in_a_container_can_do_it_too(closed: Path) -> None:
    folder = closed / "data"
    folder.mkdir(mode=0o700)
    command = ["setpriv", FEW_RIGHTS, sys.executable, "-c", KILLED_AND_BACK, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (ended.stdout, ended.returncode) == ("done\n", 0), ended.stderr
    assert processes_of(folder / "postgres") == []
