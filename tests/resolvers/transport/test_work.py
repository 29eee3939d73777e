"""Places for operations: who comes first is served first, and who cannot be served in time is told at once."""

import asyncio

import pytest

from graphql import OperationType
from resolvers.transport.work import Lane, Overloaded, Work, WorkLimits


async def test_beyond_the_places_one_waits_and_beyond_the_queue_one_is_refused() -> None:
    lane = Lane(places=1, waiting=1, seconds=10)
    order = []

    async def work(name: str) -> None:
        async with lane.place():
            order.append(name)

    async with lane.place():
        second = asyncio.create_task(work("second"))
        await asyncio.sleep(0)
        assert lane.is_full
        with pytest.raises(Overloaded):
            await work("third")
        assert order == []
    await second
    assert order == ["second"]
    await work("fourth")


async def test_nobody_waits_longer_than_the_limit() -> None:
    lane = Lane(places=1, waiting=5, seconds=0.01)
    async with lane.place():
        with pytest.raises(Overloaded):
            async with lane.place():
                pass
        assert not lane.is_full
    async with lane.place():
        pass


async def test_who_leaves_while_waiting_takes_no_place_with_them() -> None:
    lane = Lane(places=1, waiting=5, seconds=10)

    async def work() -> None:
        async with lane.place():
            pass

    async with lane.place():
        waiting = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    # The first was given the place in the same moment in which it left.
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(1), lane.place():
        pass


async def test_kinds_have_places_of_their_own() -> None:
    work = Work(WorkLimits(queries=1, mutations=1, waiting=0, subscriptions=1))
    async with work.lane(OperationType.QUERY).place():
        with pytest.raises(Overloaded):
            async with work.lane(None).place():
                pass
        async with work.lane(OperationType.MUTATION).place():
            work.lane(OperationType.SUBSCRIPTION).take()
            with pytest.raises(Overloaded):
                work.subscriptions.take()
            work.subscriptions.leave()
            work.subscriptions.take()


async def test_the_queue_is_no_longer_than_can_be_served_in_time() -> None:
    now = 0.0
    lane = Lane(places=1, waiting=100, seconds=1, clock=lambda: now)

    async def work() -> None:
        async with lane.place():
            pass

    async def served(number: int, every: float) -> None:
        """So many that wait, one after the other."""
        nonlocal now
        for _ in range(number):
            following = asyncio.create_task(lane._enter())
            await asyncio.sleep(0)
            now += every
            lane.leave()
            await following

    await lane._enter()
    await served(100, every=0.3)
    waiting = [asyncio.create_task(work()) for _ in range(4)]
    await asyncio.sleep(0)
    assert lane.is_full
    with pytest.raises(Overloaded):
        await work()
    lane.leave()
    await asyncio.gather(*waiting)
    await lane._enter()
    await served(100, every=0.01)
    more = [asyncio.create_task(work()) for _ in range(50)]
    await asyncio.sleep(0)
    assert not lane.is_full
    lane.leave()
    await asyncio.gather(*more)
