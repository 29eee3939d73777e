"""The price of a basket now: the snapshot of the catalogue and the exact facts of this instant, given to pricing.

``priceBasket`` and every change of a basket go through ``Prices.quote``.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets.baskets import BasketContent
from services.baskets.pricing_facts import FactsQuestion, FactsReader, PricingFacts
from services.catalogue.snapshot import Catalogue
from services.codes.format import normalise
from services.core.errors import InvalidInput
from services.core.problems import Problems
from services.core.texts import text
from services.core.viewer import Viewer
from services.pricing.engine import price
from services.pricing.facts.tickets import Line
from services.pricing.held_terms import AskedLine, HeldTerms, kinds, price_held, unsold
from services.pricing.result import Pricing
from services.pricing.values import value


@value
class Quote:
    """A price with what it was made of. ``holders`` maps a single-use code to the structure it was generated for."""

    pricing: Pricing
    catalogue: Catalogue
    holders: Mapping[UUID, UUID | None]
    has_expired: bool

    @property
    def single_use_codes(self) -> frozenset[UUID]:
        """The single-use codes that the price stands on."""
        codes = {hold.code for hold in self.pricing.holds}
        return frozenset(code for code in self.holders if code in codes)


@value
class HeldBasket:
    """A basket as it is: what it was asked for, and the price and terms that it holds."""

    id: UUID
    content: BasketContent
    pricing: Pricing


@value
class Priceable:
    """What is to be priced at ``now``, beside what is ``held``, and as if the offers to ``include`` ran."""

    viewer: Viewer
    content: BasketContent
    now: datetime
    include: frozenset[UUID] = frozenset()
    held: HeldBasket | None = None

    def limited(self, catalogue: Catalogue) -> Collection[UUID]:
        """The offers whose limits the price may meet, if only by the lines that are sold."""
        held = self.held.pricing if self.held else None
        return catalogue.offers.limited_offer_ids(kinds(_asked(catalogue, self.content), held))

    @property
    def question(self) -> FactsQuestion:
        basket, before = (self.held.id, self.held.pricing.codes) if self.held else (None, ())
        return FactsQuestion(self.viewer, self.content, self.limited, self.now, self.include, basket, before)


class Quotes:
    """Says what baskets cost, with what their prices depend on."""

    def __init__(self, facts: FactsReader) -> None:
        self._facts = facts

    async def quote(self, connection: AsyncConnection, wanted: Priceable) -> Quote:
        """The price of one basket.

        Raises InvalidInput where more is asked of a line than is held and sold, or the contact is unknown.
        """
        return _quote(wanted, await self._facts.read(connection, wanted.question))

    async def quotes(
        self, connection: AsyncConnection, organisation: UUID, wanted: Sequence[Priceable]
    ) -> list[Quote | InvalidInput]:
        """The prices of several baskets at one instant; for each that has none, what its customer asked for wrongly."""
        found = await self._facts.read_all(connection, organisation, [each.question for each in wanted])
        return [_quote_or_failure(each, facts) for each, facts in zip(wanted, found, strict=True)]


def _quote_or_failure(wanted: Priceable, facts: PricingFacts | InvalidInput) -> Quote | InvalidInput:
    if isinstance(facts, InvalidInput):
        return facts
    try:
        return _quote(wanted, facts)
    except InvalidInput as failure:
        return failure


def _quote(wanted: Priceable, facts: PricingFacts) -> Quote:
    content, held = wanted.content, wanted.held
    asked = _asked(facts.catalogue, content)
    _check_sold(asked, held)
    only = None if content.advantages is None else frozenset(content.advantages)
    offers, include = facts.catalogue.offers, wanted.include
    if held is None:
        lines = [Line(line.kind, line.quantity) for line in asked if line.kind]
        pricing = price(lines, facts.codes, facts.sale, offers, facts.taken, only=only, include=include)
    else:
        terms = _held_terms(held, content, facts)
        pricing = price_held(asked, terms, facts.codes, facts.sale, offers, facts.taken, only=only)
    return Quote(pricing, facts.catalogue, facts.holders, facts.has_expired)


def _held_terms(held: HeldBasket, content: BasketContent, facts: PricingFacts) -> HeldTerms:
    entered = {normalise(code) for code in content.codes}
    taken_out = {
        (code.offer, code.code) for code in held.pricing.codes if code.offer and normalise(code.text) not in entered
    }
    return HeldTerms(
        held.pricing,
        facts.lost | taken_out,
        same_contact=content.contact == held.content.contact,
        same_delivery_mode=content.delivery_mode == held.content.delivery_mode,
    )


def _asked(catalogue: Catalogue, content: BasketContent) -> list[AskedLine]:
    """The basket's lines with what they are today."""
    return [
        AskedLine(
            (line.product, line.performance, line.seat_category, line.audience_sub_category),
            catalogue.ticket_kind(line.performance or line.product, line.seat_category, line.audience_sub_category),
            line.quantity,
        )
        for line in content.lines
    ]


def _check_sold(asked: Sequence[AskedLine], held: HeldBasket | None) -> None:
    """Raises InvalidInput that names the lines that are not sold; what is held was sold already."""
    problems = Problems()
    for position in unsold(asked, held.pricing if held else None):
        problems.add(("lines", str(position)), text("combination_not_sold"))
    problems.check()
