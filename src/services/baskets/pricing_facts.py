"""What pricing is told: one version of the catalogue, and what is exact at this instant.

Prices and eligibility stand on the same facts, which are read here, in one round trip.
"""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets import pricing_facts as db
from db.codes.codes import CodeKind, CodeStatus
from services.access.attempt_limits import CodeTries
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.codes.format import check_entered, is_mistyped, normalise
from services.core.errors import InvalidInput, Problem
from services.core.texts import text
from services.core.viewer import Viewer
from services.pricing.facts.offers import Offer
from services.pricing.facts.refusals import EnteredCode, Instant, Refusal, RefusalCode, Tickets
from services.pricing.facts.sale import ContactFacts, LimitKey, Sale, Taken
from services.pricing.facts.tickets import Element, ElementKind
from services.pricing.kept import CodeKey
from services.pricing.result import PricedCode
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

    ``taken`` leaves out what the basket itself holds. ``lost`` are the codes that it held and has no longer, with their
    offers. ``holders`` maps a single-use code to the structure that it was generated for. ``has_expired``: some of what
    is free is still held by baskets past their time, which whoever takes it must end.
    """

    catalogue: Catalogue
    sale: Sale
    codes: tuple[EnteredCode, ...]
    taken: Taken
    lost: frozenset[CodeKey]
    holders: Mapping[UUID, UUID | None]
    has_expired: bool


@value
class FactsQuestion:
    """What facts are asked for, as if ``basket`` itself held nothing.

    ``limited`` says of which offers the counters are needed, besides those of the contact's own offers, of those that
    the codes open, and of those to ``include``, which are tried before they run. Codes not ``entered_before``, which
    then did this, are tried: ``tries`` says which of them may be looked up, and is told which are unknown.
    """

    viewer: Viewer
    asked: Circumstances
    limited: Callable[[Catalogue], Collection[UUID]]
    now: datetime
    tries: CodeTries
    include: frozenset[UUID] = frozenset()
    basket: UUID | None = None
    entered_before: tuple[PricedCode, ...] = ()

    @property
    def tried(self) -> set[str]:
        """The codes that are new, of those that could be codes, normalised."""
        return set(looked_up(self.asked.codes)).difference(normalise(code.text) for code in self.entered_before)

    @property
    def held(self) -> dict[str, PricedCode]:
        """The codes that applied before, normalised: they belong to their offers whatever has become of them since."""
        return {normalise(code.text): code for code in self.entered_before if code.applied}

    def wanted(self, catalogue: Catalogue) -> db.WantedFacts:
        offers = [*self.limited(catalogue), *self.include]
        codes = [code for code in looked_up(self.asked.codes) if code not in self.barred]
        return db.WantedFacts(self.basket, self.asked.contact, codes, offers)

    @property
    def barred(self) -> Set[str]:
        """The codes that are not even looked up."""
        return self.tries.refused & self.tried if self.tries.refused else self.tries.refused


class FactsReader:
    """Reads facts that fit together."""

    def __init__(self, catalogues: Catalogues) -> None:
        self._catalogues = catalogues

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
        catalogue = self._catalogues.cached(organisation)
        if catalogue is None:
            catalogue = await self._catalogues.current(organisation, connection)
        while True:
            wanted = [question.wanted(catalogue) for question in questions]
            found = await db.read(connection, organisation, wanted)
            [version] = {each.catalogue_version for each in found}
            if version == catalogue.organisation.version:
                break
            catalogue = await self._catalogues.at_version(organisation, version, connection)
        return [_facts(question, catalogue, each) for question, each in zip(questions, found, strict=True)]


def _facts(question: FactsQuestion, catalogue: Catalogue, found: db.StoredFacts) -> PricingFacts | InvalidInput:
    asked = question.asked
    if asked.contact is not None and found.contact is None:
        return InvalidInput([Problem(("contactId",), text("unknown_contact"))])
    sale = _sale(catalogue, asked, found.contact, question.now)
    held = question.held
    entered = [_as_held(code, held.get(normalise(code.text))) for code in _entered(question, found, catalogue, sale)]
    if unknown := {normalise(code.text) for code in entered if code.offer is None}:
        question.tries.found_unknown(unknown & question.tried - question.barred)
    return PricingFacts(
        catalogue=catalogue,
        sale=sale,
        codes=(*entered, *_tried(question.include, entered, catalogue)),
        taken=_taken_by_others(found),
        lost=_lost(held, found, question.basket),
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


def looked_up(texts: Sequence[str]) -> list[str]:
    """What was entered that could be codes, normalised, each once."""
    return list(dict.fromkeys(normalise(shown) for shown in texts if check_entered(shown) is None))


def _entered(question: FactsQuestion, found: db.StoredFacts, catalogue: Catalogue, sale: Sale) -> list[EnteredCode]:
    """What the look-up found of each entered code.

    To staff a code that is not meant for this point of sale says so; to everybody else it answers like an unknown one
    (docs/domain.md, Who may do what).
    """
    stored = {code.code: code for code in found.codes}
    barred, reveals = question.barred, question.viewer.reads_records
    entered = []
    for shown in question.asked.codes:
        if check_entered(shown) is not None:
            entered.append(EnteredCode(shown, refusals=(Refusal(RefusalCode.UNKNOWN_CODE, detail="malformed"),)))
            continue
        if normalise(shown) in barred:
            entered.append(EnteredCode(shown, refusals=(_too_many(question.tries.until),)))
            continue
        code = stored.get(normalise(shown))
        if code is None or not (reveals or _sold_here(catalogue.offers.get(code.offer), sale)):
            detail = "mistyped" if is_mistyped(normalise(shown)) else None
            entered.append(EnteredCode(shown, refusals=(Refusal(RefusalCode.UNKNOWN_CODE, detail=detail),)))
        else:
            entered.append(
                EnteredCode(shown, code.id, code.offer, tuple(_refusals(code, question.basket, question.asked.contact)))
            )
    return entered


def _too_many(until: datetime | None) -> Refusal:
    """With the first whole second at which the code may be tried again."""
    if until is None:
        return Refusal(RefusalCode.TOO_MANY_ATTEMPTS)
    at = until if until.microsecond == 0 else until.replace(microsecond=0) + timedelta(seconds=1)
    return Refusal(RefusalCode.TOO_MANY_ATTEMPTS, required=Instant(at))


def _as_held(entered: EnteredCode, held: PricedCode | None) -> EnteredCode:
    """A code that applied before is the code that it was, whatever a look-up finds now."""
    if held is None:
        return entered
    return EnteredCode(entered.text, held.code, held.offer, entered.refusals)


def _lost(held: Mapping[str, PricedCode], found: db.StoredFacts, basket: UUID | None) -> frozenset[CodeKey]:
    """The codes that are another's by now, or invalidated for good."""
    stored = {code.id: code for code in found.codes}
    return frozenset(
        (code.offer, code.code)
        for code in held.values()
        if code.offer is not None and code.code in stored and _is_lost(stored[code.code], basket)
    )


