"""How many tickets an offer may still take, on every level (docs/domain.md, Offers, Limits)."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from services.pricing.facts.offers import Limits, Offer
from services.pricing.facts.refusals import Refusal, RefusalCode, Tickets
from services.pricing.facts.sale import LimitKey, Sale, Taken
from services.pricing.facts.tickets import Element, ElementKind, TicketKind
from services.pricing.result import Hold
from services.pricing.values import value


@value
class Bound:
    """At most ``most`` tickets of the element may get an offer in this sale; without one, of the whole scope."""

    element: Element | None
    most: int
    code: RefusalCode
    detail: str | None = None

    def covers(self, kind: TicketKind) -> bool:
        return self.element is None or is_of(self.element, kind)

    def refusal(self, wanted: int) -> Refusal:
        """Says that at most ``most`` tickets are required where ``wanted`` were found."""
        return Refusal(self.code, Tickets(self.most), Tickets(wanted), self.detail)


def bounds(offer: Offer, sale: Sale, taken: Taken, own: Sequence[Hold] = ()) -> list[Bound]:
    """What is left of each limit of the offer in this sale, the offer's own first, none below 0.

    ``own`` is what kept tickets of the basket hold of the offer.

    Nothing is left to an unknown contact of a limit per contact: whose share it would be cannot be said. Of such a
    limit on one element, this keeps out that element's tickets only.
    """
    found = _left(offer.id, None, offer.limits, sale, taken)
    for each in offer.element_limits:
        found += _left(offer.id, each.element, each.limits, sale, taken)
    return [_less(bound, own) for bound in found] if own else found


def _less(bound: Bound, own: Sequence[Hold]) -> Bound:
    held = sum(hold.tickets for hold in own if bound.covers(hold.kind))
    return Bound(bound.element, max(0, bound.most - held), bound.code, bound.detail)


def exceeded(limits: Sequence[Bound], wanted: Sequence[tuple[TicketKind, int]]) -> Iterator[Refusal]:
    """A refusal for each limit that does not have room for all of these tickets."""
    for bound in limits:
        count = sum(tickets for kind, tickets in wanted if bound.covers(kind))
        if count > bound.most:
            yield bound.refusal(count)


def is_counted(offer: Offer) -> bool:
    """Whether any limit of the offer counts tickets of other baskets and orders."""
    return bool(counted(offer))


def counted(offer: Offer) -> list[Element | None]:
    """Of what tickets of other baskets and orders are counted: of the offer as a whole, None, or of an element."""
    every: list[tuple[Element | None, Limits]] = [(None, offer.limits)]
    every += [(each.element, each.limits) for each in offer.element_limits]
    return [element for element, limits in every if limits.quota is not None or limits.per_contact is not None]


def _left(offer: UUID, element: Element | None, limits: Limits, sale: Sale, taken: Taken) -> list[Bound]:
    found = []
    if limits.quota is not None:
        left = limits.quota - taken.get(LimitKey(offer, element, of_contact=False), 0)
        found.append(Bound(element, max(0, left), RefusalCode.QUOTA_EXHAUSTED))
    if limits.per_order is not None:
        found.append(Bound(element, limits.per_order, RefusalCode.ORDER_LIMIT_EXCEEDED))
    if limits.per_contact is not None and sale.contact is None:
        found.append(Bound(element, 0, RefusalCode.NOT_TARGETED, "unknown_contact"))
    elif limits.per_contact is not None:
        left = limits.per_contact - taken.get(LimitKey(offer, element, of_contact=True), 0)
        found.append(Bound(element, max(0, left), RefusalCode.CONTACT_LIMIT_EXCEEDED))
    return found


def is_of(element: Element, kind: TicketKind) -> bool:
    """Whether tickets of this kind are the element's."""
    return _id_of(element.kind, kind) == element.id


def _id_of(element: ElementKind, kind: TicketKind) -> UUID | None:
    match element:
        case ElementKind.PRODUCT:
            return kind.product
        case ElementKind.PERFORMANCE:
            return kind.performance
        case ElementKind.SEAT_CATEGORY:
            return kind.seat_category
        case ElementKind.AUDIENCE_SUB_CATEGORY:
            return kind.audience_sub_category
