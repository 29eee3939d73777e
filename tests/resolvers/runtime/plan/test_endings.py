"""Nothing of an operation goes on when it is over, however it ends."""

import asyncio

import pytest
import strawberry
from tests.resolvers.runtime.plan.garden import GARDEN, Maker, Steady

from resolvers.runtime.execution import build_schema


@strawberry.type
class Guest:
    @strawberry.field
    async def stays(self, info: strawberry.Info, name: str = "") -> str:
        info.context.append(f"{name} came")
        try:
            await asyncio.Event().wait()
        finally:
            info.context.append(f"{name} left")
        return name

    @strawberry.field
    async def breaks(self) -> str:
        await asyncio.sleep(0)
        raise ValueError("broken")


@strawberry.type
class Query:
    @strawberry.field
    def guest(self) -> Guest | None:
        return Guest()

    @strawberry.field
    async def guests(self) -> list[Guest]:
        return [Guest(), Guest()]

    @strawberry.field
    async def hello(self) -> str:
        await asyncio.sleep(0)
        return "hello"


HOUSE = build_schema(Query)


async def test_a_cancelled_request_ends_all_that_it_began() -> None:
    said: list[str] = []
    document = '{ guest { a: stays(name: "a") b: stays(name: "b") } guests { c: stays(name: "c") } hello }'
    before = asyncio.all_tasks()
    asked = asyncio.create_task(HOUSE.execute(document, context_value=said))
    while len(said) < 4:  # noqa: ASYNC110 - resolvers tell by this that they run
        await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert sorted(said) == sorted(f"{name} {what}" for name in "abcc" for what in ("came", "left"))
    assert asyncio.all_tasks() == before


async def test_what_is_null_for_one_failure_keeps_nobody_waiting_and_its_siblings_are_served() -> None:
    said: list[str] = []
    before = asyncio.all_tasks()
    result = await HOUSE.execute('{ guest { stays(name: "a") breaks again: breaks } hello }', context_value=said)
    assert result.data == {"guest": None, "hello": "hello"}
    assert [error.path for error in result.errors or ()] == [["guest", "breaks"]]
    assert said == ["a came", "a left"]
    assert asyncio.all_tasks() == before


async def test_every_event_of_a_subscription_is_answered_alike() -> None:
    Maker.one_in, Maker.later, GARDEN.pacer = 0, True, Steady()
    told = {}
    for is_planned in (True, False):
        GARDEN.is_planned = is_planned
        results = await GARDEN.stream("subscription { seasons(seed: 5) { name told slowly { name } leaves { ids } } }")
        told[is_planned] = [(result.data, result.errors) async for result in results]
    GARDEN.is_planned = True
    assert told[True] == told[False]
    assert len(told[True]) == 3
