"""The asyncpg connection beneath a session, for what SQLAlchemy does not speak: COPY, and the queue itself."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar, cast

from asyncpg import Connection, Record
from asyncpg.exceptions import UniqueViolationError as UniqueViolation
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Driver", "UniqueViolation", "copied", "driver_within"]

Driver: TypeAlias = "Connection[Record]"
Result = TypeVar("Result")

COPY_SECONDS: Final = 60
"""One COPY may take so long; the largest takes a second or two."""

_LETTING_GO_SECONDS: Final = 1


async def driver_within(connection: AsyncConnection) -> Driver:
    """The driver's connection, inside the session's transaction.

    SQLAlchemy begins its transaction with the first statement that it sends itself: what goes to the driver before
    that would be committed at once, whatever becomes of the transaction.
    """
    driver = cast(Driver, (await connection.get_raw_connection()).driver_connection)
    if not driver.is_in_transaction():
        await connection.exec_driver_sql("SELECT")
    return driver


async def copied(driver: Driver, copying: Coroutine[Any, Any, Result], seconds: float = COPY_SECONDS) -> Result:
    """What a COPY on the driver's connection returns.

    asyncpg waits for ever for a connection that was lost to take more, whatever time limit it is given. Raises
    ConnectionResetError as soon as the connection is lost, TimeoutError after so many ``seconds``.
    """
    lost = asyncio.Event()

    def on_end(_: object) -> None:
        lost.set()

    driver.add_termination_listener(on_end)
    copy, watch = asyncio.create_task(copying), asyncio.create_task(lost.wait())
    try:
        await asyncio.wait({copy, watch}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if copy.done():
            return copy.result()
        if lost.is_set():
            raise ConnectionResetError("the connection was lost in a COPY")
        raise TimeoutError(f"a COPY took longer than {seconds} seconds")
    finally:
        driver.remove_termination_listener(on_end)
        for task in (copy, watch):
            task.cancel()
            task.add_done_callback(_look_at)
        # Who rolls back finds the connection free, where it still answers.
        await asyncio.wait({copy}, timeout=_LETTING_GO_SECONDS)


def _look_at(task: "asyncio.Task[Any]") -> None:
    """Its outcome is of no use any more, and nobody is to be told that it was not looked at."""
    with suppress(asyncio.CancelledError):
        task.exception()
