"""Ends baskets past their time that nobody else met (docs/domain.md, Baskets and orders)."""

from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets import baskets, claims
from db.core import idempotency
from db.core.sessions import Sessions
from services.core.transactions import Transactions

_log = structlog.get_logger()


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
                return await _end_some(connection, changed, of)

            while await self._transactions.run(organisation, attempt):
                _log.info("expired baskets ended", organisation=str(organisation))


async def _end_some(connection: AsyncConnection, changed: set[UUID], organisation: UUID) -> bool:
    """Ends some expired baskets, and gives back what they hold; whether there were any."""
    expired = await baskets.lock_expired(connection, organisation)
    if expired:
        changed |= await claims.release(connection, organisation, expired)
        await baskets.end(connection, organisation, expired, "EXPIRED")
    return bool(expired)
