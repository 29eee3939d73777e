"""What comes together is done together, and each hears its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from services.core import coalescing as gathering
from services.core.coalescing import Coalescing


class Work:
    """Doubles numbers, a group at a time, when it is let; zero is a failure."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def do(self, numbers: Sequence[int]) -> Sequence[int | BaseException]:
        self.groups.append(list(numbers))
        await self.may_end.wait()
        return [number * 2 if number else ValueError("zero") for number in numbers]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def doubles(work: Work) -> Coalescing[int, int]:
    return Coalescing(work.do)


async def test_each_hears_its_own_answer(doubles: Coalescing[int, int]) -> None:
    assert await asyncio.gather(*(doubles.add("all", number) for number in (1, 2, 3))) == [2, 4, 6]


async def test_what_comes_at_the_same_moment_is_done_together(work: Work, doubles: Coalescing[int, int]) -> None:
    await asyncio.gather(*(doubles.add("all", number) for number in (1, 2, 3)))
    assert work.groups == [[1, 2, 3]]


async def test_what_comes_while_enough_is_done_waits_and_is_done_together(
    work: Work, doubles: Coalescing[int, int]
) -> None:
    work.may_end.clear()
    answers = []
    for number in range(1, gathering.AT_ONCE + 4):
        answers.append(asyncio.create_task(doubles.add("all", number)))
        for _ in range(3):
            await asyncio.sleep(0)
    assert [len(group) for group in work.groups] == [1] * gathering.AT_ONCE
    work.may_end.set()
    await asyncio.gather(*answers)
    assert len(work.groups[-1]) == 3


async def test_kinds_are_done_apart(work: Work, doubles: Coalescing[int, int]) -> None:
    await asyncio.gather(doubles.add("one", 1), doubles.add("other", 2))
    assert sorted(work.groups) == [[1], [2]]


async def test_a_group_has_its_size(work: Work, doubles: Coalescing[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST", 10)
    await asyncio.gather(*(doubles.add("all", number) for number in range(1, 36)))
    assert [len(group) for group in work.groups] == [10, 10, 10, 5]


async def test_the_failure_of_one_is_its_own(doubles: Coalescing[int, int]) -> None:
    answers = await asyncio.gather(*(doubles.add("all", number) for number in (1, 0, 3)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["2", "zero", "6"]


async def test_a_failure_of_all_is_told_to_all() -> None:
    async def fail(_: Sequence[int]) -> Sequence[int | BaseException]:
        raise RuntimeError("broken")

    broken = Coalescing[int, int](fail)
    answers = await asyncio.gather(*(broken.add("all", number) for number in (1, 2)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["broken", "broken"]


async def test_after_a_failure_it_goes_on(work: Work, doubles: Coalescing[int, int]) -> None:
    with pytest.raises(ValueError, match="zero"):
        await doubles.add("all", 0)
    assert await doubles.add("all", 4) == 8


async def test_what_somebody_asked_who_went_away_is_done(work: Work, doubles: Coalescing[int, int]) -> None:
    work.may_end.clear()
    gone = asyncio.create_task(doubles.add("all", 1))
    stays = asyncio.create_task(doubles.add("all", 2))
    for _ in range(3):
        await asyncio.sleep(0)
    gone.cancel()
    work.may_end.set()
    assert await stays == 4
    assert work.groups == [[1, 2]]
