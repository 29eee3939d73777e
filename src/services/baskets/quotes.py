"""The price of a basket now: the snapshot of the catalogue and the exact facts of this instant, given to pricing.

``priceBasket`` and every change of a basket go through ``Prices.quote``.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets.baskets import BasketContent, Lifespan
from services.baskets.pricing_facts import FactsQuestion, FactsReader, PricingFacts
from services.catalogue.snapshot import Catalogue
from services.core.errors import InvalidInput
from services.core.problems import Problems
from services.core.texts import text
from services.core.viewer import Viewer
from services.pricing.engine import price
from services.pricing.facts.tickets import Line
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
    def lifespan(self) -> Lifespan:
        """How long the basket lives, as the organisation says."""
        organisation = self.catalogue.organisation
        return Lifespan(organisation.basket_minutes, organisation.basket_maximum_minutes)

    @property
    def single_use_codes(self) -> frozenset[UUID]:
        """The single-use codes that the price stands on."""
        codes = {hold.code for hold in self.pricing.holds}
        return frozenset(code for code in self.holders if code in codes)


@value
class Priceable:
    """What is to be priced at ``now``, as if ``basket`` itself held nothing and the offers to ``include`` ran.

    Codes not ``entered_before`` count as tried.
    """

    viewer: Viewer
    content: BasketContent
    now: datetime
    include: frozenset[UUID] = frozenset()
    basket: UUID | None = None
    entered_before: tuple[str, ...] = ()

    def limited(self, catalogue: Catalogue) -> Collection[UUID]:
        """The offers whose limits the price may meet, if only by the lines that are sold."""
        return catalogue.offers.limited_offer_ids([line.kind for line in _lines(catalogue, self.content, Problems())])

    @property
    def question(self) -> FactsQuestion:
        return FactsQuestion(
            self.viewer, self.content, self.limited, self.now, self.include, self.basket, self.entered_before
        )


class Quotes:
    """Says what baskets cost, with what their prices depend on."""

    def __init__(self, facts: FactsReader) -> None:
        self._facts = facts

    async def quote(self, connection: AsyncConnection, wanted: Priceable) -> Quote:
        """The price of one basket.

        Offers that are over are honoured for the tickets that the basket holds of them. Raises InvalidInput where a
        line is not sold or the contact is unknown.
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
    content = wanted.content
    pricing = price(
        lines_of(facts.catalogue, content),
        facts.codes,
        facts.sale,
        facts.catalogue.offers,
        facts.taken,
        only=None if content.advantages is None else frozenset(content.advantages),
        include=wanted.include,
        held=facts.held,
    )
    return Quote(pricing, facts.catalogue, facts.holders, facts.has_expired)


def lines_of(catalogue: Catalogue, content: BasketContent) -> list[Line]:
    """The basket's lines with what they cost now. Raises InvalidInput that names the lines that are not sold."""
    problems = Problems()
    lines = _lines(catalogue, content, problems)
    problems.check()
    return lines


def _lines(catalogue: Catalogue, content: BasketContent, problems: Problems) -> list[Line]:
    """The lines that are sold; adds those that are not to the problems."""
    lines: list[Line] = []
    for position, line in enumerate(content.lines):
        kind = catalogue.ticket_kind(line.performance or line.product, line.seat_category, line.audience_sub_category)
        if kind is None:
            problems.add(("lines", str(position)), text("combination_not_sold"))
        else:
            lines.append(Line(kind, line.quantity))
    return lines
