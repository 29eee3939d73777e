"""The one way in which baskets past their time end, and what they held is free (docs/domain.md, Baskets and orders)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from db.access import attempts
from db.baskets import baskets, claims
from db.baskets.baskets import BasketState
from db.baskets.claims import Claim
from db.core import idempotency
from db.core.sessions import Sessions
from services.core.transactions import Overtaken, Transaction, Transactions

_log = structlog.get_logger()


class HeldNow:
    """Reads of what is held: baskets past their time are ended before, so that all that look see the same."""

    def __init__(self, sessions: Sessions, transactions: Transactions) -> None:
        self._sessions = sessions
        self._transactions = transactions

    @asynccontextmanager
    async def reading(self, organisation: UUID) -> AsyncIterator[AsyncConnection]:
        """A session that sees nothing held by a basket past its time."""
        await self.settle(organisation)
        async with self._sessions.reading() as connection:
            yield connection

    async def settle(self, organisation: UUID) -> None:
        """Ends what is past its time; where there is nothing, that is one look by an index."""
        async with self._sessions.reading() as connection:
            due = await baskets.has_expired(connection, organisation)
        while due:
            due = await self._transactions.run(organisation, datetime.now(UTC), _end_all)


class Sweeper:
    """Clears in a worker, in batches, what nobody met: expired baskets, idempotency keys past their two days, and what
    was counted of tries whose time is over.
    """

    def __init__(self, sessions: Sessions, transactions: Transactions) -> None:
        self._sessions = sessions
        self._transactions = transactions

    async def sweep(self, now: datetime) -> None:
        """Clears everything that is due."""
        async with self._sessions.reading() as connection:
            await idempotency.forget_old(connection)
            await attempts.forget_old(connection, now)
            due = await baskets.organisations_with_expired(connection)
        for organisation in due:
            while await self._transactions.run(organisation, now, _end_some):
                _log.info("expired baskets ended", organisation=str(organisation))


async def claim(
    transaction: Transaction, claims_wanted: Sequence[Claim], expired: Sequence[UUID], *, by: str | None = None
) -> None:
    """Makes each basket hold what it claims and nothing else, and ends the ``expired`` ones, which are locked.

    What these held is given back first, in the same statement, so that it can be claimed. Raises Overtaken where some
    of what is claimed is gone.
    """
    claimed = await claims.claim(transaction.connection, transaction.organisation, claims_wanted, expired, by=by)
    if not claimed.complete:
        raise Overtaken
    await baskets.end(transaction.connection, transaction.organisation, expired, BasketState.EXPIRED)
    transaction.changed.update(claimed.changed)


async def end_holding(transaction: Transaction, offers: Sequence[UUID]) -> None:
    """Ends all baskets past their time that hold tickets of these offers."""
    expired = await baskets.lock_expired_with(transaction.connection, transaction.organisation, offers)
    if expired:
        await claim(transaction, (), expired)


async def _end_some(transaction: Transaction) -> bool:
    """Ends some expired baskets that nobody else is ending; whether there were any."""
    return await _end(transaction, await baskets.lock_expired(transaction.connection, transaction.organisation))


async def _end_all(transaction: Transaction) -> bool:
    """Ends some expired baskets, after whoever is ending one; whether there were any."""
    return await _end(transaction, await baskets.lock_all_expired(transaction.connection, transaction.organisation))


async def _end(transaction: Transaction, expired: Sequence[UUID]) -> bool:
    if expired:
        await claim(transaction, (), expired)
    return bool(expired)
