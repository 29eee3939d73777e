"""Random lives of baskets while the catalogue changes under them, told to the engine and looked at by a slow observer.

The observer knows what each change touches by saying it once more, ticket by ticket, and nothing of how prices are
found.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from uuid import UUID

from tests.pricing import random_sales
from tests.pricing.oracle import is_of
from tests.pricing.playhouse import NOW, an_id, ids
from tests.pricing.random_sales import Case

from services.pricing.engine import price
from services.pricing.facts.offers import (
    Advantage,
    CampaignTarget,
    IndicatorTarget,
    Offer,
    OfferState,
    PromotionalCode,
    Restriction,
)
from services.pricing.facts.refusals import EnteredCode, Refusal, RefusalCode
from services.pricing.facts.sale import ContactFacts
from services.pricing.facts.tickets import Line, TicketKind
from services.pricing.held_terms import AskedLine, HeldTerms, Place, place_of, price_held_in_steps
from services.pricing.offer_index import OfferIndex
from services.pricing.result import PricedTicket, Pricing
from services.pricing.steps import finished

MODES = (None, "POST", "PICKUP")


@dataclass
class Life:
    """A basket, what it holds, and the catalogue as it is at the moment."""

    random: Random
    case: Case
    kinds: dict[Place, TicketKind | None]
    quantities: dict[Place, int]
    given: dict[UUID, Offer] = field(default_factory=dict)
    """Offers as they were when the basket was given them."""
    pricing: Pricing = field(init=False)

    @classmethod
    def begin(cls, random: Random) -> "Life":
        case = random_sales.random_case(random)
        kinds: dict[Place, TicketKind | None] = {}
        quantities: dict[Place, int] = {}
        for line in case.lines:
            kinds.setdefault(place_of(line.kind), line.kind)
            quantities[place_of(line.kind)] = quantities.get(place_of(line.kind), 0) + line.quantity
        life = cls(random, case, kinds, quantities)
        life.pricing = price(
            [Line(kind, quantities[place]) for place, kind in kinds.items() if kind],
            case.codes,
            case.sale,
            life.index,
            {},
        )
        life.remember()
        return life

    @property
    def offers(self) -> dict[UUID, Offer]:
        return {offer.id: offer for offer in (*self.case.advantages, *self.case.promotions)}

    @property
    def index(self) -> OfferIndex:
        return OfferIndex(self.case.advantages, self.case.promotions)

    def remember(self) -> None:
        """What is held for the first time is held as it is now."""
        held = {hold.offer for hold in self.pricing.holds}
        self.given = {offer: self.given.get(offer, self.offers[offer]) for offer in held}

    def staff_change_the_catalogue(self) -> None:
        random, case = self.random, self.case
        fresh = random_sales.random_case(random)
        self.case = replace(
            case,
            advantages=[self._changed_advantage(each) for each in case.advantages],
            promotions=[self._changed_promotion(each) for each in case.promotions],
            sale=replace(
                case.sale,
                now=case.sale.now + timedelta(minutes=random.choice([1, 60 * 24 * 3])),
                processing_fee=random.choice([case.sale.processing_fee, 0, 300]),
                delivery_fee=random.choice([case.sale.delivery_fee, 450]),
                contact=self._changed_contact(),
            ),
            taken=fresh.taken if random.random() < 0.3 else {},
        )
        for place, kind in self.kinds.items():
            if kind is not None and random.random() < 0.3:
                self.kinds[place] = random.choice(
                    [None, replace(kind, full_price=random.choice([0, kind.full_price // 2, kind.full_price * 2]))]
                )

    def _changed_contact(self) -> ContactFacts | None:
        contact = self.case.sale.contact
        if contact is None or self.random.random() < 0.6:
            return contact
        return replace(contact, indicators={an_id("LEVELS"): "LOW"}, campaigns=frozenset(), newsletter=False)

    def _changed_advantage(self, offer: Advantage) -> Advantage:
        random = self.random
        if random.random() < 0.4:
            return offer
        changed = replace(offer, **random_sales.shared(random, 0.3))
        if random.random() < 0.5:
            changed = replace(changed, benefit=random_sales.benefit(random, 100))
        if random.random() < 0.2:
            changed = replace(changed, target=random_sales.target(random))
        return replace(changed, state=random.choice([OfferState.RUNNING, OfferState.SUSPENDED, OfferState.CLOSED]))

    def _changed_promotion(self, offer: PromotionalCode) -> PromotionalCode:
        random = self.random
        if random.random() < 0.4:
            return offer
        changed = replace(offer, **random_sales.shared(random, 0.3))
        return replace(
            changed,
            benefit=random_sales.promotion_benefit(random, 100),
            combinable=random.random() < 0.5,
            minimum_basket=random.choice([0, 1_000, 10_000]),
            restriction=Restriction(newsletter=random.random() < 0.3),
            state=random.choice([OfferState.RUNNING, OfferState.SUSPENDED, OfferState.CLOSED]),
        )

    def customer_changes_the_basket(self) -> "Change":
        """One operation, and what it touches."""
        random, case = self.random, self.case
        change = Change(dict(self.quantities), list(case.codes), case.sale.contact, case.sale.delivery_mode)
        operation = random.choice([*OPERATIONS])
        operation(self, change)
        return change

    def carry_out(self, change: "Change") -> tuple[Pricing, Pricing]:
        """The price before and after."""
        before, sale = self.pricing, self.case.sale
        texts = {code.text for code in change.codes}
        lost = {
            (code.offer, code.code)
            for code in before.codes
            if code.offer is not None and code.applied and (code.text not in texts or code.text in change.dead)
        }
        held = HeldTerms(
            before,
            frozenset(lost),
            same_contact=(change.contact and change.contact.id) == (sale.contact and sale.contact.id),
            same_delivery_mode=change.delivery_mode == sale.delivery_mode,
        )
        self.case = replace(
            self.case,
            codes=[
                replace(code, refusals=(Refusal(RefusalCode.CODE_INVALIDATED),)) if code.text in change.dead else code
                for code in change.codes
            ],
            sale=replace(sale, contact=change.contact, delivery_mode=change.delivery_mode),
        )
        self.quantities = change.quantities
        asked = [AskedLine(place, self.kinds[place], count) for place, count in change.quantities.items() if count]
        case = self.case
        steps = price_held_in_steps(asked, held, case.codes, case.sale, self.index, case.taken, only=change.only)
        self.pricing = finished(steps)
        return before, self.pricing


@dataclass
class Change:
    """What a basket becomes."""

    quantities: dict[Place, int]
    codes: list[EnteredCode]
    contact: ContactFacts | None
    delivery_mode: UUID | None
    only: frozenset[UUID] | None = None
    dead: frozenset[str] = frozenset()


def adds_tickets(life: Life, change: Change) -> None:
    sold = [place for place, kind in life.kinds.items() if kind is not None]
    for place in life.random.sample(sold, min(len(sold), 1)):
        change.quantities[place] = change.quantities.get(place, 0) + life.random.choice([1, 2])


def takes_tickets_out(life: Life, change: Change) -> None:
    for place, count in list(change.quantities.items()):
        change.quantities[place] = life.random.randint(0, count)


def enters_a_code(life: Life, change: Change) -> None:
    offer = life.random.choice([*life.offers.values()])
    text = f"{offer.code}-{life.random.choice([0, 1, 2])}"
    if all(code.text != text for code in change.codes):
        change.codes.append(EnteredCode(text, an_id(text), offer.id))


def takes_a_code_out(life: Life, change: Change) -> None:
    if change.codes:
        gone = life.random.choice(change.codes).text
        change.codes = [code for code in change.codes if code.text != gone]


def loses_a_code(life: Life, change: Change) -> None:
    if change.codes:
        change.dead = frozenset({life.random.choice(change.codes).text})


def is_another_contact(life: Life, change: Change) -> None:
    change.contact = life.random.choice([None, ContactFacts(an_id("ANOTHER"), campaigns=ids("CAMPAIGN"), balance=70)])


def has_it_delivered(life: Life, change: Change) -> None:
    mode = life.random.choice(MODES)
    change.delivery_mode = None if mode is None else an_id(mode)


def asks_again(life: Life, change: Change) -> None:
    """Changes nothing: the balance, or just a look."""


OPERATIONS = (
    adds_tickets,
    adds_tickets,
    takes_tickets_out,
    enters_a_code,
    enters_a_code,
    takes_a_code_out,
    loses_a_code,
    is_another_contact,
    has_it_delivered,
    asks_again,
    asks_again,
)


def is_personal(offer: Offer) -> bool:
    limits = [offer.limits, *(each.limits for each in offer.element_limits)]
    if any(each.per_contact is not None for each in limits):
        return True
    if isinstance(offer, Advantage):
        return isinstance(offer.target, CampaignTarget | IndicatorTarget)
    return isinstance(offer, PromotionalCode) and offer.restriction != Restriction(
        counter_profiles=offer.restriction.counter_profiles
    )


def still_due(
    life: Life, change: Change, before: Pricing, same_contact: bool, worth: int | None
) -> dict[Place, list[int]]:
    """What each ticket that stays may cost at the most, by what is sold, the cheapest first.

    ``worth`` is what the advantage prices add up to where tickets were taken out, None where none were.
    """
    gone = {
        (code.offer, code.code)
        for code in before.codes
        if code.applied and (code.text in change.dead or all(code.text != other.text for other in change.codes))
    }

    def is_kept(offer: UUID, code: UUID | None) -> bool:
        as_given = life.given[offer]
        if (offer, code) in gone or (is_personal(as_given) and not same_contact):
            return False
        if isinstance(as_given, PromotionalCode) and worth is not None and worth < as_given.minimum_basket:
            return False
        return not as_given.delivery_modes or change.delivery_mode in as_given.delivery_modes

    def due(ticket: PricedTicket) -> int:
        price = ticket.full_price
        if ticket.advantage is not None and is_kept(ticket.advantage, ticket.code):
            price = ticket.advantage_price
        return price - sum(share.amount for share in ticket.shares if is_kept(share.offer, share.code))

    found: dict[Place, list[int]] = {}
    for line in before.lines:
        found.setdefault(place_of(line.kind), []).extend(map(due, line.tickets))
    return {place: sorted(prices)[: change.quantities.get(place, 0)] for place, prices in found.items()}


def worth_as_held(change: Change, before: Pricing) -> int:
    """The least that the tickets that stay may be worth at the advantage prices that they have."""
    found: dict[Place, list[int]] = {}
    for line in before.lines:
        found.setdefault(place_of(line.kind), []).extend(ticket.advantage_price for ticket in line.tickets)
    return sum(sum(sorted(prices)[: change.quantities.get(place, 0)]) for place, prices in found.items())


def prices_of(pricing: Pricing) -> dict[Place, list[int]]:
    found: dict[Place, list[int]] = {}
    for line in pricing.lines:
        found.setdefault(place_of(line.kind), []).extend(ticket.price for ticket in line.tickets)
    return {place: sorted(prices) for place, prices in found.items()}


def under(pricing: Pricing, offer: UUID) -> list[TicketKind]:
    """The tickets that an offer covers, each once."""
    return [
        line.kind
        for line in pricing.lines
        for ticket in line.tickets
        if offer == ticket.advantage or any(share.offer == offer for share in ticket.shares)
    ]


def beyond_limits(life: Life, before: Pricing, after: Pricing) -> list[tuple[str, object]]:
    """Limits of today that offers pass by more than what the basket held already."""
    found: list[tuple[str, object]] = []
    for offer in life.offers.values():
        for element, limits in [(None, offer.limits), *((each.element, each.limits) for each in offer.element_limits)]:
            had, has = (sum(is_of(kind, element) for kind in under(each, offer.id)) for each in (before, after))
            most = [each for each in (limits.quota, limits.per_order, limits.per_contact) if each is not None]
            if has > had and most and has > min(most):
                found.append((offer.code, element))
        if offer.state is not OfferState.RUNNING and len(under(after, offer.id)) > len(under(before, offer.id)):
            found.append((offer.code, "does not run"))
    return found


def counted(pricing: Pricing) -> Counter[UUID]:
    """How many tickets of each offer the basket is to hold."""
    counts = Counter[UUID]()
    for hold in pricing.holds:
        counts[hold.offer] += hold.tickets
    return +counts


def dice(seed: int) -> Random:
    return random_sales.dice(seed)


__all__ = ["NOW", "Change", "Life", "Sequence"]
