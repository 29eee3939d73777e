"""A client that reads slowly, or not at all: it costs the server little, and nobody else anything."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from tests.conftest import Server
from tests.graphql.operations import BackOffice
from tests.graphql.transport import streams

from db.counts import counts as db_counts
from db.counts.counts import RedemptionCounts
from resolvers.runtime.ids import decode
from services.counts import board as count_board
from sesame.server import serving
from sesame.server.app import routes

CHANGES = 60
LARGE = "subscription($id: ID) { redemptionCounts(offerId: $id) { " + " ".join(
    f"c{number}: counts {{ generated available held used invalidated ticketsHeld ticketsSold version }}"
    for number in range(60)
)
LARGE += " } }"
HEAD = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


@asynccontextmanager
async def as_served(server: Server) -> AsyncIterator[str]:
    """The address of a server with the socket and the WebSocket protocol of ``sesame serve``."""
    application = Starlette(routes=routes(server.own, server.clock))
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        ws="sesame.server.websockets:Protocol",
        ws_per_message_deflate=False,
    )
    config.load()
    running = uvicorn.Server(config)
    running.lifespan = config.lifespan_class(config)
    with serving._listening("127.0.0.1", 0) as listener:
        await running.startup(sockets=[listener])
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        await running.shutdown()


class Stalled:
    """Subscribes, and reads no more until it is told to."""

    def __init__(self, address: str, token: str, offer: str) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", int(address.rpartition(":")[2])))
        self.socket.sendall(HEAD)
        self._until(b"\r\n\r\n")
        self._send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        self._until(b"connection_ack")
        payload = {"query": LARGE, "variables": {"id": offer}}
        self._send({"type": "subscribe", "id": "1", "payload": payload})

    def read_until(self, end: bytes) -> bytes:
        return self._until(end)

    def _send(self, message: object) -> None:
        data = json.dumps(message).encode()
        self.socket.sendall(b"\x81\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data)

    def _until(self, end: bytes) -> bytes:
        self.socket.settimeout(10)
        heard = b""
        while end not in heard:
            part = self.socket.recv(65536)
            assert part, "closed"
            heard += part
        return heard


@pytest.fixture(autouse=True)
def at_full_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count_board, "PACE", 0)


async def change(server: Server, offer: str) -> None:
    organisation = (await server.own.credentials.viewer(f"Bearer {server.staff}", server.clock())).organisation_id
    key = decode(offer, "PromotionalCode", path=())
    async with server.own.sessions.writing() as connection:
        await db_counts.move(connection, organisation, {(key, None): RedemptionCounts(generated=1)})
    server.own.live.publish(organisation, {key})


async def test_a_slow_reader_beside_a_fast_one_gets_less_and_ends_at_the_newest(server: Server) -> None:
    offer = await BackOffice(server).offer_id("TENOFF")
    operation = {"query": LARGE, "variables": {"id": offer}}
    async with as_served(server) as address, streams.socket(address, server.staff, operation) as fast:
        first = (await anext(fast))["data"]["redemptionCounts"]["c0"]["version"]
        slow = await asyncio.to_thread(Stalled, address, server.staff, offer)
        received = 0
        for number in range(1, CHANGES + 1):
            await change(server, offer)
            while True:
                event = await asyncio.wait_for(anext(fast), 5)
                received += len(json.dumps(event, separators=(",", ":")))
                if event["data"]["redemptionCounts"]["c0"]["version"] >= first + number:
                    break
        newest = b'"version":%d' % (first + CHANGES)
        heard = await asyncio.to_thread(slow.read_until, newest)
        slow.socket.close()
    assert len(heard) < received / 3


async def test_who_reads_nothing_is_dropped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(serving._OF_EACH_CONNECTION, "TCP_USER_TIMEOUT", 500)
    offer = await BackOffice(server).offer_id("TENOFF")
    async with as_served(server) as address:
        stalled = await asyncio.to_thread(Stalled, address, server.staff, offer)
        for _ in range(30):
            await change(server, offer)
            await asyncio.sleep(0.02)
        async with asyncio.timeout(20):
            while _watched():
                await change(server, offer)
                await asyncio.sleep(0.1)
        with suppress(OSError):
            stalled.socket.close()


def _watched() -> bool:
    return any("_Group._run" in str(task.get_coro()) for task in asyncio.all_tasks())
