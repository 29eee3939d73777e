"""Redemption counts, of an offer or of one contact's share of it."""

from collections.abc import Mapping, Sequence
from typing import Self
from uuid import UUID

import strawberry

from resolvers.runtime.context import Context
from services.counts import counts as services


@strawberry.type(
    description="generated = available + held + used + invalidated, counted in codes; the rest in tickets."
)
class RedemptionCounts:
    generated: int
    available: int
    held: int
    used: int
    invalidated: int
    tickets_held: int = strawberry.field(
        description="Tickets that baskets hold at this offer's price, with or without a code."
    )
    tickets_sold: int = strawberry.field(
        description="Tickets that orders have at this offer's price, with or without a code."
    )
    tickets_controlled: int = strawberry.field(description="Sold tickets scanned at the entrance.")
    version: int = strawberry.field(description="Grows with every change of these counts.")

    @classmethod
    def of(cls, counts: services.RedemptionCounts) -> Self:
        return cls(
            generated=counts.generated,
            available=counts.available,
            held=counts.held,
            used=counts.used,
            invalidated=counts.invalidated,
            tickets_held=counts.tickets_held,
            tickets_sold=counts.tickets_sold,
            tickets_controlled=counts.tickets_controlled,
            version=counts.version,
        )


async def load_counts(context: Context, offer: UUID) -> RedemptionCounts:
    """An offer's counts as far as the viewer may see them; raises Forbidden."""
    return await context.load(_counts, offer) or RedemptionCounts.of(services.RedemptionCounts())


async def _counts(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, RedemptionCounts]:
    found = await context.services.counts.of_offers(await context.viewer(), keys)
    return {key: RedemptionCounts.of(counts) for key, counts in found.items()}
