"""GraphQL over HTTP and WebSocket: what is taken, what is refused, and that nothing breaks the server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import websockets
from tests.graphql.runtime.toy import KEYS, SCHEMA, Probe, serving
from tests.wire import NO_TLS, Json, JsonObject
from websockets.asyncio.client import ClientConnection

from resolvers.runtime import document_limits as limits
from resolvers.runtime.document_cost import MOST_COST, ROOT_FIELD
from resolvers.runtime.ids import encode

PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
SPECIFIED = "application/graphql-response+json"


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[tuple[str, Probe]]:
    probe = Probe()
    async with serving(probe) as address:
        yield address, probe


@pytest.fixture
def address(served: tuple[str, Probe]) -> str:
    return served[0]


@pytest.fixture
async def probe(served: tuple[str, Probe]) -> Probe:
    """What the server's resolvers did during this test."""
    Probe.__init__(served[1])
    return served[1]


@pytest.fixture
async def client(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{address}", verify=NO_TLS) as client:
        yield client


@asynccontextmanager
async def connected(address: str, **init: Json) -> AsyncIterator[ClientConnection]:
    async with websockets.connect(f"ws://{address}/", subprotocols=[PROTOCOL]) as socket:
        await send(socket, {"type": "connection_init", "payload": init})
        assert await receive(socket) == {"type": "connection_ack"}
        yield socket


async def send(socket: ClientConnection, message: object) -> None:
    await socket.send(json.dumps(message))


async def receive(socket: ClientConnection) -> Json:
    message = await asyncio.wait_for(socket.recv(), 5)
    assert isinstance(message, str), "a binary frame"
    return json.loads(message)


def told(cost: int) -> JsonObject:
    """What an answer says of the cost of its operation."""
    return {"extensions": {"cost": {"cost": cost, "limit": MOST_COST}}}


def subscribe(query: str, key: str = "1") -> JsonObject:
    return {"type": "subscribe", "id": key, "payload": {"query": query}}


# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_query_is_answered(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/", json={"query": "query ($said: String!) { echo(said: $said) }", "variables": {"said": "é😀\0"}}
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"data": {"echo": "é😀\0"}, **told(ROOT_FIELD + 2)}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"1",
        b'"x"',
        b"[]",
        b"{}",
        b"{",
        b"not json",
        b'{"query": null}',
        b'{"query": " "}',
        b'{"query": 1}',
        b'{"query": "{ hello }", "variables": []}',
        b'{"query": "{ hello }", "variables": "x"}',
        b'{"query": "{ hello }", "operationName": 1}',
        b'{"query": "{ hello }", "extensions": 1}',
        b'[{"query": "{ hello }"}]',
        b'{"query": "{ hello }", "variables": {"a": NaN}}',
        b'{"query": "query ($s: String!) { echo(said: $s) }", "variables": {"s": "\xff"}}',
        b'{"query": "query ($s: String!) { echo(said: $s) }", "variables": {"s": "\\ud800"}}',
        b'{"query": "{ hello }", "variables": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b"[" * 200_000,
        b"\x00\xff\xfe",
    ],
)
async def test_a_body_that_is_no_operation_is_refused_with_a_reason(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert error["message"]
    assert error["extensions"] == {"code": "BAD_REQUEST"}


async def test_a_body_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    body = json.dumps({"query": "{ hello }", "variables": {"a": "x" * 1_000_000}}).encode()
    response = await client.post("/", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 413
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_only_json_is_taken(client: httpx.AsyncClient) -> None:
    response = await client.post("/", content=b"{ hello }", headers={"content-type": "application/graphql"})
    assert response.status_code == 415
    assert "application/json" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_is_taken(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/", params={"query": "{ hello }"}, headers={"accept": "text/html"})
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert response.json()["errors"]


async def test_of_several_operations_one_must_be_named(client: httpx.AsyncClient) -> None:
    query = "query A { hello } query B { language }"
    unnamed = await client.post("/", json={"query": query})
    assert unnamed.status_code == 400
    assert "operationName" in unnamed.json()["errors"][0]["message"]
    named = await client.post("/", json={"query": query, "operationName": "B"})
    assert named.json() == {"data": {"language": "FR"}, **told(ROOT_FIELD + 1)}
    unknown = await client.post("/", json={"query": query, "operationName": "C"})
    assert unknown.status_code == 400
    assert '"C"' in unknown.json()["errors"][0]["message"]


async def test_a_document_without_operations_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/", json={"query": "fragment F on Query { hello }"})
    assert response.status_code == 400
    assert response.json()["errors"]


async def test_subscriptions_are_sent_to_the_websocket(client: httpx.AsyncClient) -> None:
    response = await client.post("/", json={"query": "subscription { count(to: 1) }"})
    assert response.status_code == 400
    message = response.json()["errors"][0]["message"]
    assert "WebSocket" in message
    assert "/graphql/stream" in message


@pytest.mark.parametrize("query", ["{ nope }", "{", "query ($a: Int!) { hello }", "{ surprise(a: 1) }"])
async def test_clients_of_the_specification_get_its_status(client: httpx.AsyncClient, query: str) -> None:
    response = await client.post("/", json={"query": query}, headers={"accept": SPECIFIED})
    assert response.status_code == 400
    assert response.headers["content-type"] == SPECIFIED
    assert "data" not in response.json()
    plain = await client.post("/", json={"query": query})
    assert plain.status_code == 200
    assert plain.json() == response.json()


async def test_a_failed_field_is_no_failed_request(client: httpx.AsyncClient) -> None:
    response = await client.post("/", json={"query": "{ fault }"}, headers={"accept": f"{SPECIFIED}, application/json"})
    assert response.status_code == 200
    assert response.json()["data"] is None


@pytest.mark.parametrize("accept", ["application/json", SPECIFIED])
@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ away }", {"away": None}),
        ("{ hello away }", {"hello": "hello", "away": None}),
        (f'mutation {{ save(id: "{encode("Thing", KEYS[0])}", failure: "away") {{ __typename }} }}', None),
    ],
)
async def test_an_outage_is_answered_by_503_and_when_to_come_back(
    client: httpx.AsyncClient, query: str, data: Json, accept: str
) -> None:
    response = await client.post("/", json={"query": query}, headers={"accept": accept})
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert response.json()["data"] == data
    assert [error["extensions"]["code"] for error in response.json()["errors"]] == ["UNAVAILABLE"]


