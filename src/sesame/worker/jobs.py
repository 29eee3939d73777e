"""The jobs of the queue, and the loops that take them: one for each kind, so that none keeps the others waiting."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from asyncpg.exceptions import InterfaceError, PostgresError
from pgqueuer import Job, QueueManager, RetryRequested
from pgqueuer.errors import FailingListenerError
from sqlalchemy.exc import SQLAlchemyError

from db.core.driver import driver_within
from db.core.outages import is_unavailable
from db.core.queue import CHANNEL, queries_on
from db.core.sessions import Sessions
from services.codes.batches import MAILING, MAKING, BatchState
from services.codes.generation import BeingSent, Generation
from services.core.mail import MailUnavailable
from services.core.texts import Text, text

PATIENCE: Final = timedelta(seconds=10)
"""A job whose worker has not been heard of for so long is another's to take over."""
STEP: Final = timedelta(minutes=5)
"""No step takes so long: all waits in it have limits, and theirs are shorter."""
ATTEMPTS: Final = 20
"""Of one job, after pauses that double from a second to five minutes: a bit more than an hour in all."""

_LONGEST_PAUSE: Final = timedelta(minutes=5)
_RECONNECT_PAUSE: Final = 1.0
_JOBS_AT_ONCE: Final = 4
# A job that was begun so often has always ended the worker or been ended with it.
_MOST_STARTS: Final = 2 * ATTEMPTS
# Of a step in hand when the worker is asked to stop: to come to its end, then to let go.
_LAST_SECONDS: Final = 3
_LETTING_GO_SECONDS: Final = 1

_log = structlog.get_logger("sesame.worker.jobs")

_LOST: Final = (OSError, SQLAlchemyError, PostgresError, InterfaceError)


class _Hung(Exception):  # noqa: N818 - says what was found
    """A step outlived its time."""


@dataclass(frozen=True, slots=True)
class _Errand:
    """A job on a batch."""

    job: Job
    organisation: UUID
    batch: UUID


_Steps = Callable[[_Errand], Awaitable[None]]
_Step = Callable[[UUID, UUID, datetime], Coroutine[Any, Any, BatchState]]


