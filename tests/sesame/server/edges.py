"""The server of ``sesame serve`` in the test's own process, on the database and the clock of ``server``."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import pytest
from starlette.applications import Starlette
from tests.conftest import Server

from sesame import logs
from sesame.server import leaving, serving
from sesame.server.app import ANY_ORIGIN, routes
from sesame.server.edge import Config, Edge
from sesame.server.gate import Gate

HANDSHAKE: Final = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
NO_PROXIES: Final = {"FORWARDED_ALLOW_IPS": "192.0.2.1"}
"""This machine is a proxy like any other where nothing else is said."""


@asynccontextmanager
async def as_served(server: Server, settings: Mapping[str, object] | None = None) -> AsyncIterator[tuple[str, Edge]]:
    """Its address and limits; ``settings`` are environment variables without their prefix, but for uvicorn's."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {"DRAIN_PAUSE_SECONDS": 0, **(settings or {})}.items():
            environment.setenv(name if name in NO_PROXIES else f"SESAME_{name}", str(value))

        def make(edge: Edge) -> Gate:
            return Gate(
                logs.RequestLog(Starlette(routes=routes(server.own, server.clock, edge), middleware=[ANY_ORIGIN])),
                edge.work,
            )

        config = Config(make, lifespan="off")
        config.load()
    running = leaving.Server(config)
    running.lifespan = config.lifespan_class(config)
    with serving._listening("127.0.0.1", 0) as listener:
        await running.startup(sockets=[listener])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", config.edge
        finally:
            await running.shutdown(sockets=[listener])


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Returns as soon as the condition holds; fails where it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nobody tells a test of it
            await asyncio.sleep(0.01)


def connected(address: str, receive_buffer: int | None = None) -> socket.socket:
    """A socket with ten seconds of patience."""
    made = socket.socket()
    if receive_buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.settimeout(10)
    made.connect(("127.0.0.1", int(address.rpartition(":")[2])))
    return made


def asked_for(path: str = "/health") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def posted(body: bytes, path: str = "/graphql", **headers: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    return (head + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode() + body


def status_of(sock: socket.socket) -> int:
    """Of the answer that comes; 0 where the connection is closed without one. Raises ConnectionResetError."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        part = sock.recv(65536)
        if not part:
            return 0
        heard += part
    return int(heard.split()[1])


def is_closed(sock: socket.socket) -> bool:
    """Reads to the end, which comes within ten seconds."""
    while sock.recv(65536):
        pass
    return True


def frame(data: bytes) -> bytes:
    """A text message as a client sends it, masked by zeros."""
    size = bytes([0x80 | 126]) + struct.pack("!H", len(data)) if len(data) > 125 else bytes([0x80 | len(data)])
    return b"\x81" + size + bytes(4) + data


def text_of(sock: socket.socket, end: bytes) -> bytes:
    """What comes up to and with ``end``."""
    heard = b""
    while end not in heard:
        part = sock.recv(65536)
        assert part, (b"closed", heard)
        heard += part
    return heard


def close_code(sock: socket.socket) -> int:
    """Of the close frame with which the connection ends."""
    heard = b""
    while part := sock.recv(65536):
        heard += part
    at = heard.rfind(b"\x88")
    assert at >= 0, heard
    return int(struct.unpack("!H", heard[at + 2 : at + 4])[0])
