"""Ends baskets past their time, so that an expired hold never blocks anybody."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from db import baskets, claims, idempotency
from db.sessions import Sessions
from services.transactions import Transactions

_log = structlog.get_logger()


class Look(Protocol):
    """What was found at an instant; ``has_expired`` where baskets past their time still count as taken in it."""

    @property
    def has_expired(self) -> bool: ...


Found = TypeVar("Found", bound=Look)


async def without_expired(
    sessions: Sessions,
    transactions: Transactions,
    organisation: UUID,
    look: Callable[[AsyncConnection], Awaitable[Found]],
) -> Found:
    """What ``look`` finds where no expired hold stands in the way: it looks again once those are given back."""

    async def release(connection: AsyncConnection, changed: set[UUID]) -> bool:
        return await release_expired(connection, organisation, changed)

    released = True
    while True:
        async with sessions.reading() as connection:
            found = await look(connection)
        if not (found.has_expired and released):
            return found
        released = await transactions.run(organisation, release)


async def release_expired(connection: AsyncConnection, organisation: UUID, changed: set[UUID]) -> bool:
    """Gives back all that expired baskets hold, within the caller's transaction; whether there was any to end.

    No timer need be exact: whoever meets an expired basket calls this first, and only the database's clock decides. The
    offers whose counts change are added to ``changed``.
    """
    expired = await baskets.lock_expired(connection, organisation)
    for basket in expired:
        claimed = await claims.claim(connection, organisation, basket, None, ())
        changed |= claimed.changed
        await baskets.end(connection, organisation, basket, "EXPIRED")
    return bool(expired)


class Sweeper:
    """Clears in a worker, in batches, what nobody met: expired baskets, and idempotency keys past their two days."""

    def __init__(self, sessions: Sessions, transactions: Transactions) -> None:
        self._sessions = sessions
        self._transactions = transactions

    async def sweep(self) -> None:
        """Clears everything that is due."""
        async with self._sessions.reading() as connection:
            await idempotency.forget_old(connection)
            due = await baskets.organisations_with_expired(connection)
        for organisation in due:

            async def attempt(connection: AsyncConnection, changed: set[UUID], of: UUID = organisation) -> bool:
                return await release_expired(connection, of, changed)

            while await self._transactions.run(organisation, attempt):
                _log.info("expired baskets ended", organisation=str(organisation))
