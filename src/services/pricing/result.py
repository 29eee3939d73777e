"""What pricing answers: a basket's price that explains itself. Amounts are minor units."""

from uuid import UUID

from services.pricing.facts.refusals import Refusal
from services.pricing.facts.tickets import TicketKind
from services.pricing.values import value


@value
class PromotionShare:
    """What one promotional code took off a ticket that it covers, which may be nothing by rounding.

    ``code`` is the stored code, None where that is not stored by itself.
    """

    offer: UUID
    code: UUID | None
    amount: int


@value
class PricedTicket:
    """One ticket: ``price`` is ``advantage_price - promotion_share``, never below zero nor above ``full_price``.

    ``code`` is the stored code that opened the advantage for it, None where that took none. ``shares`` add up to
    ``promotion_share``, one for each promotional code that covers the ticket, in the order of entry.
    """

    full_price: int
    advantage: UUID | None
    advantage_price: int
    promotion_share: int
    price: int
    code: UUID | None = None
    shares: tuple[PromotionShare, ...] = ()


@value
class PricedLine:
    """One line of the basket, ticket by ticket, in the order of the input."""

    kind: TicketKind
    tickets: tuple[PricedTicket, ...]

    @property
    def total(self) -> int:
        return sum(ticket.price for ticket in self.tickets)


@value
class PricedCode:
    """What an entered code did: ``discount`` it took off, or all the reasons why not."""

    text: str
    code: UUID | None
    offer: UUID | None
    applied: bool
    discount: int
    refusals: tuple[Refusal, ...]


@value
class OfferTerms:
    """The terms under which a basket was given an offer, which it keeps (docs/domain.md, Baskets and what they hold).

    Empty ``delivery_modes`` are all. ``personal``: it was given to this contact, by a target, a restriction or a share.
    """

    offer: UUID
    delivery_modes: frozenset[UUID]
    minimum_basket: int
    combinable: bool
    personal: bool


@value
class Hold:
    """Tickets of one kind that profit from an offer, and by which code where it took one.

    What a basket must hold for its price to last; a limit counts the ``tickets`` of the holds that match it. There are
    none where another code of the same offer holds them already.
    """

    offer: UUID
    code: UUID | None
    kind: TicketKind
    tickets: int


@value
class Pricing:
    """``total = subtotal - advantage_discount - promotion_discount + processing_fee + delivery_fee`` and
    ``amount_due = total - balance_used`` (docs/domain.md, Pricing a basket, Balance). ``terms`` has those of every
    offer that is held.
    """

    lines: tuple[PricedLine, ...]
    codes: tuple[PricedCode, ...]
    holds: tuple[Hold, ...]
    subtotal: int
    advantage_discount: int
    promotion_discount: int
    processing_fee: int
    delivery_fee: int
    balance_used: int
    terms: tuple[OfferTerms, ...] = ()

    @property
    def total(self) -> int:
        return (
            self.subtotal - self.advantage_discount - self.promotion_discount + self.processing_fee + self.delivery_fee
        )

    @property
    def amount_due(self) -> int:
        return self.total - self.balance_used
