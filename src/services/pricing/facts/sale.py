"""The sale at hand, and what others have taken of each limit: what is true at this instant only."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from services.pricing.facts.tickets import Element, TicketPlace
from services.pricing.values import value


@value
class ContactFacts:
    """What targeting knows of a contact. ``indicators`` maps an indicator to the level held now."""

    id: UUID
    indicators: Mapping[UUID, str] = field(default_factory=lambda: MappingProxyType({}))
    campaigns: frozenset[UUID] = frozenset()
    has_ordered: bool = False
    newsletter: bool = False
    balance: int = 0


@value
class Sale:
    """Where, when, by and for whom tickets are sold.

    ``counter_profile`` is the profile of the staff member who sells, if one does. Fees are in minor units.
    """

    now: datetime
    channel: UUID
    point_of_sale: UUID
    delivery_mode: UUID | None = None
    contact: ContactFacts | None = None
    counter_profile: str | None = None
    processing_fee: int = 0
    delivery_fee: int = 0
    use_balance: bool = False


class LimitKey(NamedTuple):
    """Names one counted limit: of an offer or of one of its elements, over all orders or of the sale's contact."""

    offer: UUID
    element: Element | None
    of_contact: bool


Taken = Mapping[LimitKey, int]
"""Tickets that *other* baskets and orders hold of each counted limit; a key that is missing counts as none."""

Held = Mapping[tuple[UUID, UUID | None], Mapping[TicketPlace, int]]
"""Tickets that the basket itself holds of an offer by a stored code, None where it took none, by what they are for."""

NOTHING_HELD: Held = MappingProxyType({})