async def test_event_streams_are_not_sent_to_who_merely_lists_them(client: httpx.AsyncClient) -> None:
    accept = {"accept": f"{SPECIFIED}, application/json, text/event-stream, multipart/mixed"}
    response = await client.post("/", json={"query": "{ hello }"}, headers=accept)
    assert response.json() == {"data": {"hello": "hello"}, **told(ROOT_FIELD + 1)}


async def test_a_lone_surrogate_in_an_answer_is_written_as_an_escape(client: httpx.AsyncClient) -> None:
    response = await client.post("/", json={"query": "{ surrogate }"})
    assert response.status_code == 200
    assert b'"data": {"surrogate": "\\ud800"}' in response.content


async def test_a_lone_surrogate_in_a_document_is_a_syntax_error(client: httpx.AsyncClient) -> None:
    response = await client.post("/", json={"query": '{ echo(said: "\\ud800") }'})
    assert response.json()["errors"][0]["message"].startswith("Syntax Error: Invalid Unicode escape sequence")


async def test_introspection_needs_no_credentials(client: httpx.AsyncClient, probe: Probe) -> None:
    response = await client.post("/", json={"query": "{ __typename __schema { queryType { name } } }"})
    assert response.json()["data"] == {"__typename": "Query", "__schema": {"queryType": {"name": "Query"}}}
    assert probe.asked == []


async def test_credentials_are_asked_once_a_request(client: httpx.AsyncClient, probe: Probe) -> None:
    query = "{ a: who b: who currency more: currency }"
    response = await client.post("/", json={"query": query}, headers={"authorization": "Bearer x"})
    assert response.json()["data"] == {"a": "Bearer x", "b": "Bearer x", "currency": "EUR", "more": "EUR"}
    assert probe.asked == ["viewer Bearer x", "catalogue"]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "FR"),
        ("de", "DE"),
        ("en-GB, en;q=0.9", "EN"),
        ("nl, it;q=0.5, es;q=0.7", "ES"),
        ("*", "FR"),
        ("en;q=0, fr;q=0.1", "FR"),
        ("en;q=x, de;q=nan, it;q=2, ;;,=", "FR"),
        ("zh, " * 5000 + "de", "FR"),
    ],
)
async def test_the_language_is_the_most_wanted_of_ours(client: httpx.AsyncClient, header: str, language: str) -> None:
    response = await client.post("/", json={"query": "{ language }"}, headers={"accept-language": header})
    assert response.json()["data"]["language"] == language


async def test_a_mutation_finishes_although_its_client_has_left(address: str, probe: Probe) -> None:
    async with connected(address) as socket:
        await send(socket, subscribe("mutation { slow }"))
        await asyncio.wait_for(probe.started.wait(), 5)
    probe.release.set()
    await asyncio.wait_for(probe.finished.wait(), 5)


async def test_an_operation_that_takes_too_long_is_worth_trying_again(
    client: httpx.AsyncClient, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SCHEMA, "most_seconds", 0)
    query = {"query": "mutation { slow }"}
    response = await client.post("/", json=query, headers={"accept": SPECIFIED})
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"] == {"code": "TIMED_OUT"}
    probe.release.set()
    await asyncio.wait_for(probe.finished.wait(), 5)


