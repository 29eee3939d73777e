"""Processes that change counts and watch them, each with services of its own on the same database."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from tests.services.theatre import NOW, Theatre

from db.codes import batches as db_batches
from db.core.ids import new_id
from db.core.sessions import Sessions
from db.counts import counts as db_counts
from db.counts.counts import RedemptionCounts
from db.counts.postgres_feed import PostgresCarrier
from db.counts.redis_feed import RedisCarrier
from services.catalogue.catalogues import Catalogues
from services.codes.batches import Batches, DocumentType
from services.codes.download_links import DownloadLinks
from services.core.expiry import HeldNow
from services.core.transactions import Transactions
from services.core.viewer import StaffRole, Viewer
from services.counts.change_feed import ChangeFeed
from services.counts.subscriptions import CountsUpdate, LiveCounts
from services.offers.visibility import Offers

T = TypeVar("T")


class CountedSessions(Sessions):
    """Counts the reads."""

    reads = 0

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        self.reads += 1
        async with super().reading() as connection:
            yield connection


@dataclass
class Process:
    """What one process of several works with."""

    sessions: CountedSessions
    live: ChangeFeed
    counts: LiveCounts
    theatre: Theatre
    watches: AsyncExitStack

    async def change(self, offer: UUID, holder: UUID | None = None, *, publish: bool = True, **change: int) -> None:
        async with self.sessions.writing() as connection:
            moved = {(offer, holder): RedemptionCounts(**(change or {"tickets_sold": 1}))}
            await db_counts.move(connection, self.theatre.organisation, moved)
        if publish:
            self.live.publish(self.theatre.organisation, {offer})

    def watch(self, viewer: Viewer | None = None, **asked: UUID | None) -> AsyncGenerator[CountsUpdate, None]:
        selection: dict[str, UUID | None] = {"season": None, "offer": None, "contact": None, **asked}

        async def watched() -> AsyncGenerator[CountsUpdate, None]:
            watch = await self.counts.watch(viewer or self.theatre.staff(StaffRole.VIEWER), NOW, **selection)
            async with aclosing(watch.updates()) as updates:
                async for update in updates:
                    yield update

        updates = watched()
        self.watches.push_async_callback(updates.aclose)
        return updates


@asynccontextmanager
async def process(
    url: str, theatre: Theatre, *, listens: bool = True, redis: str | None = None
) -> AsyncIterator[Process]:
    """One that does not listen publishes only, as a worker does."""
    sessions = CountedSessions(url, pool_size=3)
    live = ChangeFeed(RedisCarrier(redis) if redis else PostgresCarrier(sessions, url))
    catalogues = Catalogues(sessions)
    links = DownloadLinks("a secret of thirty-two characters", "http://localhost")
    transactions = Transactions(sessions, live.publish)
    batches, held_now = Batches(sessions, transactions, links), HeldNow(sessions, transactions)
    if listens:
        live.listen()
    async with AsyncExitStack() as watches:
        yield Process(
            sessions,
            live,
            LiveCounts(sessions, held_now, catalogues, Offers(sessions, held_now), batches, live),
            theatre,
            watches,
        )
    await live.close()
    await sessions.close()


async def soon(updates: AsyncGenerator[T, None]) -> T:
    return await asyncio.wait_for(anext(updates), 5)


async def until(
    updates: AsyncGenerator[CountsUpdate, None], reached: Callable[[RedemptionCounts], bool]
) -> list[CountsUpdate]:
    """The updates up to the one that has ``reached`` what is waited for."""
    seen = [await soon(updates)]
    while not reached(seen[-1].counts):
        seen.append(await soon(updates))
    return seen


async def order_batch(here: Process, contact: UUID) -> UUID:
    batch = new_id()
    order = db_batches.NewBatch(here.theatre.promotyd, contact, 100, None, DocumentType.NO_EMAIL, "FR")
    async with here.sessions.writing() as connection:
        await db_batches.add(connection, here.theatre.organisation, batch, order, "staff:ada")
    return batch
