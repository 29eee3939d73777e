"""Counts that are kept with what they count."""

import asyncio

from tests.services.theatre import build

from db.core.sessions import Sessions
from db.counts import counts
from db.counts.counts import RedemptionCounts


async def test_changes_at_once_all_count(sessions: Sessions) -> None:
    theatre = await build(sessions)
    first, second = (theatre.promotyd, theatre.secutix), (theatre.random_coupon, None)
    change = RedemptionCounts(generated=2, held=-1, tickets_held=3)

    async def move() -> None:
        async with sessions.writing() as connection:
            await counts.move(connection, theatre.organisation, {second: change, first: change})

    await asyncio.gather(*(move() for _ in range(50)))
    async with sessions.reading() as connection:
        found = await counts.read(connection, theatre.organisation)
    assert found == {key: RedemptionCounts(100, -50, tickets_held=150, version=50) for key in (first, second)}


async def test_promotional_codes_show_in_every_season(sessions: Sessions) -> None:
    theatre = await build(sessions)
    keys = [(theatre.promotyd, None), (theatre.random_coupon, None)]
    async with sessions.writing() as connection:
        await counts.move(connection, theatre.organisation, {key: RedemptionCounts(generated=1) for key in keys})
        of_season = await counts.read(connection, theatre.organisation, season=theatre.season)
        of_none = await counts.read(connection, theatre.organisation, season=theatre.shop)
    assert set(of_season) == set(keys)
    assert set(of_none) == {keys[1]}
