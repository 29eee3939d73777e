"""Two server processes and a worker: what changes through any of them reaches who watches through any other."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests import gala
from tests.graphql.transport.streams import asked, event_stream, socket
from tests.redis_server import redis_server
from tests.servers import environment_for, two_processes
from tests.wire import Json

from resolvers.runtime.ids import decode

pytestmark = [pytest.mark.alone, pytest.mark.processes]

FOUND_BY_VERSION = 2
SIGNALLED = 5
STARTING = 20

# As a process that dies between its commit and the signal.
DIES = """
import asyncio, os, sys
from uuid import UUID
from db.counts import counts
from db.core.sessions import Sessions

async def main(url, organisation, offer):
    async with Sessions(url, pool_size=1).writing() as connection:
        await counts.move(connection, UUID(organisation), {(UUID(offer), None): counts.RedemptionCounts(tickets_sold=100)})
    os._exit(9)

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass(frozen=True)
class Site:
    """What tests reach: two servers, their clients, and who watches on each, by WebSocket and by event stream."""

    url: str
    environment: dict[str, str]
    gala: gala.Gala
    clients: list[httpx.AsyncClient]
    watchers: list[AsyncIterator[Json]]

    async def all_see(self, reached: Callable[[Json], bool], seconds: float) -> None:
        """Every watcher within so many seconds."""

        async def sees(events: AsyncIterator[Json]) -> None:
            while not reached((await anext(events))["data"]["redemptionCounts"]):
                pass

        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for events in self.watchers:
                group.create_task(sees(events))

    async def basket(self, client: httpx.AsyncClient, performance: str = "FEW") -> str:
        line = {"input": {"lines": [self.gala.line(performance)]}}
        answer = await gala.send(client, self.gala.shopper, "createBasket", line)
        return str(answer["id"])


@pytest.fixture(params=["postgresql", "redis"])
def carrier(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if request.param == "postgresql":
        yield {}
        return
    with redis_server() as server:
        yield {"REDIS_URL": server.url}


@pytest.fixture
async def site(database_url: str, carrier: dict[str, str], tmp_path: Path) -> AsyncIterator[Site]:
    made = await gala.build(database_url)
    with two_processes(database_url, **carrier) as addresses:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(httpx.AsyncClient(base_url=each)) for each in addresses]
            operation = asked("RedemptionCounts")
            watchers = [
                await stack.enter_async_context(watch(address, made.staff, operation))
                for address in addresses
                for watch in (event_stream, socket)
            ]
            yield Site(database_url, environment_for(database_url, tmp_path, **carrier), made, clients, watchers)


async def test_a_change_through_either_server_reaches_all(site: Site) -> None:
    def holds(tickets: int) -> Callable[[Json], bool]:
        return lambda update: bool(update["counts"]["ticketsHeld"] == tickets)

    for held, client in enumerate(site.clients, 1):
        await site.basket(client)
        await site.all_see(holds(held), SIGNALLED)


async def test_what_the_worker_makes_reaches_all(site: Site) -> None:
    with working(site):
        codes = await offer_id(site, "CODES")
        contact = await asking(site, 'query { contacts(search: "Maker") { edges { node { id } } } }')
        wanted = {"offerId": codes, "contactId": contact["contacts"]["edges"][0]["node"]["id"], "quantity": 40}
        made = await asking(
            site,
            "mutation($input: GenerateCodesInput!) { generateCodes(input: $input) { ... on CodeBatch { id } } }",
            input={**wanted, "documentType": "NO_EMAIL"},
        )
        assert made["generateCodes"]["id"]
        await site.all_see(lambda update: update["counts"]["generated"] == gala.CODES + 40, STARTING)


async def test_what_the_command_line_loads_reaches_all(site: Site, tmp_path: Path) -> None:
    document = gala.document(datetime.now(UTC))
    document["batches"].append({**document["batches"][0], "code": "C", "quantity": 7})
    file = tmp_path / "data.json"
    file.write_text(json.dumps(document))
    command = [sys.executable, "-m", "sesame", "load", str(file)]
    await asyncio.to_thread(subprocess.run, command, env=site.environment, check=True, capture_output=True)
    with working(site):
        await site.all_see(lambda update: update["counts"]["generated"] == gala.CODES + 7, STARTING)


async def test_what_a_process_committed_and_died_before_it_signalled_reaches_all(site: Site) -> None:
    offer = await offer_id(site, "FEW")
    await site.all_see(lambda update: update["offer"]["id"] == offer, STARTING)
    key = str(decode(offer, "Advantage", path=()))
    command = [sys.executable, "-c", DIES, site.url, str(site.gala.organisation), key]
    died = await asyncio.to_thread(subprocess.run, command, env=site.environment, check=False)
    assert died.returncode == 9
    await site.all_see(lambda update: update["counts"]["ticketsSold"] == 100, FOUND_BY_VERSION)


@contextmanager
def working(site: Site) -> Iterator[None]:
    worker = subprocess.Popen([sys.executable, "-m", "sesame", "worker"], env=site.environment)
    try:
        yield
    finally:
        worker.kill()
        worker.wait()


async def asking(site: Site, document: str, **variables: Json) -> Json:
    headers = {"Authorization": f"Bearer {site.gala.staff}"}
    answer = await site.clients[0].post("/graphql", json={"query": document, "variables": variables}, headers=headers)
    assert "errors" not in answer.json(), answer.json()
    return answer.json()["data"]


async def offer_id(site: Site, code: str) -> str:
    found = await asking(site, "{ advantages(first: 100) { edges { node { id code } } } }")
    return str(next(edge["node"]["id"] for edge in found["advantages"]["edges"] if edge["node"]["code"] == code))
