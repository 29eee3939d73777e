"""The price of a basket now: the snapshot of the catalogue and the exact facts of this instant, given to pricing.

``priceBasket`` and every change of a basket go through ``Prices.quote``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import facts as db
from db.baskets import BasketContent
from services.catalogue import Catalogue, Catalogues
from services.code_format import check_entered, has_valid_check, is_random_form, normalise
from services.errors import InvalidInput, Problem
from services.pricing.engine import price
from services.pricing.facts import (
    ContactFacts,
    Element,
    ElementKind,
    EnteredCode,
    LimitKey,
    Line,
    Offer,
    Refusal,
    RefusalCode,
    Sale,
    Tickets,
)
from services.pricing.result import Pricing
from services.texts import text


@dataclass(frozen=True, slots=True)
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


class Prices:
    """Prices baskets."""

    def __init__(self, catalogues: Catalogues) -> None:
        self._catalogues = catalogues

    async def quote(
        self,
        connection: AsyncConnection,
        organisation: UUID,
        content: BasketContent,
        *,
        now: datetime,
        reveal: bool,
        basket: UUID | None = None,
    ) -> Quote:
        """The price of ``content`` at ``now``, as if ``basket`` itself held nothing.

        With ``reveal`` (staff) a code that is not meant for this point of sale says so; without, it answers like an
        unknown one (docs/domain.md, Who may do what). Offers that the basket holds are honoured though suspended since.
        Raises InvalidInput where a line is not sold or the contact is unknown.
        """
        catalogue = self._catalogues.cached(organisation) or await self._catalogues.current(organisation)
        while True:
            lines = lines_of(catalogue, content)
            facts = await db.read(
                connection,
                organisation,
                contact=content.contact,
                codes=[normalise(code) for code in content.codes if check_entered(code) is None],
                offers=tuple(catalogue.offers.limited_offer_ids([line.kind for line in lines])),
                basket=basket,
            )
            if facts.catalogue_version == catalogue.organisation.version:
                break
            catalogue = await self._catalogues.at_version(organisation, facts.catalogue_version)
        if content.contact is not None and facts.contact is None:
            raise InvalidInput([Problem(("contactId",), text("unknown_contact"))])
        sale = _sale(catalogue, content, facts.contact, now)
        pricing = price(
            lines,
            _entered(content.codes, facts, catalogue, None if reveal else sale, basket),
            sale,
            catalogue.offers,
            _taken_by_others(facts),
            only=None if content.advantages is None else frozenset(content.advantages),
            include=frozenset(hold.offer for hold in facts.own),
        )
        holders = {code.id: code.holder for code in facts.codes if code.kind == "SINGLE_USE"}
        return Quote(pricing, catalogue, holders, facts.has_expired)


def lines_of(catalogue: Catalogue, content: BasketContent) -> list[Line]:
    """The basket's lines with what they cost now. Raises InvalidInput that names the lines that are not sold."""
    lines: list[Line] = []
    problems: list[Problem] = []
    for position, line in enumerate(content.lines):
        kind = catalogue.ticket_kind(line.performance or line.product, line.seat_category, line.audience_sub_category)
        if kind is None:
            problems.append(Problem(("lines", str(position)), text("combination_not_sold")))
        else:
            lines.append(Line(kind, line.quantity))
    if problems:
        raise InvalidInput(problems)
    return lines


def _sale(catalogue: Catalogue, content: BasketContent, contact: db.ContactFact | None, now: datetime) -> Sale:
    channel = catalogue.sales_channels[catalogue.points_of_sale[content.point_of_sale].channel_id]
    mode = None if content.delivery_mode is None else catalogue.delivery_modes[content.delivery_mode]
    return Sale(
        now=now,
        channel=channel.id,
        point_of_sale=content.point_of_sale,
        delivery_mode=content.delivery_mode,
        contact=None
        if contact is None
        else ContactFacts(
            id=contact.id,
            indicators=dict(contact.indicators),
            campaigns=frozenset(contact.campaigns),
            has_ordered=contact.has_ordered,
            newsletter=contact.newsletter,
            balance=contact.balance,
        ),
        counter_profile=content.counter_profile,
        processing_fee=channel.processing_fee,
        delivery_fee=0 if mode is None else mode.fee,
        use_balance=content.use_balance,
    )


def _entered(
    texts: Collection[str], facts: db.Facts, catalogue: Catalogue, sale: Sale | None, basket: UUID | None
) -> list[EnteredCode]:
    """What the look-up found of each entered code; ``sale`` is None where everything may be revealed."""
    found = {code.code: code for code in facts.codes}
    entered = []
    for shown in texts:
        if check_entered(shown) is not None:
            entered.append(EnteredCode(shown, refusals=(Refusal(RefusalCode.UNKNOWN_CODE, detail="malformed"),)))
            continue
        code = found.get(normalise(shown))
        if code is None or (sale is not None and not _sold_here(catalogue.offers.get(code.offer), sale)):
            mistyped = is_random_form(normalise(shown)) and not has_valid_check(normalise(shown))
            detail = "mistyped" if mistyped else None
            entered.append(EnteredCode(shown, refusals=(Refusal(RefusalCode.UNKNOWN_CODE, detail=detail),)))
        else:
            entered.append(EnteredCode(shown, code.id, code.offer, tuple(_refusals(code, facts, basket))))
    return entered


def _sold_here(offer: Offer | None, sale: Sale) -> bool:
    return offer is not None and (
        (not offer.channels or sale.channel in offer.channels)
        and (not offer.points_of_sale or sale.point_of_sale in offer.points_of_sale)
    )


def _refusals(code: db.CodeFact, facts: db.Facts, basket: UUID | None) -> list[Refusal]:
    """What stands against a stored code itself, whatever its offer says."""
    if code.status == "INVALIDATED":
        return [Refusal(RefusalCode.CODE_INVALIDATED)]
    if code.status == "USED":
        return [Refusal(RefusalCode.CODE_ALREADY_USED)]
    if code.status == "HELD" and code.basket != basket:
        return [Refusal(RefusalCode.CODE_HELD)]
    own_uses = any(hold.code == code.id for hold in facts.own)
    if code.max_uses is not None and code.uses - own_uses >= code.max_uses:
        return [Refusal(RefusalCode.QUOTA_EXHAUSTED, required=Tickets(code.max_uses), detail="uses")]
    return []


def _taken_by_others(facts: db.Facts) -> dict[LimitKey, int]:
    """What is taken of each limit, less what the basket itself gives back."""
    contact = None if facts.contact is None else facts.contact.id
    taken = {}
    for fact in facts.taken:
        own = sum(
            hold.tickets
            for hold in facts.own
            if hold.offer == fact.offer
            and (fact.element is None or fact.element in hold.elements)
            and (not fact.of_contact or hold.contact == contact)
        )
        kind = None if fact.element_kind is None else ElementKind(fact.element_kind)
        element = None if kind is None or fact.element is None else Element(kind, fact.element)
        taken[LimitKey(fact.offer, element, fact.of_contact)] = fact.tickets - own
    return taken
