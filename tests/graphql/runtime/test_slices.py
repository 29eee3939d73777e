"""Large answers are made in slices, and operations that take too long are given up; answers stay what they were."""

import asyncio
from typing import Any

import pytest
import strawberry
from tests.conftest import Server
from tests.graphql.runtime.toy import Mutation, Probe, Query, context

from resolvers.runtime.execution import TIMED_OUT, build_schema
from services.core import pacing

MANY = 300


def right(number: int) -> int:
    if number % 100 == 50:
        raise ValueError("hidden")
    return number


@strawberry.type
class Item:
    number: int

    @strawberry.field
    def wrong(self) -> int:
        return right(self.number)

    @strawberry.field
    def maybe_wrong(self) -> int | None:
        return right(self.number)

    @strawberry.field
    async def late(self) -> int:
        await asyncio.sleep(0)
        return self.number

    @strawberry.field
    def below(self) -> "list[Item]":
        return [Item(number=number) for number in range(3)]


@strawberry.type
class Long:
    @strawberry.field
    def items(self) -> list[Item]:
        return [Item(number=number) for number in range(MANY)]

    @strawberry.field
    def maybe(self) -> list[Item | None]:
        return [Item(number=number) for number in range(MANY)]

    @strawberry.field
    def codes(self) -> list[str]:
        return [str(number) for number in range(MANY)]


LONG = build_schema(Long)
QUERIES = [
    "{ items { number late below { number } } codes }",
    "{ items { number maybeWrong } }",
    "{ maybe { number wrong } }",
    "{ items { wrong } }",
    "{ a: items { late below { late } } b: maybe { wrong late } }",
]


async def answer(query: str) -> tuple[Any, list[Any]]:
    result = await LONG.execute(query)
    return result.data, [(error.path, error.locations) for error in result.errors or ()]


@pytest.mark.parametrize("query", QUERIES)
async def test_slices_change_no_answer(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    at_once = await answer(query)
    monkeypatch.setattr(pacing, "SLICE", -1.0)
    in_slices = await answer(query)
    assert in_slices[0] == at_once[0]
    assert sorted(in_slices[1], key=str) == sorted(at_once[1], key=str)


async def test_a_long_list_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "SLICE", -1.0)
    task = asyncio.ensure_future(LONG.execute("{ items { number below { number } } }"))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= MANY


async def test_a_query_that_takes_too_long_is_given_up() -> None:
    left = asyncio.Event()

    @strawberry.type
    class Waiting:
        @strawberry.field
        async def waits(self) -> str:
            try:
                await asyncio.Event().wait()
            finally:
                left.set()
            return "never"

    schema = build_schema(Waiting, most_seconds=0)
    result = await schema.execute("{ waits }")
    assert result.data is None
    assert [error.extensions for error in result.errors or ()] == [{"code": TIMED_OUT}]
    assert left.is_set()
    results = await schema.stream("{ waits }")
    assert [each.errors[0].extensions async for each in results] == [{"code": TIMED_OUT}]


async def test_a_mutation_that_takes_too_long_goes_to_its_end_without_its_client() -> None:
    probe = Probe()
    schema = build_schema(Query, Mutation, most_seconds=0)
    result = await schema.execute("mutation { slow }", context_value=context(probe, **{"accept-language": "en"}))
    assert [error.extensions for error in result.errors or ()] == [{"code": TIMED_OUT}]
    assert "idempotency key" in (result.errors or [])[0].message
    probe.release.set()
    await asyncio.wait_for(probe.finished.wait(), 5)


async def test_open_offers_are_the_same_in_slices(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "{ eligibleOffers(includeIneligible: true, first: 3) { edges { node { eligible offer { id } } } pageInfo { hasNextPage } } }"
    at_once = await server.ask(query, token=server.staff)
    monkeypatch.setattr(pacing, "SLICE", -1.0)
    assert await server.ask(query, token=server.staff) == at_once
    assert len(at_once["data"]["eligibleOffers"]["edges"]) == 3
