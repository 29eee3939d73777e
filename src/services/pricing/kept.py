"""Tickets whose terms a basket keeps: priced before, and left as they are while what is new beside them is priced."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar
from uuid import UUID

from services.pricing.facts.offers import Advantage, CampaignTarget, IndicatorTarget, Offer, PromotionalCode
from services.pricing.facts.tickets import TicketKind
from services.pricing.result import Hold, OfferTerms, PricedTicket, PromotionShare
from services.pricing.values import value

_HoldKey = tuple[UUID, UUID | None, TicketKind]
_Counted = TypeVar("_Counted")

CodeKey = tuple[UUID, UUID | None]
"""An offer and the stored code that opened it, None where that is not stored by itself."""


@value
class KeptTicket:
    """A ticket of the line at this place of the basket, with the price and the terms that it keeps."""

    line: int
    kind: TicketKind
    ticket: PricedTicket


@value
class Kept:
    """What the kept tickets take, together. ``savings`` and ``shares`` are minor units, by offer and code."""

    tickets: Sequence[KeptTicket]
    holds: Sequence[Hold]
    savings: Mapping[CodeKey, int]
    shares: Mapping[CodeKey, int]
    terms: Mapping[UUID, OfferTerms]

    @classmethod
    def of(cls, tickets: Sequence[KeptTicket], terms: Mapping[UUID, OfferTerms]) -> "Kept":
        if not tickets:
            return NOTHING_KEPT
        holds: dict[_HoldKey, int] = {}
        savings: dict[CodeKey, int] = {}
        shares: dict[CodeKey, int] = {}
        for kept in tickets:
            ticket = kept.ticket
            if ticket.advantage is not None:
                _add(holds, (ticket.advantage, ticket.code, kept.kind), 1)
                _add(savings, (ticket.advantage, ticket.code), ticket.full_price - ticket.advantage_price)
            covered: set[UUID] = set()
            for share in ticket.shares:
                _add(holds, (share.offer, share.code, kept.kind), int(share.offer not in covered))
                _add(shares, (share.offer, share.code), share.amount)
                covered.add(share.offer)
        offers = {offer for offer, _, _ in holds}
        return cls(
            tickets,
            [Hold(*key, count) for key, count in holds.items()],
            savings,
            shares,
            {offer: terms[offer] for offer in offers if offer in terms},
        )

    def holds_of(self, offer: UUID) -> list[Hold]:
        return [hold for hold in self.holds if hold.offer == offer]


NOTHING_KEPT: Final = Kept((), (), MappingProxyType({}), MappingProxyType({}), MappingProxyType({}))


def terms_of(offer: Offer) -> OfferTerms:
    """The terms under which an offer is given now."""
    limits = (offer.limits, *(each.limits for each in offer.element_limits))
    personal = any(each.per_contact is not None for each in limits)
    if isinstance(offer, Advantage):
        personal |= isinstance(offer.target, CampaignTarget | IndicatorTarget)
    minimum, combinable = 0, True
    if isinstance(offer, PromotionalCode):
        minimum, combinable, to = offer.minimum_basket, offer.combinable, offer.restriction
        personal |= bool(to.indicator or to.has_ordered is not None or to.newsletter or to.contacts)
    return OfferTerms(offer.id, offer.delivery_modes, minimum, combinable, personal)


def without(ticket: PricedTicket, offers: frozenset[CodeKey]) -> PricedTicket:
    """The ticket as it is when it no longer has any of these, by offer and code."""
    has_lost = ticket.advantage is not None and (ticket.advantage, ticket.code) in offers
    shares = tuple([share for share in ticket.shares if (share.offer, share.code) not in offers])
    if not has_lost and len(shares) == len(ticket.shares):
        return ticket
    return priced(
        ticket.full_price,
        None if has_lost else ticket.advantage,
        ticket.full_price if has_lost else ticket.advantage_price,
        None if has_lost else ticket.code,
        shares,
    )


def priced(
    full_price: int, advantage: UUID | None, advantage_price: int, code: UUID | None, shares: tuple[PromotionShare, ...]
) -> PricedTicket:
    """A ticket with this advantage and these shares of promotional codes."""
    share = sum([each.amount for each in shares])
    return PricedTicket(full_price, advantage, advantage_price, share, advantage_price - share, code, shares)


def _add(counts: dict[_Counted, int], key: _Counted, count: int) -> None:
    counts[key] = counts.get(key, 0) + count
