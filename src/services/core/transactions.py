"""Writes: one transaction each, tried again where others were faster, published after the commit."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Concatenate, Generic, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.sessions import Sessions, is_transient
from services.core.errors import Failure
from services.core.retries import idempotency
from services.core.retries.idempotency import Answer, IdempotentRequest

P = ParamSpec("P")
Result = TypeVar("Result")

Publish = Callable[[UUID, Collection[UUID]], None]
"""Tells watchers that the counts of an organisation's offers, or its batches, changed."""

ATTEMPTS = 8


class Overtaken(Exception):  # noqa: N818 - a signal to try again, not an error
    """Somebody took what a write had counted on between its look and its claim."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One write under way, of one organisation, at the instant ``now``: what a use case is given to write with.

    It is committed when the use case returns, and rolled back when that raises. ``changed`` are the offers whose counts
    move in it and the batches that go on: watchers are told of them after the commit.
    """

    connection: AsyncConnection
    organisation: UUID
    now: datetime
    changed: set[UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """What a write did: the ``answer`` that is kept under its idempotency key, and its ``value`` where there is more
    to give to who asked first, None to who asks again.
    """

    answer: Answer
    value: Result | None = None


class Transactions:
    """Runs the writes of use cases, each in a transaction of its own."""

    def __init__(self, sessions: Sessions, publish: Publish) -> None:
        self._sessions = sessions
        self._publish = publish

    async def run(
        self,
        organisation: UUID,
        now: datetime,
        write: Callable[Concatenate[Transaction, P], Awaitable[Result]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Result:
        """What ``write`` returns, given a transaction and the rest of the arguments, once that is committed.

        A write that was overtaken, met a deadlock, or lost its connection before the commit is rolled back and runs
        again with fresh facts, a bounded number of times. Every other failure rolls back and passes through. What never
        came through, or was lost in its commit, is a fault: no answer that the same key could contradict later.
        """
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                async with self._sessions.writing() as connection:
                    transaction = Transaction(connection, organisation, now)
                    result = await write(transaction, *args, **kwargs)
            except Exception as error:
                if attempts_left and (isinstance(error, Overtaken) or is_transient(error)):
                    continue
                raise
            if transaction.changed:
                self._publish(organisation, transaction.changed)
            return result
        raise AssertionError("the last attempt returns or raises")

    async def once(
        self,
        request: IdempotentRequest,
        now: datetime,
        write: Callable[Concatenate[Transaction, P], Awaitable[Done[Result] | Failure]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Done[Result]:
        """Like ``run``, with one effect and one answer for the request's idempotency key.

        A failure that ``write`` raises undoes its effect; one that it returns keeps it. Either is raised here, and
        kept under the key, so that who asks again hears the same; but for one that waiting mends, which leaves the key
        free to be sent again.
        """

        async def keyed(transaction: Transaction) -> Done[Result] | Failure:
            [earlier] = await idempotency.begin(transaction.connection, transaction.organisation, [request])
            if earlier is not None:
                return earlier if isinstance(earlier, Failure) else Done(earlier)
            done: Done[Result] | Failure
            try:
                async with transaction.connection.begin_nested():
                    done = await write(transaction, *args, **kwargs)
            except Failure as failure:
                if failure.passes:
                    raise
                transaction.changed.clear()
                done = failure
            answer = done if isinstance(done, Failure) else done.answer
            await idempotency.finish(transaction.connection, transaction.organisation, [(request, answer)])
            return done

        if request.is_keyed:
            done = await self.run(request.organisation, now, keyed)
        else:
            done = await self.run(request.organisation, now, write, *args, **kwargs)
        if isinstance(done, Failure):
            raise done
        return done
