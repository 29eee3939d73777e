"""A short storm, and the mutants that it must catch. ``make chaos`` lets it storm for longer."""

from collections.abc import AsyncIterator

import pytest
from tests.chaos.machinery import Postgres, postgres
from tests.chaos.mutants import MUTANTS
from tests.chaos.storm import UNANSWERED, run
from tests.gala import Gala

pytestmark = [pytest.mark.alone, pytest.mark.processes, pytest.mark.timeout(600)]

SEEDS_A_MUTANT = 4
SLOW = {"honour_without_end"}
"""Needs offers suspended while baskets hold them, which a short storm has too few of: ``python -m tests.chaos --mutant``."""


@pytest.fixture(scope="module")
async def stage() -> AsyncIterator[tuple[Postgres, Gala]]:
    with postgres() as server:
        yield server, await server.prepare()


async def test_nothing_is_oversold_or_lost_whatever_is_killed(stage: tuple[Postgres, Gala]) -> None:
    report = await run(*stage, seed=1, seconds=8)
    assert report.problems == [], report


@pytest.mark.parametrize("mutant", sorted(MUTANTS.keys() - SLOW))
async def test_a_mutant_is_caught(stage: tuple[Postgres, Gala], mutant: str) -> None:
    for seed in range(SEEDS_A_MUTANT):
        problems = set((await run(*stage, seed=seed, seconds=5, mutant=mutant)).problems)
        # A mutant that answers nobody breaks no promise.
        if problems - {UNANSWERED}:
            return
    raise AssertionError(f"{mutant} was not caught")
