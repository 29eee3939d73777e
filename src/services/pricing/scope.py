"""Which tickets an offer is for: scope, sale end and benefit (docs/domain.md, Offers)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.pricing.benefits import rate, saving
from services.pricing.facts.offers import Advantage, Offer, Rates
from services.pricing.facts.refusals import Instant, Refusal, RefusalCode
from services.pricing.facts.tickets import TicketKind
from services.pricing.limits import Bound
from services.pricing.rules import is_over


def in_scope(offer: Offer, kind: TicketKind) -> bool:
    """Whether a ticket matches every list of the scope and, for an advantage, its family, season and rate sub-table."""
    scope = offer.scope
    return (
        (not scope.performances or kind.performance in scope.performances)
        and (not scope.products or kind.product in scope.products)
        and (not scope.seat_categories or kind.seat_category in scope.seat_categories)
        and (not scope.audience_sub_categories or kind.audience_sub_category in scope.audience_sub_categories)
        and (
            not isinstance(offer, Advantage)
            or (
                offer.family is kind.family
                and (offer.season is None or offer.season == kind.season)
                and (not isinstance(offer.benefit, Rates) or rate(offer.benefit, kind) is not None)
            )
        )
    )


def is_on_sale(offer: Offer, kind: TicketKind, now: datetime) -> bool:
    """Whether the sale of the offer is still open for the ticket."""
    return kind.starts_at is None or sale_is_open(offer, kind.starts_at, now)


def sale_is_open(offer: Offer, starts_at: datetime, now: datetime) -> bool:
    """Whether the offer is sold still for what starts then: until its sale end, which itself counts too."""
    if offer.sale_end_tolerance is None:
        return True
    return not is_over(starts_at + timedelta(minutes=offer.sale_end_tolerance), now)


def ticket_refusals(offer: Offer, kinds: Sequence[TicketKind], limits: Sequence[Bound], now: datetime) -> list[Refusal]:
    """Why the offer can apply to none of these tickets, not even to one; empty where it can."""
    scoped = [kind for kind in kinds if in_scope(offer, kind)]
    on_sale = [kind for kind in scoped if is_on_sale(offer, kind, now)]
    found = []
    if not scoped:
        found.append(Refusal(RefusalCode.NO_ELIGIBLE_TICKET))
    elif not on_sale:
        found.append(sale_closed(offer, scoped, now))
    elif isinstance(offer, Advantage) and not any(saving(offer.benefit, kind) for kind in on_sale):
        found.append(Refusal(RefusalCode.NO_BENEFIT))
    return found + used_up(limits, on_sale or scoped)


def used_up(limits: Sequence[Bound], kinds: Sequence[TicketKind]) -> list[Refusal]:
    """The limits that leave room for not one of these tickets, or for no ticket at all; empty where one has room."""
    full = [bound for bound in limits if bound.most < 1]
    if not all(any(bound.covers(kind) for bound in full) for kind in kinds):
        return []
    return [bound.refusal(1) for bound in full if bound.element is None or any(map(bound.covers, kinds))]


def sale_closed(offer: Offer, kinds: Sequence[TicketKind], now: datetime) -> Refusal:
    """Says until when the offer was sold for the last of these tickets."""
    tolerance = timedelta(minutes=offer.sale_end_tolerance or 0)
    last = max(kind.starts_at + tolerance for kind in kinds if kind.starts_at)
    return Refusal(RefusalCode.SALE_CLOSED, Instant(last), Instant(now))
