"""The queue of jobs, kept by PgQueuer in the same database: a job is committed with what it is about, or not at all."""

from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from typing import Final

from asyncpg.exceptions import InterfaceError, PostgresError
from pgqueuer import Job, Queries
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.models import TracebackRecord
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.driver import Driver, driver_within

CHANNEL: Final = Channel("ch_pgqueuer")

# As the migrations made them. Left to itself, PgQueuer takes them from variables as common as CHANNEL and FUNCTION.
_NAMES: Final = DBSettings(
    prefix="",
    db_schema=None,
    channel=CHANNEL,
    function="fn_pgqueuer_changed",
    trigger="tg_pgqueuer_changed",
    queue_status_type="pgqueuer_status",
    queue_table="pgqueuer",
    queue_table_log="pgqueuer_log",
    statistics_table="pgqueuer_statistics",
    schedules_table="pgqueuer_schedules",
)


class _KeptJobs(Queries):
    """PgQueuer's statements, but for a job that cannot be put off now, which it would forget."""

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        """Where the database does not take it, the job stays picked, and is another's when no heartbeat comes."""
        with suppress(OSError, PostgresError, InterfaceError):
            await super().retry_job(job, delay, traceback_record)


def queries_on(driver: Driver) -> Queries:
    """The queue's own statements on a connection of the driver."""
    return _KeptJobs(
        AsyncpgDriver(driver),
        qbe=QueryBuilderEnvironment(_NAMES),
        qbq=QueryQueueBuilder(_NAMES),
        qbs=QuerySchedulerBuilder(_NAMES),
    )


async def enqueue(connection: AsyncConnection, entrypoint: str, payload: bytes) -> None:
    """Adds a job in the session's transaction. Its commit wakes the workers."""
    await queries_on(await driver_within(connection)).enqueue(entrypoint, payload)


_IS_QUEUED: Final = text("""
SELECT EXISTS (SELECT FROM pgqueuer WHERE payload = :payload AND entrypoint = ANY(:entrypoints)
    AND status IN ('queued', 'picked'))
""")
# A job that somebody has in hand is overdue from the moment when nothing was heard of them any more.
_LONGEST_WAIT: Final = text("""
SELECT coalesce(extract(epoch FROM now() - min(due)), 0) FROM (
    SELECT execute_after AS due FROM pgqueuer WHERE status = 'queued' AND execute_after <= now()
    UNION ALL SELECT heartbeat FROM pgqueuer WHERE status = 'picked'
) jobs
""")


async def is_queued(connection: AsyncConnection, entrypoints: Collection[str], payload: bytes) -> bool:
    """Whether a job of one of these kinds waits or is in hand."""
    parameters = {"entrypoints": list(entrypoints), "payload": payload}
    return bool(await connection.scalar(_IS_QUEUED, parameters))


async def longest_wait(connection: AsyncConnection) -> float:
    """Seconds for which the oldest job has been due that nobody has taken; zero where there is none."""
    return float(await connection.scalar(_LONGEST_WAIT) or 0)
