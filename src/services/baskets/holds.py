"""Holding all that a price depends on, in one statement."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from db.baskets import baskets
from db.baskets import claims as db
from services.baskets.quotes import Quote
from services.core.expiry import claim
from services.core.transactions import Transaction
from services.pricing.result import Hold


class Holder(NamedTuple):
    """A basket, and whose it is."""

    id: UUID
    contact: UUID | None


async def hold(transaction: Transaction, quotes: Sequence[tuple[Holder, Quote]]) -> None:
    """Makes each basket hold what its quote takes and nothing else. Raises Overtaken where some of it is gone.

    What a price takes from baskets past their time ends these in the same transaction: no timer need be exact.
    """
    wanted = [db.Claim(holder.id, holder.contact, _holds(quote)) for holder, quote in quotes]
    expired: list[UUID] = []
    if any(quote.has_expired for _, quote in quotes):
        offers = {hold.offer for each in wanted for hold in each.holds}
        expired = await baskets.lock_expired_with(transaction.connection, transaction.organisation, offers)
    await claim(transaction, wanted, expired)


def _holds(quote: Quote) -> list[db.HeldTickets]:
    return held_tickets(quote.pricing.holds, quote.holders)


def held_tickets(holds: Sequence[Hold], holders: Mapping[UUID, UUID | None]) -> list[db.HeldTickets]:
    """The rows of the ledger for these holds, each with the structure whose code it is."""
    return [
        db.HeldTickets(
            offer=each.offer,
            code=each.code,
            holder=None if each.code is None else holders.get(each.code),
            product=each.kind.product,
            performance=each.kind.performance,
            seat_category=each.kind.seat_category,
            audience_sub_category=each.kind.audience_sub_category,
            tickets=each.tickets,
        )
        for each in holds
    ]
