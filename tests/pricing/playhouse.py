"""A theatre of plain values: names become ids, and what a test leaves out is as simple as can be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypedDict, Unpack
from uuid import NAMESPACE_OID, UUID, uuid5

from services.pricing.engine import eligibility, price
from services.pricing.facts.offers import (
    Advantage,
    AdvantageBenefit,
    CampaignTarget,
    ElementLimits,
    IndicatorTarget,
    Limits,
    Offer,
    OfferState,
    PromotionalCode,
    PromotionBenefit,
    PublicTarget,
    Restriction,
    Scope,
    Target,
)
from services.pricing.facts.refusals import EnteredCode, Refusal, RefusalCode
from services.pricing.facts.sale import ContactFacts, LimitKey, Sale
from services.pricing.facts.tickets import Element, ElementKind, Line, ProductFamily, TicketKind
from services.pricing.offer_index import OfferIndex
from services.pricing.result import Pricing

NOW = datetime.fromisoformat("2026-11-23T12:00:00+01:00")
SHOW = datetime.fromisoformat("2026-12-17T20:00:00+01:00")
PROCESSING_FEE = 200
PERCENT = 10_000  # ten-thousandths of a percent


def an_id(name: str) -> UUID:
    return uuid5(NAMESPACE_OID, name)


def ids(*names: str) -> frozenset[UUID]:
    return frozenset(map(an_id, names))


def ticket(
    full_price: int = 8000,
    *,
    product: str = "HELENE",
    performance: str | None = "HELENE-1217",
    seat: str | None = "CAT1",
    tariff: str = "FULL",
    family: ProductFamily = ProductFamily.EVENT,
    starts_at: datetime | None = SHOW,
    season: str | None = None,
) -> TicketKind:
    return TicketKind(
        family,
        an_id(product),
        None if performance is None else an_id(performance),
        None if seat is None else an_id(seat),
        an_id(tariff),
        None if performance is None else starts_at,
        full_price,
        None if season is None else an_id(season),
    )


class OfferParts(TypedDict, total=False):
    """What a test may say of any offer."""

    state: OfferState
    valid_from: datetime | None
    valid_until: datetime | None
    channels: frozenset[UUID]
    points_of_sale: frozenset[UUID]
    delivery_modes: frozenset[UUID]
    scope: Scope
    limits: Limits
    element_limits: tuple[ElementLimits, ...]
    sale_end_tolerance: int | None


class AdvantageParts(OfferParts, total=False):
    """And of an advantage."""

    family: ProductFamily
    season: UUID | None


class PromotionParts(OfferParts, total=False):
    """And of a promotional code."""

    minimum_basket: int
    combinable: bool
    restriction: Restriction


def advantage(
    code: str, benefit: AdvantageBenefit, target: Target | None = None, **parts: Unpack[AdvantageParts]
) -> Advantage:
    target = target or PublicTarget()
    given = Advantage(id=an_id(code), code=code, family=ProductFamily.EVENT, target=target, benefit=benefit)
    return replace(given, **parts)


def promotion(code: str, benefit: PromotionBenefit, **parts: Unpack[PromotionParts]) -> PromotionalCode:
    return replace(PromotionalCode(id=an_id(code), code=code, benefit=benefit, combinable=True), **parts)


def entered(text: str, offer: str, *refusals: RefusalCode) -> EnteredCode:
    """A code of an offer as the look-up found it."""
    return EnteredCode(text, an_id(text), an_id(offer), tuple(Refusal(code) for code in refusals))


UNKNOWN = EnteredCode("NOSUCH", refusals=(Refusal(RefusalCode.UNKNOWN_CODE),))
REVIVAL = CampaignTarget(an_id("REVIVAL-CAMPAIGN"), NOW - timedelta(days=30), NOW + timedelta(days=30))
REGULARS = IndicatorTarget(an_id("ASSIDUITY"), "REGULAR")
BLANDINE = ContactFacts(
    an_id("BLANDINE"),
    indicators={an_id("ASSIDUITY"): "REGULAR"},
    campaigns=ids("REVIVAL-CAMPAIGN"),
    newsletter=True,
    balance=17_500,
)
NEWCOMER = ContactFacts(an_id("NOUVEAU"))


def element(kind: ElementKind, name: str) -> Element:
    return Element(kind, an_id(name))


def taken(offer: str, tickets: int, of: Element | None = None, *, of_contact: bool = False) -> dict[LimitKey, int]:
    return {LimitKey(an_id(offer), of, of_contact): tickets}


@dataclass(frozen=True)
class Shop:
    """A point of sale with some offers, where baskets are priced. Fees are those of the web shop."""

    offers: Sequence[Offer] = ()
    contact: ContactFacts | None = None
    now: datetime = NOW
    delivery_mode: str | None = None
    delivery_fee: int = 0
    counter_profile: str | None = None
    use_balance: bool = False
    taken: Mapping[LimitKey, int] = field(default_factory=dict)

    @property
    def sale(self) -> Sale:
        return Sale(
            now=self.now,
            channel=an_id("WEB"),
            point_of_sale=an_id("SHOP"),
            delivery_mode=None if self.delivery_mode is None else an_id(self.delivery_mode),
            contact=self.contact,
            counter_profile=self.counter_profile,
            processing_fee=PROCESSING_FEE,
            delivery_fee=self.delivery_fee,
            use_balance=self.use_balance,
        )

    @property
    def index(self) -> OfferIndex:
        return OfferIndex(
            [offer for offer in self.offers if isinstance(offer, Advantage)],
            [offer for offer in self.offers if isinstance(offer, PromotionalCode)],
        )

    def price(
        self,
        *lines: tuple[int, TicketKind],
        codes: Sequence[EnteredCode] = (),
        only: frozenset[UUID] | None = None,
        include: frozenset[UUID] = frozenset(),
    ) -> Pricing:
        basket = [Line(kind, quantity) for quantity, kind in lines]
        return price(basket, codes, self.sale, self.index, self.taken, only=only, include=include)

    def refusals(
        self, *kinds: TicketKind, codes: Sequence[EnteredCode] = (), include: frozenset[UUID] = frozenset()
    ) -> tuple[Refusal, ...]:
        """What keeps the shop's one offer from these kinds of tickets."""
        (offer,) = self.offers
        return eligibility(offer, self.sale, kinds, codes, self.taken, include=include)


def prices(pricing: Pricing) -> list[int]:
    """What each ticket costs, in the order of the basket."""
    return [each.price for line in pricing.lines for each in line.tickets]


def reasons(refusals: Sequence[Refusal]) -> list[str]:
    return [refusal.code.value for refusal in refusals]


def verdicts(pricing: Pricing) -> list[int | list[str]]:
    """For each code what it took off, or why it was refused."""
    return [code.discount if code.applied else reasons(code.refusals) for code in pricing.codes]
