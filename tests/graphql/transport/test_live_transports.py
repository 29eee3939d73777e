"""Live counts by server-sent events and by WebSocket: the same content, rights and ends."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest
import websockets
from sqlalchemy import text
from starlette.applications import Starlette
from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Shop
from tests.graphql.transport.streams import BOTH, DOCUMENT, Watch, asked, chunks, connected, event_stream, socket
from tests.wire import Json
from websockets.asyncio.client import ClientConnection

from db.core.ids import new_id
from resolvers.runtime.ids import encode
from resolvers.transport import event_stream as event_streams
from resolvers.transport import reauthentication
from services.counts.subscriptions import LiveCounts
from sesame.server.app import ANY_ORIGIN, routes

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)


@pytest.fixture
def looks_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reauthentication, "EVERY", 0.05)


async def sell(server: Server) -> None:
    """Two tickets with a promotional code of the example."""
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    await shop.apply(basket["id"], "COUPON3%")
    await shop.confirm(basket["id"])


async def sold_offer(server: Server) -> str:
    return await BackOffice(server).offer_id("COUPON3")


def counts(result: Json) -> Json:
    assert "errors" not in result, result
    return result["data"]["redemptionCounts"]["counts"]


async def until_sold(events: AsyncIterator[Json], tickets: int) -> list[Json]:
    seen = [await anext(events)]
    while counts(seen[-1])["ticketsSold"] < tickets:
        seen.append(await anext(events))
    return seen


# ── The same by both ─────────────────────────────────────────────────────────────────────────────


async def test_both_ways_bring_the_same(server: Server) -> None:
    operation = asked("RedemptionCounts", offerId=await sold_offer(server))
    async with (
        event_stream(server.address, server.staff, operation) as streamed,
        socket(server.address, server.staff, operation) as sent,
    ):
        assert await anext(streamed) == await anext(sent)
        await sell(server)
        assert (await until_sold(streamed, 2))[-1] == (await until_sold(sent, 2))[-1]


@pytest.mark.parametrize("watch", BOTH)
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
async def test_an_outage_is_told_when_it_ends_a_subscription(
    server: Server, watch: Watch, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_asked: object, **_selection: object) -> SimpleNamespace:
        if at_once:
            raise ConnectionRefusedError(111, "Connection refused")
        return SimpleNamespace(refresh=None, updates=no_updates)

    async def no_updates() -> AsyncGenerator[None, None]:
        for _ in ():
            yield
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(LiveCounts, "watch", away)
    async with watch(server.address, server.staff, asked("RedemptionCounts")) as events:
        told = await anext(events)
        assert [error["extensions"] for error in told["errors"]] == [{"code": "UNAVAILABLE", "retryAfter": 2}]
        assert await anext(events) is None


@pytest.mark.parametrize("watch", BOTH)
async def test_who_connects_again_gets_the_newest_and_goes_on(server: Server, watch: Watch) -> None:
    operation = asked("RedemptionCounts", offerId=await sold_offer(server))
    async with watch(server.address, server.staff, operation) as events:
        first = counts(await anext(events))
    await sell(server)
    async with watch(server.address, server.staff, operation) as events:
        again = counts(await anext(events))
        assert (again["ticketsSold"], again["version"] > first["version"]) == (first["ticketsSold"] + 2, True)
        await sell(server)
        versions = [counts(event)["version"] for event in await until_sold(events, again["ticketsSold"] + 2)]
    assert versions == sorted({again["version"] + 1, *versions})[-len(versions) :]


@pytest.mark.parametrize("watch", BOTH)
async def test_a_dashboard_shows_no_less_than_an_event_did(server: Server, watch: Watch) -> None:
    office, shop = BackOffice(server), Shop(server)
    offer = await office.offer_id("PROMOTYD")
    codes = await office.codes(4, offerId=offer)
    season = await office.season_id()
    async with watch(server.address, server.staff, asked("RedemptionCounts", offerId=offer)) as events:
        await anext(events)
        for code in codes:
            basket = await shop.basket(SEATS)
            await shop.apply(basket["id"], code)
            seen = counts(await anext(events))
            shown = (await office.ask("CodeDashboard", seasonId=season))["codeDashboard"]["total"]
            assert shown["version"] >= seen["version"]
            assert shown["held"] >= seen["held"]


@pytest.mark.parametrize("watch", BOTH)
async def test_a_batch_is_followed_to_its_end(server: Server, watch: Watch) -> None:
    office = BackOffice(server)
    wanted = {
        "offerId": await office.offer_id("PROMOTYD"),
        "contactId": await office.contact_id("SECUTIX"),
        "quantity": 25,
    }
    batch = (await office.ask("GenerateCodes", input=wanted))["generateCodes"]["id"]
    async with watch(server.address, server.staff, asked("CodeBatchProgress", batchId=batch)) as events:
        results = [event async for event in until_complete(events)]
    assert results[-1]["data"]["codeBatchProgress"]["state"] == "DONE"


async def until_complete(events: AsyncIterator[Json]) -> AsyncIterator[Json]:
    async for event in events:
        if event is None:
            return
        yield event


# ── Who may watch, and for how long ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("watch", "token"), [(event_stream, None), (event_stream, "nonsense"), (socket, None)])
async def test_without_credentials_nothing_is_watched(server: Server, watch: Watch, token: str | None) -> None:
    async with watch(server.address, token, asked("RedemptionCounts")) as events:
        [result] = [event async for event in until_complete(events)]
    assert result["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def until_closed(connection: ClientConnection) -> list[Json]:
    told = []
    with suppress(websockets.ConnectionClosed):
        async for message in connection:
            told.append(json.loads(message))  # noqa: PERF401 - what came before the end is wanted
    return told


async def test_credentials_that_do_not_hold_do_not_open_a_websocket(server: Server) -> None:
    async with connected(server.address, "nonsense") as connection:
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(connection.recv(), 5)
    assert (connection.close_code, connection.close_reason) == (4403, "Forbidden")


async def test_an_operation_that_is_refused_for_its_token_closes_the_websocket_so_that_clients_come_with_another(
    server: Server,
) -> None:
    async with connected(server.address, server.staff) as connection:
        assert json.loads(await connection.recv())["type"] == "connection_ack"
        server.clock.now += timedelta(hours=13)
        query = {"query": "{ seasons { id } }"}
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": query}))
        told = await until_closed(connection)
    assert told[0]["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert ([message["type"] for message in told], connection.close_code) == (["next", "complete"], 4403)


@pytest.mark.usefixtures("looks_again_at_once")
async def test_a_token_that_expires_closes_the_websocket_of_its_subscription(server: Server) -> None:
    async with connected(server.address, server.staff) as connection:
        operation = asked("RedemptionCounts", offerId=await sold_offer(server))
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": operation}))
        assert json.loads(await connection.recv())["type"] == "connection_ack"
        assert json.loads(await connection.recv())["type"] == "next"
        server.clock.now += timedelta(hours=13)
        told = await until_closed(connection)
    assert ([message["type"] for message in told], connection.close_code) == (["next"], 4403)


@pytest.mark.usefixtures("looks_again_at_once")
@pytest.mark.parametrize("watch", BOTH)
async def test_a_token_that_expires_ends_the_subscription(server: Server, watch: Watch) -> None:
    async with watch(
        server.address, server.staff, asked("RedemptionCounts", offerId=await sold_offer(server))
    ) as events:
        assert counts(await anext(events))
        server.clock.now += timedelta(hours=13)
        [result] = [event async for event in until_complete(events)]
    assert result["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.usefixtures("looks_again_at_once")
@pytest.mark.parametrize("watch", BOTH)
async def test_a_revoked_key_ends_the_subscription_and_no_other(server: Server, watch: Watch) -> None:
    operation = asked("RedemptionCounts")
    other = await server.own.credentials.partner_key("theatre", "TYD", "TYD")
    await generate(server)
    async with (
        watch(server.address, server.partner, operation) as revoked,
        watch(server.address, other, operation) as kept,
    ):
        assert counts(await anext(revoked))
        assert counts(await anext(kept))
        async with server.own.sessions.writing() as connection:
            await connection.execute(text("DELETE FROM api_keys WHERE id = (SELECT min(id::text)::uuid FROM api_keys)"))
        results = [event async for event in until_complete(revoked)]
        assert results[-1]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        await generate(server)
        while counts(await anext(kept))["generated"] < 2:
            pass


async def generate(server: Server) -> None:
    """One code for the partner."""
    office = BackOffice(server)
    wanted = {"offerId": await office.offer_id("PROMOTYD"), "contactId": await office.contact_id("TYD"), "quantity": 1}
    await office.ask("GenerateCodes", input=wanted)


@pytest.mark.parametrize("watch", BOTH)
async def test_what_a_partner_may_not_see_is_unknown_to_it(server: Server, watch: Watch) -> None:
    office = BackOffice(server)
    foreign = {"contactId": await office.contact_id("SECUTIX"), "offerId": await office.offer_id("COUPON3")}
    unknown = {"contactId": encode("Contact", new_id()), "offerId": encode("PromotionalCode", new_id())}
    for name, key in foreign.items():
        answers = []
        for asked_for in (key, unknown[name]):
            operation = asked("RedemptionCounts", **{name: asked_for})
            async with watch(server.address, server.partner, operation) as events:
                answers.append([event async for event in until_complete(events)])
        assert answers[0] == answers[1]
        assert answers[0][0]["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_alike_subscriptions_share_one_execution_and_others_do_not(server: Server) -> None:
    operation = asked("RedemptionCounts", offerId=await sold_offer(server))
    another = await server.own.credentials.staff_token("theatre", ["VIEWER"], _later(), name="bob")
    async with AsyncExitStack() as watches:
        events = [
            await watches.enter_async_context(watch(server.address, token, operation))
            for token in (server.staff, another)
            for watch in BOTH
            for _ in range(5)
        ]
        snapshots = [await anext(each) for each in events]
        assert all(snapshot == snapshots[0] for snapshot in snapshots)
        executions = [task for task in asyncio.all_tasks() if "_Group._run" in str(task.get_coro())]
        assert len(executions) == 2
        await sell(server)
        for each in events:
            await until_sold(each, 2)
    await asyncio.sleep(0.1)
    assert not [task for task in asyncio.all_tasks() if "_Group._run" in str(task.get_coro())]


def _later() -> datetime:
    return NOW + timedelta(hours=12)


# ── Framing ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_is_framed_so_that_urql_can_split_it(server: Server) -> None:
    operation = {"query": "{ __typename }"}
    async with server.client.stream("POST", "/graphql/stream", json=operation) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        raw = b"".join([part async for part in response.aiter_raw()])
    told = b'"extensions":{"cost":{"cost":1,"limit":500000}}'
    assert raw == b'event: next\ndata: {"data":{"__typename":"Query"},%b}\n\nevent: complete\ndata:\n\n' % told


async def test_a_silent_stream_has_a_heartbeat(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "HEARTBEAT", 0.05)
    operation = asked("RedemptionCounts", offerId=await sold_offer(server))
    headers = {"Authorization": f"Bearer {server.staff}"}
    async with server.client.stream("POST", "/graphql/stream", json=operation, headers=headers) as response:
        seen = []
        async for chunk in chunks(response):
            seen.append(chunk.partition("\n")[0])
            # On a busy machine there is one before the first counts, too.
            if seen[-3:] == ["event: next", ":", ":"]:
                break
    assert set(seen[:-3]) <= {":"}


async def test_an_operation_may_stand_in_the_address(server: Server) -> None:
    params = {"query": DOCUMENT, "operationName": "CodeBatchProgress", "variables": '{"batchId": "nonsense"}'}
    headers = {"Authorization": f"Bearer {server.staff}"}
    response = await server.client.get("/graphql/stream", params=params, headers=headers)
    assert '"code":"BAD_USER_INPUT"' in response.text
    assert response.text.endswith("event: complete\ndata:\n\n")


async def test_no_mutation_is_taken_from_an_address(server: Server) -> None:
    params = {"query": 'mutation { cancelBasket(input: {basketId: "x"}) { __typename } }'}
    response = await server.client.get("/graphql/stream", params=params)
    assert "mutation" in response.text
    assert '"data":null' in response.text


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (httpx.Request("PUT", "/graphql/stream"), 405),
        (httpx.Request("GET", "/graphql/stream"), 400),
        (httpx.Request("GET", "/graphql/stream?query=%7Bx%7D&variables=1"), 400),
        (httpx.Request("GET", "/graphql/stream?query=%7Bx%7D&variables=%7B"), 400),
        (httpx.Request("POST", "/graphql/stream", json=[1]), 400),
        (httpx.Request("POST", "/graphql/stream", content=b"x"), 415),
    ],
)
async def test_what_is_no_operation_is_refused_in_json(server: Server, request_: httpx.Request, status: int) -> None:
    request = server.client.build_request(
        request_.method, str(request_.url), content=request_.content, headers=request_.headers
    )
    response = await server.client.send(request)
    assert response.status_code == status
    assert response.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


async def test_a_wrong_document_is_an_error_and_an_end(server: Server) -> None:
    async with event_stream(server.address, server.staff, {"query": "subscription { nope }"}) as events:
        [result] = [event async for event in until_complete(events)]
    assert result["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_the_common_path_never_streams(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.staff}", "Accept": "text/event-stream, multipart/mixed"}
    response = await server.client.post("/graphql", json=asked("RedemptionCounts"), headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (400, "application/json")


# ── Pages of any origin ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "method"), [("/graphql", "POST"), ("/graphql/stream", "POST"), ("/graphql/stream", "GET")]
)
async def test_a_page_of_any_origin_may_ask(server: Server, path: str, method: str) -> None:
    application = Starlette(routes=routes(server.own, _later), middleware=[ANY_ORIGIN])
    transport = httpx.ASGITransport(application)
    wanted = {
        "Origin": "https://shop.example.org",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,accept-language,x-request-id",
    }
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        preflight = await client.options(path, headers=wanted)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "*")
        assert method in preflight.headers["access-control-allow-methods"]
        answer = await client.post(
            path, json={"query": "{ __typename }"}, headers={"Origin": "https://shop.example.org"}
        )
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
