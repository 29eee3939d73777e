"""Live counts across processes: each watcher sees the newest truth, in order, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import make_url, text
from tests.services.counts.watchers import Process, order_batch, process, soon, until
from tests.services.theatre import Theatre, build

from db.codes import batches as db_batches
from db.core.ids import new_id
from db.core.sessions import Sessions
from db.counts.counts import RedemptionCounts
from db.counts.postgres_feed import CHANNEL
from services.codes.batches import Batch, BatchState
from services.core.errors import Forbidden, NotFound
from services.core.viewer import StaffRole

pytestmark = pytest.mark.alone


@pytest.fixture
async def theatre(sessions: Sessions) -> Theatre:
    return await build(sessions)


@pytest.fixture
async def here(database_url: str, theatre: Theatre) -> AsyncIterator[Process]:
    async with process(database_url, theatre) as own:
        yield own


@pytest.fixture
async def there(database_url: str, theatre: Theatre) -> AsyncIterator[Process]:
    """Another process, which publishes only, as a worker does."""
    async with process(database_url, theatre, listens=False) as own:
        yield own


async def test_the_counts_come_at_once(here: Process) -> None:
    update = await soon(here.watch(offer=here.theatre.promotyd))
    assert (update.offer, update.holder, update.counts) == (here.theatre.promotyd, None, RedemptionCounts())


async def test_a_snapshot_has_what_was_committed_before_it(here: Process) -> None:
    offer = here.theatre.promotyd
    earlier = here.watch(offer=offer)
    await soon(earlier)
    await here.change(offer, publish=False)
    assert (await soon(here.watch(offer=offer))).counts.tickets_sold == 1


async def test_a_change_reaches_the_watchers_of_every_process(here: Process, there: Process) -> None:
    offer = here.theatre.promotyd
    updates = here.watch(offer=offer)
    await soon(updates)
    await there.change(offer, here.theatre.secutix, generated=150)
    [update] = await until(updates, lambda counts: counts.generated == 150)
    assert update.counts.available == 150


async def test_a_signal_is_there_long_before_the_next_look(here: Process, there: Process) -> None:
    offer = here.theatre.promotyd
    updates = here.watch(offer=offer)
    await soon(updates)
    async with asyncio.timeout(1):
        await there.change(offer)
        await anext(updates)


async def test_the_newest_state_arrives_and_versions_only_grow(here: Process, there: Process) -> None:
    offer = here.theatre.promotyd
    updates = here.watch(offer=offer)
    changes = asyncio.gather(*(each.change(offer) for each in (here, there) for _ in range(100)))
    seen = await until(updates, lambda counts: counts.tickets_sold == 200)
    await changes
    versions = [update.counts.version for update in seen]
    assert versions == sorted(set(versions))
    assert versions[-1] == 200


async def test_many_changes_are_few_updates(here: Process, there: Process) -> None:
    offer = here.theatre.promotyd
    updates = here.watch(offer=offer)
    await soon(updates)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    changes = asyncio.gather(*(there.change(offer) for _ in range(300)))
    seen = await until(updates, lambda counts: counts.tickets_sold == 300)
    await changes
    assert len(seen) <= 10 * (loop.time() - begun) + 2


async def test_a_slow_reader_gets_the_newest_state_only(here: Process) -> None:
    offer = here.theatre.promotyd
    slow, fast = here.watch(offer=offer), here.watch(offer=offer)
    await soon(slow)
    for number in range(1, 4):
        await here.change(offer)
        await until(fast, partial(_has_sold, number))
    assert (await soon(slow)).counts.tickets_sold == 3


async def test_a_change_that_nobody_published_is_found_by_its_version(here: Process) -> None:
    offer = here.theatre.promotyd
    updates = here.watch(offer=offer)
    await soon(updates)
    await here.change(offer, publish=False)
    async with asyncio.timeout(2):
        assert (await anext(updates)).counts.tickets_sold == 1


async def test_listening_goes_on_after_its_connection_was_cut(database_url: str, here: Process, there: Process) -> None:
    offer = here.theatre.promotyd
    updates = here.watch(offer=offer)
    await soon(updates)
    await _cut_listeners(there.sessions)
    await there.change(offer)
    await until(updates, lambda counts: counts.tickets_sold == 1)
    await _listened_to(there.sessions)
    async with asyncio.timeout(1):
        await there.change(offer)
        assert (await anext(updates)).counts.tickets_sold == 2


async def test_a_hundred_watchers_cost_as_many_reads_as_one(here: Process) -> None:
    offer = here.theatre.promotyd
    watchers = [here.watch(offer=offer) for _ in range(100)]
    await asyncio.gather(*(soon(updates) for updates in watchers))
    before = here.sessions.reads
    await here.change(offer)
    seen = await asyncio.gather(*(soon(updates) for updates in watchers))
    assert {update.counts.tickets_sold for update in seen} == {1}
    # The publication, the read, and a look that may fall in between.
    assert here.sessions.reads - before <= 3


async def test_nothing_goes_on_once_the_last_watcher_has_left(here: Process) -> None:
    updates = here.watch(offer=here.theatre.promotyd)
    await soon(updates)
    others = asyncio.all_tasks()
    await updates.aclose()
    [board] = [task for task in others if "CountBoard" in str(task.get_coro())]
    await asyncio.wait([board], timeout=5)
    assert board.cancelled()


async def test_no_offer_named_is_every_offer(here: Process) -> None:
    updates = here.watch()
    theatre = here.theatre
    offers = {theatre.promotyd, theatre.opening, theatre.random_coupon, theatre.custom_coupon, theatre.closed}
    assert {(await soon(updates)).offer for _ in offers} == offers
    await here.change(theatre.opening)
    assert (await soon(updates)).offer == theatre.opening


async def test_of_one_contact_only_its_share_shows(here: Process) -> None:
    theatre = here.theatre
    await here.change(theatre.promotyd, theatre.secutix, generated=150)
    await here.change(theatre.promotyd, theatre.tyd, generated=7)
    share = await soon(here.watch(contact=theatre.tyd))
    assert (share.offer, share.holder) == (theatre.promotyd, theatre.tyd)
    assert share.counts == RedemptionCounts(generated=7, version=1)
    assert (await soon(here.watch(offer=theatre.promotyd))).counts.generated == 157


async def test_a_partner_watches_its_own_share(here: Process) -> None:
    theatre = here.theatre
    await order_batch(here, theatre.tyd)
    await here.change(theatre.promotyd, theatre.secutix, generated=150)
    updates = here.watch(theatre.partner(theatre.tyd), offer=theatre.promotyd)
    assert (await soon(updates)).counts == RedemptionCounts()
    await here.change(theatre.promotyd, theatre.secutix, generated=1)
    await here.change(theatre.promotyd, theatre.tyd, generated=7)
    assert (await soon(updates)).counts == RedemptionCounts(generated=7, version=1)


async def test_to_a_partner_the_offers_and_contacts_of_others_are_unknown(here: Process) -> None:
    theatre = here.theatre
    await order_batch(here, theatre.secutix)
    tyd = theatre.partner(theatre.tyd)
    for asked, unknown in (({"contact": theatre.secutix}, new_id()), ({"offer": theatre.promotyd}, new_id())):
        with pytest.raises(NotFound) as foreign:
            await soon(here.watch(tyd, **asked))
        with pytest.raises(NotFound) as missing:
            await soon(here.watch(tyd, **dict.fromkeys(asked, unknown)))
        assert (foreign.value.path, foreign.value.text) == (missing.value.path, missing.value.text)


async def test_a_shopper_watches_nothing(here: Process) -> None:
    with pytest.raises(Forbidden):
        await soon(here.watch(here.theatre.shopper()))


async def test_what_does_not_exist_cannot_be_watched(here: Process) -> None:
    with pytest.raises(NotFound):
        await soon(here.watch(offer=new_id()))
    with pytest.raises(NotFound):
        await soon(here.watch(season=new_id()))
    with pytest.raises(NotFound):
        await soon(here.watch(contact=new_id()))
    with pytest.raises(NotFound):
        await soon(here.counts.batch(here.theatre.staff(StaffRole.CODES), new_id()))


async def test_organisations_hear_nothing_of_one_another(here: Process, sessions: Sessions, database_url: str) -> None:
    other = await build(sessions, "festival")
    async with process(database_url, other) as elsewhere:
        updates = here.watch()
        for _ in range(5):
            await soon(updates)
        await elsewhere.change(other.promotyd)
        await here.change(here.theatre.opening)
        assert (await soon(updates)).offer == here.theatre.opening


async def test_publications_are_coalesced(here: Process, database_url: str) -> None:
    heard: list[str] = []
    done = asyncio.Event()

    def hear(*signal: object) -> None:
        heard.append(str(signal[-1]))
        if here.theatre.opening.hex in heard[-1]:
            done.set()

    url = make_url(database_url)
    connection = await asyncpg.connect(host=str(url.query["host"]), user="postgres", database=url.database)
    await connection.add_listener(CHANNEL, hear)
    for _ in range(1000):
        here.live.publish(here.theatre.organisation, {here.theatre.promotyd})
    here.live.publish(here.theatre.organisation, {here.theatre.opening})
    await asyncio.wait_for(done.wait(), 5)
    await connection.close()
    assert len(heard) == 1


async def test_more_subjects_than_a_payload_holds_are_all_heard(here: Process) -> None:
    heard: set[UUID] = set()
    wanted = {new_id() for _ in range(1000)}
    done = asyncio.Event()

    def changed(subjects: frozenset[UUID] | None) -> None:
        heard.update(subjects or ())
        if heard >= wanted:
            done.set()

    await _listened_to(here.sessions)
    with here.live.watching(here.theatre.organisation, changed):
        here.live.publish(here.theatre.organisation, wanted)
        await asyncio.wait_for(done.wait(), 5)


async def test_a_signal_of_somebody_else_says_nothing(here: Process) -> None:
    updates = here.watch(offer=here.theatre.promotyd)
    await soon(updates)
    async with here.sessions.reading() as connection:
        for payload in ("", "x", "é" * 32, here.theatre.organisation.hex + "0"):
            await connection.execute(
                text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": payload}
            )
    await here.change(here.theatre.promotyd)
    assert (await soon(updates)).counts.tickets_sold == 1


async def test_a_batch_is_watched_until_its_end(here: Process, there: Process) -> None:
    theatre = here.theatre
    batch = await order_batch(here, theatre.secutix)
    updates = here.counts.batch(theatre.partner(theatre.secutix), batch)
    assert (await soon(updates)).state is BatchState.PENDING
    seen: list[Batch] = []
    for generated, state in ((40, BatchState.GENERATING), (100, BatchState.DONE)):
        async with there.sessions.writing() as connection:
            await db_batches.advance(connection, theatre.organisation, batch, generated, state)
        there.live.publish(theatre.organisation, {batch})
        seen.append(await soon(updates))
    assert [(row.generated, row.state) for row in seen] == [(40, BatchState.GENERATING), (100, BatchState.DONE)]
    with pytest.raises(StopAsyncIteration):
        await soon(updates)


async def test_a_batch_of_another_partner_cannot_be_watched(here: Process) -> None:
    theatre = here.theatre
    batch = await order_batch(here, theatre.secutix)
    with pytest.raises(NotFound):
        await soon(here.counts.batch(theatre.partner(theatre.tyd), batch))


_LISTENERS = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


async def _cut_listeners(sessions: Sessions) -> None:
    await _listened_to(sessions)
    async with sessions.reading() as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend(pid) {_LISTENERS}"))


async def _listened_to(sessions: Sessions) -> None:
    async with asyncio.timeout(5), sessions.reading() as connection:
        while not await connection.scalar(text(f"SELECT count(*) {_LISTENERS}")):
            pass


def _has_sold(number: int, counts: RedemptionCounts) -> bool:
    return counts.tickets_sold == number
