"""Writes: one transaction each, tried again where others were faster, published after the commit."""

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.sessions import Sessions, is_transient
from services.core.errors import Failure
from services.core.idempotency import Answer, IdempotentRequest

Result = TypeVar("Result")

Publish = Callable[[UUID, Collection[UUID]], None]
"""Tells watchers that the counts of an organisation's offers changed."""

ATTEMPTS = 8


class Overtaken(Exception):  # noqa: N818 - a signal to try again, not an error
    """Somebody took what a price had counted on between its look and its claim."""


class Transactions:
    """Runs writes."""

    def __init__(self, sessions: Sessions, publish: Publish) -> None:
        self._sessions = sessions
        self._publish = publish

    async def run(
        self, organisation: UUID, attempt: Callable[[AsyncConnection, set[UUID]], Awaitable[Result]]
    ) -> Result:
        """What ``attempt`` returns once it is committed; its second argument takes the offers whose counts it changes.

        An attempt that was overtaken, met a deadlock, or lost its connection before the commit is rolled back and runs
        again with fresh facts, a bounded number of times. Every other failure rolls back and passes through. What never
        came through, or was lost in its commit, is a fault: no answer that the same key could contradict later.
        """
        for attempts_left in reversed(range(ATTEMPTS)):
            changed: set[UUID] = set()
            try:
                async with self._sessions.writing() as connection:
                    result = await attempt(connection, changed)
            except Exception as error:
                if attempts_left and (isinstance(error, Overtaken) or is_transient(error)):
                    continue
                raise
            if changed:
                self._publish(organisation, changed)
            return result
        raise AssertionError("the last attempt returns or raises")

    async def once(
        self,
        organisation: UUID,
        once: IdempotentRequest,
        attempt: Callable[[AsyncConnection, set[UUID]], Awaitable[Answer | Failure]],
    ) -> Answer:
        """Like ``run``, with one effect and one answer for an idempotency key.

        A failure that ``attempt`` raises undoes its effect; one that it returns keeps it. Either is raised here, and
        kept under the key, so that who asks again hears the same.
        """

        async def keyed(connection: AsyncConnection, changed: set[UUID]) -> Answer | Failure:
            earlier = await once.earlier(connection)
            if earlier is not None:
                return earlier
            answer: Answer | Failure
            try:
                async with connection.begin_nested():
                    answer = await attempt(connection, changed)
            except Failure as failure:
                changed.clear()
                answer = failure
            await once.answer(connection, answer)
            return answer

        answer = await self.run(organisation, keyed if once.is_keyed else attempt)
        if isinstance(answer, Failure):
            raise answer
        return answer