async def test_an_operation_of_a_websocket_that_takes_too_long_is_told_so(
    address: str, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(address) as socket:
        monkeypatch.setattr(SCHEMA, "most_seconds", 0)
        await send(socket, subscribe("mutation { slow }"))
        message = await receive(socket)
        assert message["payload"]["errors"][0]["extensions"] == {"code": "TIMED_OUT"}
        assert (await receive(socket))["type"] == "complete"
    probe.release.set()
    await asyncio.wait_for(probe.finished.wait(), 5)


async def test_what_is_wrong_is_not_repeated_at_length(client: httpx.AsyncClient) -> None:
    response = await client.post("/", json={"query": "{ echo(said: " + "[" * 150 + "]" * 150 + ") }"})
    assert len(response.content) < 3_000
    assert response.json()["errors"][0]["message"].endswith("…")


# ── WebSocket ────────────────────────────────────────────────────────────────────────────────────


async def test_a_subscription_delivers_in_order_and_ends(address: str) -> None:
    async with connected(address) as socket:
        await send(socket, subscribe("subscription { count(to: 2) }"))
        assert [await receive(socket) for _ in range(3)] == [
            {"type": "next", "id": "1", "payload": {"data": {"count": 0}}},
            {"type": "next", "id": "1", "payload": {"data": {"count": 1}}},
            {"type": "complete", "id": "1"},
        ]


async def test_the_parameters_of_a_connection_say_who_asks_and_in_which_language(address: str) -> None:
    async with connected(address, Authorization="Bearer x", language="de") as socket:
        await send(socket, subscribe("{ who language }"))
        assert (await receive(socket))["payload"]["data"] == {"who": "Bearer x", "language": "DE"}


async def test_each_operation_of_a_connection_loads_anew(address: str, probe: Probe) -> None:
    async with connected(address, authorization="x") as socket:
        for key in ("1", "2"):
            await send(socket, subscribe("{ late(key: 0) }", key))
            assert (await receive(socket))["payload"]["data"] == {"late": "2"}
            await receive(socket)
    assert len(probe.batches) == 2


async def test_an_error_of_a_subscription_has_its_code(address: str) -> None:
    async with connected(address) as socket:
        await send(socket, subscribe("subscription { whose }"))
        message = await receive(socket)
        errors = message["payload"]["errors"] if message["type"] == "next" else message["payload"]
        assert errors[0]["extensions"] == {"code": "UNAUTHENTICATED"}


@pytest.mark.parametrize("query", ["{ away }", "subscription { lost }"])
async def test_an_outage_is_told_over_a_websocket(address: str, query: str) -> None:
    async with connected(address) as socket:
        await send(socket, subscribe(query))
        messages = [await receive(socket)]
        while messages[-1]["type"] == "next":
            messages.append(await receive(socket))
    told = [error for each in messages for error in (each.get("payload") or {}).get("errors", ())]
    assert [error["extensions"] for error in told] == [{"code": "UNAVAILABLE", "retryAfter": 2}]


@pytest.mark.parametrize("query", ["{", "{ nope }", "query A { hello } query B { hello }", ""])
async def test_a_wrong_document_is_an_error_of_its_operation_only(address: str, query: str) -> None:
    async with connected(address) as socket:
        await send(socket, subscribe(query))
        message = await receive(socket)
        assert (message["type"], message["id"]) == ("error", "1")
        assert message["payload"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        await send(socket, subscribe("{ hello }", "2"))
        assert (await receive(socket))["payload"] == {"data": {"hello": "hello"}, **told(ROOT_FIELD + 1)}


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "null",
        "1",
        '"x"',
        "[]",
        "{}",
        '{"type": 1}',
        '{"type": ["ping"]}',
        '{"type": "what"}',
        '{"type": "ping", "payload": 1}',
        '{"type": "complete"}',
        '{"type": "complete", "id": {}}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": [], "payload": {"query": "{ hello }"}}',
        '{"type": "subscribe", "id": "1", "payload": null}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "variables": {"a": "\\ud800"}}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "operationName": 1}}',
        "[" * 200_000,
        b"{}",
    ],
)
async def test_a_message_that_is_none_closes_the_connection(
    address: str, message: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(address) as socket:
        await socket.send(message)
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 5)
        assert socket.close_code == 4400
    assert "Traceback" not in caplog.text


async def test_the_legacy_protocol_is_off(address: str) -> None:
    async with websockets.connect(f"ws://{address}/", subprotocols=[websockets.Subprotocol("graphql-ws")]) as socket:
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 5)
        assert socket.close_code == 4406