class Worker:
    """Runs jobs of the queue on connections of its own, which it makes anew whenever they break."""

    def __init__(
        self,
        sessions: Sessions,
        generation: Generation,
        clock: Callable[[], datetime],
        *,
        patience: timedelta = PATIENCE,
        step: timedelta = STEP,
    ) -> None:
        self._sessions = sessions
        self._generation = generation
        self._clock = clock
        self._patience = patience
        self._step = step
        self._stopping = asyncio.Event()
        self.has_hung = False
        """Whether it stops because a step outlived its time: nobody knows what else of the process hangs."""

    def stop(self) -> None:
        """Asks it to end; what is in hand is given back."""
        self._stopping.set()

    async def asked_to_stop(self) -> None:
        """Returns when it is about to end."""
        await self._stopping.wait()

    async def run(self) -> None:
        """Returns when it was asked to stop, or a step outlived its time."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._keep_taking(MAKING, self._make))
            lanes.create_task(self._keep_taking(MAILING, self._mail))

    async def _keep_taking(self, kind: str, steps: _Steps) -> None:
        while not self._stopping.is_set():
            try:
                await self._take(kind, steps)
            except (*_LOST, FailingListenerError) as error:
                _log.warning("queue lost", jobs=kind, reason=error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _RECONNECT_PAUSE)

    async def _take(self, kind: str, steps: _Steps) -> None:
        async with self._sessions.apart() as session:
            driver = await driver_within(session)
            queue = QueueManager(queries_on(driver), CHANNEL)
            # A listener that lost its connection would never hear of it.
            driver.add_termination_listener(lambda _: queue.shutdown.set())

            async def take(job: Job) -> None:
                payload = job.payload or b""
                await self._go_on(_Errand(job, UUID(bytes=payload[:16]), UUID(bytes=payload[16:])), steps)

            queue.entrypoint(kind)(take)
            watch = asyncio.create_task(self._forward_stop(queue))
            try:
                await queue.run(
                    dequeue_timeout=self._patience / 2,
                    batch_size=_JOBS_AT_ONCE // 2,
                    max_concurrent_tasks=_JOBS_AT_ONCE,
                    shutdown_on_listener_failure=True,
                    heartbeat_timeout=self._patience,
                )
            finally:
                watch.cancel()

    async def _forward_stop(self, queue: QueueManager) -> None:
        await self._stopping.wait()
        queue.shutdown.set()

    async def _go_on(self, errand: _Errand, steps: _Steps) -> None:
        """Takes a batch's next steps; whatever goes wrong with them, it must not be left hanging."""
        batch = str(errand.batch)
        try:
            if errand.job.attempts >= _MOST_STARTS:
                raise _Hung
            await steps(errand)
        except MailUnavailable as error:
            _log.warning("mail not taken", batch=batch, reason=error)
            await self._later(errand, text("mail_unavailable", answer=str(error)))
        except BeingSent as error:
            raise RetryRequested(delay=error.pause) from None
        except asyncio.CancelledError:
            # The queue takes a job that was cancelled for one that is done with, and would forget it.
            raise RetryRequested from None
        except RetryRequested:
            raise
        except _Hung:
            await self._later(errand, text("batch_hung"))
        except Exception as error:  # noqa: BLE001 - as the docstring says
            await self._later(errand, _told(error, batch))

    async def _make(self, errand: _Errand) -> None:
        """Makes the batch's codes, one chunk after the other."""
        state = None
        while state is None or state in {BatchState.PENDING, BatchState.GENERATING}:
            state = await self._done(errand, self._generation.advance)

    async def _mail(self, errand: _Errand) -> None:
        """Mails the batch's list."""
        await self._done(errand, self._generation.send)

    async def _done(self, errand: _Errand, step: _Step) -> BatchState:
        """What the step returns.

        Raises _Hung where it outlives its time, and RetryRequested where the worker is to end and the step does not
        come to its own end soon.
        """
        if self._stopping.is_set():
            raise RetryRequested
        doing = asyncio.create_task(step(errand.organisation, errand.batch, self._clock()))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({doing, stopping}, timeout=self._step.total_seconds(), return_when="FIRST_COMPLETED")
            if self._stopping.is_set():
                await asyncio.wait({doing}, timeout=_LAST_SECONDS)
            if doing.done():
                return doing.result()
        finally:
            stopping.cancel()
            doing.cancel()
            doing.add_done_callback(_look_at)
        await asyncio.wait({doing}, timeout=_LETTING_GO_SECONDS)
        if self._stopping.is_set():
            raise RetryRequested
        _log.error("a step outlived its time: the worker ends", batch=str(errand.batch), jobs=errand.job.entrypoint)
        self.has_hung = True
        self.stop()
        raise _Hung

    async def _later(self, errand: _Errand, reason: Text) -> None:
        """Puts the job off, or gives the batch up when it has been put off often enough.

        What cannot be given up, for the database is away, is put off once more: a job that fails is forgotten.
        """
        attempts = errand.job.attempts
        if attempts + 1 >= ATTEMPTS:
            with suppress(*_LOST):
                await self._generation.fail(errand.organisation, errand.batch, reason, self._clock())
                return
        pause = min(timedelta(seconds=2 ** min(attempts, ATTEMPTS)), _LONGEST_PAUSE)
        _log.info("batch put off", batch=str(errand.batch), seconds=pause.total_seconds())
        raise RetryRequested(delay=pause)


def _told(error: Exception, batch: str) -> Text:
    """Tells the log what went wrong with a batch; what its staff read where it goes wrong every time."""
    if is_unavailable(error):
        _log.warning("batch interrupted", batch=batch, reason=error)
        return text("batch_interrupted")
    fault = uuid4().hex
    _log.exception("batch failed", batch=batch, fault=fault)
    return text("batch_fault", id=fault)


def _look_at(task: "asyncio.Task[BatchState]") -> None:
    """What became of a step that was let go is nobody's business any more."""
    with suppress(asyncio.CancelledError):
        task.exception()
