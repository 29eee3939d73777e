"""How much is worked on at once: a number of operations of each kind, a short queue, and a cheap refusal past that.

What waits longer than a client would is of use to nobody, and keeps waiting those who come after it.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import choice
from typing import Final

import structlog

from graphql import OperationType
from services.core.texts import Language, text

RETRY_AFTER: Final = (1, 2, 3)
"""Seconds after which a refused client may well find a place: not the same for all who are refused at one moment."""

_NEWEST_WEIGHS: Final = 0.1

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WorkLimits:
    """Of one process. Queries and mutations have as many places each; ``seconds`` is the longest wait for one."""

    queries: int = 30
    mutations: int = 30
    waiting: int = 30
    seconds: float = 0.06
    subscriptions: int = 20_000


class Overloaded(Exception):  # noqa: N818 - an answer
    """There is more to do than can be done in time: the client may come again."""


class Work:
    """The places of one process."""

    def __init__(self, limits: WorkLimits) -> None:
        self.queries = Lane(limits.queries, limits.waiting, limits.seconds)
        self.mutations = Lane(limits.mutations, limits.waiting, limits.seconds)
        self.subscriptions = Lane(limits.subscriptions, 0, 0)
        # Subscribers who all come back at once take turns; none is refused, because clients would not ask again.
        self.beginning = asyncio.Semaphore(limits.queries)
        self._refused = 0
        self._told_at = 0.0

    def lane(self, kind: OperationType | None) -> "Lane":
        """For the operations of this kind; None stands for what cannot be read."""
        match kind:
            case OperationType.MUTATION:
                return self.mutations
            case OperationType.SUBSCRIPTION:
                return self.subscriptions
        return self.queries

    def refused(self) -> None:
        """Counts a refusal; the log has their number, once a second."""
        self._refused += 1
        if time.monotonic() - self._told_at >= 1:
            _log.warning("overloaded", refused=self._refused)
            self._refused, self._told_at = 0, time.monotonic()


class Lane:
    """Places for operations of one kind, and a queue for them. Who comes first is served first.

    The queue is no longer than can be served in time, at the pace of late: who waited in vain would have cost more than
    who is refused at once.
    """

    def __init__(self, places: int, waiting: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._clock = clock
        # Seconds between two that are served while others wait, and when the last was.
        self._pace = 0.0
        self._served_at: float | None = None
        self._most_waiting = waiting
        self._seconds = seconds
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether who comes now is refused."""
        return self._taken >= self._places and (
            len(self._waiting) >= self._most_waiting or len(self._waiting) * self._pace >= self._seconds
        )

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Holds a place for as long as the block lasts. Raises Overloaded."""
        await self._enter()
        try:
            yield
        finally:
            self.leave()

    def take(self) -> None:
        """Takes a place at once, until ``leave``. Raises Overloaded."""
        if self._taken >= self._places:
            raise Overloaded
        self._taken += 1

    def leave(self) -> None:
        """Gives the place to who waits longest, or back."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                self._keep_pace()
                return
        self._taken -= 1
        self._served_at = None

    async def _enter(self) -> None:
        if self._taken < self._places:
            self._taken += 1
            return
        if self.is_full:
            raise Overloaded
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()
            else:
                turn.cancel()
                self._forget(turn)
            if isinstance(error, TimeoutError):
                raise Overloaded from None
            raise

    def _keep_pace(self) -> None:
        now = self._clock()
        if self._served_at is not None:
            self._pace += _NEWEST_WEIGHS * (now - self._served_at - self._pace)
        self._served_at = now

    def _forget(self, turn: asyncio.Future[None]) -> None:
        if turn in self._waiting:
            self._waiting.remove(turn)


def retry_after() -> int:
    """One of RETRY_AFTER."""
    return choice(RETRY_AFTER)  # noqa: S311 - nothing secret


def overloaded(language: Language, seconds: int) -> dict[str, object]:
    """The error that stands for a refusal; ``seconds`` is when to come again."""
    return {
        "message": text("overloaded").in_language(language),
        "extensions": {"code": "OVERLOADED", "retryAfter": seconds},
    }
