"""Codes at full size: how fast they are made, listed, counted and found, and in how much memory.

Each size is made by a real ``sesame worker``, from the request to DONE with its mail written, beside a bare COPY of the
same rows, unsorted, into the same table with the same indexes, which is also emptied in between.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import asyncpg
from sqlalchemy import make_url, text

from db.codes.bulk import code_id
from db.core.driver import driver_within
from db.core.keyset import Stretch
from db.core.sessions import Sessions
from db.migrations.migrate import upgrade
from services.catalogue.catalogues import Catalogues
from services.codes.batch_csv import CodeLists
from services.codes.batches import Batches, BatchRequest, BatchState
from services.codes.download_links import DownloadLinks
from services.codes.tracking import CodeFilter, Codes
from services.core.expiry import HeldNow
from services.core.texts import Language
from services.core.transactions import Transactions
from services.core.viewer import Audience, StaffRole, Viewer
from services.counts.dashboard import Dashboards
from services.dataset import Datasets, moved_to, read
from sesame.postgres.embedded import running

ROUNDS = {1_000: 15, 100_000: 5, 1_000_000: 3}
MANY, FEW = 5_000_000, 10_000

Look = Callable[[], Awaitable[None]]

COLUMNS = ("organisation_id", "id", "code", "kind", "status", "offer_id", "batch_id", "contact_id")


@dataclass(frozen=True, slots=True)
class Shop:
    """The example's organisation, with what a request for codes needs."""

    folder: Path
    url: str
    sessions: Sessions
    batches: Batches
    viewer: Viewer
    season: UUID
    offer: UUID
    contact: UUID

    async def made(self, quantity: int) -> tuple[UUID, float]:
        """A batch that a worker has brought to DONE, and the seconds since it was asked for."""
        started = time.perf_counter()
        wanted = BatchRequest(self.offer, self.contact, quantity, "codes@example.org", language=Language.EN)
        batch = await self.batches.request(self.viewer, wanted, datetime.now(UTC))
        # Looking is work too: the larger the batch, the less often.
        pause = 0.002 if quantity <= FEW else 0.02
        while True:
            await asyncio.sleep(pause)
            if (await self.batches.find(self.viewer, [batch]))[batch].state is BatchState.DONE:
                return batch, time.perf_counter() - started

    async def copied(self, batch: UUID) -> float:
        """The seconds that a bare COPY of the batch's rows takes, in random order, into the emptied table."""
        rows = self.folder / "rows"
        async with self.sessions.reading() as connection:
            driver = await driver_within(connection)
            query = f"SELECT {', '.join(COLUMNS)} FROM codes WHERE batch_id = '{batch}' ORDER BY random()"  # noqa: S608
            await driver.copy_from_query(query, output=rows, format="binary")
        await self.empty()
        async with self.sessions.writing() as connection:
            driver = await driver_within(connection)
            started = time.perf_counter()
            await driver.copy_to_table("codes", source=rows, columns=COLUMNS, format="binary")
        return time.perf_counter() - started

    async def empty(self) -> None:
        async with self.sessions.reading() as connection:
            await connection.execute(text("TRUNCATE codes CASCADE"))
            await connection.execute(text("CHECKPOINT"))


@contextmanager
def worker(folder: Path) -> Iterator[Callable[[], float]]:
    """A worker process of its own; gives the most megabytes that it has had so far."""
    environment = {**os.environ, "SESAME_DATA_DIR": str(folder), "SESAME_LOG_LEVEL": "warning"}
    process = subprocess.Popen([sys.executable, "-m", "sesame", "worker"], env=environment)

    def peak() -> float:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    try:
        yield peak
    finally:
        process.terminate()
        process.wait()


async def rates(shop: Shop, folder: Path) -> None:
    """From request to DONE, and the same by COPY alone."""
    with worker(folder):
        await shop.made(1_000)
        for size, rounds in ROUNDS.items():
            ours, bare = [], []
            for _ in range(rounds):
                await shop.empty()
                batch, took = await shop.made(size)
                ours.append(took)
                bare.append(await shop.copied(batch))
            mine, copy = statistics.median(ours), statistics.median(bare)
            print(
                f"  {size:>9,} codes  {mine * 1000:9,.0f} ms to DONE  {size / mine:9,.0f}/s"
                f"   bare COPY {size / copy:9,.0f}/s   ratio {copy / mine:.2f}"
            )


async def memory(shop: Shop, folder: Path) -> None:
    """Of a fresh worker for each size."""
    peaks = {}
    for size in (FEW, 1_000_000):
        await shop.empty()
        with worker(folder) as peak:
            await shop.made(size)
            peaks[size] = peak()
    few, many = peaks.values()
    print(f"  worker's peak  {few:.0f} MB at {FEW:,}, {many:.0f} MB at 1,000,000 codes   ratio {many / few:.2f}")


