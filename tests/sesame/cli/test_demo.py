import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from tests.sesame.waiting import wait_for
from tests.wire import Json

pytestmark = pytest.mark.processes

TOKENS = 4


@dataclass(frozen=True)
class Guide:
    """What the demo told: its tokens, and the words of the command to paste."""

    text: str

    @property
    def tokens(self) -> list[str]:
        return re.findall(r":\n    (\S+)", self.text)

    @property
    def command(self) -> list[str]:
        return shlex.split(self.text[self.text.index("curl") :])


@contextmanager
def demo(folder: Path) -> Iterator[Guide]:
    """A running demo; it must leave in good order when it is interrupted."""
    told = folder / "told"
    with told.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sesame", "demo", "--port", "0"],
            cwd=folder,
            stdout=output,
            stderr=subprocess.DEVNULL,
            # A developer's own database and mail server are none of the demo's business.
            env={**os.environ, "SESAME_DATABASE_URL": "postgres://h/d", "SESAME_SMTP_URL": "smtp://h"},
        )
    try:
        wait_for(lambda: "curl" in told.read_text(encoding="utf-8"), 60)
        yield Guide(told.read_text(encoding="utf-8"))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def pasted(command: list[str]) -> Json:
    """What the server answers to the command."""
    headers = dict(command[position + 1].split(": ", 1) for position, word in enumerate(command) if word == "-H")
    response = httpx.post(command[2], content=command[-1], headers=headers, timeout=30)
    return response.json()["data"]["priceBasket"]


def test_the_demo_shows_what_to_do_and_keeps_its_data() -> None:
    with TemporaryDirectory(prefix="sesame-tests-") as folder:
        with demo(Path(folder)) as first:
            assert len(set(first.tokens)) == TOKENS
            assert pasted(first.command)["total"] == {"amount": "162.00", "currency": "EUR"}
        with demo(Path(folder)) as second:
            basket, basket_before = (json.loads(guide.command[-1])["variables"] for guide in (second, first))
            assert basket == basket_before
            assert second.tokens[2] == first.tokens[2]
            assert pasted(second.command)["total"] == {"amount": "162.00", "currency": "EUR"}
