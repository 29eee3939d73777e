"""Connections end: those that ask too slowly, those too many, those that nobody knows, those that are idle."""

import asyncio
import json
import socket
from contextlib import ExitStack

import pytest
from tests.conftest import Server
from tests.sesame.server.edges import (
    HANDSHAKE,
    NO_PROXIES,
    as_served,
    asked_for,
    close_code,
    connected,
    frame,
    is_closed,
    posted,
    status_of,
    text_of,
    until,
)

from resolvers.transport import http, lasting
from sesame.server import connections

HALF_A_HEAD = b"POST /graphql HTTP/1.1\r\nHost: local"
HALF_A_BODY = posted(b'{"query": "{ __typename }"}')[:-5]
SOON = 0.3


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ASKING_SECONDS", SOON)


def test_headers_and_bodies_have_ten_seconds_each() -> None:
    assert connections.ASKING_SECONDS == 10
    assert connections.STALLED_SECONDS < 30
    assert http._CONNECTION_INIT_WITHIN.total_seconds() == 10


@pytest.mark.usefixtures("in_a_hurry")
@pytest.mark.parametrize("sent", [b"", b"G", HALF_A_HEAD, HALF_A_BODY], ids=["nothing", "a byte", "a head", "a body"])
async def test_a_request_that_is_never_finished_is_given_up(server: Server, sent: bytes) -> None:
    def half_sent(address: str, before: bytes) -> int:
        with connected(address) as sock:
            if before:
                sock.sendall(before)
                assert status_of(sock) == 200
            sock.sendall(sent)
            found = status_of(sock)
            assert is_closed(sock)
            return found

    async with as_served(server) as (address, _):
        assert await asyncio.to_thread(half_sent, address, b"") == 408
        if sent:
            assert await asyncio.to_thread(half_sent, address, asked_for()) == 408


@pytest.mark.usefixtures("in_a_hurry")
async def test_who_drips_bytes_has_no_more_time_for_it(server: Server) -> None:
    def dripping(address: str) -> int:
        with connected(address) as sock:
            sock.settimeout(0.05)
            for byte in HALF_A_HEAD * 1000:
                try:
                    sock.sendall(bytes([byte]))
                    return status_of(sock)
                except TimeoutError:
                    continue
            return -1

    async with as_served(server) as (address, _):
        assert await asyncio.to_thread(dripping, address) == 408


@pytest.mark.usefixtures("in_a_hurry")
async def test_a_whole_request_has_as_long_as_its_answer_takes_and_the_connection_goes_on(server: Server) -> None:
    def twice(address: str) -> None:
        with connected(address) as sock:
            for _ in range(2):
                sock.sendall(posted(b'{"query": "{ __typename }"}'))
                text_of(sock, b'"Query"}}')
                sock.settimeout(2 * SOON)
                with pytest.raises(TimeoutError):
                    sock.recv(1)
                sock.settimeout(10)

    async with as_served(server) as (address, edge):
        await asyncio.to_thread(twice, address)
        await until(lambda: not edge.connections._open)
        assert not edge.connections._from


async def test_an_idle_connection_is_closed(server: Server) -> None:
    def idle(address: str) -> bool:
        with connected(address) as sock:
            sock.sendall(asked_for())
            return status_of(sock) == 200 and is_closed(sock)

    async with as_served(server, {"KEEP_ALIVE_SECONDS": SOON}) as (address, _):
        assert await asyncio.to_thread(idle, address)


async def test_an_idle_connection_gives_way_to_a_new_one(server: Server) -> None:
    def more_than_fit(address: str) -> list[int]:
        with ExitStack() as open_:
            found = []
            for _ in range(15):
                sock = open_.enter_context(connected(address))
                sock.sendall(asked_for())
                found.append(status_of(sock))
            return found

    async with as_served(server, {"HTTP_CONNECTIONS": 10}) as (address, _):
        assert await asyncio.to_thread(more_than_fit, address) == [200] * 15


async def test_where_all_are_busy_one_more_is_told_so_and_health_is_answered(server: Server) -> None:
    def crowded(address: str) -> tuple[int, int, int]:
        with ExitStack() as open_:
            for _ in range(10):
                open_.enter_context(connected(address)).sendall(HALF_A_BODY)
            one = open_.enter_context(connected(address))
            # The body comes by itself, as many clients send it: the answer must not be lost over it.
            head, _, body = posted(b'{"query": "{ __typename }"}').partition(b"\r\n\r\n")
            one.sendall(head + b"\r\n\r\n")
            one.sendall(body)
            found = status_of(one)
            assert is_closed(one)
            another = open_.enter_context(connected(address))
            another.sendall(asked_for("/health"))
            third = open_.enter_context(connected(address))
            third.sendall(asked_for("/ready"))
            return found, status_of(another), status_of(third)

    async with as_served(server, {"HTTP_CONNECTIONS": 10}) as (address, _):
        assert await asyncio.to_thread(crowded, address) == (503, 200, 200)


