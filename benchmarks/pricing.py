"""Microseconds to price baskets of 1 to 500 tickets under 10 to 10,000 running offers, and under limits that bind.

The first ten offers are for the basket's own contact and products and are the same in every column; the others are what
else a large house runs: other performances, other campaigns, other levels, codes. Without any database.
The medians of many rounds, and the best ones, which lie far apart where the machine has others to serve.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

from services.pricing.engine import price
from services.pricing.facts.offers import (
    Advantage,
    AmountOff,
    CampaignTarget,
    ElementLimits,
    FixedPrice,
    IndicatorTarget,
    Limits,
    PartnerTarget,
    PercentOff,
    PublicTarget,
    Rates,
    Scope,
    SingleUseTarget,
    Target,
)
from services.pricing.facts.sale import ContactFacts, Sale
from services.pricing.facts.tickets import Element, ElementKind, Line, ProductFamily, TicketKind
from services.pricing.offer_index import OfferIndex

TICKETS = (1, 10, 50, 500)
OFFERS = (10, 100, 1_000, 10_000)
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def number(space: int, value: int) -> UUID:
    return UUID(int=(space << 64) + value)


PRODUCTS = [number(1, n) for n in range(4_000)]
SEATS = [number(2, n) for n in range(2)]
TARIFFS = [number(3, n) for n in range(3)]
CHANNEL, COUNTER, INDICATOR = number(4, 0), number(4, 1), number(5, 0)
OWN_CAMPAIGN = number(6, 0)
CONTACT = ContactFacts(number(7, 0), {INDICATOR: "REGULAR"}, frozenset({OWN_CAMPAIGN}), balance=5_000)
SALE = Sale(NOW, CHANNEL, number(8, 0), contact=CONTACT, processing_fee=200, use_balance=True)


def performance(product: int) -> UUID:
    return number(9, product)


def kind(place: int) -> TicketKind:
    """The kinds of a basket: two seat categories and three tariffs of one performance after the other."""
    product, rest = divmod(place, 6)
    seat, tariff = divmod(rest, 3)
    full = (8_000, 5_500)[seat] * (10, 8, 5)[tariff] // 10 + 100 * product
    starts_at = NOW + timedelta(days=10 + product)
    return TicketKind(
        ProductFamily.EVENT, PRODUCTS[product], performance(product), SEATS[seat], TARIFFS[tariff], starts_at, full
    )


def basket(tickets: int) -> list[Line]:
    """About three tickets a line, of 50 kinds at most."""
    kinds = min(50, max(1, tickets // 3))
    return [Line(kind(place), tickets // kinds + (place < tickets % kinds)) for place in range(kinds)]


def advantage(place: int, target: Target, **parts: Any) -> Advantage:
    offer = Advantage(
        id=number(10, place),
        code=f"OFFER{place:05}",
        family=ProductFamily.EVENT,
        target=target,
        benefit=PercentOff(100_000),
        channels=frozenset({CHANNEL, COUNTER}),
        valid_from=NOW - timedelta(days=60),
        valid_until=NOW + timedelta(days=60),
    )
    return replace(offer, **parts)


def campaign(place: int) -> CampaignTarget:
    return CampaignTarget(number(6, place), NOW - timedelta(days=30), NOW + timedelta(days=30))


def own_offers() -> list[Advantage]:
    """Ten that a basket meets: for everyone, for the contact's level and campaign, on all products and on some."""
    rates = Rates({(seat, tariff): 4_000 + 500 * n for n, seat in enumerate(SEATS) for tariff in TARIFFS})
    regular = IndicatorTarget(INDICATOR, "REGULAR")
    return [
        advantage(0, regular),
        advantage(1, campaign(0), benefit=rates, scope=Scope(products=frozenset(PRODUCTS[:1]))),
        advantage(2, PublicTarget(), benefit=AmountOff(500), scope=Scope(performances=frozenset({performance(0)}))),
        advantage(3, PublicTarget(), benefit=PercentOff(50_000), scope=Scope(seat_categories=frozenset(SEATS[1:]))),
        advantage(
            4, PublicTarget(), benefit=FixedPrice(3_900), scope=Scope(audience_sub_categories=frozenset(TARIFFS[2:]))
        ),
        advantage(5, campaign(0), benefit=PercentOff(120_000), scope=Scope(products=frozenset(PRODUCTS[1:4]))),
        advantage(6, PublicTarget(), benefit=AmountOff(250), scope=Scope(products=frozenset(PRODUCTS[:9]))),
        advantage(7, regular, benefit=AmountOff(700), limits=Limits(quota=100_000, per_contact=10_000)),
        advantage(8, PublicTarget(), benefit=AmountOff(900), channels=frozenset({COUNTER})),
        advantage(9, PublicTarget(), benefit=PercentOff(200_000), valid_until=NOW - timedelta(days=1)),
    ]


