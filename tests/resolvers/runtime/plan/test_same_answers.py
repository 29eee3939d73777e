"""A plan answers what graphql-core does, to the byte: the data, the errors with their paths, and what was done."""

import asyncio
import warnings
from collections.abc import Iterator
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.resolvers.runtime.plan.documents import Written
from tests.resolvers.runtime.plan.garden import GARDEN, VALUES, Diary, Maker

from graphql import parse, validate

MANY = settings(max_examples=100, deadline=None)


@pytest.fixture(autouse=True)
def _errors_as_they_are(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Masked, each would have an id of its own."""
    monkeypatch.setattr(type(GARDEN), "process_errors", lambda *_: None)
    yield
    GARDEN.is_planned = True


def drawn(random: Random, kind: str) -> tuple[str, dict[str, Any]]:
    """A valid document with its variables."""
    schema = GARDEN._schema
    root = {"query": schema.query_type, "mutation": schema.mutation_type, "subscription": schema.subscription_type}[kind]
    assert root is not None
    while True:
        document, variables = Written(schema, random, VALUES).operation(kind, root)
        if not validate(schema, parse(document)):
            return document, variables


async def answered(document: str, variables: dict[str, Any], *, is_planned: bool) -> tuple[bytes, list[Any], list[str]]:
    """The data as it is sent, the errors, and what was done."""
    GARDEN.is_planned = is_planned
    diary = Diary()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        result = await GARDEN.execute(document, variables, context_value=diary)
    if is_planned:
        assert not warned
        assert len(asyncio.all_tasks()) == 1
    return orjson.dumps(result.data), told(result.errors), diary.lines


def told(errors: Any) -> list[Any]:
    return [(error.message, error.path, error.locations, type(error.original_error)) for error in errors or ()]


@MANY
@given(st.randoms(use_true_random=False), st.sampled_from(["query", "query", "mutation"]), st.sampled_from([0, 4, 12]))
def test_what_is_wrong_at_once(random: Random, kind: str, one_in: int) -> None:
    Maker.one_in, Maker.later = one_in, False
    document, variables = drawn(random, kind)
    planned = asyncio.run(answered(document, variables, is_planned=True))
    assert planned == asyncio.run(answered(document, variables, is_planned=False))


@MANY
@given(st.randoms(use_true_random=False), st.sampled_from(["query", "query", "mutation"]), st.sampled_from([0, 4, 12]))
def test_what_comes_later(random: Random, kind: str, one_in: int) -> None:
    Maker.one_in, Maker.later = one_in, True
    document, variables = drawn(random, kind)
    planned = asyncio.run(answered(document, variables, is_planned=True))
    assert planned == asyncio.run(answered(document, variables, is_planned=False))
