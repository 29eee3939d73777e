"""Does together what is asked for while the same is being done for others: under load, the cost of one for many."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST: Final = 64
"""Items done together; with more, Python and PostgreSQL would wait for each other in turns."""
AT_ONCE: Final = 3
"""Groups of the same kind that are being done; who comes meanwhile waits for the next."""

_Waiting = deque[tuple[Item, "asyncio.Future[Result]"]]


class Coalescing(Generic[Item, Result]):
    """Hands what comes one by one to ``do`` in groups of one kind, which answers each item in turn.

    Nobody waits for company: what comes while little is being done is done at once, by itself. Who goes away leaves
    their item to be done.
    """

    def __init__(self, do: Callable[[Sequence[Item]], Awaitable[Sequence[Result | BaseException]]]) -> None:
        self._do = do
        self._waiting: dict[Hashable, _Waiting[Item, Result]] = {}
        self._running: dict[Hashable, set[asyncio.Task[None]]] = {}

    async def add(self, kind: Hashable, item: Item) -> Result:
        """The item's own answer. Raises what ``do`` gave in its place."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        waiting = self._waiting.setdefault(kind, deque())
        if not waiting:
            # Not before all who are about to come have come.
            loop.call_soon(self._start, kind)
        waiting.append((item, answer))
        return await answer

    def _start(self, kind: Hashable) -> None:
        waiting = self._waiting.get(kind)
        running = self._running.setdefault(kind, set())
        while waiting and len(running) < AT_ONCE:
            group = [waiting.popleft() for _ in range(min(len(waiting), MOST))]
            task = asyncio.create_task(self._run(group))
            running.add(task)
            task.add_done_callback(partial(self._end, kind))
        if not running:
            del self._running[kind]
            self._waiting.pop(kind, None)

    def _end(self, kind: Hashable, task: asyncio.Task[None]) -> None:
        self._running[kind].discard(task)
        asyncio.get_running_loop().call_soon(self._start, kind)

    async def _run(self, group: Sequence[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        results: Sequence[Result | BaseException]
        try:
            results = await self._do([item for item, _ in group])
        except BaseException as error:  # noqa: BLE001 - whatever it was, nobody may wait for ever
            results = [error] * len(group)
        for (_, answer), result in zip(group, results, strict=True):
            if answer.done():  # Whoever asked is gone.
                continue
            if isinstance(result, BaseException):
                answer.set_exception(result)
            else:
                answer.set_result(result)
