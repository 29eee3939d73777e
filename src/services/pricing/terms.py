"""What a basket is priced under, and the codes entered for it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar
from uuid import UUID

from services.pricing.facts.offers import Offer, OfferState
from services.pricing.facts.refusals import EnteredCode, Refusal, RefusalCode
from services.pricing.facts.sale import Held, Sale, Taken
from services.pricing.facts.tickets import TicketPlace
from services.pricing.limits import Bound, bounds
from services.pricing.offer_index import OfferIndex
from services.pricing.result import PricedCode
from services.pricing.rules import needs_code, refusals
from services.pricing.values import value

AnyOffer = TypeVar("AnyOffer", bound=Offer)

OVER: Final = frozenset({RefusalCode.OFFER_NOT_RUNNING, RefusalCode.EXPIRED})
"""What stands against an offer that is over, and not against the tickets that a basket holds of it."""


@value
class Terms:
    """The sale, the offers there are, what others have taken of their limits, the offers to try as if RUNNING, and
    what the basket holds already.
    """

    sale: Sale
    offers: OfferIndex
    taken: Taken
    include: frozenset[UUID]
    held: Held

    def refusals(self, offer: Offer, code: UUID | None = None) -> list[Refusal]:
        """All that the sale has against an offer, whatever the tickets; that it is over only where none are held.

        ``code`` is the stored one by which they would be.
        """
        found = refusals(offer, self.offers.rules(offer.id), self.sale, self.include)
        if found and (offer.id, code) in self.held:
            return [refusal for refusal in found if refusal.code not in OVER]
        return found

    def honoured(self, offer: Offer, codes: Iterable[UUID | None]) -> Mapping[TicketPlace, int] | None:
        """How many tickets may have an offer that is over: those that are held by these stored codes, and no more.

        None for one that is not over, or not held (docs/domain.md, Baskets and orders).
        """
        if not self.held:
            return None
        held = [self.held[offer.id, code] for code in codes if (offer.id, code) in self.held]
        if not held or OVER.isdisjoint(
            refusal.code for refusal in refusals(offer, self.offers.rules(offer.id), self.sale, self.include)
        ):
            return None
        tickets: Counter[TicketPlace] = Counter()
        for each in held:
            tickets.update(each)
        return tickets

    def bounds(self, offer: Offer) -> list[Bound]:
        """What is left of the offer's limits."""
        return bounds(offer, self.sale, self.taken)

    def tried(self) -> Iterator[UUID]:
        """The advantages to try, or held, that do not run and need no code."""
        for offer in filter(None, map(self.offers.get, {*self.include, *(offer for offer, _ in self.held)})):
            if offer.state is not OfferState.RUNNING and not needs_code(offer):
                yield offer.id


@value
class OpenedCode:
    """An entered code with its offer, None where it opens nothing here. ``repeats``: an entry before has the same code.

    Where the code is refused as unknown, nothing may be told of its offer.
    """

    entered: EnteredCode
    offer: Offer | None
    repeats: bool

    @property
    def opens(self) -> bool:
        """Whether the code as such is good; its offer may still not apply."""
        return self.offer is not None and not self.repeats and not self.entered.refusals

    def applied(self, discount: int) -> PricedCode:
        return PricedCode(self.entered.text, self.entered.code, self.entered.offer, True, discount, ())

    def refused(self, reasons: Iterable[Refusal]) -> PricedCode:
        """Refused for what stands against the code and for these reasons, each once; at least for NO_BENEFIT."""
        text, code, own = self.entered.text, self.entered.code, self.entered.refusals
        if self.offer is None or any(refusal.code is RefusalCode.UNKNOWN_CODE for refusal in own):
            return PricedCode(text, code, None, False, 0, own or (Refusal(RefusalCode.UNKNOWN_CODE),))
        found = tuple(dict.fromkeys((*own, *reasons)))
        return PricedCode(text, code, self.offer.id, False, 0, found or (Refusal(RefusalCode.NO_BENEFIT),))


def entries(codes: Sequence[EnteredCode], terms: Terms) -> list[OpenedCode]:
    """The codes in the order in which they were entered, with their offers.

    The same code entered again is the same stored code, or the same text where a code is not stored by itself.
    """
    seen: set[tuple[UUID | None, UUID | str]] = set()
    found = []
    for entered in codes:
        key = (entered.offer, entered.code or entered.text)
        offer = None if entered.offer is None else terms.offers.get(entered.offer)
        found.append(OpenedCode(entered, offer, repeats=key in seen))
        seen.add(key)
    return found


def of_type(entered: Sequence[OpenedCode], offer: type[AnyOffer]) -> dict[int, tuple[OpenedCode, AnyOffer]]:
    """The entries with an offer of this type, and it, by their place."""
    return {place: (entry, entry.offer) for place, entry in enumerate(entered) if isinstance(entry.offer, offer)}
