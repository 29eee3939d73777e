"""Many clients at once, some of whom are refused: little more than sockets, so that they measure the server."""

import asyncio
import json
import select
import socket
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass
class Outcome:
    """Seconds that each answered and each refused request took; what went wrong in any other way."""

    seconds: float = 0.0
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        return len(self.answered) / self.seconds


class Client(asyncio.Protocol):
    """One kept-alive connection; ``answer`` is the future of what was asked last."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class.

    def ask(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        assert self._transport is not None
        self.answer = asyncio.get_running_loop().create_future()
        self._heard = b""
        self._transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        if not end or self.answer is None or self.answer.done():
            return
        at = head.lower().find(b"content-length: ") + 16
        if len(body) >= int(head[at : at + 12].split(b"\r", 1)[0]):
            self.answer.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(exc or ConnectionError("closed without an answer"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def closed_loop(port: int, requests: list[bytes], connections: int, seconds: float) -> Outcome:
    """Each client asks again when it is answered, and where it is refused, as much later as it is told to."""
    outcome = Outcome(seconds)
    clients = [await _client(port) for _ in range(connections)]
    end = time.perf_counter() + seconds

    async def run(place: int, client: Client) -> None:
        while time.perf_counter() < end:
            await asyncio.sleep(await _asked(client, requests[place % len(requests)], outcome))

    await asyncio.gather(*(run(place, client) for place, client in enumerate(clients)))
    for client in clients:
        client.close()
    return outcome


async def open_loop(port: int, requests: list[bytes], rate: float, connections: int, seconds: float) -> Outcome:
    """So many requests a second, whatever becomes of those before; as many as there are connections free for."""
    outcome = Outcome(seconds)
    clients = [await _client(port) for _ in range(connections)]
    free = deque(clients)
    tasks = set()
    start, sent = time.perf_counter(), 0

    async def run(client: Client, request: bytes) -> None:
        await _asked(client, request, outcome)
        free.append(client)

    while (now := time.perf_counter() - start) < seconds:
        while sent < now * rate and free:
            task = asyncio.create_task(run(free.popleft(), requests[sent % len(requests)]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)
    for client in clients:
        client.close()
    return outcome


@contextmanager
def health(port: int) -> Iterator[list[float]]:
    """Seconds that ``/health`` took on connections of its own, asked for by a process of its own; filled at the end."""
    took: list[float] = []
    command = [sys.executable, "-m", "benchmarks.support.crowd", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield took
        told, _ = process.communicate()
        took.extend(json.loads(told))


def p99(took: list[float]) -> float:
    """In milliseconds."""
    return statistics.quantiles(took, n=100)[98] * 1000 if len(took) > 1 else 0.0


async def _client(port: int) -> Client:
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
    return client


async def _asked(client: Client, request: bytes, outcome: Outcome) -> float:
    """Seconds after which to ask again."""
    started = time.perf_counter()
    try:
        status, body = await client.ask(request)
    except OSError as error:
        outcome.wrong.append(type(error).__name__)
        return 1
    took = time.perf_counter() - started
    if status == 503 and b"OVERLOADED" in body:
        outcome.refused.append(took)
        return float(json.loads(body)["errors"][0]["extensions"]["retryAfter"])
    if status == 200 and b'"errors"' not in body:
        outcome.answered.append(took)
    else:
        outcome.wrong.append(f"{status} {body[:80]!r}")
    return 0


def _watch(port: int) -> None:
    """Asks for health twenty times a second until standard input ends."""
    took = []
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        started = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(HEALTH)
            while sock.recv(4096):
                pass
        took.append(time.perf_counter() - started)
    print(json.dumps(took))


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
