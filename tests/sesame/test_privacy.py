"""The data folder and what is in it are their owner's alone."""

import os
import stat
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from services.core.mail import FolderMailer
from sesame.errors import CommandError
from sesame.privacy import make_private
from sesame.settings import Settings, data_folder, kept_secret

OTHERS = 0o077


def rights(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """A folder as an earlier version, or an operator, left it."""
    folder = tmp_path / "data"
    (folder / "outbox").mkdir(parents=True)
    for name in ("outbox/codes.eml", "outbox/.draft.1", "secret.key", "partner.key", "postgres.gate", "postgres.users"):
        (folder / name).write_text("48MK SKBN TYDE 392H")
        (folder / name).chmod(0o664)
    (folder / "outbox").chmod(0o777)
    folder.chmod(0o755)
    return folder


def test_a_folder_that_is_made_is_private(tmp_path: Path) -> None:
    folder = data_folder(Settings(data_dir=tmp_path / "some/data"))
    assert rights(folder) == 0o700


def test_a_folder_that_was_open_is_mended(opened: Path) -> None:
    data_folder(Settings(data_dir=opened))
    assert rights(opened) == 0o700
    assert rights(opened / "outbox") == 0o700
    assert [path for path in opened.rglob("*") if rights(path) & OTHERS] == []


def test_nothing_outside_of_it_is_changed(opened: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    outside = tmp_path / "outside.key"
    outside.write_text("")
    outside.chmod(0o644)
    (opened / "linked.key").symlink_to(outside)
    (opened / "outbox/linked").symlink_to(tmp_path)
    make_private(opened)
    assert (rights(tmp_path), rights(outside)) == (0o750, 0o644)


def test_what_is_not_sesames_keeps_its_rights(opened: Path) -> None:
    other = opened / "notes.txt"
    other.write_text("")
    other.chmod(0o644)
    make_private(opened)
    assert rights(other) == 0o644


def test_a_folder_that_all_share_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(CommandError, match="SESAME_DATA_DIR"):
        data_folder(Settings(data_dir=tmp_path))
    assert rights(tmp_path) == 0o1777


async def test_mails_in_the_outbox_are_private_whatever_the_umask(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Message-ID"] = "<1@theatre.example.org>"
    before = os.umask(0)
    try:
        await FolderMailer(tmp_path / "outbox").send(message)
    finally:
        os.umask(before)
    assert rights(tmp_path / "outbox") == 0o700


def test_a_secret_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        kept_secret(tmp_path / "secret.key")
    finally:
        os.umask(before)
    assert rights(tmp_path / "secret.key") == 0o600


@pytest.mark.parametrize(
    "start",
    [
        "import sys; sys.argv = ['sesame', 'settings']\nfrom sesame.cli.main import main\ntry:\n    main()\nexcept SystemExit:\n    pass",
        "from sesame.server.app import create\ncreate()",
    ],
    ids=["command line", "server process"],
)
def test_each_process_makes_what_it_makes_for_its_own_user(start: str, tmp_path: Path) -> None:
    program = f"import os; os.umask(0)\n{start}\nopen('made', 'w').close(); os.mkdir('folder')"
    environment = {**os.environ, "SESAME_DATA_DIR": str(tmp_path / "data")}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, timeout=60)
    assert (rights(tmp_path / "made"), rights(tmp_path / "folder")) == (0o600, 0o700)