def other_offers() -> list[Advantage]:
    """What the basket does not meet, of every target, on its own products too."""
    own, elsewhere = Scope(products=frozenset(PRODUCTS[:9])), Scope(seat_categories=frozenset(SEATS))
    offers = []
    for place in range(len(own_offers()), OFFERS[-1]):
        product = 10 + place % (len(PRODUCTS) - 10)
        offers.append(
            (
                advantage(place, PublicTarget(), scope=Scope(products=frozenset({PRODUCTS[product]}))),
                advantage(place, PublicTarget(), scope=Scope(performances=frozenset({performance(product)}))),
                advantage(place, campaign(place), scope=own),
                advantage(place, campaign(place)),
                advantage(place, IndicatorTarget(number(5, place), "REGULAR"), scope=elsewhere),
                advantage(place, PartnerTarget(), scope=own),
                advantage(place, SingleUseTarget()),
            )[place % 7]
        )
    return offers


def binding(offers: list[Advantage], tickets: int) -> list[Advantage]:
    """The same with limits below what a basket asks for: on every order, and on each seat category."""
    return [
        replace(
            offer,
            limits=Limits(per_order=max(1, tickets // 5)),
            element_limits=tuple(
                ElementLimits(Element(ElementKind.SEAT_CATEGORY, seat), Limits(per_order=max(1, tickets // 8)))
                for seat in SEATS
            ),
        )
        for offer in offers
    ]


def rounds(lines: list[Line], *snapshots: OfferIndex) -> list[list[float]]:
    """Microseconds under each snapshot, turn by turn so that a busy machine is unfair to none."""

    def run(offers: OfferIndex, calls: int) -> float:
        start = perf_counter()
        for _ in range(calls):
            price(lines, (), SALE, offers, {})
        return (perf_counter() - start) / calls * 1e6

    calls = max(1, int(4_000 / run(snapshots[0], 1)))
    return [[run(offers, calls) for offers in snapshots] for _ in range(101)]


def verdict(value: float, limit: float) -> str:
    return "ok" if value <= limit else "MISSED"


def main() -> None:
    own, others = own_offers(), other_offers()
    snapshots = [OfferIndex([*own, *others][:count], ()) for count in OFFERS]
    most = {10: 200.0, 500: 20_000.0}
    print("µs by running offers:  " + "".join(f"{count:>10,}" for count in OFFERS) + "    10,000 : 10")
    for tickets in TICKETS:
        turns = rounds(basket(tickets), *snapshots)
        ratio = median(turn[-1] / turn[0] for turn in turns)
        columns = list(zip(*turns, strict=True))
        times = [median(column) for column in columns]
        limit = f", limit {most[tickets]:,.0f} µs {verdict(times[-1], most[tickets])}" if tickets in most else ""
        cells = "".join(f"{time:>10,.0f}" for time in times)
        print(f"{tickets:>4} tickets           {cells}    {ratio:.2f}, limit 1.3 {verdict(ratio, 1.3)}{limit}")
        print("      at best          " + "".join(f"{min(column):>10,.0f}" for column in columns))
    print("\nµs with limits per order and per seat category that bind, 10,000 offers")
    for tickets in TICKETS[1:]:
        turns = rounds(basket(tickets), OfferIndex([*binding(own, tickets), *others], ()))
        print(f"{tickets:>4} tickets           {median(turn[0] for turn in turns):>10,.0f}")


if __name__ == "__main__":
    main()
