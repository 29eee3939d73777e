import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from joserfc import jwt
from joserfc.jwk import OctKey
from openpyxl import Workbook
from tests.servers import free_port

from sesame.cli.main import main
from sesame.settings import Settings

SECRET = "a secret of thirty-two characters"
EXAMPLE = files("sesame").joinpath("example.json").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Sesame = Callable[..., Ended]


@pytest.fixture
def sesame(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Sesame]:
    """Runs a command of ``sesame``, with the settings given and no others."""
    for variable in [name for name in os.environ if name.startswith("SESAME_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook

    def run(*arguments: str, **settings: str) -> Ended:
        for name, value in settings.items():
            monkeypatch.setenv(f"SESAME_{name.upper()}", value)
        monkeypatch.setattr(sys, "argv", ["sesame", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as left:
            code = left.code
        written = capsys.readouterr()
        return Ended(code if isinstance(code, int) else 1, written.out, written.err)

    yield run
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def is_told_in_one_line(ended: Ended) -> bool:
    return ended.code != 0 and ended.out == "" and ended.err.count("\n") == 1 and "Traceback" not in ended.err


def test_what_nobody_expected_is_told_without_secrets(sesame: Sesame, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise LookupError("postgresql://ada:hunter2@db/sesame has no ada@example.org")

    monkeypatch.setattr(Settings, "read", fail)
    ended = sesame("settings")
    assert (ended.code, ended.out) == (1, "")
    assert json.loads(ended.err)["exception"][0]["exc_value"] == "postgresql://***@db/sesame has no ***"


SHOPPER = ("token", "shopper", "--organisation", "theatre", "--point-of-sale", "SHOP")
CONTACT = ("token", "contact", "--organisation", "theatre", "--contact", "BLANDINE", "--point-of-sale", "SHOP")
PARTNER = ("token", "partner", "--organisation", "theatre", "--contact", "TYD", "--point-of-sale", "TYD")
SHOP_SERVER = ("token", "shop-server", "--organisation", "theatre")
STAFF = ("token", "staff", "--organisation", "theatre", "--roles", "CATALOGUE,SALES,CODES,CONTROL,VIEWER")


@pytest.mark.parametrize(
    "command",
    [
        [],
        *(["serve"], ["worker"], ["migrate"], ["load"], ["demo"], ["settings"], ["schema"], ["token"]),
        *(["generate"], ["import-codes"]),
        *(["token", audience] for audience in ("shopper", "contact", "partner", "staff", "shop-server")),
    ],
)
def test_every_command_explains_itself(sesame: Sesame, command: list[str]) -> None:
    ended = sesame(*command, "--help")
    assert ended.code == 0
    assert "Usage" in ended.out


@pytest.mark.parametrize(
    "command", [SHOPPER, CONTACT, PARTNER, STAFF, SHOP_SERVER, (*STAFF, "--point-of-sale", "HALL")]
)
def test_a_token_is_printed_and_nothing_else(sesame: Sesame, loaded_url: str, command: tuple[str, ...]) -> None:
    ended = sesame(*command, database_url=loaded_url, secret_key=SECRET)
    assert (ended.code, ended.err) == (0, "")
    assert len(ended.out.split()) == 1


def test_a_staff_token_holds_for_the_hours_asked_for(sesame: Sesame, loaded_url: str) -> None:
    tokens = [
        sesame(*STAFF, "--hours", hours, "--profile", "SENIOR", database_url=loaded_url, secret_key=SECRET).out.strip()
        for hours in ("1", "3")
    ]
    claims = [jwt.decode(token, OctKey.import_key(SECRET)).claims for token in tokens]
    assert claims[1]["exp"] - claims[0]["exp"] == pytest.approx(2 * 3600, abs=30)
    assert claims[0]["profile"] == "SENIOR"


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("token", "shopper", "--organisation", "nowhere", "--point-of-sale", "SHOP"), "nowhere"),
        (("token", "shopper", "--organisation", "theatre", "--point-of-sale", "NOWHERE"), "NOWHERE"),
        (("token", "shop-server", "--organisation", "nowhere"), "nowhere"),
        ((*CONTACT[:5], "NOBODY", *CONTACT[6:]), "NOBODY"),
        ((*PARTNER[:5], "BLANDINE", *PARTNER[6:]), "BLANDINE"),
        (("token", "staff", "--organisation", "theatre", "--roles", "KING"), "KING"),
    ],
)
def test_a_token_for_what_does_not_exist_is_refused(
    sesame: Sesame, loaded_url: str, command: tuple[str, ...], named: str
) -> None:
    ended = sesame(*command, database_url=loaded_url, secret_key=SECRET)
    assert is_told_in_one_line(ended)
    assert named in ended.err


def test_a_database_that_is_not_set_up_is_told(sesame: Sesame, postgres_url: str) -> None:
    ended = sesame(*SHOPPER, database_url=postgres_url, secret_key=SECRET)
    assert is_told_in_one_line(ended)
    assert "sesame migrate" in ended.err


@pytest.mark.parametrize("command", [("migrate",), ("serve", "--port", "0"), ("worker",), SHOPPER])
def test_an_unreachable_database_is_told(sesame: Sesame, command: tuple[str, ...]) -> None:
    ended = sesame(*command, database_url="postgresql://user:hush@127.0.0.1:1/nowhere", secret_key=SECRET)
    assert is_told_in_one_line(ended)
    assert "127.0.0.1:1" in ended.err
    assert "hush" not in ended.err


@pytest.mark.parametrize("command", [("migrate",), ("serve", "--port", "0"), SHOPPER])
def test_a_data_folder_that_cannot_be_written_is_told(sesame: Sesame, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    ended = sesame(*command, data_dir=str(tmp_path / "file/data"))
    assert is_told_in_one_line(ended)
    assert "SESAME_DATA_DIR" in ended.err


def test_a_port_in_use_is_told_before_anything_is_started(sesame: Sesame, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ended = sesame("serve", "--port", str(other.getsockname()[1]))
    assert is_told_in_one_line(ended)
    assert "--port" in ended.err
    assert not (tmp_path / ".sesame").exists()


def test_a_missing_secret_key_is_told(sesame: Sesame, loaded_url: str) -> None:
    ended = sesame("serve", "--port", "0", database_url=loaded_url)
    assert is_told_in_one_line(ended)
    assert "SESAME_SECRET_KEY" in ended.err


def test_loading_sets_an_empty_database_up(sesame: Sesame, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(EXAMPLE, encoding="utf-8")
    ended = sesame("load", "data.json", database_url=database_url)
    assert (ended.code, ended.err) == (0, "")
    assert "theatre" in ended.out


def test_every_problem_of_a_file_has_a_line_with_its_path(sesame: Sesame, database_url: str, tmp_path: Path) -> None:
    document = json.loads(EXAMPLE)
    document["seasons"][0]["startsOn"] = "yesterday"
    document["batches"][0]["quantity"] = -1
    (tmp_path / "data.json").write_text(json.dumps(document), encoding="utf-8")
    ended = sesame("load", "data.json", database_url=database_url)
    assert ended.code != 0
    assert [line.partition(": ")[0] for line in ended.err.splitlines()] == ["batches.0.quantity", "seasons.0.startsOn"]


def test_a_file_that_is_not_json_is_told_with_its_place(sesame: Sesame, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(EXAMPLE.rstrip()[:-1], encoding="utf-8")
    assert is_told_in_one_line(sesame("load", "data.json", database_url=database_url))


def test_a_missing_file_is_told(sesame: Sesame, database_url: str) -> None:
    assert is_told_in_one_line(sesame("load", "missing.json", database_url=database_url))


def test_settings_are_listed_with_secrets_hidden(sesame: Sesame) -> None:
    ended = sesame("settings", database_url="postgres://user:hush@h/d", secret_key="hush" * 10)
    assert ended.code == 0
    assert "SESAME_DATABASE_URL=postgresql+asyncpg://user:***@h/d" in ended.out
    assert "hush" not in ended.out


def test_the_schema_is_printed(sesame: Sesame) -> None:
    assert "type Query" in sesame("schema").out


FOR_SECUTIX = ("--organisation", "theatre", "--offer", "PROMOTYD", "--contact", "SECUTIX")


def test_codes_are_generated_and_mailed(sesame: Sesame, loaded_url: str, tmp_path: Path) -> None:
    settings = {"database_url": loaded_url, "secret_key": SECRET, "data_dir": str(tmp_path)}
    wanted = ("--quantity", "500", "--destination", "codes@example.org", "--language", "en")
    ended = sesame("generate", *FOR_SECUTIX, *wanted, **settings)
    assert ended.code == 0
    assert "Made 500 codes of PROMOTYD for SECUTIX, mailed to codes@example.org" in ended.out
    (mail,) = (tmp_path / "outbox").iterdir()
    assert "Your 500 codes" in mail.read_text(encoding="ascii")


def test_every_problem_with_codes_to_generate_is_told(sesame: Sesame, loaded_url: str) -> None:
    wanted = ("--quantity", "5000001", "--destination", "nobody")
    ended = sesame("generate", *FOR_SECUTIX, *wanted, database_url=loaded_url, secret_key=SECRET)
    assert ended.code == 1
    assert [line.partition(":")[0] for line in ended.err.splitlines()] == ["quantity", "destination"]


@pytest.mark.parametrize("place", [1, 3, 5])
def test_codes_of_or_for_what_does_not_exist_are_refused(sesame: Sesame, loaded_url: str, place: int) -> None:
    command = ["generate", *FOR_SECUTIX, "--quantity", "1"]
    command[place + 1] = "NOBODY"
    assert is_told_in_one_line(sesame(*command, database_url=loaded_url, secret_key=SECRET))


def test_how_many_codes_are_made_is_shown_on_a_terminal(
    sesame: Sesame, loaded_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    wanted = ("--quantity", "60000", "--no-mail")
    ended = sesame("generate", *FOR_SECUTIX, *wanted, database_url=loaded_url, secret_key=SECRET)
    assert ended.code == 0
    assert "60000/60000" in ended.err


class Unwilling:
    """A mail server that takes no mail for anybody."""

    async def handle_RCPT(self, *_: object) -> str:  # noqa: N802 - aiosmtpd's name
        return "550 5.1.1 no such user"


def test_a_list_that_nobody_takes_is_told_with_what_was_made(sesame: Sesame, loaded_url: str) -> None:
    server = Controller(Unwilling(), hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        url = f"smtp://127.0.0.1:{server.port}"
        wanted = ("--quantity", "500", "--destination", "codes@example.org")
        ended = sesame("generate", *FOR_SECUTIX, *wanted, database_url=loaded_url, secret_key=SECRET, smtp_url=url)
    finally:
        server.stop()
    assert ended.code == 1
    assert "failed with 500 of 500 codes made" in ended.err
    assert "550 5.1.1 no such user" in ended.err


def test_codes_that_can_be_guessed_are_imported_where_that_is_accepted(
    sesame: Sesame, loaded_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "codes.txt"
    file.write_text("".join(f"CLUB-{number:03}\n" for number in range(1_000)))
    command = ("import-codes", str(file), *FOR_SECUTIX)
    refused = sesame(*command, database_url=loaded_url, secret_key=SECRET)
    assert (refused.code, refused.err.partition(":")[0]) == (1, "codes")
    assert "only 1,000 are possible" in refused.err
    assert sesame(*command, "--accept-guessable", database_url=loaded_url, secret_key=SECRET).code == 0


def test_codes_are_imported_from_a_file(sesame: Sesame, loaded_url: str, tmp_path: Path) -> None:
    file = tmp_path / "codes.txt"
    file.write_text("".join(f"Member {number:09}\r\n" for number in range(12_000)), encoding="utf-8-sig")
    ended = sesame("import-codes", str(file), *FOR_SECUTIX, database_url=loaded_url, secret_key=SECRET)
    assert (ended.code, ended.err) == (0, "")
    assert "Took in" in ended.out


def test_every_problem_with_codes_to_import_is_told_with_its_line(
    sesame: Sesame, loaded_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "codes.txt"
    file.write_bytes(b"Member 1\n\nx\nmember-1\nCOUPON3%\n\x81\xff\n")
    ended = sesame("import-codes", str(file), *FOR_SECUTIX, database_url=loaded_url, secret_key=SECRET)
    assert ended.code == 1
    told = [line.partition(":")[0] for line in ended.err.splitlines()]
    assert told == ["line 3", "line 4", "line 5", "line 6", "Nothing was taken in. Problems found"]


def test_codes_are_imported_from_a_workbook_by_the_name_of_their_column_but_for_those_that_are_there(
    sesame: Sesame, loaded_url: str, tmp_path: Path
) -> None:
    book = Workbook()
    assert book.active is not None
    for row in (["Name", "Number"], ["Ada", "00012345"], ["Bob", "COUPON3%"], ["Eve", "12-05-26"], ["Eve", "120526"]):
        book.active.append(row)
    file = tmp_path / "codes.xlsx"
    book.save(file)
    wanted = ("import-codes", str(file), *FOR_SECUTIX, "--column", "number", "--on-duplicate", "skip")
    ended = sesame(*wanted, database_url=loaded_url, secret_key=SECRET)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Took in 2 codes of {file} as batch ")
    assert ended.out.endswith(", 2 left out that were there already.\n")


def test_a_missing_file_of_codes_is_told(sesame: Sesame, loaded_url: str) -> None:
    ended = sesame("import-codes", "none.txt", *FOR_SECUTIX, database_url=loaded_url, secret_key=SECRET)
    assert is_told_in_one_line(ended)
