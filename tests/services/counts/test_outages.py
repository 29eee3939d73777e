"""Live counts when what carries them breaks, and when very much changes: watchers end at the truth, always in order."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import psutil
import pytest
from sqlalchemy.exc import DBAPIError
from tests.redis_server import RedisServer, redis_server
from tests.services.counts.watchers import Process, process, soon, until
from tests.services.theatre import Theatre, build

from db.core.sessions import Sessions
from db.counts import counts as db_counts
from db.counts.counts import RedemptionCounts
from db.migrations.migrate import upgrade
from services.counts.subscriptions import CountsUpdate
from sesame.postgres.cluster import Cluster
from sesame.postgres.embedded import running

pytestmark = pytest.mark.processes

FOUND_BY_VERSION = 2
SIGNALLED = 1


@pytest.fixture
async def theatre(sessions: Sessions) -> Theatre:
    return await build(sessions)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
async def by_redis(database_url: str, theatre: Theatre, redis: RedisServer) -> AsyncIterator[tuple[Process, Process]]:
    """One that watches, and one that only publishes."""
    async with (
        process(database_url, theatre, redis=redis.url) as here,
        process(database_url, theatre, redis=redis.url, listens=False) as there,
    ):
        yield here, there


async def test_redis_tells_every_process_what_changed(by_redis: tuple[Process, Process]) -> None:
    here, there = by_redis
    updates = here.watch(offer=here.theatre.promotyd)
    await soon(updates)
    await _signalled(here, there)
    async with asyncio.timeout(SIGNALLED):
        await there.change(here.theatre.promotyd)
        assert (await anext(updates)).counts.tickets_sold == 1


async def test_without_redis_changes_are_found_by_their_version(
    by_redis: tuple[Process, Process], redis: RedisServer
) -> None:
    here, there = by_redis
    updates = here.watch(offer=here.theatre.promotyd)
    await soon(updates)
    redis.kill()
    await there.change(here.theatre.promotyd)
    async with asyncio.timeout(FOUND_BY_VERSION):
        assert (await anext(updates)).counts.tickets_sold == 1


async def test_redis_is_heard_again_once_it_is_back(by_redis: tuple[Process, Process], redis: RedisServer) -> None:
    here, there = by_redis
    updates = here.watch(offer=here.theatre.promotyd)
    await soon(updates)
    redis.kill()
    redis.start()
    await _signalled(here, there)
    async with asyncio.timeout(SIGNALLED):
        await there.change(here.theatre.promotyd)
        assert (await anext(updates)).counts.tickets_sold == 1


async def test_watchers_go_on_after_postgresql_was_killed() -> None:
    with TemporaryDirectory(prefix="sesame-tests-") as folder, running(Path(folder)) as url:
        await upgrade(url)
        sessions = Sessions(url, pool_size=1)
        theatre = await build(sessions)
        await sessions.close()
        async with process(url, theatre) as here:
            updates = here.watch(offer=theatre.promotyd)
            await soon(updates)
            next_update = asyncio.ensure_future(anext(updates))
            await asyncio.to_thread(_kill_and_restart, Path(folder) / "postgres")
            await _changed_in_spite_of_it(here, theatre.promotyd)
            assert (await asyncio.wait_for(next_update, 5)).counts.tickets_sold == 1
            await here.change(theatre.promotyd)
            await until(updates, lambda counts: counts.tickets_sold == 2)


async def test_after_thousands_of_changes_all_watchers_are_at_the_truth_and_saw_it_in_order(
    database_url: str, theatre: Theatre, sessions: Sessions
) -> None:
    chance = random.Random(6)  # noqa: S311 - repeats itself on purpose
    offers = [theatre.promotyd, theatre.opening, theatre.random_coupon]
    holders = [None, theatre.secutix, theatre.tyd]
    async with process(database_url, theatre) as here, process(database_url, theatre) as there:
        watches = [
            each.watch(None, **asked)
            for each in (here, there)
            for asked in ({}, {"offer": theatre.promotyd}, {"contact": theatre.tyd, "offer": theatre.opening})
        ]
        enough = asyncio.Event()
        seen = [asyncio.create_task(_all(watch, enough)) for watch in watches]

        async def change(each: Process, times: int) -> None:
            for _ in range(times):
                kind = chance.choice(["generated", "held", "used", "invalidated", "tickets_held", "tickets_controlled"])
                moved = {kind: chance.randint(-3, 9)}
                publish = chance.random() > 0.1
                await each.change(chance.choice(offers), chance.choice(holders), publish=publish, **moved)

        await asyncio.gather(*(change(each, 500) for each in (here, there) for _ in range(3)))
        await asyncio.sleep(FOUND_BY_VERSION)
        enough.set()
        for task in seen:
            latest = await task
            async with sessions.reading() as connection:
                truth = await db_counts.read(connection, theatre.organisation)
            for update in latest.values():
                shares = [
                    counts
                    for (offer, holder), counts in truth.items()
                    if offer == update.offer and update.holder in {None, holder}
                ]
                assert update.counts == sum(shares, RedemptionCounts())


async def _all(updates: AsyncIterator[CountsUpdate], enough: asyncio.Event) -> dict[UUID, CountsUpdate]:
    """The last update of each offer, once there have been ``enough``; fails where one is older than the one before."""
    latest: dict[UUID, CountsUpdate] = {}
    over = asyncio.create_task(enough.wait())
    while True:
        coming = asyncio.ensure_future(anext(updates))
        await asyncio.wait({coming, over}, return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            coming.cancel()
            return latest
        update = coming.result()
        earlier = latest.get(update.offer)
        assert earlier is None or earlier.counts.version < update.counts.version
        latest[update.offer] = update


async def _signalled(here: Process, there: Process) -> None:
    """Until a signal goes through: the listener may be on its way."""
    heard = asyncio.Event()

    def hear(subjects: frozenset[UUID] | None) -> None:
        if subjects:
            heard.set()

    with here.live.watching(here.theatre.organisation, hear):
        while not heard.is_set():
            there.live.publish(here.theatre.organisation, {here.theatre.closed})
            await asyncio.sleep(0.02)


async def _changed_in_spite_of_it(here: Process, offer: UUID) -> None:
    """Until a connection of the pool is a new one."""
    while True:
        try:
            await here.change(offer)
        except (DBAPIError, OSError):
            await asyncio.sleep(0.02)
        else:
            return


def _kill_and_restart(data: Path) -> None:
    postmaster = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
    for process_of_it in (postmaster, *postmaster.children()):
        process_of_it.kill()
    postmaster.wait(10)
    Cluster(data).ensure_running()
