"""Keeps the garbage collector's pauses short in a process that holds a great many objects for long."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

EVERYTHING_SECONDS: Final = 600.0
_OLDEST: Final = 2


@contextmanager
def short_collections(clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Has each full collection leave out what outlived the one before, until the block ends.

    Ten thousand subscribers are a million objects and more: going through them takes a good part of a second, during
    which nobody is told anything. What they leave behind is found by the first collection of all, every ten minutes.
    """
    next_of_all = clock() + EVERYTHING_SECONDS

    def collecting(phase: str, about: dict[str, Any]) -> None:
        nonlocal next_of_all
        if about["generation"] != _OLDEST:
            return
        if phase == "stop":
            gc.freeze()
        elif clock() >= next_of_all:
            next_of_all = clock() + EVERYTHING_SECONDS
            gc.unfreeze()

    gc.callbacks.append(collecting)
    gc.collect()
    try:
        yield
    finally:
        gc.callbacks.remove(collecting)
        gc.unfreeze()
