"""The asyncpg connection beneath a session, for what SQLAlchemy does not speak: COPY, and the queue itself."""

from typing import TypeAlias, cast

from asyncpg import Connection, Record
from asyncpg.exceptions import UniqueViolationError as UniqueViolation
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Driver", "UniqueViolation", "driver_within"]

Driver: TypeAlias = "Connection[Record]"


async def driver_within(connection: AsyncConnection) -> Driver:
    """The driver's connection, inside the session's transaction.

    SQLAlchemy begins its transaction with the first statement that it sends itself: what goes to the driver before
    that would be committed at once, whatever becomes of the transaction.
    """
    driver = cast(Driver, (await connection.get_raw_connection()).driver_connection)
    if not driver.is_in_transaction():
        await connection.exec_driver_sql("SELECT")
    return driver
