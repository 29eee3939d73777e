"""Batches of one request: N loads of one purpose in the same turn of the loop cost one call."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Generic, TypeVar

from aiodataloader import DataLoader

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

_MOST_KEYS = 1000


class BatchLoader(Generic[K, V]):
    """Loads values by key through one batch method, which answers a mapping; keys that it leaves out are None.

    Built inside the running loop, once a request and purpose. Each value is loaded once.
    """

    def __init__(self, batch: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        async def values(keys: list[K]) -> list[V | None]:
            found = await batch(keys)
            return [found.get(key) for key in keys]

        self._loader: DataLoader[K, V | None] = DataLoader(values, max_batch_size=_MOST_KEYS)

    async def load(self, key: K) -> V | None:
        # A null in a non-null field cancels the fields beside it, and would cancel the load that others wait for.
        return await asyncio.shield(self._loader.load(key))


class Shared(Generic[T]):
    """Awaits ``make`` once however many ask for its result, unharmed by the cancellation of any of them.

    Where it is ``known`` already, nothing is awaited.
    """

    def __init__(self, make: Callable[[], Coroutine[object, object, T]], known: T | None = None) -> None:
        self._make = make
        self._known = known
        self._task: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        if self._known is not None:
            return self._known
        if self._task is None:
            self._task = asyncio.create_task(self._make())
            self._task.add_done_callback(_retrieved)
        return await asyncio.shield(self._task)


def _retrieved(task: "asyncio.Task[T]") -> None:
    """Keeps asyncio from complaining of a failure that everybody who waited for it was cancelled before seeing."""
    if not task.cancelled():
        task.exception()
