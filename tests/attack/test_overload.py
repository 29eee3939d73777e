"""A thousand clients at once, and three thousand connections that ask for nothing: others notice little of it."""

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import pytest
from tests import gala
from tests.sesame.server.edges import HANDSHAKE, asked_for, posted, until
from tests.sesame.server.served import Load, served

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.processes]

CONNECTIONS = 1000
SECONDS = 4
SLACK = 0.4
"""Seconds for what takes a tenth of a second where the machine has nothing else to do."""

PRICE = "query ($input: BasketInput!) { priceBasket(input: $input) { total { amount } } }"


class Crowd:
    """Clients that ask for a price again and again, and wait as long as a refusal tells them."""

    def __init__(self, port: int, request: bytes) -> None:
        self.seen: Counter[str] = Counter()
        self.refused: list[float] = []
        self._port = port
        self._request = request
        self._end = time.monotonic() + SECONDS

    async def run(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(CONNECTIONS)))

    async def _client(self) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            while time.monotonic() < self._end:
                await self._ask(reader, writer)
            writer.close()
        except (OSError, asyncio.IncompleteReadError) as error:
            self.seen[type(error).__name__] += 1

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        started = time.monotonic()
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        answer = json.loads(await reader.readexactly(int(headers[b"content-length"])))
        status = head.split()[1].decode()
        if status == "503":
            self.refused.append(time.monotonic() - started)
            (error,) = answer["errors"]
            self.seen[f"503 {error['extensions']['code']}"] += 1
            await asyncio.sleep(int(headers[b"retry-after"]))
        else:
            self.seen[status if "errors" not in answer else f"{status} with errors"] += 1


async def told(port: int, path: str, took: list[float], end: float) -> None:
    while time.monotonic() < end:
        started = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked_for(path))
        assert b" 200 " in await reader.readuntil(b"\r\n")
        took.append(time.monotonic() - started)
        writer.close()
        await asyncio.sleep(0.05)


async def test_a_thousand_clients_are_answered_or_told_to_come_again(database_url: str, tmp_path: Path) -> None:
    made = await gala.build(database_url)
    variables = {"input": {"lines": [made.line("PLAIN", quantity=2)]}}
    body = json.dumps({"query": PRICE, "variables": variables}).encode()
    with served(database_url, tmp_path) as server:
        crowd = Crowd(server.port, posted(body, Authorization=f"Bearer {made.shopper}"))
        took: list[float] = []
        end = time.monotonic() + SECONDS
        asking = [told(server.port, path, took, end) for path in ("/health", "/ready")]
        await asyncio.gather(crowd.run(), *asking)
        log = server.log
    assert set(crowd.seen) == {"200", "503 OVERLOADED"}, crowd.seen
    assert median(crowd.refused) < SLACK
    assert median(took) < SLACK
    # One line a second and process, not one for each.
    assert 0 < log.count('"overloaded"') <= 2 * (SECONDS + 2)
    assert "Traceback" not in log


@contextmanager
def held(port: int, number: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """So many connections that have sent this and no more."""
    made = []
    try:
        for _ in range(number):
            sock = socket.socket()
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(("127.0.0.1", port))
            made.append(sock)
        for sock in made:
            sock.setblocking(True)
            sock.settimeout(20)
            with suppress(OSError):
                sock.sendall(sent)
        yield made
    finally:
        for sock in made:
            sock.close()


def open_of(socks: list[socket.socket]) -> int:
    """How many the server has not closed."""
    left = 0
    for sock in socks:
        sock.setblocking(False)
        try:
            while sock.recv(65536):
                pass
        except BlockingIOError:
            left += 1
        except OSError:
            pass
    return left


async def test_three_thousand_idle_connections_keep_nobody_out(database_url: str, tmp_path: Path) -> None:
    made = await gala.build(database_url)
    with served(database_url, tmp_path, workers=1, descriptors=1024) as server:
        assert server.log.count("Only 1024 files may be open") == 1
        load = Load(server.port, made.shopper)
        assert await load.once() == "200"
        with (
            held(server.port, 1000, b"") as silent,
            held(server.port, 1000, posted(b"{}")[:-1]) as half_sent,
            held(server.port, 1000, HANDSHAKE) as strangers,
        ):
            running = asyncio.create_task(load.run(4))
            await asyncio.sleep(3)
            seen = load.seen["200"]
            await until(lambda: load.seen["200"] > seen + 100, 20)
            await until(lambda: open_of(silent) + open_of(half_sent) == 0, 20)
            # Without credentials, and no word of the protocol in ten seconds.
            await until(lambda: open_of(strangers) == 0, 20)
            load.stop()
            await running
        assert set(load.seen) <= {"200", "503"}, load.seen
        assert "Too many open files" not in server.log
        assert "Traceback" not in server.log