async def test_one_address_has_so_many_connections_unless_it_is_a_proxy(server: Server) -> None:
    def four(address: str) -> list[int]:
        with ExitStack() as open_:
            socks = [open_.enter_context(connected(address)) for _ in range(4)]
            for sock in socks:
                sock.sendall(posted(b'{"query": "{ __typename }"}'))
            return [status_of(sock) for sock in socks]

    async with as_served(server, {"CONNECTIONS_PER_ADDRESS": 3, **NO_PROXIES}) as (address, _):
        assert await asyncio.to_thread(four, address) == [200, 200, 200, 503]
    async with as_served(server, {"CONNECTIONS_PER_ADDRESS": 3}) as (address, _):
        assert await asyncio.to_thread(four, address) == [200] * 4


# ── WebSockets ───────────────────────────────────────────────────────────────────────────────────


def opened(address: str, forwarded: str | None = None) -> tuple[socket.socket, int]:
    sock = connected(address)
    head = HANDSHAKE if forwarded is None else HANDSHAKE[:-2] + f"X-Forwarded-For: {forwarded}\r\n\r\n".encode()
    sock.sendall(head)
    return sock, status_of(sock)


def subscribed(sock: socket.socket, token: str) -> None:
    """With credentials that are shown to be good."""
    init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
    sock.sendall(frame(json.dumps(init).encode()))
    text_of(sock, b"connection_ack")
    ask = {"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}
    sock.sendall(frame(json.dumps(ask).encode()))
    text_of(sock, b'"complete"')


async def test_one_client_has_so_many_websockets_also_behind_a_proxy(server: Server) -> None:
    def three(address: str) -> list[int]:
        here = "198.51.100.7"
        found = [opened(address, here) for _ in range(3)]
        found.append(opened(address, "198.51.100.8"))
        for each, _ in found:
            each.close()
        return [status for _, status in found]

    async with as_served(server, {"CONNECTIONS_PER_ADDRESS": 2}) as (address, _):
        assert await asyncio.to_thread(three, address) == [101, 101, 503, 101]


async def test_there_are_so_many_websockets_in_all(server: Server) -> None:
    def eleven(address: str) -> list[int]:
        with ExitStack() as open_:
            found = []
            for _ in range(11):
                sock, status = opened(address)
                open_.enter_context(sock)
                found.append(status)
            return found

    async with as_served(server, {"WEBSOCKETS": 10}) as (address, edge):
        assert await asyncio.to_thread(eleven, address) == [101] * 10 + [503]
        await until(lambda: not edge.lasting._stays)
        assert await asyncio.to_thread(lambda: opened(address)[1]) == 101


async def test_strangers_give_way_to_newcomers_and_who_is_known_stays(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lasting, "STRANGER_SECONDS", 0)

    def crowd(address: str) -> int:
        with ExitStack() as open_:
            known, _ = opened(address)
            open_.enter_context(known)
            subscribed(known, server.shopper)
            strangers = [open_.enter_context(opened(address)[0]) for _ in range(4)]
            code = close_code(strangers[0])
            strangers[-1].sendall(frame(b'{"type":"connection_init"}'))
            text_of(strangers[-1], b"connection_ack")
            known.sendall(frame(b'{"type":"ping"}'))
            text_of(known, b'"pong"')
            return code

    async with as_served(server, {"ANONYMOUS_WEBSOCKETS": 3}) as (address, _):
        assert await asyncio.to_thread(crowd, address) == 1013


async def test_who_has_just_come_is_given_time_to_say_who_it_is(server: Server) -> None:
    def crowd(address: str) -> None:
        with ExitStack() as open_:
            strangers = [open_.enter_context(opened(address)[0]) for _ in range(6)]
            for each in strangers:
                subscribed(each, server.shopper)

    async with as_served(server, {"ANONYMOUS_WEBSOCKETS": 3}) as (address, _):
        await asyncio.to_thread(crowd, address)


async def test_an_idle_websocket_is_closed_and_one_that_watches_is_not(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lasting, "IDLE_SECONDS", SOON)
    monkeypatch.setattr(lasting, "_ROUND_SECONDS", 0.05)

    def two(address: str) -> int:
        watching, _ = opened(address)
        idle, _ = opened(address)
        with watching, idle:
            init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {server.staff}"}}
            watching.sendall(frame(json.dumps(init).encode()))
            payload = {"query": "subscription { redemptionCounts { counts { version } } }"}
            watching.sendall(frame(json.dumps({"type": "subscribe", "id": "1", "payload": payload}).encode()))
            text_of(watching, b'"next"')
            subscribed(idle, server.staff)
            code = close_code(idle)
            watching.sendall(frame(b'{"type":"ping"}'))
            text_of(watching, b'"pong"')
            return code

    async with as_served(server) as (address, _):
        assert await asyncio.to_thread(two, address) == 1000


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2ff:1::7", "2001:db8:1:200::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_a_customer_of_a_provider_is_one_client(address: str, whose: str) -> None:
    assert lasting.customer(address) == whose
