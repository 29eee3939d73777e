"""The jobs of the queue, and the loop that takes them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog
from asyncpg.exceptions import InterfaceError, PostgresError
from pgqueuer import Job, QueueManager, RetryRequested
from pgqueuer.errors import FailingListenerError
from sqlalchemy.exc import SQLAlchemyError

from db.core.driver import driver_within
from db.core.queue import CHANNEL, queries_on
from db.core.sessions import Sessions
from services.codes.batches import JOB, BatchState
from services.codes.generation import Generation
from services.core.mail import MailUnavailable
from services.core.texts import Text, text

PATIENCE: Final = timedelta(seconds=10)
"""A job whose worker has not been heard of for so long is another's to take over."""
ATTEMPTS: Final = 20
"""Of one job, after pauses that double from a second to five minutes: a bit more than an hour in all."""

_LONGEST_PAUSE: Final = timedelta(minutes=5)
_RECONNECT_PAUSE: Final = 1.0
_JOBS_AT_ONCE: Final = 4

_log = structlog.get_logger("sesame.worker.jobs")


class Worker:
    """Runs jobs of the queue on a connection of its own, which it makes anew whenever it breaks."""

    def __init__(
        self,
        sessions: Sessions,
        generation: Generation,
        clock: Callable[[], datetime],
        *,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._sessions = sessions
        self._generation = generation
        self._clock = clock
        self._patience = patience
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Asks it to end; what is in hand is given back."""
        self._stopping.set()

    async def run(self) -> None:
        """Returns when it was asked to stop."""
        while not self._stopping.is_set():
            try:
                await self._run_jobs()
            except (OSError, SQLAlchemyError, PostgresError, InterfaceError, FailingListenerError) as error:
                _log.warning("queue lost", reason=error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _RECONNECT_PAUSE)

    async def _run_jobs(self) -> None:
        async with self._sessions.reading() as session:
            try:
                driver = await driver_within(session)
                queue = QueueManager(queries_on(driver), CHANNEL)
                # A listener that lost its connection would never hear of it.
                driver.add_termination_listener(lambda _: queue.shutdown.set())
                queue.entrypoint(JOB)(self._batch)
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
            finally:
                # It listens, which no other user of the pool expects of a connection.
                await session.invalidate()

    async def _forward_stop(self, queue: QueueManager) -> None:
        await self._stopping.wait()
        queue.shutdown.set()

    async def _batch(self, job: Job) -> None:
        payload = job.payload or b""
        organisation, batch = UUID(bytes=payload[:16]), UUID(bytes=payload[16:])
        try:
            await self._advance(organisation, batch)
        except MailUnavailable as error:
            _log.warning("mail not taken", batch=str(batch), reason=str(error))
            await self._later(job, organisation, batch, text("mail_unavailable", answer=str(error)))
        except asyncio.CancelledError:
            # The queue takes a job that was cancelled for one that is done with, and would forget it.
            raise RetryRequested from None
        except RetryRequested:
            raise
        except Exception:  # noqa: BLE001 - whatever it was, the batch must not be left hanging
            fault = uuid4().hex
            _log.exception("batch failed", batch=str(batch), fault=fault)
            await self._later(job, organisation, batch, text("batch_fault", id=fault))

    async def _advance(self, organisation: UUID, batch: UUID) -> None:
        state = None
        while state not in {BatchState.DONE, BatchState.FAILED}:
            if self._stopping.is_set():
                raise RetryRequested
            state = await self._generation.advance(organisation, batch, self._clock())

    async def _later(self, job: Job, organisation: UUID, batch: UUID, reason: Text) -> None:
        """Puts the job off, or gives the batch up when it has been put off often enough.

        What cannot be given up, for the database is away, is put off once more: a job that fails is forgotten.
        """
        if job.attempts + 1 >= ATTEMPTS:
            with suppress(OSError, SQLAlchemyError):
                await self._generation.fail(organisation, batch, reason, self._clock())
                return
        pause = min(timedelta(seconds=2 ** min(job.attempts, ATTEMPTS)), _LONGEST_PAUSE)
        _log.info("batch put off", batch=str(batch), seconds=pause.total_seconds())
        raise RetryRequested(delay=pause)
