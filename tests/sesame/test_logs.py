import io
import json
import logging
import sys
from collections.abc import Iterator

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.wire import JsonObject

from sesame import logs


async def answer(request: Request) -> PlainTextResponse:
    structlog.get_logger().info("working")
    if "fail" in request.query_params:
        raise RuntimeError("broken")
    return PlainTextResponse("done")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("info")
    yield stream
    structlog.reset_defaults()
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
