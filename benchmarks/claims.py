"""Confirmed applies of codes a second, through the service without HTTP, beside pgbench's conditional UPDATE.

On distinct codes, and on distinct codes of one hot offer whose quota they all take from; pgbench on distinct rows,
and on one hot row. All on the same PostgreSQL, one after the other: by as many processes as ``sesame serve --workers``
would have on two cores, for as many customers as come when a sale opens; and by as many threads of pgbench, with as
many clients as it does best with. It runs before and after, and all of it in rounds whose median counts, for a shared
machine is not as fast one minute as the next.
"""

import asyncio
import json
import multiprocessing
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import mean, median
from typing import Any
from uuid import UUID

import uvloop
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from benchmarks.support.serving import EXAMPLE
from db.core.keyset import Stretch
from db.migrations.migrate import upgrade
from resolvers.runtime.context import Services
from services.baskets.basket_input import BasketRequest, LineRequest
from services.catalogue.snapshot import by_code
from services.codes.batches import BatchState
from services.codes.generation import Generation
from services.codes.tracking import CodeFilter, shown
from services.core.mail import FolderMailer
from services.core.viewer import Audience, CodeAllowance, StaffRole, Viewer
from services.dataset import Datasets, moved_to
from sesame.composition import House, build_services, house
from sesame.postgres.embedded import running
from sesame.postgres.programs import installation
from sesame.server.garbage import short_collections
from sesame.settings import Settings

PROCESSES = 2
CUSTOMERS = 256
CALLERS = CUSTOMERS // PROCESSES
PGBENCH_CLIENTS = (16, 64)
"""On one row the fewer are faster, on many rows the more."""
CONNECTIONS = 16
CODES = 20_000
SECONDS = 3
ROUNDS = 3
PATIENCE = 300
"""Seconds that one process waits for the other."""
OFFERS = {"distinct codes": ("FREE", None, 0.25), "one hot offer with a quota": ("HOT", 1_000_000, 1.0)}
"""By what is measured: the offer, its quota, and the share of pgbench's rate to reach."""


def document(now: datetime) -> Any:
    """The example with an advantage for each measurement, alike but for the quota."""
    example = json.loads(EXAMPLE.read_text())
    [model] = [offer for offer in example["advantages"] if offer["code"] == "PROMOTYD"]
    offers = [
        {**model, "code": code, "limits": {} if quota is None else {"quota": quota}}
        for code, quota, _ in OFFERS.values()
    ]
    [batch] = example["batches"]
    batches = [{**batch, "code": offer["code"], "advantage": offer["code"], "quantity": CODES} for offer in offers]
    return moved_to({**example, "advantages": [*example["advantages"], *offers], "batches": batches}, now)


def _of_its_own(viewer: Viewer) -> Viewer:
    """The viewer as each operation has one: what one operation may try is no other's."""
    return replace(viewer, allowance=CodeAllowance())


class Caller:
    """The services of one process, and who calls them."""

    def __init__(self, own: House, organisation: UUID, place: UUID) -> None:
        self._services: Services = build_services(own)
        about = (organisation, "theatre")
        self._shopper = Viewer(Audience.SHOPPER, *about, "shopper:SHOP", point_of_sale=place)
        self._staff = Viewer(Audience.STAFF, *about, "staff:ada", roles=frozenset(StaffRole))

    async def baskets(self, offer: str, line: LineRequest, process: int) -> list[tuple[UUID, str]]:
        """A basket for each code of this process's share of an offer's codes."""
        services, now = self._services, datetime.now(UTC)
        catalogue = await services.catalogues.find("theatre")
        key = next(each.offer.id for each in catalogue.offer_details.values() if each.offer.code == offer)
        codes: list[str] = []
        after = None
        while len(codes) < CODES:
            page = await services.codes.page(self._staff, CodeFilter(offer=key), Stretch(after, CODES))
            codes += map(shown, page)
            after = page[-1].id
        waiting = iter(codes[process::PROCESSES])
        opened: list[tuple[UUID, str]] = []

        async def open_some() -> None:
            for code in waiting:
                basket = await services.baskets.create(self._shopper, BasketRequest((line,)), now)
                opened.append((basket.id, code))

        await asyncio.gather(*(open_some() for _ in range(CALLERS)))
        return opened

    async def apply(self, baskets: Sequence[tuple[UUID, str]]) -> None:
        """Enters the code of each into it."""
        left, now = iter(baskets), datetime.now(UTC)

        async def apply_some() -> None:
            for basket, code in left:
                await self._services.baskets.apply_code(_of_its_own(self._shopper), basket, code, now)

        await asyncio.gather(*(apply_some() for _ in range(CALLERS)))


async def load(url: str, folder: Path) -> None:
    """The example with its offers' codes made."""
    await upgrade(url)
    async with house(_settings(url, folder)) as own:
        now = datetime.now(UTC)
        loaded = await Datasets(own.sessions).load(document(now), now=now)
        generation = Generation(own.sessions, own.transactions, own.links, FolderMailer(folder))
        for batch in loaded.made:
            while await generation.advance(loaded.organisation_id, batch, now) is not BatchState.DONE:
                pass


