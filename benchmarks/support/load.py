"""A load generator over kept-alive HTTP connections: little more than sockets, so that it measures the server."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """Requests a second, and milliseconds that half and 99 in 100 of them took at the most."""

    per_second: float
    p50: float
    p99: float

    def __str__(self) -> str:
        return f"{self.per_second:8.0f}/s   p50 {self.p50:7.2f} ms   p99 {self.p99:7.2f} ms"


def request(host: str, path: str, token: str, body: bytes) -> bytes:
    """One POST as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def measure(host: str, port: int, requests: Sequence[bytes], connections: int = 16) -> Measurement:
    """Sends each request once, over so many connections that each send the next when the last is answered."""
    waiting = iter(requests)
    took: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(*(_client(host, port, waiting, took) for _ in range(connections)))
    elapsed = time.perf_counter() - started
    cuts = statistics.quantiles(took, n=100)
    return Measurement(len(took) / elapsed, cuts[49] * 1000, cuts[98] * 1000)


async def once(host: str, port: int, message: bytes) -> bytes:
    """One request's answer, its body alone."""
    reader, writer = await asyncio.open_connection(host, port)
    body = await _exchange(reader, writer, message)
    writer.close()
    return body


async def _client(host: str, port: int, waiting: Iterator[bytes], took: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for message in waiting:
        started = time.perf_counter()
        await _exchange(reader, writer, message)
        took.append(time.perf_counter() - started)
    writer.close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> bytes:
    writer.write(message)
    head = await reader.readuntil(b"\r\n\r\n")
    status, *headers = head.lower().split(b"\r\n")
    if b" 200 " not in status + b" ":
        raise RuntimeError(head.decode())
    length = next(int(line.partition(b":")[2]) for line in headers if line.startswith(b"content-length:"))
    return await reader.readexactly(length)
