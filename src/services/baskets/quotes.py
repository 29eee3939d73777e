"""The price of a basket now: the snapshot of the catalogue and the exact facts of this instant, given to pricing.

``priceBasket`` and every change of a basket go through ``Prices.quote``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets.baskets import BasketContent, Lifespan
from services.access.attempt_limits import CodeTries
from services.baskets.pricing_facts import FactsQuestion, FactsReader, PricingFacts
from services.baskets.sale_input import is_sold_by
from services.catalogue.snapshot import Catalogue
from services.codes.format import normalise
from services.core.errors import InvalidInput, Problem
from services.core.pacing import Pacer, TookTooLong
from services.core.problems import Problems
from services.core.texts import text
from services.core.viewer import Viewer
from services.pricing.engine import price_in_steps
from services.pricing.facts.tickets import Line
from services.pricing.held_terms import AskedLine, HeldTerms, kinds, price_held_in_steps, unsold
from services.pricing.result import Pricing
from services.pricing.steps import Steps
from services.pricing.values import value

MOST_SECONDS: Final = 2.0
"""Of computing, for one price. Only hundreds of unlike tickets under many limits that bind take so long."""

MOST_SECONDS_BESIDE_OTHERS: Final = 0.02
"""The same where others wait for the price too."""


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

    @property
    def lifespan(self) -> Lifespan:
        """How long the basket lives, as the organisation says."""
        organisation = self.catalogue.organisation
        return Lifespan(organisation.basket_minutes, organisation.basket_maximum_minutes)


@value
class HeldBasket:
    """A basket as it is: what it was asked for, and the price and terms that it holds."""

    id: UUID
    content: BasketContent
    pricing: Pricing


@value
class Priceable:
    """What is to be priced at ``now``, beside what is ``held``, and as if the offers to ``include`` ran.

    Codes that the basket does not have yet are tried, as far as ``tries`` lets them.
    """

    viewer: Viewer
    content: BasketContent
    now: datetime
    tries: CodeTries
    include: frozenset[UUID] = frozenset()
    held: HeldBasket | None = None

    def limited(self, catalogue: Catalogue) -> Collection[UUID]:
        """The offers whose limits the price may meet, if only by the lines that are sold."""
        held = self.held.pricing if self.held else None
        return catalogue.offers.limited_offer_ids(kinds(_asked(catalogue, self.content), held))

    @property
    def question(self) -> FactsQuestion:
        basket, before = (self.held.id, self.held.pricing.codes) if self.held else (None, ())
        return FactsQuestion(
            self.viewer, self.content, self.limited, self.now, self.tries, self.include, basket, before
        )


class Quotes:
    """Says what baskets cost, with what their prices depend on."""

    def __init__(self, facts: FactsReader) -> None:
        self._facts = facts
        self._pacer = Pacer()

    async def quote(self, connection: AsyncConnection, wanted: Priceable) -> Quote:
        """The price of one basket.

        Raises InvalidInput where more is asked of a line than is held and sold, the contact is unknown, or the price
        cannot be found in ``MOST_SECONDS``.
        """
        return await self.priced(wanted, await self.facts(connection, wanted))

    async def facts(self, connection: AsyncConnection, wanted: Priceable) -> PricingFacts:
        """What the price depends on now. Raises InvalidInput where the contact is unknown."""
        return await self._facts.read(connection, wanted.question)

    async def priced(self, wanted: Priceable, facts: PricingFacts) -> Quote:
        """The price that these facts make, without the database. Raises InvalidInput, as ``quote``."""
        try:
            return await self._quote(wanted, facts, MOST_SECONDS)
        except TookTooLong:
            raise InvalidInput([Problem(("lines",), text("price_too_intricate"))]) from None

    async def quotes(
        self, connection: AsyncConnection, organisation: UUID, wanted: Sequence[Priceable], *, alone: bool
    ) -> list[Quote | InvalidInput | TookTooLong]:
        """The prices of several baskets at one instant; for each that has none, what its customer asked for wrongly.

        Unless they are ``alone``, nobody else may wait long for them: ``MOST_SECONDS_BESIDE_OTHERS`` for each.
        """
        found = await self._facts.read_all(connection, organisation, [each.question for each in wanted])
        return [await self._quote_or_failure(each, facts, alone) for each, facts in zip(wanted, found, strict=True)]

    async def _quote_or_failure(
        self, wanted: Priceable, facts: PricingFacts | InvalidInput, alone: bool
    ) -> Quote | InvalidInput | TookTooLong:
        if isinstance(facts, InvalidInput):
            return facts
        try:
            return (
                await self.priced(wanted, facts)
                if alone
                else await self._quote(wanted, facts, MOST_SECONDS_BESIDE_OTHERS)
            )
        except (InvalidInput, TookTooLong) as failure:
            return failure

    async def _quote(self, wanted: Priceable, facts: PricingFacts, most: float) -> Quote:
        """In slices: a price may take long where limits bind many unlike tickets."""
        pricing = await self._pacer.run(_steps(wanted, facts), most)
        return Quote(pricing, facts.catalogue, facts.holders, facts.has_expired)


def _steps(wanted: Priceable, facts: PricingFacts) -> Steps[Pricing]:
    content, held = wanted.content, wanted.held
    asked = _still_sold(_asked(facts.catalogue, content), wanted, facts.catalogue)
    _check_sold(asked, held, facts.catalogue)
    only = None if content.advantages is None else frozenset(content.advantages)
    offers, include = facts.catalogue.offers, wanted.include
    if held is None:
        lines = [Line(line.kind, line.quantity) for line in asked if line.kind]
        return price_in_steps(lines, facts.codes, facts.sale, offers, facts.taken, only=only, include=include)
    terms = _held_terms(held, content, facts)
    return price_held_in_steps(asked, terms, facts.codes, facts.sale, offers, facts.taken, only=only)


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


def _still_sold(asked: list[AskedLine], wanted: Priceable, catalogue: Catalogue) -> list[AskedLine]:
    """The lines, in which nothing is sold of performances past their end of sale."""
    now, performances = wanted.now, catalogue.performances
    # Most often none is late, which costs a price next to nothing to find out.
    late = {key for line in asked if (key := line.place[1]) is not None and performances[key].sold_until < now}
    if not late:
        return asked
    over = {key for key in late if not is_sold_by(wanted.viewer, performances[key], now)}
    return [replace(line, kind=None) if line.place[1] in over else line for line in asked]


def _check_sold(asked: Sequence[AskedLine], held: HeldBasket | None, catalogue: Catalogue) -> None:
    """Raises InvalidInput that names the lines that are not sold; what is held was sold already."""
    problems = Problems()
    for position in unsold(asked, held.pricing if held else None):
        product, performance, seat, audience = asked[position].place
        is_known = catalogue.ticket_kind(performance or product, seat, audience) is not None
        problems.add(("lines", str(position)), text("performance_sale_over" if is_known else "combination_not_sold"))
    problems.check()
