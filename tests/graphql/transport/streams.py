"""Subscriptions as clients take them: events of a stream, and messages of a WebSocket."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import TypeAlias

import httpx
import websockets
from tests.graphql.operations import OPERATIONS
from tests.wire import NO_TLS, Json, JsonObject
from websockets.asyncio.client import ClientConnection

PATIENCE = 10
FORBIDDEN = 4403
PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
DOCUMENT = (OPERATIONS / "back-office.graphql").read_text(encoding="utf-8")


def asked(operation: str, **variables: Json) -> JsonObject:
    return {"query": DOCUMENT, "operationName": operation, "variables": variables}


async def chunks(response: httpx.Response) -> AsyncIterator[str]:
    """What stands between two empty lines, as urql splits it: by LF and nothing else."""
    text = ""
    async for part in response.aiter_raw():
        text += part.decode()
        while "\n\n" in text:
            chunk, text = text.split("\n\n", 1)
            yield chunk


@asynccontextmanager
async def event_stream(address: str, token: str | None, operation: JsonObject) -> AsyncIterator[Json]:
    """The results that a stream brings, and None when it says that it is complete."""
    headers = {"Accept": "text/event-stream", "Accept-Language": "en"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with (
        httpx.AsyncClient(timeout=PATIENCE, verify=NO_TLS) as client,
        client.stream("POST", f"{address}/graphql/stream", json=operation, headers=headers) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream"), await response.aread()

        async def results() -> AsyncGenerator[Json, None]:
            async for chunk in chunks(response):
                event, _, data = chunk.partition("\n")
                if event == "event: next":
                    yield json.loads(data.removeprefix("data: "))
                elif event == "event: complete":
                    yield None

        async with aclosing(results()) as events:
            yield events


@asynccontextmanager
async def connected(address: str, token: str | None) -> AsyncIterator[ClientConnection]:
    """A WebSocket that has asked to be let in."""
    url = address.replace("http://", "ws://") + "/graphql"
    async with websockets.connect(url, subprotocols=[PROTOCOL]) as connection:
        init = {"language": "en"} if token is None else {"language": "en", "Authorization": f"Bearer {token}"}
        await connection.send(json.dumps({"type": "connection_init", "payload": init}))
        yield connection


@asynccontextmanager
async def socket(address: str, token: str | None, operation: JsonObject) -> AsyncIterator[Json]:
    """The same by WebSocket; one that closes because its credentials no longer hold says by it that all is over."""
    async with connected(address, token) as connection:
        assert json.loads(await connection.recv())["type"] == "connection_ack"
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": operation}))

        async def results() -> AsyncGenerator[Json, None]:
            while True:
                try:
                    message = json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))
                except websockets.ConnectionClosed:
                    if connection.close_code != FORBIDDEN:
                        raise
                    yield None
                    return
                if message["type"] == "complete":
                    yield None
                elif message["type"] == "error":
                    yield {"data": None, "errors": message["payload"]}
                    yield None
                else:
                    yield message["payload"]

        async with aclosing(results()) as events:
            yield events


Watch: TypeAlias = Callable[[str, str | None, JsonObject], AbstractAsyncContextManager[AsyncIterator[Json]]]
"""One way to take a subscription: the results of an operation at an address, for a token."""

BOTH: list[Watch] = [event_stream, socket]
