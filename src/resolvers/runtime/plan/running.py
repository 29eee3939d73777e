"""One operation under way: what it waits for, what failed, and what of the answer is null for that.

Whatever waits has a place in the answer and, unless it is alone, a task of its own. When a value in a place that may
not be null fails, the next place above that may be null is, and what went on below it is cancelled. When the request
is, everything is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from graphql import ExecutionResult, GraphQLError, located_error
from resolvers.runtime.plan.asked import AskedField
from resolvers.runtime.plan.places import PENDING, Place
from resolvers.runtime.slices import SlicedExecution

Completion = Callable[["Run", Any, Place], Any]
"""Writes a value for its place, and returns it, or PENDING where it comes later. Raises what failed."""


class Waiting:
    """A value that somebody makes, and what becomes of it."""

    __slots__ = ("awaitable", "completion", "field", "held", "place")

    def __init__(
        self,
        awaitable: Awaitable[Any],
        completion: Completion | None,
        field: AskedField,
        place: Place,
        held: "Sequence[Waiting]" = (),
    ) -> None:
        self.awaitable = awaitable
        self.completion = completion
        self.field = field
        self.place = place
        self.held = held
        """What the awaitable gives back when it is done: a coroutine that never began cannot drop it."""

    def drop(self) -> None:
        """Ends what was not begun, and hears out what was."""
        for each in self.held:
            each.drop()
        if isinstance(self.awaitable, Coroutine):
            self.awaitable.close()
        elif isinstance(self.awaitable, asyncio.Future):
            self.awaitable.add_done_callback(_heard)


class Run:
    """The execution of one operation by its plan."""

    __slots__ = (
        "_ended",
        "_errors",
        "_nulled",
        "_sweeping",
        "_tasks",
        "_waiting",
        "arguments",
        "executor",
        "is_awaitable",
        "is_null",
        "pacer",
    )

    def __init__(self, executor: SlicedExecution) -> None:
        self.executor = executor
        self.is_awaitable = executor.is_awaitable
        self.pacer = executor.pacer
        self.arguments: dict[AskedField, dict[str, Any]] = {}
        """Those that a field has in this operation, for every object."""
        self.is_null = False
        """Whether all of the answer is."""
        self._errors: list[GraphQLError] = []
        self._nulled: dict[int, Place] = {}
        self._waiting: list[Waiting] = []
        self._tasks: dict[asyncio.Task[None], list[Waiting]] = {}
        self._ended: asyncio.Future[None] | None = None
        self._sweeping = False

    def result(self, data: dict[str, Any]) -> ExecutionResult:
        return ExecutionResult(None if self.is_null else data, self._errors or None)

    # What is written at once.

    def mark(self) -> int:
        """Of what waits so far: what comes after it can be dropped."""
        return len(self._waiting)

    def drop(self, mark: int) -> None:
        """Forgets what began to wait after the mark: it belongs to what is null now."""
        waiting = self._waiting
        while len(waiting) > mark:
            waiting.pop().drop()

    def take(self, mark: int) -> list[Waiting]:
        """What began to wait after the mark, for somebody who gives it back or drops it."""
        taken, self._waiting[mark:] = self._waiting[mark:], []
        return taken

    def give(self, waiting: list[Waiting]) -> None:
        self._waiting.extend(waiting)

    def wait(
        self,
        awaitable: Awaitable[Any],
        completion: Completion | None,
        field: AskedField,
        place: Place,
        held: Sequence[Waiting] = (),
    ) -> object:
        """Has the value of a place come later; without ``completion`` the awaitable writes it itself, and gives back
        what it ``held`` until then.
        """
        self._waiting.append(Waiting(awaitable, completion, field, place, held))
        return PENDING

    def failed(self, error: Exception, field: AskedField, place: Place) -> None:
        """Takes down why a place is null. Raises it, with its path, where that place may not be."""
        located = located_error(error, field.nodes, place.keys())
        if not place.nullable:
            raise located
        self._note(located, place)

    def fail(self, error: GraphQLError) -> None:
        """The whole answer is null."""
        self.drop(0)
        self._note(error, None)
        self.is_null = True

    # What comes later.

    @property
    def is_waiting(self) -> bool:
        return bool(self._waiting)

    async def settle(self) -> None:
        """Returns when nothing waits any more. Whatever happens, nothing goes on afterwards."""
        try:
            while len(self._waiting) == 1:
                await self._settle(self._waiting.pop())
            if self._waiting:
                self._ended = asyncio.get_running_loop().create_future()
                self._start()
                await self._ended
        finally:
            self.drop(0)
            if self._tasks:
                await self._cancel_all()

    def _start(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            chain = [each]
            task = asyncio.get_running_loop().create_task(self._work(chain))
            self._tasks[task] = chain
            task.add_done_callback(self._task_ended)

    async def _work(self, chain: list[Waiting]) -> None:
        """One thing after the other, as long as each leads to one more."""
        while True:
            await self._settle(chain[0])
            if len(self._waiting) != 1:
                break
            chain[0] = self._waiting.pop()
        self._start()

    async def _settle(self, waiting: Waiting) -> None:
        place = waiting.place
        try:
            value = await waiting.awaitable
        except Exception as error:  # noqa: BLE001 - an answer says what failed
            self._failed_late(error, waiting)
            return
        if waiting.completion is None or self._is_gone(place):
            return
        mark = self.mark()
        try:
            written = waiting.completion(self, value, place)
        except Exception as error:  # noqa: BLE001 - an answer says what failed
            self.drop(mark)
            self._failed_late(error, waiting)
            return
        if written is not PENDING:
            place.holder[place.key] = written

    def _failed_late(self, error: Exception, waiting: Waiting) -> None:
        located = located_error(error, waiting.field.nodes, waiting.place.keys())
        self.null(located, waiting.place)

    def null(self, error: GraphQLError, place: Place) -> None:
        """Nulls the first place from here upwards that may be null, unless it is gone with another one already."""
        nulled = next((each for each in place.upwards() if each.nullable), None)
        self._note(error, nulled)
        if nulled is None:
            self.is_null = True
        else:
            nulled.holder[nulled.key] = None
        if nulled is not place and not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_soon(self._sweep)

    def _note(self, error: GraphQLError, place: Place | None) -> None:
        if self.is_null or (place is not None and self._is_gone(place)):
            return
        if place is not None:
            self._nulled[id(place)] = place
        self._errors.append(error)

    def _is_gone(self, place: Place) -> bool:
        if self.is_null:
            return True
        nulled = self._nulled
        return bool(nulled) and any(id(each) in nulled for each in place.upwards())

    def _sweep(self) -> None:
        """Cancels what goes on in places that are gone, once for all that went in this turn of the loop."""
        self._sweeping = False
        for task, chain in list(self._tasks.items()):
            if self._is_gone(chain[0].place):
                task.cancel()

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        chain = self._tasks.pop(task)
        if task.cancelled():
            # Before it began, it may be, and then it has not touched what it was to await.
            chain[0].drop()
        ended = self._ended
        if ended is None or ended.done():
            _heard(task)
        elif task.cancelled():
            if not self._is_gone(chain[0].place):
                ended.cancel()
            elif not self._tasks:
                ended.set_result(None)
        elif (error := task.exception()) is not None:
            ended.set_exception(error)
        elif not self._tasks:
            ended.set_result(None)

    async def _cancel_all(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _heard(future: "asyncio.Future[Any]") -> None:
    """Keeps asyncio from complaining of a failure that no answer has a place for."""
    with suppress(asyncio.CancelledError):
        future.exception()
