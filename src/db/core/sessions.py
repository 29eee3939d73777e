"""Short database sessions: one for each read, one transaction for each write, none shared."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine


class Sessions:
    """Hands out sessions of its own pool on one PostgreSQL.

    Built in the application's lifespan, closed with it. A session is a Core connection: an ORM session costs three
    times as much a row and would add nothing to statements that are written out.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self._engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            # Errors name the statement; what it was asked is codes and names.
            hide_parameters=True,
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
            # The statements are written to be planned once for whatever they are asked: planning takes longer than
            # running most of them, and PostgreSQL, left to itself, plans a claim anew each time.
            # What they look for is in memory or on a disk without arms: going to rows by their keys costs no more there
            # than going through all of them.
            connect_args={"server_settings": {"plan_cache_mode": "force_generic_plan", "random_page_cost": "1.1"}},
        )
        # One round trip a statement: no BEGIN before and no ROLLBACK after a read.
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A session for reads, each statement seeing what is committed when it starts."""
        async with self._reading.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, READ COMMITTED: committed when the block ends, rolled back when it raises."""
        async with self._engine.begin() as connection:
            yield connection

    async def close(self) -> None:
        await self._engine.dispose()


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
