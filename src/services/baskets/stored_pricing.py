"""A price kept with a basket or an order, exactly as pricing gave it."""

from dataclasses import dataclass
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from services.pricing.result import Pricing


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
    return _ADAPTER.validate_json(written)
