"""Long computations give way to everybody else, and come to the same result."""

import asyncio
from collections.abc import Generator

import pytest

from services.core import pacing
from services.core.pacing import Pacer, TookTooLong


def counting(steps: int, order: list[str], name: str) -> Generator[None, None, int]:
    for _ in range(steps):
        order.append(name)
        yield
    return steps


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is longer than a slice."""
    monkeypatch.setattr(pacing, "SLICE", -1.0)


@pytest.mark.usefixtures("short")
async def test_a_turn_of_the_loop_has_one_slice_of_all_work_together() -> None:
    pacer, order, turns = Pacer(), list[str](), 0

    async def bystander() -> None:
        nonlocal turns
        while len(order) < 40:
            await asyncio.sleep(0)
            turns += 1

    *results, _ = await asyncio.gather(
        pacer.run(counting(20, order, "a"), 60), pacer.run(counting(20, order, "b"), 60), bystander()
    )
    assert results == [20, 20]
    assert turns >= 35


@pytest.mark.usefixtures("short")
async def test_nobody_waits_until_another_is_done() -> None:
    pacer, order = Pacer(), list[str]()
    await asyncio.gather(*(pacer.run(counting(10, order, name), 60) for name in "abc"))
    assert {order.index(name) for name in "abc"} <= set(range(6))


async def test_short_work_waits_for_nothing() -> None:
    pacer, order = Pacer(), list[str]()
    task = asyncio.ensure_future(pacer.run(counting(3, order, "a"), 60))
    await asyncio.sleep(0)
    assert task.done()


@pytest.mark.usefixtures("short")
async def test_work_can_be_given_up_between_its_steps() -> None:
    pacer, order = Pacer(), list[str]()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await pacer.run(counting(10**9, order, "a"), 60)
    await pacer.run(counting(3, order, "b"), 60)
    assert order[-1] == "b"


@pytest.mark.usefixtures("short")
async def test_work_is_given_up_when_it_has_taken_its_time() -> None:
    pacer, order = Pacer(), list[str]()
    with pytest.raises(TookTooLong):
        await pacer.run(counting(10**9, order, "a"), most=0)
    assert len(order) < 5
