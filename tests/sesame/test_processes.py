import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.sesame.waiting import wait_for

from sesame.processes import kept_running

pytestmark = pytest.mark.processes

PARENT = """
import sys, time
from sesame.processes import kept_running
with kept_running([sys.executable, "-c", sys.argv[1], sys.argv[2]]):
    time.sleep(60)
"""
FAITHFUL_CHILD = """
import os, sys, time
from pathlib import Path
from sesame.processes import leave_with_parent
leave_with_parent()
Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""
COUNTING_CHILD = """
import sys
with open(sys.argv[1], "a") as runs:
    runs.write("run ")
"""


def test_a_child_that_ends_is_started_again(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with kept_running([sys.executable, "-c", COUNTING_CHILD, str(runs)]):
        wait_for(lambda: runs.exists() and runs.read_text().count("run") >= 2)


def test_a_child_is_stopped_with_the_block(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    with kept_running([sys.executable, "-c", FAITHFUL_CHILD, str(written)]):
        wait_for(lambda: written.exists() and bool(written.read_text()))
    assert not psutil.pid_exists(int(written.read_text()))


def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, FAITHFUL_CHILD, str(written)])
    wait_for(lambda: written.exists() and bool(written.read_text()))
    child = psutil.Process(int(written.read_text()))
    parent.kill()
    parent.wait()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_ctrl_c_is_for_the_parent_alone(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    with kept_running([sys.executable, "-c", FAITHFUL_CHILD, str(written)]):
        wait_for(lambda: written.exists() and bool(written.read_text()))
        assert os.getpgid(int(written.read_text())) != os.getpgid(0)
