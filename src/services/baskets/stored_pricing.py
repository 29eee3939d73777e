"""A price kept with a basket or an order, exactly as pricing gave it."""

from dataclasses import dataclass, replace
from itertools import islice
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from services.pricing.benefits import split
from services.pricing.result import Pricing, PromotionShare


@dataclass(frozen=True, slots=True)
class StoredPricing:
    """The price that was given, and the single-use codes that must still be held for it to last."""

    pricing: Pricing
    held_codes: frozenset[UUID]


_ADAPTER = TypeAdapter(StoredPricing)


def dump(pricing: Pricing, held_codes: frozenset[UUID]) -> str:
    """A price as the JSON that is kept with its basket."""
    return orjson.dumps(StoredPricing(pricing, held_codes), default=_plain).decode()


def _plain(value: object) -> object:
    """What orjson has no word for: keys of the driver's own class, and sets of them."""
    return list(value) if isinstance(value, frozenset) else str(value)


def load(written: str) -> StoredPricing:
    """The price again, equal to the one that was dumped."""
    stored = _ADAPTER.validate_json(written)
    return StoredPricing(_with_shares(stored.pricing), stored.held_codes)


def _with_shares(pricing: Pricing) -> Pricing:
    """A price of before shares were kept by code, with such shares.

    Each code gets what it took off in all, in proportion to what is left of the tickets' shares; the last one the rest.
    """
    tickets = [ticket for line in pricing.lines for ticket in line.tickets]
    if all(ticket.shares or not ticket.promotion_share for ticket in tickets):
        return pricing
    advantages = {ticket.advantage for ticket in tickets}
    codes = [code for code in pricing.codes if code.applied and code.offer not in advantages]
    left = [ticket.promotion_share for ticket in tickets]
    shares: list[tuple[PromotionShare, ...]] = [() for _ in tickets]
    for code in codes:
        off = list(left) if code is codes[-1] else split(min(code.discount, sum(left)), left, range(len(left)))
        for place, amount in enumerate(off):
            if amount and code.offer is not None:
                left[place] -= amount
                shares[place] += (PromotionShare(code.offer, code.code, amount),)
    shared = iter([replace(ticket, shares=mine) for ticket, mine in zip(tickets, shares, strict=True)])
    lines = tuple([replace(line, tickets=tuple(islice(shared, len(line.tickets)))) for line in pricing.lines])
    return replace(pricing, lines=lines)
