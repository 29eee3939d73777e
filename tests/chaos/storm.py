"""One run: two worker processes, dozens of clients, and everything breaking around them."""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random

import httpx
from tests.chaos.clients import Book, Client, Intent
from tests.chaos.machinery import Postgres, Service, service
from tests.chaos.makers import Makers, still_held, stuck
from tests.chaos.post import FicklePost
from tests.chaos.verdict import kept, sellable
from tests.gala import Gala
from tests.sesame.waiting import wait_for
from tests.wire import NO_TLS

BLOWS = (
    "kill -9 of a worker",
    "kill -9 of the queue worker",
    "kill -9 of PostgreSQL",
    "immediate restart",
    "cut connections",
    "full disk",
)
CLIENTS = 30
REPLAYS = 200
POOLS = ("1", "2", "3", "10")
"""Connections of each process; all that is done must be done with any number of them."""
CALM = 60.0
"""Seconds in which everybody must be answered once nothing breaks any more."""
WORK = 120.0
"""Seconds in which all work that was left behind must come to its end then; mails that were put off take longest."""
UNANSWERED = "not everybody was answered, though nothing broke any more"


@dataclass
class Report:
    """What happened, and what was wrong: nothing, where the promise was kept."""

    seed: int
    answered: Counter[str] = field(default_factory=Counter)
    blows: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    compared: int = 0
    """Prices of tickets that were told more than once."""
    batches: int = 0
    pool: str = ""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = sum(self.answered.values())
        blows = ", ".join(f"{number} {blow}" for blow, number in sorted(self.blows.items()))
        more = f"pools of {self.pool}, {self.batches} batches, {blows}"
        asked = f"{self.lost} asked again, {self.compared} prices told again"
        return f"seed {self.seed}: {told} answers, {asked}, {more}; {len(self.problems)} breaches"


async def run(postgres: Postgres, gala: Gala, seed: int, seconds: float, mutant: str | None = None) -> Report:
    """Lets it storm for so long, then waits for every answer, and compares everything with everything."""
    report, book = Report(seed), Book()
    url = await postgres.copy()
    random = Random(seed)  # noqa: S311
    async with AsyncExitStack() as stack:
        post = FicklePost(random)
        await stack.enter_async_context(post.open())
        report.pool = "10" if mutant else random.choice(POOLS)
        running = stack.enter_context(service(url, mutant, SMTP_URL=post.url, POOL_SIZE=report.pool))
        limits = httpx.Limits(max_connections=4)
        clients = [
            Client(
                gala,
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=running.address, limits=limits, timeout=30, verify=NO_TLS)
                ),
                book,
                url,
                Random(f"{seed}/{number}"),  # noqa: S311
            )
            for number in range(CLIENTS)
        ]
        until = asyncio.get_running_loop().time() + seconds
        living = [asyncio.create_task(client.live(until)) for client in clients]
        makers = Makers(
            gala,
            await stack.enter_async_context(httpx.AsyncClient(base_url=running.address, timeout=30, verify=NO_TLS)),
        )
        if mutant is None:  # A mutant has no queue worker.
            living.append(asyncio.create_task(makers.live(until, Random(f"{seed}/makers"))))  # noqa: S311
        living.append(asyncio.create_task(clients[0].meddle(until)))
        await _storm(postgres, url, running, random, seconds, report)
        postgres.start()
        post.recover()
        _, late = await asyncio.wait(living, timeout=CALM)
        for task in living:
            if task in late:
                task.cancel()
                report.problems.append(UNANSWERED)
            elif (error := task.exception()) is not None:
                report.problems.append(f"a client was answered what it cannot understand: {error!r}")
        try:
            async with asyncio.timeout(CALM):
                await _replay(clients, book, random)
                report.problems += await kept(book, url)
                report.problems += await sellable(gala, url, clients[0].ask)
        except TimeoutError:
            report.problems.append(UNANSWERED)
        if mutant is None:
            report.problems += await _left_behind(running, url)
        report.problems += [*book.problems, *book.prices.problems]
        report.compared = book.prices.compared
        report.batches = makers.asked
        report.lost = book.lost
        report.answered.update(each.operation for each in book.intents)
    return report


async def _storm(
    postgres: Postgres, url: str, running: Service, random: Random, seconds: float, report: Report
) -> None:
    """One blow after the other, each kind once before any comes again."""
    until = time.monotonic() + seconds
    deck: list[str] = []
    while (pause := random.uniform(0.4, 1.4)) < until - time.monotonic():
        await asyncio.sleep(pause)
        deck = deck or random.sample(BLOWS, len(BLOWS))
        blow = deck.pop()
        report.blows[blow] += 1
        match blow:
            case "kill -9 of a worker":
                running.kill_worker(random)
            case "kill -9 of the queue worker":
                running.kill_queue_worker()
            case "full disk":
                await postgres.fill_disk(url, random.uniform(0.3, 1.0))
            case "cut connections":
                await postgres.cut_connections(random, 0.4)
            case "kill -9 of PostgreSQL":
                postgres.kill()
                await asyncio.to_thread(postgres.start)
            case _:
                await asyncio.to_thread(postgres.restart)


async def _left_behind(running: Service, url: str) -> list[str]:
    """What is stuck for good: batches, holds, the worker."""
    try:
        await asyncio.to_thread(wait_for, running.has_queue_worker, CALM)
        return [*await stuck(url, WORK), *await still_held(url, CALM)]
    except (AssertionError, OSError) as error:
        return [f"the queue worker is gone, or the database: {error!r}"]


async def _replay(clients: list[Client], book: Book, random: Random) -> None:
    """Every key is good for the same answer still."""
    intents = random.sample(book.intents, min(REPLAYS, len(book.intents)))

    async def some(client: Client, mine: list[Intent]) -> None:
        for intent in mine:
            await client.insist(intent)

    await asyncio.gather(*(some(client, intents[at :: len(clients)]) for at, client in enumerate(clients)))
