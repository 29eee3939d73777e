"""Small random sales with limits that bind on every level, in currencies of 0, 2 and 3 decimals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from tests.pricing.playhouse import NOW, SHOW, OfferParts, advantage, an_id, element, ids, promotion, ticket

from services.pricing.engine import price
from services.pricing.facts.offers import (
    Advantage,
    AdvantageBenefit,
    AmountOff,
    AmountOffPerTicket,
    CampaignTarget,
    ElementLimits,
    FixedPrice,
    IndicatorTarget,
    Limits,
    OfferState,
    PartnerTarget,
    PercentOff,
    PromotionalCode,
    PromotionBenefit,
    PublicTarget,
    Rates,
    Restriction,
    Scope,
    SingleUseTarget,
    Target,
)
from services.pricing.facts.refusals import EnteredCode, Refusal, RefusalCode
from services.pricing.facts.sale import ContactFacts, LimitKey, Sale
from services.pricing.facts.tickets import ElementKind, Line, ProductFamily, TicketKind
from services.pricing.offer_index import OfferIndex
from services.pricing.result import Pricing

SHOWS = {"P1": "X", "P2": "X", "P3": "Y"}
STARTS = {"P1": SHOW, "P2": SHOW, "P3": SHOW + timedelta(days=60)}
"""A sale end of thirty days before is over for the first two."""
SEATS, TARIFFS = ("CAT1", "CAT2"), ("FULL", "CHILD")
ELEMENTS = [
    *(element(ElementKind.PRODUCT, name) for name in ("X", "Y")),
    *(element(ElementKind.PERFORMANCE, name) for name in SHOWS),
    *(element(ElementKind.SEAT_CATEGORY, name) for name in SEATS),
    *(element(ElementKind.AUDIENCE_SUB_CATEGORY, name) for name in TARIFFS),
]


@dataclass(frozen=True)
class Case:
    """Everything that a price is made of."""

    lines: Sequence[Line]
    codes: Sequence[EnteredCode]
    sale: Sale
    advantages: Sequence[Advantage]
    promotions: Sequence[PromotionalCode]
    taken: dict[LimitKey, int]

    def price(self) -> Pricing:
        return price(self.lines, self.codes, self.sale, OfferIndex(self.advantages, self.promotions), self.taken)


def dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - dice, not secrets


def some(random: Random, things: Sequence[str], chance: float) -> frozenset[str]:
    return frozenset(thing for thing in things if random.random() < chance)


def a_limit(random: Random, chance: float) -> int | None:
    return random.choice([0, 1, 1, 2, 2, 3]) if random.random() < chance else None


def limits(random: Random, chance: float = 0.35) -> Limits:
    return Limits(a_limit(random, chance), a_limit(random, chance), a_limit(random, chance))


def scope(random: Random) -> Scope:
    """Most often everything."""
    return Scope(
        products=ids(*some(random, ("X", "Y"), 0.1)),
        performances=ids(*some(random, tuple(SHOWS), 0.1)),
        seat_categories=ids(*some(random, SEATS, 0.1)),
        audience_sub_categories=ids(*some(random, TARIFFS, 0.1)),
    )


def shared(random: Random, odd: float) -> OfferParts:
    """What advantages and promotional codes have in common; ``odd`` is how likely each condition on the sale is."""
    rare = random.random
    return {
        "state": OfferState.SUSPENDED if rare() < odd else OfferState.RUNNING,
        "valid_from": NOW + timedelta(days=random.choice([-1, 1])) if rare() < odd else None,
        "valid_until": NOW + timedelta(days=random.choice([-1, 0, 1])) if rare() < odd else None,
        "channels": ids(random.choice(["WEB", "PHONE"])) if rare() < odd else frozenset(),
        "delivery_modes": ids("POST") if rare() < odd else frozenset(),
        "scope": scope(random),
        "limits": limits(random),
        "element_limits": tuple(
            ElementLimits(each, limits(random, 0.5)) for each in random.sample(ELEMENTS, random.choice([0, 0, 1, 2, 3]))
        ),
        "sale_end_tolerance": random.choice([-60 * 24 * 30, 0]) if rare() < odd else None,
    }


def benefit(random: Random, unit: int) -> AdvantageBenefit:
    rates = {
        (seat, tariff): random.randint(0, 15) * unit // 4
        for seat in (*(an_id(seat) for seat in SEATS), None)
        for tariff in map(an_id, TARIFFS)
        if random.random() < 0.8
    }
    benefits: list[AdvantageBenefit] = [
        PercentOff(random.choice([100_000, 250_000, 333_333, 500_000, 1_000_000])),
        AmountOff(random.randint(0, 12) * unit // 4),
        FixedPrice(random.randint(0, 15) * unit // 4),
        Rates(rates),
    ]
    return random.choice(benefits)


def promotion_benefit(random: Random, unit: int) -> PromotionBenefit:
    amount = random.randint(0, 60) * unit // 4
    part = PercentOff(random.choice([30_000, 125_000, 500_000, 1_000_000]))
    benefits: list[PromotionBenefit] = [part, AmountOff(amount), AmountOffPerTicket(amount // 4)]
    return random.choice(benefits)


def target(random: Random) -> Target:
    campaign = CampaignTarget(
        an_id("CAMPAIGN"), NOW - timedelta(days=1), NOW + timedelta(days=random.choice([0, 1, 1, 1]))
    )
    covers = random.choice([1, 1, 2, None])
    regular = IndicatorTarget(an_id("LEVELS"), random.choice(["HIGH", "HIGH", "HIGH", "LOW"]))
    single = SingleUseTarget(covers)
    targets: list[Target] = [PublicTarget(), PublicTarget(), regular, campaign, PartnerTarget(), single]
    return random.choice(targets)


def contact(random: Random) -> ContactFacts | None:
    known = ContactFacts(
        an_id("CONTACT"),
        indicators={an_id("LEVELS"): "HIGH"},
        campaigns=ids("CAMPAIGN"),
        has_ordered=random.random() < 0.5,
        newsletter=random.random() < 0.5,
        balance=random.randint(-5, 50),
    )
    return known if random.random() < 0.9 else None


def lines(random: Random, unit: int, tickets: int) -> list[Line]:
    kinds: dict[tuple[str, str | None, str], TicketKind] = {}
    found = []
    while tickets:
        quantity = min(tickets, random.choice([1, 1, 2, 3]))
        place = random.choice(list(SHOWS)), random.choice([*SEATS, *SEATS, None]), random.choice(TARIFFS)
        full = random.choice([0, 5, 10, 10, 15, 20, 40]) * unit // 4
        family = ProductFamily.EVENT if random.random() < 0.95 else ProductFamily.VISIT
        show, seat, tariff = place
        new = ticket(
            full,
            product=SHOWS[show],
            performance=show,
            seat=seat,
            tariff=tariff,
            family=family,
            starts_at=STARTS[show],
        )
        found.append(Line(kinds.setdefault(place, new), quantity))
        tickets -= quantity
    return found


def codes(random: Random, offers: Sequence[Advantage | PromotionalCode]) -> list[EnteredCode]:
    """Up to two for every offer that may take one, now and then twice, refused or unknown, in any order."""
    found = [EnteredCode("NOSUCH", refusals=(Refusal(RefusalCode.UNKNOWN_CODE),))] if random.random() < 0.1 else []
    for offer in offers:
        for text in (f"{offer.code}-{n}" for n in range(random.choice([0, 1, 1, 1, 2]))):
            used = (Refusal(RefusalCode.CODE_ALREADY_USED),) if random.random() < 0.1 else ()
            found += [EnteredCode(text, an_id(text), offer.id, used)] * random.choice([1, 1, 1, 1, 2])
    random.shuffle(found)
    return found


def random_case(random: Random, most_tickets: int = 5, most_advantages: int = 4) -> Case:
    unit = random.choice([1, 100, 1000])
    odd = random.choice([0, 0, 0.08])
    advantages = [
        advantage(
            f"A{n}",
            benefit(random, unit),
            target(random),
            **shared(random, odd),
        )
        for n in range(random.choice([1, 2, 3, most_advantages]))
    ]
    is_limited = random.random() < 0.5
    promotions = [
        promotion(
            f"P{n}",
            promotion_benefit(random, unit),
            combinable=random.random() < 0.8,
            minimum_basket=random.choice([0, 0, 20]) * unit // 4,
            restriction=Restriction(newsletter=random.random() < odd),
            **(shared(random, odd) | ({} if is_limited else {"limits": Limits(), "element_limits": ()})),
        )
        for n in range(random.choice([0, 0, 1, 2, 3]))
    ]
    counted = [
        LimitKey(offer.id, each, of_contact)
        for offer in (*advantages, *promotions)
        for each in (None, *ELEMENTS)
        for of_contact in (False, True)
    ]
    sale = Sale(NOW, an_id("WEB"), an_id("SHOP"), None, contact(random), None, unit // 4, 0, random.random() < 0.5)
    return Case(
        lines(random, unit, random.choice([0, *range(2, most_tickets + 1), most_tickets, most_tickets])),
        codes(random, (*advantages, *promotions)),
        sale,
        advantages,
        promotions,
        dict.fromkeys((key for key in counted if random.random() < 0.1), 1),
    )
