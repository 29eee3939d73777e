"""``python -m tests.chaos``: many seeds, one after the other; ends with 1 where a promise was broken."""

import argparse
import asyncio
import sys

from tests.chaos.machinery import postgres
from tests.chaos.mutants import MUTANTS
from tests.chaos.storm import run


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--mutant", choices=MUTANTS)
    options = parser.parse_args()
    broken = 0
    with postgres() as server:
        gala = await server.prepare()
        for seed in range(options.first, options.first + options.seeds):
            report = await run(server, gala, seed, options.seconds, options.mutant)
            print(report, *report.problems[:10], sep="\n  ", flush=True)
            broken += bool(report.problems)
    return broken


sys.exit(min(1, asyncio.run(main())))
