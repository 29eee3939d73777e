"""Short database sessions: one for each read, one transaction for each write, none shared."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import orjson
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

CONNECT_SECONDS: Final = 10
"""A new connection may take so long, and so may the wait for one of the pool."""
STATEMENT_SECONDS: Final = 60
"""A statement may take so long, its waits for locks included, and so may a transaction wait for its next one."""
PATIENT_SECONDS: Final = 3_600
"""Instead, where an operator takes in whole files and waits for them."""
SILENCE_SECONDS: Final = 5
"""So much longer a server has to say that a statement took too long: one that says nothing by then is given up."""
CLOSE_SECONDS: Final = 5
"""Connections have so long to say goodbye."""


class Sessions:
    """Hands out sessions of its own pool on one PostgreSQL.

    Built in the application's lifespan, closed with it. A session is a Core connection: an ORM session costs three
    times as much a row and would add nothing to statements that are written out.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        pool_seconds: float = CONNECT_SECONDS,
        statement_seconds: int = STATEMENT_SECONDS,
    ) -> None:
        options: dict[str, Any] = {
            # Errors name the statement; what it was asked is codes and names.
            "hide_parameters": True,
            "json_serializer": _dumps,
            "json_deserializer": orjson.loads,
        }
        arguments = _arguments(statement_seconds)
        self._engine = create_async_engine(
            url, pool_size=pool_size, max_overflow=0, pool_timeout=pool_seconds, connect_args=arguments, **options
        )
        # One round trip a statement: no BEGIN before and no ROLLBACK after a read.
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._apart = create_async_engine(
            url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=arguments, **options
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A session for reads, each statement seeing what is committed when it starts."""
        async with self._reading.connect() as connection, _given_up_when_lost(connection):
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, READ COMMITTED: committed when the block ends, rolled back when it raises."""
        async with (
            self._engine.connect() as connection,
            _given_up_when_lost(connection),  # Its commit may be what is not answered,
            connection.begin(),
            _given_up_when_lost(connection),  # and what was lost before cannot be rolled back.
        ):
            yield connection

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[AsyncConnection]:
        """A connection beside the pool, for who keeps one all the time; it ends with the block."""
        async with self._apart.connect() as connection:
            try:
                yield connection
            finally:
                await connection.invalidate()

    async def close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._engine.dispose()


def _arguments(statement_seconds: int) -> dict[str, Any]:
    """What each connection is made with: a limit for every wait, on the server's side and, for the time when that
    does not answer, on ours.
    """
    milliseconds = str(1000 * statement_seconds)
    return {
        "timeout": CONNECT_SECONDS,
        "command_timeout": statement_seconds + SILENCE_SECONDS,
        "server_settings": {
            # The statements are written to be planned once for whatever they are asked: planning takes longer than
            # running most of them, and PostgreSQL, left to itself, plans a claim anew each time.
            "plan_cache_mode": "force_generic_plan",
            # What they look for is in memory or on a disk without arms: going to rows by their keys costs no more
            # there than going through all of them.
            "random_page_cost": "1.1",
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
        },
    }


@asynccontextmanager
async def _given_up_when_lost(connection: AsyncConnection) -> AsyncIterator[None]:
    """Nobody gets a connection again on which an answer did not come, or was not waited for: who knows what it does."""
    try:
        yield
    except (OSError, asyncio.CancelledError):  # A TimeoutError is an OSError.
        await connection.invalidate()
        raise


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()


_DEADLOCK, _SERIALIZATION, _LOCK_TIMEOUT = "40P01", "40001", "55P03"


def is_transient(error: Exception) -> bool:
    """Whether a transaction was rolled back for the sake of another, or lost its connection before its commit was sent:
    the same again may well succeed.
    """
    if not isinstance(error, DBAPIError):
        return False
    # A commit has no statement. Whether one that was lost took place is not known.
    if error.connection_invalidated:
        return error.statement is not None
    return getattr(error.orig, "sqlstate", None) in {_DEADLOCK, _SERIALIZATION}


def is_lock_timeout(error: Exception) -> bool:
    """Whether a statement waited for a lock as long as its transaction allows, and was given up."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == _LOCK_TIMEOUT
