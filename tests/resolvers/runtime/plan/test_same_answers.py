"""A plan answers what graphql-core does, to the byte: the data, the errors with their paths, and what was done."""

import asyncio
import gc
import warnings
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.resolvers.runtime.plan.documents import Written
from tests.resolvers.runtime.plan.garden import GARDEN, VALUES, Diary, Maker, Steady

from graphql import GraphQLError, parse, validate
from services.core.pacing import Pacer

MANY = settings(max_examples=60, deadline=None, derandomize=True, phases=[Phase.generate])
RANDOM = st.randoms(use_true_random=False)
KINDS = st.sampled_from(["query", "query", "mutation"])


@pytest.fixture(autouse=True)
def _errors_as_they_are(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Masked, each would have an id of its own."""
    monkeypatch.setattr(type(GARDEN), "process_errors", lambda *_: None)
    yield
    GARDEN.is_planned, GARDEN.pacer = True, Pacer()


class Answer(NamedTuple):
    data: bytes
    errors: list[tuple[object, ...]]
    done: list[str]
    wrong: int
    """Values that came up and were wrong."""


def drawn(random: Random, kind: str) -> tuple[str, dict[str, Any]]:
    """A valid document with its variables."""
    schema = GARDEN._schema
    root = {"query": schema.query_type, "mutation": schema.mutation_type, "subscription": schema.subscription_type}[
        kind
    ]
    assert root is not None
    while True:
        document, variables = Written(schema, random, VALUES).operation(kind, root)
        if not validate(schema, parse(document)):
            return document, variables


def answered(document: str, variables: dict[str, Any], *, is_planned: bool) -> Answer:
    """The answer of one executor, which leaves nothing behind."""
    GARDEN.is_planned, GARDEN.pacer, Maker.wrong = is_planned, Steady(), 0
    diary = Diary()

    async def run() -> Answer:
        result = await GARDEN.execute(document, variables, context_value=diary)
        if is_planned:
            assert len(asyncio.all_tasks()) == 1
        return Answer(orjson.dumps(result.data), told(result.errors), diary.lines, Maker.wrong)

    gc.disable()
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always" if is_planned else "ignore")
            answer = asyncio.run(run())
        assert [str(each.message) for each in warned] == []
    finally:
        gc.enable()
    return answer


def told(errors: list[GraphQLError] | None) -> list[tuple[object, ...]]:
    return [(each.message, each.path, each.locations, type(each.original_error)) for each in errors or ()]


def both(random: Random, kind: str) -> tuple[Answer, Answer]:
    """What the plan answers to a document, and what graphql-core does."""
    document, variables = drawn(random, kind)
    return answered(document, variables, is_planned=True), answered(document, variables, is_planned=False)


@MANY
@given(RANDOM, KINDS, st.sampled_from([0, 4, 12]))
def test_what_is_wrong_at_once_is_told_in_the_same_order(random: Random, kind: str, one_in: int) -> None:
    Maker.one_in, Maker.later, Steady.every = one_in, False, 0
    planned, core = both(random, kind)
    assert planned == core


@MANY
@given(RANDOM, KINDS, st.sampled_from([0, 60, 120]), st.sampled_from([0, 0, 3]))
def test_what_comes_later_is_the_same_unless_two_failures_race(
    random: Random, kind: str, one_in: int, every: int
) -> None:
    Maker.one_in, Maker.later, Steady.every = one_in, True, every
    planned, core = both(random, kind)
    if max(planned.wrong, core.wrong) < 2 or not core.errors:
        assert planned == core
    else:
        assert bool(planned.errors) == bool(core.errors)