def _is_lost(code: db.CodeFact, basket: UUID | None) -> bool:
    if code.kind is CodeKind.SINGLE_USE:
        return code.status is not CodeStatus.HELD or code.basket != basket
    return code.is_gone


def _sold_here(offer: Offer | None, sale: Sale) -> bool:
    return offer is not None and (
        (not offer.channels or sale.channel in offer.channels)
        and (not offer.points_of_sale or sale.point_of_sale in offer.points_of_sale)
    )


def _refusals(code: db.CodeFact, basket: UUID | None, contact: UUID | None) -> list[Refusal]:
    """What stands against a stored code itself, whatever its offer says.

    Who holds it already in another basket of theirs is told in which.
    """
    if code.status is CodeStatus.INVALIDATED:
        return [Refusal(RefusalCode.CODE_INVALIDATED)]
    if code.status is CodeStatus.SWITCHED_OFF:
        return [Refusal(RefusalCode.SWITCHED_OFF)]
    if code.status is CodeStatus.USED:
        return [Refusal(RefusalCode.CODE_ALREADY_USED)]
    if code.status is CodeStatus.HELD and code.basket != basket:
        until = None if code.held_until is None else Instant(code.held_until)
        own = code.basket if contact is not None and code.held_for == contact else None
        return [Refusal(RefusalCode.CODE_HELD, actual=until, detail="held_by_you" if own else None, basket=own)]
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
