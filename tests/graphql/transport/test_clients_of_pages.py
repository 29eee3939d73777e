"""Subscriptions as the libraries of pages take them: graphql-ws, and urql and Apollo upon it, each as it comes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import Protocol

import pytest
from tests import node
from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Shop
from tests.graphql.transport.streams import DOCUMENT
from tests.wire import Json, JsonObject

from resolvers.transport import reauthentication

LIBRARIES = ("graphql-ws", "urql", "apollo")
PATIENCE = 20
CLOSED = {"event": "closed", "code": 4403, "reason": "Forbidden"}
SEATS = ("HELENE-1217", "CAT1", "FULL", 2)


class Page:
    """Watches the counts of an offer, by a library and with a row of tokens, one for each of its connections."""

    def __init__(self, process: asyncio.subprocess.Process, library: str) -> None:
        self._process = process
        self._library = library

    async def next(self) -> JsonObject:
        """What happens next there."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
        assert line, "the page ended"
        told: JsonObject = json.loads(line)
        return told

    async def counts(self) -> Json:
        """The counts that it is told next."""
        told = await self.next()
        assert (told["event"], told.get("errors")) == ("next", []), told
        return told["data"]["redemptionCounts"]["counts"]

    async def is_refused(self) -> None:
        """It is told so where its library has it told, and its connection is closed."""
        if self._library != "urql":
            told = await self.next()
            assert [error["extensions"]["code"] for error in told["errors"]] == ["UNAUTHENTICATED"]
        assert await self.next() == CLOSED
        assert await self.next() == {"event": "connected"}

    async def subscribe_to(self, offer: str) -> None:
        """Once more, upon the same connection."""
        await self.write({"offerId": offer})

    async def write(self, line: Json) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        await self._process.stdin.drain()


class Pages(Protocol):
    def __call__(self, *tokens: str) -> AbstractAsyncContextManager[Page]: ...


@pytest.fixture(scope="module")
def command() -> list[str]:
    return [*node.ready(), str(node.CLIENTS / "watch.mjs")]


@pytest.fixture(params=LIBRARIES)
async def pages(server: Server, command: list[str], request: pytest.FixtureRequest) -> Pages:
    """Opens a page with a library."""
    offer = await BackOffice(server).offer_id("COUPON3")

    @asynccontextmanager
    async def open_page(*tokens: str) -> AsyncIterator[Page]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, request.param, stdin=pipe, stdout=pipe)
        try:
            page = Page(process, request.param)
            watched = {"document": DOCUMENT, "operation": "RedemptionCounts", "variables": {"offerId": offer}}
            await page.write({"url": server.websocket, "tokens": list(tokens), **watched})
            yield page
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    return open_page


@pytest.fixture
async def later_token(server: Server) -> str:
    """Good when the first token no longer is."""
    return await server.own.credentials.staff_token("theatre", ["VIEWER"], NOW + timedelta(days=2), name="ada")


async def sell(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    await shop.apply(basket["id"], "COUPON3%")
    await shop.confirm(basket["id"])


async def until_sold(page: Page, tickets: int) -> None:
    while (await page.counts())["ticketsSold"] != tickets:
        pass


async def test_a_page_comes_back_with_a_new_token_and_what_it_watches_goes_on(
    server: Server, pages: Pages, later_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reauthentication, "EVERY", 0.05)
    async with pages(server.staff, later_token) as page:
        assert await page.next() == {"event": "connected"}
        sold = (await page.counts())["ticketsSold"]
        server.clock.now += timedelta(hours=13)
        await page.is_refused()
        assert (await page.counts())["ticketsSold"] == sold
        await sell(server)
        await until_sold(page, sold + 2)


async def test_a_page_whose_token_is_over_when_it_connects_comes_back_with_a_new_one(
    server: Server, pages: Pages, later_token: str
) -> None:
    server.clock.now += timedelta(hours=13)
    async with pages(server.staff, "nonsense", later_token) as page:
        assert [await page.next(), await page.next()] == [CLOSED, CLOSED]
        assert await page.next() == {"event": "connected"}
        sold = (await page.counts())["ticketsSold"]
        await sell(server)
        await until_sold(page, sold + 2)


async def test_a_page_that_subscribes_when_its_token_is_over_comes_back_with_a_new_one(
    server: Server, pages: Pages, later_token: str
) -> None:
    """Nothing has looked at the token since it was over: the new subscription finds out, for both."""
    other = await BackOffice(server).offer_id("TENOFF")
    async with pages(server.staff, later_token) as page:
        assert await page.next() == {"event": "connected"}
        first = await page.counts()
        server.clock.now += timedelta(hours=13)
        await page.subscribe_to(other)
        await page.is_refused()
        seen = [await page.counts(), await page.counts()]
        assert first in seen
        await sell(server)
        await until_sold(page, first["ticketsSold"] + 2)