async def reads(shop: Shop, folder: Path) -> None:
    """What people look at, in turns in a database with few codes and in one with many; and the download of many."""
    await shop.empty()
    with worker(folder):
        await shop.made(FEW)
    small = await copied(shop, "few")
    with worker(folder):
        batch, took = await shop.made(MANY)
    print(f"  {MANY:,} codes in one batch: {MANY / took:,.0f}/s to DONE")
    async with shop.sessions.reading() as connection:
        await connection.execute(text("VACUUM ANALYZE codes"))
        deep = code_id(batch, MANY - 150)
    for name, wanted in looks(shop).items():
        few, many = await medians([look(small, wanted), look(shop, wanted)])
        compared(name, few, FEW, many, MANY)
    first, last = await medians(
        [look(shop, CodeFilter(offer=shop.offer)), look(shop, CodeFilter(offer=shop.offer), deep)]
    )
    compared("page of an offer", first, 100, last, MANY)
    await small.sessions.close()
    await download(shop, batch)


def looks(shop: Shop) -> dict[str, CodeFilter | None]:
    """What each look filters by; None is the dashboard."""
    return {
        "dashboard": None,
        "first page": CodeFilter(),
        "first page of an offer": CodeFilter(offer=shop.offer),
        "first page of a contact": CodeFilter(contact=shop.contact),
        "first page of a season": CodeFilter(season=shop.season),
    }


def look(shop: Shop, wanted: CodeFilter | None, after: UUID | None = None) -> Look:
    transactions = Transactions(shop.sessions, lambda *_: None)
    held_now = HeldNow(shop.sessions, transactions)
    codes, dashboards = Codes(held_now, transactions), Dashboards(held_now, Catalogues(shop.sessions))

    async def page() -> None:
        assert len(await codes.page(shop.viewer, wanted or CodeFilter(), Stretch(after, 100))) == 100

    async def dashboard() -> None:
        await dashboards.of_season(shop.viewer, shop.season, by_contact=True)

    return dashboard if wanted is None else page


def compared(name: str, few: float, at_few: int, many: float, at_many: int) -> None:
    print(
        f"  {name:24} {few * 1000:6.2f} ms at {at_few:,}, {many * 1000:6.2f} ms at {at_many:,}   ratio {many / few:.2f}"
    )


async def copied(shop: Shop, name: str) -> Shop:
    """The same shop in a copy of the database, with what it has by now."""
    await shop.sessions.close()
    url = make_url(shop.url)
    connection = await asyncpg.connect(host=str(url.query["host"]), user="postgres", database="template1")
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {url.database}")
    await connection.close()
    return replace(shop, sessions=Sessions(url.set(database=name).render_as_string()))


async def medians(looks: Sequence[Look], times: int = 300) -> list[float]:
    """Seconds of each, looked at in turns: what else the machine does is the same for all."""
    took: list[list[float]] = [[] for _ in looks]
    for _ in range(times):
        for look, seconds in zip(looks, took, strict=True):
            started = time.perf_counter()
            await look()
            seconds.append(time.perf_counter() - started)
    return [statistics.median(each) for each in took]


async def download(shop: Shop, batch: UUID) -> None:
    listed = await CodeLists(shop.sessions).of_batch(shop.viewer.organisation_id, batch)
    started = time.perf_counter()
    size = 0
    async for piece in listed.csv():
        size += len(piece)
    took = time.perf_counter() - started
    print(f"  CSV of {MANY:,} codes: {MANY / took:,.0f} lines/s, {size / took / 1e6:.0f} MB/s")


async def measure(url: str, folder: Path) -> None:
    await upgrade(url)
    sessions = Sessions(url)
    now = datetime.now(UTC)
    example = moved_to(read(files("sesame").joinpath("example.json").read_bytes()), now)
    loaded = await Datasets(sessions).load(example, now=now)
    catalogues = Catalogues(sessions)
    catalogue = await catalogues.current(loaded.organisation_id)
    async with sessions.reading() as connection:
        contact = (await connection.execute(text("SELECT id FROM contacts WHERE code = 'SECUTIX'"))).scalar_one()
    roles = frozenset(StaffRole)
    transactions = Transactions(sessions, lambda *_: None)
    shop = Shop(
        folder,
        url,
        sessions,
        Batches(sessions, transactions, DownloadLinks("secret", "http://127.0.0.1")),
        Viewer(Audience.STAFF, loaded.organisation_id, "theatre", "benchmark", roles=roles),
        next(iter(catalogue.seasons)),
        next(offer.id for offer in catalogue.offers.values() if offer.code == "PROMOTYD"),
        contact,
    )
    print("codes")
    await rates(shop, folder)
    await memory(shop, folder)
    await reads(shop, folder)
    await sessions.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)  # noqa: PTH101, S103 - PostgreSQL runs as another user where this runs as root
        with running(Path(name)) as url:
            asyncio.run(measure(url, Path(name)))
