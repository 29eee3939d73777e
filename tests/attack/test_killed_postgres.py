"""The embedded PostgreSQL is killed under a server that sells: what is in flight fails, then all goes on by itself."""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
import pytest
from tests.graphql.transport.streams import asked, event_stream
from tests.sesame.cli.test_demo import Guide, demo
from tests.wire import Json, JsonObject

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.processes]

WITHIN = 5.0
"""Seconds within which PostgreSQL is back."""
BACK = WITHIN + 5.0
"""Seconds within which a client is served again, its connection tried and made anew, on a busy machine."""
BUYERS = 6
IN_FLIGHT = {"UNAVAILABLE"}
"""What they are answered whose answer needed the one that was killed."""


@pytest.fixture(scope="module")
def shown() -> Iterator[tuple[Path, Guide]]:
    """A demo that runs, its folder and its guide."""
    with TemporaryDirectory(prefix="sesame-tests-") as folder, demo(Path(folder)) as guide:
        yield Path(folder), guide


class Site:
    """The demo as its clients and its operator see it."""

    def __init__(self, folder: Path, guide: Guide) -> None:
        self._data = folder / ".sesame-demo" / "postgres"
        self._body = json.loads(guide.command[-1])
        self.address = guide.command[2].removesuffix("/graphql")
        self.shopper, _, self.partner, self.staff = guide.tokens
        self.answers: Counter[str] = Counter()
        self.longest = 0.0

    def postmaster(self) -> psutil.Process | None:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return psutil.Process(int(lines[0])) if lines[7].strip() == "ready" else None
        except (FileNotFoundError, psutil.NoSuchProcess, ValueError, IndexError):
            return None

    def backends(self) -> list[psutil.Process]:
        postmaster = self.postmaster()
        assert postmaster
        return [each for each in postmaster.children() if any("[local]" in word for word in each.cmdline())]

    async def ask(self, client: httpx.AsyncClient, document: str, variables: JsonObject, token: str) -> Json:
        bearer = {"Authorization": f"Bearer {token}"}
        body = {"query": document, "variables": variables}
        return (await client.post(f"{self.address}/graphql", json=body, headers=bearer)).json()

    async def price(self, client: httpx.AsyncClient) -> bool:
        """Whether the server told the price."""
        began = time.monotonic()
        answer = await self.ask(client, self._body["query"], self._body["variables"], self.shopper)
        self.longest = max(self.longest, time.monotonic() - began)
        code = answer["errors"][0]["extensions"]["code"] if answer.get("errors") else "OK"
        self.answers[code] += 1
        return code == "OK"

    @asynccontextmanager
    async def buyers(self) -> AsyncIterator[None]:
        """Many at once, each asking again as soon as it has an answer."""
        over = asyncio.Event()

        async def buy() -> None:
            async with httpx.AsyncClient(timeout=30) as client:
                while not over.is_set():
                    await self.price(client)

        async with asyncio.TaskGroup() as group:
            for _ in range(BUYERS):
                group.create_task(buy())
            yield
            over.set()

    async def served_again(self) -> None:
        """Returns when a new client is told prices."""
        async with asyncio.timeout(BACK), httpx.AsyncClient(timeout=30) as client:
            while not await self.price(client):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.05)


@pytest.fixture
def site(shown: tuple[Path, Guide]) -> Site:
    return Site(*shown)


async def test_a_killed_postmaster_is_back_and_all_buyers_go_on(site: Site) -> None:
    async with site.buyers():
        for _ in range(3):
            killed = site.postmaster()
            assert killed
            killed.kill()
            async with asyncio.timeout(WITHIN):
                while site.postmaster() in {None, killed}:  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(0.02)
            await site.served_again()
    assert set(site.answers) <= {"OK", *IN_FLIGHT}, site.answers
    assert site.longest < BACK


async def test_a_killed_session_stops_nobody_for_long(site: Site) -> None:
    server = site.postmaster()
    async with site.buyers():
        await site.served_again()
        for _ in range(3):
            site.backends()[0].send_signal(signal.SIGKILL)
            await asyncio.sleep(0.1)
            await site.served_again()
    assert site.postmaster() == server
    assert set(site.answers) <= {"OK", *IN_FLIGHT}, site.answers


async def test_the_queue_and_those_who_watch_go_on(site: Site) -> None:
    found = '{ contacts(search: "SECUTIX") { edges { node { id } } } advantages(first: 100) { edges { node { id code } } } }'
    generate = "mutation ($input: GenerateCodesInput!) { generateCodes(input: $input) { ... on CodeBatch { id } } }"
    state = "query ($id: ID!) { codeBatch(id: $id) { state generated } }"
    async with httpx.AsyncClient(timeout=30) as client:
        data = (await site.ask(client, found, {}, site.staff))["data"]
        offer = next(each["node"]["id"] for each in data["advantages"]["edges"] if each["node"]["code"] == "PROMOTYD")
        wanted: JsonObject = {
            "offerId": offer,
            "contactId": data["contacts"]["edges"][0]["node"]["id"],
            "quantity": 60_000,
            "documentType": "NO_EMAIL",
        }
        watching = asked("RedemptionCounts", offerId=offer)
        async with event_stream(site.address, site.staff, watching) as events:
            before = (await anext(events))["data"]["redemptionCounts"]["counts"]["generated"]
            batch = (await site.ask(client, generate, {"input": wanted}, site.staff))["data"]["generateCodes"]["id"]
            killed = site.postmaster()
            assert killed
            killed.kill()
            await site.served_again()
            async with asyncio.timeout(60):
                while True:
                    answer = await site.ask(client, state, {"id": batch}, site.staff)
                    if (answer.get("data") or {}).get("codeBatch", {}).get("state") == "DONE":
                        break
                    await asyncio.sleep(0.1)
            async with asyncio.timeout(30):
                while True:
                    event = await anext(events)
                    if event["data"]["redemptionCounts"]["counts"]["generated"] == before + wanted["quantity"]:
                        break
