"""Computations that may be long, in steps: whoever runs them may do something else in between."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Yields between its steps, and returns what was computed: it depends on no pause."""


def finished(steps: Steps[T]) -> T:
    """What the computation returns, all its steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
