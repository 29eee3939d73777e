"""A short storm, and four mutants that it must catch. ``make chaos`` lets it storm for longer."""

from collections.abc import AsyncIterator

import pytest
from tests.chaos.machinery import Postgres, postgres
from tests.chaos.mutants import MUTANTS
from tests.chaos.storm import UNANSWERED, run
from tests.gala import Gala

pytestmark = [pytest.mark.alone, pytest.mark.processes]

SEEDS_A_MUTANT = 4
SECONDS = {"honour_without_end": 12.0}
"""Of each storm, where it takes longer than 5: until offers have been suspended while baskets hold them."""


@pytest.fixture(scope="module")
async def stage() -> AsyncIterator[tuple[Postgres, Gala]]:
    with postgres() as server:
        yield server, await server.prepare()


async def test_nothing_is_oversold_or_lost_whatever_is_killed(stage: tuple[Postgres, Gala]) -> None:
    report = await run(*stage, seed=1, seconds=8)
    assert report.problems == [], report


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_mutant_is_caught(stage: tuple[Postgres, Gala], mutant: str) -> None:
    for seed in range(SEEDS_A_MUTANT):
        problems = set((await run(*stage, seed=seed, seconds=SECONDS.get(mutant, 5), mutant=mutant)).problems)
        # A mutant that answers nobody breaks no promise.
        if problems - {UNANSWERED}:
            return
    raise AssertionError(f"{mutant} was not caught")