async def test_operations_wait_for_the_connection_to_be_initialised(address: str) -> None:
    async with websockets.connect(f"ws://{address}/", subprotocols=[PROTOCOL]) as socket:
        await send(socket, subscribe("{ hello }"))
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 5)
        assert socket.close_code == 4401


# ── Limits ───────────────────────────────────────────────────────────────────────────────────────


def nested(depth: int) -> str:
    return f'{{ thing(id: "{encode("Thing", KEYS[0])}") {{ ' + "things { " * depth + "code" + " }" * depth + " } }"


async def test_a_document_may_be_so_deep_and_no_deeper(client: httpx.AsyncClient) -> None:
    shallow = await client.post("/", json={"query": nested(4)})
    assert "errors" not in shallow.json()
    deep = await client.post("/", json={"query": nested(limits.MOST_DEPTH)})
    assert str(limits.MOST_DEPTH) in deep.json()["errors"][0]["message"]


async def test_a_document_may_ask_for_so_many_values_and_no_more(client: httpx.AsyncClient) -> None:
    response = await client.post("/", json={"query": nested(7)})
    assert str(MOST_COST) in response.json()["errors"][0]["message"]


async def test_page_sizes_are_taken_from_variables(client: httpx.AsyncClient) -> None:
    below = "things { things { things { things { code price { amount } } } } }"
    query = f"query ($n: Int) {{ things(first: $n) {{ edges {{ node {{ {below} }} }} }} }}"
    many = await client.post("/", json={"query": query, "variables": {"n": 100}})
    assert "smaller pages" in many.json()["errors"][0]["message"]
    few = await client.post("/", json={"query": query, "variables": {"n": 10}})
    assert "errors" not in few.json()


async def test_the_whole_schema_can_be_introspected(client: httpx.AsyncClient) -> None:
    from graphql import get_introspection_query

    response = await client.post("/", json={"query": get_introspection_query(input_value_deprecation=True)})
    assert "errors" not in response.json()


HOSTILE = {
    "doubled spreads": "{ ...F0 } "
    + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(40))
    + " fragment F40 on Query { hello }",
    "doubled spreads in fields": "{ thing(id: 1) { ...F0 } } "
    + " ".join(
        f"fragment F{n} on Thing {{ a: things {{ ...F{n + 1} }} b: things {{ ...F{n + 1} }} }}" for n in range(13)
    )
    + " fragment F13 on Thing { code }",
    "a cycle": "{ ...A } fragment A on Query { ...B ...B } fragment B on Query { ...A ...A }",
    "a fragment in itself": "{ ...A } fragment A on Query { hello ...A }",
    "a chain": "{ ...F0 } "
    + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(240))
    + " fragment F240 on Query { hello }",
    "aliases": "{ " + " ".join(f"a{n}: hello" for n in range(660)) + " }",
    "one field": "{ " + "hello " * 1990 + "}",
    "other arguments": "{ " + " ".join(f'echo(said: "{n}")' for n in range(330)) + " }",
    "other arguments in fragments": "{ " + " ".join(f'... {{ echo(said: "{n}") }}' for n in range(220)) + " }",
    "other fields below": "{ " + " ".join(f"thing(id: 1) {{ code: a{n} }}" for n in range(180)) + " }",
    "brackets": "{" * 1990,
    "lists": "{ echo(said: " + "[" * 990 + "]" * 990 + ") }",
    "inline fragments": "{ " + "... { " * 660 + "hello" + " }" * 660 + " }",
    "directives": "{ hello " + "@skip(if: false) " * 280 + "}",
    "variables": "query (" + " ".join(f"$v{n}: Int" for n in range(490)) + ") { hello }",
    "introspection": "{ __schema " + "{ types { fields { type " * 5 + "{ name }" + "} } }" * 5 + " }",
    "operations": " ".join(f"query Q{n} {{ hello }}" for n in range(390)),
    "unknown types": "{ ...F } fragment F on Nothing { hello ... on Nowhere { hello } }",
    "tokens": "{ " + "hello " * 15_000 + "}",
    "comments": "#\n" * 40_000 + "{ hello }",
    "blanks": "{ hello " + " " * 900_000 + "}",
    "a long number": "{ things(first: " + "9" * 90_000 + ") { edges { cursor } } }",
    "a long default": "query ($n: Int = " + "9" * 90_000 + ") { things(first: $n) { edges { cursor } } }",
    "a string": '{ echo(said: "' + "x" * 900_000 + '") }',
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_no_document_takes_long(client: httpx.AsyncClient, name: str) -> None:
    # Some of these would take for ever; the client's patience tells.
    response = await client.post("/", json={"query": HOSTILE[name]}, timeout=30)
    assert response.status_code in {200, 400}
    assert "INTERNAL" not in response.text
