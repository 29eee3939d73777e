"""Giving a price and holding all that it depends on, in one transaction."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import claims
from db.baskets import BasketContent
from services.expiry import release_expired
from services.prices import Prices, Quote
from services.transactions import Overtaken
from services.viewer import Viewer


class Holding:
    """Prices the content of a basket and makes the basket hold just what that price takes."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices

    async def look(
        self,
        connection: AsyncConnection,
        viewer: Viewer,
        content: BasketContent,
        now: datetime,
        basket: UUID | None = None,
        include: frozenset[UUID] = frozenset(),
    ) -> Quote:
        """The price now, nothing held; limits may still count what expired baskets held (``has_expired``).

        The offers to ``include`` count as running.
        """
        return await self._prices.quote(connection, viewer, content, now=now, basket=basket, include=include)

    async def quote(
        self,
        connection: AsyncConnection,
        changed: set[UUID],
        viewer: Viewer,
        content: BasketContent,
        now: datetime,
        basket: UUID | None = None,
    ) -> Quote:
        """A price that no expired hold stands in the way of."""
        quote = await self.look(connection, viewer, content, now, basket)
        if quote.has_expired and await release_expired(connection, viewer.organisation_id, changed):
            quote = await self.look(connection, viewer, content, now, basket)
        return quote

    async def claim(
        self,
        connection: AsyncConnection,
        changed: set[UUID],
        organisation: UUID,
        basket: UUID,
        contact: UUID | None,
        quote: Quote,
    ) -> None:
        """Makes the basket hold what ``quote`` takes and nothing else. Raises Overtaken where some of it is gone."""
        holds = [
            claims.Hold(
                offer=hold.offer,
                code=hold.code,
                holder=None if hold.code is None else quote.holders.get(hold.code),
                product=hold.kind.product,
                performance=hold.kind.performance,
                seat_category=hold.kind.seat_category,
                audience_sub_category=hold.kind.audience_sub_category,
                tickets=hold.tickets,
            )
            for hold in quote.pricing.holds
        ]
        claimed = await claims.claim(connection, organisation, basket, contact, holds)
        if not claimed.complete:
            raise Overtaken
        changed |= claimed.changed
