"""The queue of jobs, kept by PgQueuer in the same database: a job is committed with what it is about, or not at all."""

from typing import Final

from pgqueuer import Queries
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel
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


def queries_on(driver: Driver) -> Queries:
    """The queue's own statements on a connection of the driver."""
    return Queries(
        AsyncpgDriver(driver),
        qbe=QueryBuilderEnvironment(_NAMES),
        qbq=QueryQueueBuilder(_NAMES),
        qbs=QuerySchedulerBuilder(_NAMES),
    )


async def enqueue(connection: AsyncConnection, entrypoint: str, payload: bytes) -> None:
    """Adds a job in the session's transaction. Its commit wakes the workers."""
    await queries_on(await driver_within(connection)).enqueue(entrypoint, payload)
