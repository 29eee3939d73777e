"""More than can be done: refused at once and in the client's words, while health is always told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import httpx
import pytest
import websockets
from tests.conftest import Server
from tests.graphql.operations import Shop
from tests.graphql.transport.streams import PROTOCOL, event_stream, socket
from tests.sesame.server.edges import as_served, until

from resolvers.transport import websocket as transport
from resolvers.transport.work import Lane
from sesame.server.edge import Edge

QUERY = "{ __typename }"
ONE = {"QUERIES_AT_ONCE": 1, "MUTATIONS_AT_ONCE": 1, "OPERATIONS_WAITING": 0}
HELD_TICKETS = ("HELENE-1217", "CAT1", "FULL", 2)


@pytest.fixture
async def edge(server: Server) -> AsyncIterator[tuple[httpx.AsyncClient, Edge]]:
    async with as_served(server, ONE) as (address, edge):
        headers = {"Authorization": f"Bearer {server.shopper}", "Accept-Language": "en"}
        async with httpx.AsyncClient(base_url=address, headers=headers) as client:
            yield client, edge


@asynccontextmanager
async def full(*lanes: Lane) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for lane in lanes:
            await stack.enter_async_context(lane.place())
        yield


async def ask(client: httpx.AsyncClient, query: str = QUERY) -> httpx.Response:
    return await client.post("/graphql", json={"query": query})


def assert_overloaded(response: httpx.Response) -> None:
    assert response.status_code == 503
    seconds = int(response.headers["retry-after"])
    assert 1 <= seconds <= 3
    if "origin" in response.request.headers:
        assert response.headers["access-control-allow-origin"] == "*"
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "OVERLOADED", "retryAfter": seconds}
    assert error["message"].startswith("Too many requests")


async def test_a_query_without_a_place_is_refused_before_anybody_looks_at_it(
    edge: tuple[httpx.AsyncClient, Edge], capsys: pytest.CaptureFixture[str]
) -> None:
    client, limits = edge
    async with full(limits.work.queries):
        response = await client.post(
            "/graphql",
            content=b"no JSON at all",
            headers={"Content-Type": "application/json", "Origin": "https://a.example"},
        )
        assert_overloaded(response)
        assert "x-request-id" not in response.headers
        asking = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
        assert (await client.options("/graphql", headers=asking)).status_code == 200
    assert (await ask(client)).json()["data"] == {"__typename": "Query"}


async def test_mutations_and_queries_do_not_take_each_others_places(
    edge: tuple[httpx.AsyncClient, Edge], server: Server
) -> None:
    client, limits = edge
    mutation = "mutation { __typename }"
    async with full(limits.work.queries):
        assert (await ask(client, mutation)).json()["data"] == {"__typename": "Mutation"}
    async with full(limits.work.mutations):
        assert_overloaded(await ask(client, mutation))
        assert (await ask(client)).status_code == 200
    async with full(limits.work.queries, limits.work.mutations):
        assert_overloaded(await ask(client, mutation))


async def test_over_a_websocket_the_refusal_is_the_operations_answer(
    edge: tuple[httpx.AsyncClient, Edge], server: Server
) -> None:
    client, limits = edge
    address = str(client.base_url).rstrip("/")
    async with full(limits.work.queries), socket(address, server.shopper, {"query": QUERY}) as results:
        refused = await anext(results)
        assert refused["errors"][0]["extensions"]["code"] == "OVERLOADED"
    async with socket(address, server.shopper, {"query": QUERY}) as results:
        assert (await anext(results))["data"] == {"__typename": "Query"}


async def test_subscriptions_have_a_limit_in_all(server: Server) -> None:
    watch = {"query": "subscription { redemptionCounts { counts { version } } }"}
    async with as_served(server, {"SUBSCRIPTIONS": 2}) as (address, edge):
        async with socket(address, server.staff, watch) as first, event_stream(address, server.staff, watch) as second:
            assert (await anext(first))["data"]
            assert (await anext(second))["data"]
            for way in (socket, event_stream):
                async with way(address, server.staff, watch) as third:
                    assert (await anext(third))["errors"][0]["extensions"]["code"] == "OVERLOADED"
                    assert await anext(third) is None
        await until(lambda: not edge.work.subscriptions.is_full)
        async with socket(address, server.staff, watch) as events:
            assert (await anext(events))["data"]


async def test_one_connection_has_so_many_operations_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_OPERATIONS_AT_ONCE", 2)
    payload = {"query": "subscription { redemptionCounts { counts { version } } }"}
    async with as_served(server) as (address, _):
        url = address.replace("http", "ws") + "/graphql"
        async with websockets.connect(url, subprotocols=[PROTOCOL]) as connection:
            init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {server.staff}"}}
            await connection.send(json.dumps(init))
            for number in range(3):
                await connection.send(json.dumps({"type": "subscribe", "id": str(number), "payload": payload}))
            while (answer := json.loads(await connection.recv()))["type"] != "error":
                pass
    assert answer["id"] == "2"
    assert answer["payload"][0]["extensions"]["code"] == "OVERLOADED"


async def test_a_mutation_that_its_client_gave_up_keeps_its_place(server: Server) -> None:
    async with as_served(server, ONE) as (address, edge):
        shop = Shop(server)
        basket = await shop.basket(HELD_TICKETS)
        locked, may_go = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with server.own.sessions.writing() as connection:
                await connection.exec_driver_sql("SELECT 1 FROM baskets FOR UPDATE")
                locked.set()
                await may_go.wait()

        holding = asyncio.create_task(hold())
        await locked.wait()
        document = "mutation($id: ID!) { cancelBasket(input: {basketId: $id}) { __typename } }"
        url = address.replace("http", "ws") + "/graphql"
        async with websockets.connect(url, subprotocols=[PROTOCOL]) as connection:
            init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {server.shopper}"}}
            await connection.send(json.dumps(init))
            await connection.recv()
            payload = {"query": document, "variables": {"id": basket["id"]}}
            await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            await until(lambda: edge.work.mutations.is_full)
            await connection.send(json.dumps({"type": "complete", "id": "1"}))
            await connection.send(json.dumps({"type": "ping"}))
            await connection.recv()
            assert edge.work.mutations.is_full
        may_go.set()
        await holding
        await until(lambda: not edge.work.mutations.is_full)


async def test_health_needs_no_place_and_no_connection_to_the_database(
    edge: tuple[httpx.AsyncClient, Edge], server: Server
) -> None:
    client, limits = edge
    assert (await client.get("/ready")).json() == {"status": "ready"}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(full(limits.work.queries, limits.work.mutations))
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.3):
                    await stack.enter_async_context(server.own.sessions.reading())
        for path, status in (("/health", "ok"), ("/ready", "ready")):
            async with asyncio.timeout(1):
                assert (await client.get(path)).json() == {"status": status}