async def ours(url: str, folder: Path, process: int, together: Barrier, took: Connection) -> None:
    """What one process does: tells the seconds that each measurement took all of them."""
    async with house(_settings(url, folder)) as own:
        catalogue = await build_services(own).catalogues.find("theatre")
        caller = Caller(own, catalogue.organisation.id, by_code(catalogue.points_of_sale)["SHOP"].id)
        line = LineRequest(
            by_code(catalogue.performances)["HELENE-1217"].id,
            None,
            by_code(catalogue.seat_categories)["CAT1"].id,
            by_code(catalogue.audience_sub_categories)["FULL"].id,
            1,
        )
        with short_collections():
            for offer in OFFERS.values():
                baskets = await caller.baskets(offer[0], line, process)
                await caller.apply(baskets[: len(baskets) // 10])
                together.wait()
                if process == 0:
                    _psql(url, "VACUUM ANALYZE")  # As autovacuum does within a minute, and as for pgbench.
                together.wait()
                began = time.perf_counter()
                await caller.apply(baskets[len(baskets) // 10 :])
                together.wait()
                took.send(time.perf_counter() - began)


def _process(url: str, folder: Path, process: int, together: Barrier, took: Connection) -> None:
    uvloop.run(ours(url, folder, process, together, took))


def applies(url: str, folder: Path) -> list[float]:
    """Applies a second of each measurement."""
    asyncio.run(load(url, folder))
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(PROCESSES, timeout=PATIENCE)
    told, took = context.Pipe(duplex=False)
    processes = [
        context.Process(target=_process, args=(url, folder, number, together, took)) for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    took.close()  # Or nobody would notice here that all of them are gone.
    try:
        return [CODES * 0.9 / max(told.recv() for _ in processes) for _ in OFFERS]
    finally:
        for process in processes:
            process.join()


def _settings(url: str, folder: Path) -> Settings:
    size = CONNECTIONS // PROCESSES
    return Settings(
        database_url=SecretStr(url),
        secret_key=SecretStr("x" * 32),
        data_dir=folder,
        pool_size=size,
        shop_baskets=10_000_000,
        shop_tickets=10_000_000,
    )


def theirs(url: str, folder: Path) -> list[float]:
    """Updates a second by pgbench: of rows by chance, and of one row."""
    rows = [CODES, 1]
    _psql(
        url,
        "DROP TABLE IF EXISTS quotas; CREATE TABLE quotas (id integer PRIMARY KEY, taken bigint NOT NULL DEFAULT 0);"
        f"INSERT INTO quotas SELECT generate_series(1, {CODES}); VACUUM ANALYZE quotas",
    )
    return [max(_updates(url, folder, number, clients) for clients in PGBENCH_CLIENTS) for number in rows]


def _updates(url: str, folder: Path, rows: int, clients: int) -> float:
    script = folder / "update.sql"
    script.write_text(
        f"\\set id random(1, {rows})\nUPDATE quotas SET taken = taken + 1 WHERE id = :id AND taken < 1000000000;\n"
    )
    script.chmod(0o644)
    options = ["-n", "-M", "prepared", "-c", str(clients), "-j", str(PROCESSES), "-T", str(SECONDS)]
    said = _run("pgbench", *options, "-f", str(script), *_address(url))
    return float(next(line for line in said.splitlines() if line.startswith("tps")).split()[2])


def _psql(url: str, statements: str) -> None:
    for statement in statements.split(";"):
        _run("psql", "-q", "-c", statement, *_address(url))


def _address(url: str) -> Sequence[str]:
    return "-h", str(make_url(url).query["host"]), "-U", "postgres", "postgres"


def _run(program: str, *arguments: str) -> str:
    command = [str(installation() / "bin" / program), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)  # PostgreSQL runs as another user where this runs as root.
        yield path


def one_round() -> list[tuple[float, float]]:
    """Applies and updates a second of each measurement, on a PostgreSQL of its own."""
    with _folder() as folder, running(folder) as url:
        before = theirs(url, folder)
        applied = applies(url, folder)
        updated = [mean(rates) for rates in zip(before, theirs(url, folder), strict=True)]
    return list(zip(applied, updated, strict=True))


def main() -> None:
    rounds = [one_round() for _ in range(ROUNDS)]
    for (what, (_, _, least)), rates in zip(OFFERS.items(), zip(*rounds, strict=True), strict=True):
        own, other = (median(column) for column in zip(*rates, strict=True))
        ratios = sorted(mine / others for mine, others in rates)
        said = f"ratio {median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
        verdict = "ok" if median(ratios) >= least else "MISSED"
        print(f"{what:<28}{own:8.0f} applies/s   pgbench {other:8.0f}/s   {said}, least {least} {verdict}")


if __name__ == "__main__":
    main()
