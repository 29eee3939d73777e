import asyncio
import io
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.wire import JsonObject

from services.core.sent import Sent
from sesame import logs
from sesame.log_lines import LogHandler, LogLines
from sesame.log_repeats import PERIOD, Repeats

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


async def answer(request: Request) -> PlainTextResponse:
    structlog.get_logger().info("working")
    if "fail" in request.query_params:
        raise RuntimeError("broken")
    return PlainTextResponse("done")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with unchanged():
        logs.configure("info", {"l@velace"})
        yield stream


@contextmanager
def unchanged() -> Iterator[None]:
    """Puts back what ``configure`` takes over in the process of the tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    configured = structlog.get_config()
    yield
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    structlog.configure(**configured)
    root.handlers[:] = handlers
    root.setLevel(level)


async def get(path: str, **headers: str) -> httpx.Response:
    application = logs.RequestLog(Starlette(routes=[Route("/work", answer)]))
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers=headers)


def lines(written: io.StringIO) -> list[JsonObject]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


async def test_each_request_has_a_line_with_method_path_status_and_time(written: io.StringIO) -> None:
    await get("/nowhere")
    (line,) = lines(written)
    assert (line["method"], line["path"], line["status"]) == ("GET", "/nowhere", 404)
    assert line["ms"] >= 0


async def test_every_line_of_a_request_carries_the_id_that_the_answer_has(written: io.StringIO) -> None:
    response = await get("/work")
    working, request = lines(written)
    assert working["event"] == "working"
    assert working["request_id"] == request["request_id"] == response.headers["x-request-id"]


async def test_a_sane_id_of_the_caller_is_kept(written: io.StringIO) -> None:
    response = await get("/work", **{"X-Request-ID": "trace-1.2_3"})
    assert response.headers["x-request-id"] == "trace-1.2_3"


@pytest.mark.parametrize("odd", ["", "a b", "x" * 65, 'a"b', "a\x7fb"])
async def test_an_odd_id_is_replaced(written: io.StringIO, odd: str) -> None:
    response = await get("/work", **{"X-Request-ID": odd})
    assert response.headers["x-request-id"] != odd


async def test_query_strings_are_not_written(written: io.StringIO) -> None:
    await get("/work?token=hush")
    assert "hush" not in written.getvalue()


async def test_a_long_path_is_cut(written: io.StringIO) -> None:
    await get(f"/{'x' * 5_000}")
    assert len(lines(written)[0]["path"]) < 300


async def test_a_code_in_a_path_is_not_written(written: io.StringIO) -> None:
    await get("/codes/48MK-SKBN-TYDE-392H")
    assert "TYDE" not in written.getvalue()


async def test_a_failed_request_has_its_line_too(written: io.StringIO) -> None:
    response = await get("/work?fail")
    assert response.headers["x-request-id"] == lines(written)[-1]["request_id"]
    assert lines(written)[-1]["status"] == 500


def test_lines_of_libraries_look_alike(written: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("odd %s", "thing")
    (line,) = lines(written)
    assert (line["event"], line["level"], line["logger"]) == ("odd thing", "warning", "uvicorn.error")


def test_tracebacks_fit_into_one_line(written: io.StringIO) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("failed")
    assert [line["exception"][0]["exc_type"] for line in lines(written)] == ["ValueError", "ValueError"]


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────

HUSH = "hunter2-hunter2"


def fail_with_secret(text: str) -> None:
    password = HUSH  # noqa: F841 - a local variable, as logs showed them once
    raise ValueError(text)


def test_no_line_has_local_variables(written: io.StringIO) -> None:
    try:
        fail_with_secret("broken")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("failed")
    assert [line["exception"][0]["exc_value"] for line in lines(written)] == ["broken", "broken"]
    assert HUSH not in written.getvalue()
    assert "locals" not in written.getvalue()


def test_a_terminal_shows_no_local_variables_either(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with unchanged():
        logs.configure("info")
        try:
            fail_with_secret(f"redis://:{HUSH}@host")
        except ValueError:
            structlog.get_logger().exception("failed")
            logging.getLogger("library").exception("failed")
    assert terminal.getvalue().count("Traceback") == 2
    assert HUSH not in terminal.getvalue()


def _ours(text: str) -> None:
    structlog.get_logger().warning("said", about=[text])


def _of_library(text: str) -> None:
    logging.getLogger("library").warning("said %s", text)


def _of_exception(text: str) -> None:
    try:
        raise KeyError(text) from ValueError(text)
    except KeyError as error:
        error.add_note(text)
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("failed")


def _of_warning(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(text, stacklevel=1)


def _of_hook(text: str) -> None:
    error = RuntimeError(text)
    sys.excepthook(RuntimeError, error, None)


def _of_loop(text: str) -> None:
    loop = asyncio.new_event_loop()
    loop.call_exception_handler({"message": text, "exception": RuntimeError(text), "future": loop.create_future()})
    loop.close()


def _of_thread(text: str) -> None:
    def fail() -> None:
        raise RuntimeError(text)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


class _Unlucky:
    def __init__(self, text: str) -> None:
        self._text = text

    def __del__(self) -> None:
        raise RuntimeError(self._text)


def _of_finaliser(text: str) -> None:
    _Unlucky(text)


@pytest.mark.parametrize(
    "write", [_ours, _of_library, _of_exception, _of_warning, _of_hook, _of_loop, _of_thread, _of_finaliser]
)
def test_secrets_are_masked_wherever_they_come_from(written: io.StringIO, write: Callable[[str], None]) -> None:
    write(f"postgresql://ada:{HUSH}@db/x said l@velace to ada.lovelace@example.org")
    assert lines(written)
    for secret in (HUSH, "l@velace", "ada.lovelace"):
        assert secret not in written.getvalue()


def test_what_was_sent_is_in_no_traceback(written: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(sent=Sent({"code": "xmas-party"})):
        for said in ("xmas-party", "XMASPARTY"):
            try:
                raise KeyError(said)
            except KeyError:
                structlog.get_logger().exception("failed")
                logging.getLogger("library").exception("failed at %s", said)
        logging.getLogger("library").warning("looking for %s", "xmas-party")
        structlog.get_logger().info("fine")
    assert len(lines(written)) == 6
    assert "party" not in written.getvalue().lower()
    assert "sent" not in lines(written)[-1]


# ── Outages ──────────────────────────────────────────────────────────────────────────────────────


def test_an_outage_is_one_line_without_a_traceback_whoever_tells_of_it(written: io.StringIO) -> None:
    for _ in range(5):
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except ConnectionRefusedError as error:
            structlog.get_logger().error("unavailable", exc_info=error)
            structlog.get_logger().exception("failed")
            structlog.get_logger().warning("not healthy", reason=error)
            logging.getLogger("library").exception("failed")
    assert [line["event"] for line in lines(written)] == ["unavailable", "failed", "not healthy", "failed"]
    assert {line["reason"] for line in lines(written)} == {"ConnectionRefusedError: [Errno 111] Connection refused"}
    assert not any("exception" in line for line in lines(written))


def test_a_fault_is_told_in_full_each_time(written: io.StringIO) -> None:
    for _ in range(2):
        structlog.get_logger().error("fault", id="a", exc_info=ValueError("broken"))
    assert [line["exception"][0]["exc_value"] for line in lines(written)] == ["broken", "broken"]


def test_an_outage_with_an_id_that_somebody_was_told_is_always_written(written: io.StringIO) -> None:
    for fault in ("a", "b"):
        structlog.get_logger().error("batch failed", fault=fault, exc_info=ConnectionResetError("gone"))
    assert [line["fault"] for line in lines(written)] == ["a", "b"]


def test_repeats_are_counted_and_told_once_a_minute(written: io.StringIO) -> None:
    waiting: list[tuple[float, Callable[[], None]]] = []
    repeats = Repeats(lambda seconds, call: waiting.append((seconds, call)))

    def passes(event: str = "unavailable", reason: Exception | None = None) -> bool:
        try:
            repeats(None, "warning", {"event": event, "reason": reason or ConnectionResetError("gone")})
        except structlog.DropEvent:
            return False
        return True

    assert [passes() for _ in range(4)] == [True, False, False, False]
    assert passes(reason=TimeoutError("late"))
    assert passes("something else")
    assert [seconds for seconds, _ in waiting] == [PERIOD] * 3
    waiting.pop(0)[1]()
    (line,) = lines(written)
    assert (line["event"], line["more"], line["seconds"]) == ("unavailable", 3, PERIOD)
    assert line["reason"] == "ConnectionResetError: gone"
    assert not passes()
    waiting.pop()[1]()
    assert lines(written)[-1]["more"] == 1
    waiting.pop()[1]()
    assert len(lines(written)) == 2
    assert passes(), "after a minute of peace it is told at once"


# ── Logging never raises ─────────────────────────────────────────────────────────────────────────


class Unsayable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_what_cannot_be_written_down_says_so_and_raises_nothing(written: io.StringIO) -> None:
    structlog.get_logger().info("odd", what=Unsayable())
    # To ours alone: that of pytest raises what it cannot write.
    [handler] = [each for each in logging.getLogger().handlers if isinstance(each, LogHandler)]
    for wrong in (HUSH, Unsayable()):
        handler.handle(logging.LogRecord("library", logging.WARNING, "", 0, "odd %d", (wrong,), None))
    assert [line["event"] for line in lines(written)] == ["a log line could not be made"] * 3
    assert HUSH not in written.getvalue()


@pytest.mark.parametrize("odd", ["\ud800", 2**80, b"\xff", {1: {2}}, float("nan")])
def test_odd_values_are_written(written: io.StringIO, odd: object) -> None:
    structlog.get_logger().info("odd", what=odd)
    assert lines(written)[0]["event"] == "odd"


@contextmanager
def logging_to(stream: io.TextIOBase | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "stderr", stream)
    with unchanged():
        logs.configure("info")
        yield
        structlog.get_logger().info("ours")
        logging.getLogger("library").warning("theirs")
        logging.getLogger("library").error("theirs", exc_info=ValueError("x"))


def test_a_full_disk_keeps_nobody_from_working(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full, logging_to(full, monkeypatch):
        structlog.get_logger().info("x" * 100_000)
    # What is closed has nothing left that it would try to write once more.


def test_a_closed_stream_keeps_nobody_from_working(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as closed, logging_to(closed, monkeypatch):
        closed.close()


def test_a_broken_pipe_keeps_nobody_from_working(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as broken, logging_to(broken, monkeypatch):
        pass


def test_no_stream_at_all_keeps_nobody_from_working(monkeypatch: pytest.MonkeyPatch) -> None:
    with logging_to(None, monkeypatch):
        pass


class Disk(io.RawIOBase):
    """Has room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.written = b""

    def writable(self) -> bool:
        return True

    def write(self, given: "ReadableBuffer") -> int:
        taken = bytes(given)[: self.room]
        if not taken:
            raise OSError(28, "No space left on device")
        self.room -= len(taken)
        self.written += taken
        return len(taken)


def test_lost_lines_are_counted_and_told_when_there_is_room_again() -> None:
    disk = Disk(10)
    lines = LogLines(io.TextIOWrapper(io.BufferedWriter(disk)), lambda number: f"{number} lost")
    lines.write("first\n")
    for _ in range(3):
        lines.write("second\n")
    disk.room = 1_000
    lines.write("third\n")
    lines.write("fourth\n")
    assert disk.written.decode().splitlines() == ["first", "seco", "3 lost", "third", "fourth"]


def test_a_process_on_a_full_disk_works_and_ends_as_ever() -> None:
    program = "from sesame import logs; import structlog; logs.configure('info'); structlog.get_logger().info('x'); print('done')"
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([sys.executable, "-c", program], stderr=full, stdout=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stdout) == (0, b"done\n")
