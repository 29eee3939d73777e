"""Holding all that a price depends on, in one statement."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from db.baskets import baskets
from db.baskets import claims as db
from services.baskets.code_effects import CodeEffect, by_kind, idle
from services.baskets.quotes import Quote
from services.core.expiry import claim
from services.core.transactions import Transaction
from services.pricing.facts.tickets import TicketKind
from services.pricing.result import Hold, Pricing

_NONE: Final = CodeEffect()


class Holder(NamedTuple):
    """A basket, and whose it is."""

    id: UUID
    contact: UUID | None


async def hold(transaction: Transaction, quotes: Sequence[tuple[Holder, Quote]], *, by: str | None = None) -> None:
    """Makes each basket hold what its quote takes and nothing else. Raises Overtaken where some of it is gone.

    ``by`` is who has it changed, for the record of the codes that it no longer holds. What a price takes from baskets
    past their time ends these in the same transaction: no timer need be exact.
    """
    wanted = [db.Claim(holder.id, holder.contact, _holds(quote), idle(quote.pricing)) for holder, quote in quotes]
    expired: list[UUID] = []
    if any(quote.has_expired for _, quote in quotes):
        offers = {hold.offer for each in wanted for hold in each.holds}
        expired = await baskets.lock_expired_with(transaction.connection, transaction.organisation, offers)
    await claim(transaction, wanted, expired, by=by)


def _holds(quote: Quote) -> list[db.HeldTickets]:
    return held_tickets(quote.pricing, quote.holders)


def held_tickets(pricing: Pricing, holders: Mapping[UUID, UUID | None]) -> list[db.HeldTickets]:
    """The rows of the ledger for what a price holds, each with the structure whose code it is."""
    effects = by_kind(pricing)
    return [_held(each, holders, effects) for each in pricing.holds]


def _held(
    hold: Hold, holders: Mapping[UUID, UUID | None], effects: dict[tuple[UUID, TicketKind], CodeEffect]
) -> db.HeldTickets:
    # Taken out, lest another hold of the same code and kind tell it again.
    effect = _NONE if hold.code is None else effects.pop((hold.code, hold.kind), _NONE)
    return db.HeldTickets(
        offer=hold.offer,
        code=hold.code,
        holder=None if hold.code is None else holders.get(hold.code),
        product=hold.kind.product,
        performance=hold.kind.performance,
        seat_category=hold.kind.seat_category,
        audience_sub_category=hold.kind.audience_sub_category,
        tickets=hold.tickets,
        covered=effect.tickets,
        discount=effect.discount,
    )
