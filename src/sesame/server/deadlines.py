"""What must have happened within a number of seconds, for thousands at once."""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Calls ``late`` for each that has begun and not ended within so many seconds, or a round later.

    In rounds: timers of their own would wake the process for each of ten thousand.
    """

    def __init__(self, loop: AbstractEventLoop, seconds: float, late: Callable[[T], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._late = late
        # By when it is time, the earliest first.
        self._due: dict[T, float] = {}
        self._timer: TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, one: T) -> bool:
        return one in self._due

    def begin(self, one: T) -> None:
        """From now; again where it had begun already."""
        self._due.pop(one, None)
        self._due[one] = self._loop.time() + self._seconds
        if self._timer is None:
            self._wait()

    def end(self, one: T) -> None:
        self._due.pop(one, None)

    def first(self, older: float = 0.0) -> T | None:
        """The one that began first, where that is so many seconds ago."""
        one = next(iter(self._due), None)
        if one is None or self._due[one] - self._seconds + older > self._loop.time():
            return None
        return one

    def _round(self) -> None:
        now = self._loop.time()
        while self._due:
            one, at = next(iter(self._due.items()))
            if at > now:
                break
            del self._due[one]
            self._late(one)
        self._timer = None
        if self._due:
            self._wait()

    def _wait(self) -> None:
        self._timer = self._loop.call_later(min(1.0, self._seconds / 10), self._round)
