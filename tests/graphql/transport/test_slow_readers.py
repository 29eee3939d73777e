"""A client that reads slowly, or not at all: it costs the server little, and nobody else anything."""

import asyncio
import json
import socket
from contextlib import suppress

import pytest
from tests.conftest import Server
from tests.graphql.operations import BackOffice
from tests.graphql.transport import streams
from tests.sesame.server.edges import HANDSHAKE, as_served, connected, posted

from db.counts import counts as db_counts
from db.counts.counts import RedemptionCounts
from resolvers.runtime.ids import decode
from services.counts import board as count_board
from sesame.server import connections, serving

CHANGES = 60
LARGE = "subscription($id: ID) { redemptionCounts(offerId: $id) { " + " ".join(
    f"c{number}: counts {{ generated available held used invalidated ticketsHeld ticketsSold version }}"
    for number in range(60)
)
LARGE += " } }"


class Stalled:
    """Subscribes, and reads no more until it is told to."""

    def __init__(self, address: str, token: str, offer: str) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", int(address.rpartition(":")[2])))
        self.socket.sendall(HANDSHAKE)
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
    async with as_served(server) as (address, _), streams.socket(address, server.staff, operation) as fast:
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
    async with as_served(server) as (address, _):
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


async def test_who_reads_nothing_is_dropped_although_its_kernel_says_that_it_is_there(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.5)
    offer = await BackOffice(server).offer_id("TENOFF")
    async with as_served(server) as (address, _):
        stalled = await asyncio.to_thread(Stalled, address, server.staff, offer)
        async with asyncio.timeout(20):
            while _watched():
                await change(server, offer)
                await asyncio.sleep(0.02)
        stalled.socket.close()


async def test_who_reads_nothing_of_an_event_stream_is_dropped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.5)
    offer = await BackOffice(server).offer_id("TENOFF")
    body = json.dumps({"query": LARGE, "variables": {"id": offer}}).encode()
    async with as_served(server) as (address, _):
        with connected(address, receive_buffer=4096) as stalled:
            stalled.sendall(posted(body, "/graphql/stream", Authorization=f"Bearer {server.staff}"))
            async with asyncio.timeout(20):
                while not _watched():  # noqa: ASYNC110 - nobody tells a test of it
                    await asyncio.sleep(0.01)
                while _watched():
                    await change(server, offer)
                    await asyncio.sleep(0.02)


async def test_who_pings_and_reads_nothing_has_nothing_kept(server: Server) -> None:
    offer = await BackOffice(server).offer_id("TENOFF")
    async with as_served(server) as (address, edge):
        stalled = await asyncio.to_thread(Stalled, address, server.staff, offer)
        async with asyncio.timeout(20):
            while not len(edge.connections.stalled):
                await change(server, offer)
                await asyncio.sleep(0.02)
        (socket,) = edge.connections.stalled._due
        waiting = socket.transport.get_write_buffer_size()  # type: ignore[attr-defined] # a WebSocket's
        await asyncio.to_thread(stalled.socket.sendall, (b"\x89\xfd" + bytes(4) + bytes(125)) * 1000)
        await asyncio.sleep(0.2)
        assert socket.transport.get_write_buffer_size() == waiting  # type: ignore[attr-defined]
        stalled.socket.close()
