"""How much a customer, or all customers of a shop, may have open at once (docs/domain.md, Baskets and orders)."""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets import baskets as db
from db.baskets.baskets import BasketContent, LockedBasket, OpenBaskets
from services.core.errors import TooMany
from services.core.texts import text
from services.core.transactions import Transaction
from services.core.viewer import Audience, Viewer

AT_ONCE: Final = 50
"""Requests of one client that all processes together may well carry out at one moment."""
FRESH: Final = 1.0
"""Seconds for which a process goes by what it counted for a whole point of sale."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many baskets may be open at once, and how many tickets may be in them."""

    baskets: int
    tickets: int

    def is_near(self, found: OpenBaskets, tickets: int) -> bool:
        """Whether it would be passed if many came at this very moment, each with so many tickets."""
        return found.baskets + AT_ONCE >= self.baskets or found.tickets + AT_ONCE * tickets >= self.tickets


class Allowances:
    """Counts open baskets in the database before one is opened or grows; never for staff.

    Of a client, exactly: near its allowance it opens one basket after the other. Of a point of sale, as it was a moment
    ago. A partner's key sells for many, as a shop does, and has a shop's allowance.
    """

    def __init__(self, client: Allowance, point_of_sale: Allowance) -> None:
        self._client = client
        self._point_of_sale = point_of_sale
        self._counted: dict[tuple[UUID, UUID], tuple[float, OpenBaskets]] = {}

    async def open(self, transaction: Transaction, viewer: Viewer, content: BasketContent) -> str | None:
        """Whose a new basket is, None where it counts for nobody. Raises TooMany."""
        if viewer.is_staff:
            return None
        await self._check(transaction, viewer, viewer.client, content, None)
        return viewer.client

    async def grow(self, transaction: Transaction, viewer: Viewer, row: LockedBasket, content: BasketContent) -> None:
        """Lets an open basket have other content. Raises TooMany where it grows to too many tickets."""
        if not viewer.is_staff and row.client is not None and content.tickets > row.content.tickets:
            await self._check(transaction, viewer, row.client, content, row.id)

    async def _check(
        self, transaction: Transaction, viewer: Viewer, client: str, content: BasketContent, basket: UUID | None
    ) -> None:
        connection, organisation, place = transaction.connection, transaction.organisation, content.point_of_sale
        every = await self._open_at(connection, organisation, place)
        if every.baskets >= self._point_of_sale.baskets or every.tickets >= self._point_of_sale.tickets:
            raise TooMany(text("shop_too_busy"), _moment(every))
        if not client:
            return
        allowance = self._point_of_sale if viewer.audience is Audience.PARTNER else self._client
        own = await db.open_of_client(connection, organisation, place, client, basket)
        if allowance.is_near(own, content.tickets):
            await db.lock_client(connection, organisation, place, client)
            own = await db.open_of_client(connection, organisation, place, client, basket)
        if basket is None and own.baskets >= allowance.baskets:
            raise TooMany(text("too_many_baskets", most=allowance.baskets), _moment(own))
        if own.tickets + content.tickets > allowance.tickets:
            fits_later = content.tickets <= allowance.tickets
            said = text("too_many_held_tickets", most=allowance.tickets)
            raise TooMany(said, _moment(own) if fits_later else None)

    async def _open_at(self, connection: AsyncConnection, organisation: UUID, place: UUID) -> OpenBaskets:
        now = asyncio.get_running_loop().time()
        until, counted = self._counted.get((organisation, place), (now, None))
        if counted is None or until <= now:
            counted = await db.open_at(connection, organisation, place)
            self._counted[organisation, place] = now + FRESH, counted
        return counted


def _moment(found: OpenBaskets) -> int:
    """Seconds until the first of the baskets ends."""
    return max(1, found.seconds or 1)
