"""Many organisations in one database, and a process that keeps their snapshots: how much memory these take.

``load NUMBER PERFORMANCES OFFERS`` makes them. ``keep SHARE`` asks for the catalogue of each in turn, where so large a
share of all parts may be kept; writes parts of each and bytes of all to standard output, as JSON.
"""

import asyncio
import gc
import json
import os
import sys
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from benchmarks.support.large import grown
from benchmarks.support.serving import EXAMPLE
from db.core.tables import organisations
from services.catalogue.catalogues import Catalogues
from services.dataset import Datasets, moved_to
from sesame.composition import House, house
from sesame.settings import Settings

PAGE = os.sysconf("SC_PAGE_SIZE")


async def load(own: House, number: int, performances: int, offers: int) -> None:
    now = datetime.now(UTC)
    example = moved_to(json.loads(EXAMPLE.read_text()), now)
    for place in range(number):
        document = deepcopy(example)
        assert isinstance(document, dict)
        grown(performances, offers, f"house-{place}")(document)
        await Datasets(own.sessions).load(document, now=now)


async def keep(own: House, share: float) -> None:
    async with own.sessions.reading() as connection:
        query = select(organisations.c.id).where(organisations.c.code.startswith("house-"))
        keys = list((await connection.execute(query)).scalars())
    # Once apart: what everybody needs is loaded by then.
    parts = (await Catalogues(own.sessions).current(keys[0])).size
    catalogues = Catalogues(own.sessions, most_parts=int(parts * len(keys) * share))
    before = _resident()
    for key in keys:
        await catalogues.current(key)
    print(json.dumps({"parts": parts, "bytes": _resident() - before}))


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


async def main(task: str, *numbers: str) -> None:
    async with house(Settings.read()) as own:
        if task == "load":
            number, performances, offers = map(int, numbers)
            await load(own, number, performances, offers)
        else:
            await keep(own, float(numbers[0]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
