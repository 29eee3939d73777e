"""Holding all that a price depends on, in one statement."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import baskets, claims
from services.prices import Quote
from services.transactions import Overtaken


async def hold(
    connection: AsyncConnection,
    changed: set[UUID],
    organisation: UUID,
    basket: UUID,
    contact: UUID | None,
    quote: Quote,
) -> None:
    """Makes the basket hold what ``quote`` takes and nothing else. Raises Overtaken where some of it is gone.

    What the price takes from baskets past their time ends these in the same transaction: no timer need be exact.
    """
    holds = [
        claims.Hold(
            offer=each.offer,
            code=each.code,
            holder=None if each.code is None else quote.holders.get(each.code),
            product=each.kind.product,
            performance=each.kind.performance,
            seat_category=each.kind.seat_category,
            audience_sub_category=each.kind.audience_sub_category,
            tickets=each.tickets,
        )
        for each in quote.pricing.holds
    ]
    expired: list[UUID] = []
    if quote.has_expired:
        expired = await baskets.lock_expired_with(connection, organisation, {each.offer for each in holds})
    claimed = await claims.claim(connection, organisation, basket, contact, holds, expired)
    if not claimed.complete:
        raise Overtaken
    await baskets.end(connection, organisation, expired, "EXPIRED")
    changed |= claimed.changed
