"""The asyncpg connection beneath a session, for what SQLAlchemy does not speak: COPY, and the queue itself."""

from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from typing import Protocol, cast

from asyncpg.exceptions import (  # type: ignore[import-untyped]  # asyncpg comes without types
    UniqueViolationError as UniqueViolation,
)
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Driver", "UniqueViolation", "driver_within"]


class Driver(Protocol):
    """The part of ``asyncpg.Connection`` that is used directly."""

    def is_in_transaction(self) -> bool: ...

    def add_termination_listener(self, callback: Callable[[object], None]) -> None: ...

    async def copy_to_table(
        self,
        table_name: str,
        *,
        source: AsyncIterable[bytes],
        columns: Sequence[str],
        format: str,  # noqa: A002
    ) -> str: ...

    async def copy_records_to_table(self, table_name: str, *, records: Iterable[tuple[object, ...]]) -> str: ...


async def driver_within(connection: AsyncConnection) -> Driver:
    """The driver's connection, inside the session's transaction.

    SQLAlchemy begins its transaction with the first statement that it sends itself: what goes to the driver before
    that would be committed at once, whatever becomes of the transaction.
    """
    driver = cast(Driver, (await connection.get_raw_connection()).driver_connection)
    if not driver.is_in_transaction():
        await connection.exec_driver_sql("SELECT")
    return driver
