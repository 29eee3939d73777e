"""The queue of jobs, kept by PgQueuer in the same database: a job is committed with what it is about, or not at all."""

from pgqueuer import Queries
from sqlalchemy.ext.asyncio import AsyncConnection

from db.driver import driver_within


async def enqueue(connection: AsyncConnection, entrypoint: str, payload: bytes) -> None:
    """Adds a job in the session's transaction. Its commit wakes the workers."""
    queries = Queries.from_asyncpg_connection(await driver_within(connection))
    await queries.enqueue(entrypoint, payload)
