"""Long computations in slices, so that a process goes on answering everybody else meanwhile."""

import asyncio
from collections.abc import Generator
from time import perf_counter, thread_time
from typing import Final, TypeVar

T = TypeVar("T")

SLICE: Final = 0.005
"""Seconds that paced work may take of one turn of the loop, all of it together."""


class TookTooLong(Exception):  # noqa: N818 - an answer
    """A computation was given up: it took more time than it may."""


class Pacer:
    """Divides the turns of one loop among computations that ask it, in the order in which they ask."""

    def __init__(self) -> None:
        self._queue = asyncio.Lock()
        self._began: float | None = None

    def is_over(self) -> bool:
        """Whether what asks should wait for its ``turn``: this turn of the loop has had its share of paced work."""
        if self._began is None:
            self._began = perf_counter()
            asyncio.get_running_loop().call_soon(self._begin_anew)
            return False
        return perf_counter() - self._began > SLICE

    async def turn(self) -> None:
        """Returns in a turn of the loop that has a share left."""
        # One at a time: a crowd that looks again in each turn would take it for looking alone.
        async with self._queue:
            while self.is_over():  # noqa: ASYNC110 - the next turn of the loop is the event
                await asyncio.sleep(0)

    async def run(self, work: Generator[None, None, T], most: float) -> T:
        """What ``work`` returns; it yields wherever it may be interrupted.

        Raises TookTooLong once it has computed for ``most`` seconds, to within a slice; those in which others had the
        loop or the processor do not count.
        """
        left, began = most, thread_time()
        while True:
            try:
                next(work)
            except StopIteration as done:
                result: T = done.value
                return result
            if self.is_over():
                left -= thread_time() - began
                if left < 0:
                    work.close()
                    raise TookTooLong
                await self.turn()
                began = thread_time()

    def _begin_anew(self) -> None:
        self._began = None
