"""PostgreSQL stopped without a word in mid-generation, while tickets are sold: batches come to their end all the same."""

import asyncio
import time
from collections.abc import Iterator
from random import Random

import httpx
import pytest
from tests.chaos.clients import Book, Client
from tests.chaos.machinery import Postgres, postgres, service
from tests.chaos.makers import Makers, stuck
from tests.ledger import breaches, connect

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.processes, pytest.mark.timeout(600)]

TRIES = 3
CODES = 200_000
BUYERS = 6


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


async def test_an_immediate_stop_in_mid_generation_loses_no_batch(server: Postgres) -> None:
    gala = await server.prepare()
    url = await server.copy()
    with service(url, None) as running:
        async with httpx.AsyncClient(base_url=running.address, timeout=30) as http:
            until = asyncio.get_running_loop().time() + 3_600
            buyers = [Client(gala, http, Book(), url, Random(f"{each}")) for each in range(BUYERS)]  # noqa: S311
            buying = [asyncio.create_task(buyer.live(until)) for buyer in buyers]
            makers = Makers(gala, http)
            for attempt in range(TRIES):
                await makers.ask(CODES)
                await makers.ask(10)
                await _generating(url)
                await asyncio.sleep(0.1 + 0.2 * attempt)
                await asyncio.to_thread(server.restart)
            assert await stuck(url, 120) == []
            for task in buying:
                task.cancel()
            await asyncio.gather(*buying, return_exceptions=True)
        assert await breaches(url) == []
        assert running.has_queue_worker()


async def _generating(url: str) -> None:
    """Returns while codes are being made."""
    deadline = time.monotonic() + 60
    connection = await connect(url)
    try:
        while not await connection.fetchval("SELECT EXISTS (SELECT FROM batches WHERE state = 'GENERATING')"):
            assert time.monotonic() < deadline, "nothing is made"
            await asyncio.sleep(0.02)
    finally:
        await connection.close()
