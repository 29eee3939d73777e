"""A process that changes counts, as a server process or worker would: each change one transaction, published after.

Takes how many a second (0: as many as go) and for how many seconds, and the offers' keys as JSON on standard input;
writes the times of the commits, by offer, to standard output.
"""

import asyncio
import json
import sys
import time
from uuid import UUID

from sqlalchemy import select

from db.core.tables import organisations
from db.counts import counts
from db.counts.counts import RedemptionCounts
from sesame.composition import House, house
from sesame.settings import Settings

CONNECTIONS = 8
ONE = RedemptionCounts(tickets_sold=1)


async def main(rate: float, seconds: float) -> None:
    keys = [UUID(key) for key in json.loads(sys.stdin.readline())]
    async with house(Settings.read()) as own:
        async with own.sessions.reading() as connection:
            organisation = (await connection.execute(select(organisations.c.id))).scalar_one()
        commits: list[list[float]] = [[] for _ in keys]
        start = time.monotonic()
        places = iter(range(int(rate * seconds) if rate else sys.maxsize))

        async def change() -> None:
            for place in places:
                if rate:
                    await asyncio.sleep(max(0.0, start + place / rate - time.monotonic()))
                if time.monotonic() > start + seconds + 1:
                    return
                await _change(own, organisation, keys[place % len(keys)])
                commits[place % len(keys)].append(time.monotonic())

        await asyncio.gather(*(change() for _ in range(CONNECTIONS)))
    print(json.dumps(commits))


async def _change(own: House, organisation: UUID, offer: UUID) -> None:
    # A statement by itself is a transaction of its own.
    async with own.sessions.reading() as connection:
        await counts.move(connection, organisation, {(offer, None): ONE})
    own.live.publish(organisation, {offer})


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), float(sys.argv[2])))
