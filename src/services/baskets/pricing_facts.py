"""What pricing is told: one version of the catalogue, and what is exact at this instant.

Prices and eligibility stand on the same facts, which are read here, in one round trip.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets import pricing_facts as db
from db.codes.codes import CodeKind, CodeStatus
from services.access.attempt_limits import AttemptLimits
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.codes.format import check_entered, is_mistyped, normalise
from services.core.errors import InvalidInput, Problem
from services.core.texts import text
from services.core.viewer import Viewer
from services.pricing.facts.offers import Offer
from services.pricing.facts.refusals import EnteredCode, Refusal, RefusalCode, Tickets
from services.pricing.facts.sale import ContactFacts, LimitKey, Sale, Taken
from services.pricing.facts.tickets import Element, ElementKind
from services.pricing.rules import needs_code
from services.pricing.values import value

NOWHERE: Final = UUID(int=0)
"""Stands for a point of sale and a channel where none is known; no offer names it."""


class Circumstances(Protocol):
    """Where, for whom, how and with which codes tickets are bought, or asked for; None is not known or not chosen."""

    @property
    def point_of_sale(self) -> UUID | None: ...
    @property
    def contact(self) -> UUID | None: ...
    @property
    def delivery_mode(self) -> UUID | None: ...
    @property
    def counter_profile(self) -> str | None: ...
    @property
    def use_balance(self) -> bool: ...
    @property
    def codes(self) -> tuple[str, ...]: ...


@value
class PricingFacts:
    """All that pricing is told of an instant.

    ``taken`` leaves out what the basket itself holds, which are the offers ``held``. ``holders`` maps a single-use code
    to the structure that it was generated for. ``has_expired``: some of what is free is still held by baskets past
    their time, which whoever takes it must end.
    """

    catalogue: Catalogue
    sale: Sale
    codes: tuple[EnteredCode, ...]
    taken: Taken
    held: frozenset[UUID]
    holders: Mapping[UUID, UUID | None]
    has_expired: bool


@value
class FactsQuestion:
    """What facts are asked for, as if ``basket`` itself held nothing.

    ``limited`` says of which offers the counters are needed, besides those of the contact's own offers, of those that
    the codes open, and of those to ``include``, which are tried before they run. Codes not ``entered_before`` count as
    tried.
    """

    viewer: Viewer
    asked: Circumstances
    limited: Callable[[Catalogue], Collection[UUID]]
    now: datetime
    include: frozenset[UUID] = frozenset()
    basket: UUID | None = None
    entered_before: tuple[str, ...] = ()

    @property
    def tried(self) -> set[str]:
        """The codes to look up that are new, normalised."""
        return _looked_up(self.asked.codes).difference(_looked_up(self.entered_before))

    def wanted(self, catalogue: Catalogue, barred: Collection[str]) -> db.WantedFacts:
        offers = [*self.limited(catalogue), *self.include]
        return db.WantedFacts(self.basket, self.asked.contact, _looked_up(self.asked.codes).difference(barred), offers)


class FactsReader:
    """Reads facts that fit together."""

    def __init__(self, catalogues: Catalogues, attempts: AttemptLimits) -> None:
        self._catalogues = catalogues
        self._attempts = attempts

    async def read(self, connection: AsyncConnection, question: FactsQuestion) -> PricingFacts:
        """The facts that answer one question. Raises InvalidInput where the contact is unknown."""
        [found] = await self.read_all(connection, question.viewer.organisation_id, [question])
        if isinstance(found, InvalidInput):
            raise found
        return found

    async def read_all(
        self, connection: AsyncConnection, organisation: UUID, questions: Sequence[FactsQuestion]
    ) -> list[PricingFacts | InvalidInput]:
        """The facts of one instant that answer each question in turn."""
        catalogue = self._catalogues.cached(organisation) or await self._catalogues.current(organisation)
        barred = [await self._barred(question) for question in questions]
        while True:
            wanted = [question.wanted(catalogue, codes) for question, codes in zip(questions, barred, strict=True)]
            found = await db.read(connection, organisation, wanted)
            [version] = {each.catalogue_version for each in found}
            if version == catalogue.organisation.version:
                break
            catalogue = await self._catalogues.at_version(organisation, version)
        return [
            await self._facts(question, catalogue, codes, each)
            for question, codes, each in zip(questions, barred, found, strict=True)
        ]

    async def _barred(self, question: FactsQuestion) -> set[str]:
        """The codes that are not even looked up."""
        tried = question.tried
        return tried if tried and await self._attempts.are_spent(question.viewer, question.basket) else set()

    async def _facts(
        self, question: FactsQuestion, catalogue: Catalogue, barred: set[str], found: db.StoredFacts
    ) -> PricingFacts | InvalidInput:
        viewer, asked, basket = question.viewer, question.asked, question.basket
        if asked.contact is not None and found.contact is None:
            return InvalidInput([Problem(("contactId",), text("unknown_contact"))])
        sale = _sale(catalogue, asked, found.contact, question.now)
        entered = _entered(asked.codes, barred, found, catalogue, None if viewer.reads_records else sale, basket)
        unknown = {normalise(code.text) for code in entered if code.offer is None} - barred
        if unknown:
            await self._attempts.failed(viewer, basket, len(unknown & question.tried))
        return PricingFacts(
            catalogue=catalogue,
            sale=sale,
            codes=(*entered, *_tried(question.include, entered, catalogue)),
            taken=_taken_by_others(found),
            held=frozenset(hold.offer for hold in found.free if hold.own),
            holders={code.id: code.holder for code in found.codes if code.kind is CodeKind.SINGLE_USE},
            has_expired=any(not hold.own for hold in found.free),
        )


def _sale(catalogue: Catalogue, asked: Circumstances, contact: db.ContactFact | None, now: datetime) -> Sale:
    place = None if asked.point_of_sale is None else catalogue.points_of_sale[asked.point_of_sale]
    channel = None if place is None else catalogue.sales_channels[place.channel_id]
    mode = None if asked.delivery_mode is None else catalogue.delivery_modes[asked.delivery_mode]
    return Sale(
        now=now,
        channel=channel.id if channel else NOWHERE,
        point_of_sale=place.id if place else NOWHERE,
        delivery_mode=asked.delivery_mode,
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
        counter_profile=asked.counter_profile,
        processing_fee=channel.processing_fee if channel else 0,
        delivery_fee=mode.fee if mode else 0,
        use_balance=asked.use_balance,
    )


def _looked_up(texts: tuple[str, ...]) -> set[str]:
    return {normalise(shown) for shown in texts if check_entered(shown) is None}


def _entered(
    texts: Collection[str],
    barred: Collection[str],
    found: db.StoredFacts,
    catalogue: Catalogue,
    sale: Sale | None,
    basket: UUID | None,
) -> list[EnteredCode]:
    """What the look-up found of each entered code; ``sale`` is None where everything may be revealed.

    To staff a code that is not meant for this point of sale says so; to everybody else it answers like an unknown one
    (docs/domain.md, Who may do what).
    """
    stored = {code.code: code for code in found.codes}
    entered = []
    for shown in texts:
        if check_entered(shown) is not None:
            entered.append(EnteredCode(shown, refusals=(Refusal(RefusalCode.UNKNOWN_CODE, detail="malformed"),)))
            continue
        if normalise(shown) in barred:
            entered.append(EnteredCode(shown, refusals=(Refusal(RefusalCode.TOO_MANY_ATTEMPTS),)))
            continue
        code = stored.get(normalise(shown))
        if code is None or (sale is not None and not _sold_here(catalogue.offers.get(code.offer), sale)):
            detail = "mistyped" if is_mistyped(normalise(shown)) else None
            entered.append(EnteredCode(shown, refusals=(Refusal(RefusalCode.UNKNOWN_CODE, detail=detail),)))
        else:
            entered.append(EnteredCode(shown, code.id, code.offer, tuple(_refusals(code, basket))))
    return entered


def _sold_here(offer: Offer | None, sale: Sale) -> bool:
    return offer is not None and (
        (not offer.channels or sale.channel in offer.channels)
        and (not offer.points_of_sale or sale.point_of_sale in offer.points_of_sale)
    )


def _refusals(code: db.CodeFact, basket: UUID | None) -> list[Refusal]:
    """What stands against a stored code itself, whatever its offer says."""
    if code.status is CodeStatus.INVALIDATED:
        return [Refusal(RefusalCode.CODE_INVALIDATED)]
    if code.status is CodeStatus.USED:
        return [Refusal(RefusalCode.CODE_ALREADY_USED)]
    if code.status is CodeStatus.HELD and code.basket != basket:
        return [Refusal(RefusalCode.CODE_HELD)]
    if code.max_uses is not None and code.uses >= code.max_uses:
        return [Refusal(RefusalCode.QUOTA_EXHAUSTED, required=Tickets(code.max_uses), detail="uses")]
    return []


def _tried(include: frozenset[UUID], entered: Collection[EnteredCode], catalogue: Catalogue) -> list[EnteredCode]:
    """A code, shown as the offer's own code, for each offer to try that needs one and has none entered.

    Before an offer runs its codes are rarely made; who tries it wants to see what a customer with one will pay.
    """
    if not include:
        return []
    opened = {code.offer for code in entered}
    offers = [catalogue.offers[offer] for offer in sorted(include - opened)]
    return [EnteredCode(offer.code, offer=offer.id) for offer in offers if needs_code(offer)]


def _taken_by_others(found: db.StoredFacts) -> dict[LimitKey, int]:
    """What is taken of each limit, less what is free: the basket gives back its own, and expired holds are none."""
    contact = None if found.contact is None else found.contact.id
    free_of: dict[UUID, list[db.FreeHold]] = {}
    for hold in found.free:
        free_of.setdefault(hold.offer, []).append(hold)
    taken = {}
    for fact in found.taken:
        free = sum(
            hold.tickets
            for hold in free_of.get(fact.offer, ())
            if (fact.element is None or fact.element in hold.elements)
            and (not fact.of_contact or hold.contact == contact)
        )
        kind = None if fact.element_kind is None else ElementKind(fact.element_kind)
        element = None if kind is None or fact.element is None else Element(kind, fact.element)
        taken[LimitKey(fact.offer, element, fact.of_contact)] = fact.tickets - free
    return taken
