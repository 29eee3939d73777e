"""Ends baskets past their time, so that an expired hold never blocks anybody."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import baskets, claims


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
