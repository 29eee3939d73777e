"""Keys of requests, where what is kept under them goes at the same moment."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests import back_door

from db.core import idempotency
from db.core.sessions import Sessions

REQUEST = idempotency.KeyedRequest("caller", "key", b"print")


class Forgetful:
    """A connection before whose second statement the old keys are forgotten, as the worker does now and then."""

    def __init__(self, connection: AsyncConnection, sessions: Sessions) -> None:
        self._connection = connection
        self._sessions = sessions
        self._statements = 0

    async def execute(self, *arguments: Any) -> Any:
        self._statements += 1
        if self._statements == 2:
            async with self._sessions.reading() as other:
                await idempotency.forget_old(other)
        return await self._connection.execute(*arguments)


async def test_a_key_that_is_forgotten_while_it_is_looked_at_is_taken_by_who_asks(loaded: Sessions) -> None:
    async with loaded.writing() as connection:
        organisation = await back_door.organisation(connection)
        await _take(connection, organisation)
        await connection.execute(text("UPDATE idempotency_keys SET created_at = now() - interval '3 days'"))
    async with loaded.writing() as connection:
        assert not await _take(Forgetful(connection, loaded), organisation)  # type: ignore[arg-type]  # all it needs
    async with loaded.reading() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM idempotency_keys")) == 1


async def _take(connection: AsyncConnection, organisation: UUID) -> dict[tuple[str, str], idempotency.StoredEffect]:
    return await idempotency.begin(connection, organisation, [REQUEST])
