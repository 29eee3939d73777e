"""Which offers are open, and why the others are not (docs/domain.md, Which offers are open)."""

from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from uuid import UUID

from db.codes import batches as db_batches
from db.core.keyset import EVERYTHING, Page, in_order
from db.core.sessions import Sessions
from services.access.attempt_limits import AttemptLimits
from services.baskets.pricing_facts import NOWHERE, FactsQuestion, FactsReader, PricingFacts, looked_up
from services.baskets.sale_input import (
    check_codes,
    check_contact,
    check_delivery_mode,
    check_point_of_sale,
    is_sold_by,
)
from services.baskets.simulation import Simulation, check_simulation
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.core.errors import InvalidInput
from services.core.pacing import Pacer
from services.core.problems import Problems
from services.core.texts import text
from services.core.viewer import Audience, Viewer
from services.offers.refusal_texts import retry_after
from services.offers.visibility import is_for
from services.pricing.engine import eligibility
from services.pricing.facts.offers import Offer
from services.pricing.facts.refusals import Instant, Refusal, RefusalCode
from services.pricing.facts.sale import ContactFacts, Sale
from services.pricing.facts.tickets import TicketKind
from services.pricing.limits import is_counted


@dataclass(frozen=True, slots=True)
class EligibilityRequest:
    """What a client asks about; what is None is left to the credentials, or is not asked about.

    ``at`` is the instant asked about. The offers in ``include`` count as running, for staff who try them.
    """

    point_of_sale: UUID | None = None
    contact: UUID | None = None
    product: UUID | None = None
    performance: UUID | None = None
    delivery_mode: UUID | None = None
    codes: tuple[str, ...] = ()
    at: datetime | None = None
    include: tuple[UUID, ...] = ()
    include_ineligible: bool = False


@dataclass(frozen=True, slots=True)
class OfferEligibility:
    """Whether an offer is open: it is where nothing stands in its way."""

    offer: UUID
    refusals: tuple[Refusal, ...]

    @property
    def is_eligible(self) -> bool:
        return not self.refusals


@dataclass(frozen=True, slots=True)
class EligibilityPage:
    """Answers in the order of the offers' ids, with the catalogue that they are about."""

    catalogue: Catalogue
    offers: Sequence[OfferEligibility]


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """The circumstances that a request and its caller make."""

    point_of_sale: UUID | None
    contact: UUID | None
    delivery_mode: UUID | None
    counter_profile: str | None
    codes: tuple[str, ...]
    use_balance: bool = False


class Eligibility:
    """Says which offers are open."""

    def __init__(self, sessions: Sessions, catalogues: Catalogues, facts: FactsReader, attempts: AttemptLimits) -> None:
        self._sessions = sessions
        self._catalogues = catalogues
        self._facts = facts
        self._attempts = attempts
        self._pacer = Pacer()

    async def page(self, viewer: Viewer, request: EligibilityRequest, page: Page, now: datetime) -> EligibilityPage:
        """The page of the offers that are open, with ``include_ineligible`` of all that may be seen.

        Exact: counters, shares, codes and the contact are read now, whatever instant is asked about. Raises
        InvalidInput with every problem, Forbidden.
        """
        asked = _check(request, viewer, await self._catalogues.seen_by(viewer))
        instant, include = request.at or now, frozenset(request.include)
        own = await self._own(viewer)

        def limited(catalogue: Catalogue) -> Collection[UUID]:
            seen = _visible(viewer, own, catalogue, None, now)
            return [offer.id for offer in seen if is_counted(offer) and _is_within(offer, page)]

        trying = self._attempts.trying(viewer, looked_up(asked.codes), now)
        async with trying as tries, self._sessions.reading() as connection:
            question = FactsQuestion(viewer, asked, limited, instant, tries, include)
            facts = await self._facts.read(connection, question)
        _check_attempts(facts, now)
        opened = {code.offer for code in facts.codes if code.offer is not None}
        seen = _visible(viewer, own | opened, facts.catalogue, facts.sale.contact, now)
        offers = sorted(
            filter(partial(_is_within, page=page), seen), key=lambda offer: offer.id, reverse=page.backwards
        )
        wanted: list[OfferEligibility] = []
        for each in _answers(offers, request, facts, viewer):
            if request.include_ineligible or each.is_eligible:
                wanted.append(each)
            if len(wanted) == page.most:
                break
            # A large house has ten thousand offers, of which none may be open.
            if self._pacer.is_over():
                await self._pacer.turn()
        return EligibilityPage(facts.catalogue, in_order(wanted, page))

    async def listed(
        self, viewer: Viewer, catalogue: Catalogue, now: datetime
    ) -> tuple[Catalogue, Collection[UUID] | None]:
        """The offers that a list of advantages shows the viewer, and the snapshot that they are of; None is all.

        Staff see all, in any state. Others see what is open where they buy, as ``page`` says without being asked about
        anything, and partners those of their own codes too, in any state.
        """
        if viewer.reads_records:
            return catalogue, None
        found = await self.page(viewer, EligibilityRequest(), EVERYTHING, now)
        return found.catalogue, {each.offer for each in found.offers} | await self._own(viewer)

    async def _own(self, viewer: Viewer) -> frozenset[UUID]:
        """The offers that a partner has codes of."""
        if viewer.audience is not Audience.PARTNER or viewer.contact is None:
            return frozenset()
        async with self._sessions.reading() as connection:
            return await db_batches.offers_of(connection, viewer.organisation_id, viewer.contact)


def _check_attempts(facts: PricingFacts, now: datetime) -> None:
    """Raises InvalidInput for codes that were not looked up: they could be anything's."""
    spent = text(f"refusal_{RefusalCode.TOO_MANY_ATTEMPTS}")
    problems = Problems()
    for position, code in enumerate(facts.codes):
        if any(refusal.code is RefusalCode.TOO_MANY_ATTEMPTS for refusal in code.refusals):
            problems.add(("codes", str(position)), spent)
    if problems:
        refused = InvalidInput(problems)
        refused.retry_after = retry_after(chain.from_iterable(code.refusals for code in facts.codes), now)
        raise refused


def _check(request: EligibilityRequest, viewer: Viewer, catalogue: Catalogue) -> _Circumstances:
    """What the viewer may ask about. Raises InvalidInput with every problem, Forbidden.

    Everybody may ask about another instant, for that shows no offer that they could not see now.
    """
    problems = Problems()
    check_simulation(Simulation(offers=request.include), viewer, catalogue, problems)
    asked = _Circumstances(
        point_of_sale=check_point_of_sale(request.point_of_sale, viewer, catalogue, problems),
        contact=check_contact(request.contact, viewer, problems),
        delivery_mode=request.delivery_mode,
        counter_profile=viewer.counter_profile,
        codes=request.codes,
    )
    check_delivery_mode(request.delivery_mode, catalogue, problems)
    check_codes(request.codes, problems)
    performance = None if request.performance is None else catalogue.performances.get(request.performance)
    if request.product is not None and request.product not in catalogue.products:
        problems.add(("productId",), text("unknown_product"))
    elif performance is not None and request.product not in {None, performance.product_id}:
        problems.add(("performanceId",), text("performance_not_of_product"))
    if request.performance is not None and performance is None:
        problems.add(("performanceId",), text("unknown_performance"))
    problems.check()
    return asked


def _is_within(offer: Offer, page: Page) -> bool:
    """Whether it stands between the page's bounds."""
    return (page.after is None or offer.id > page.after) and (page.before is None or offer.id < page.before)


def _visible(
    viewer: Viewer, opened: Set[UUID], catalogue: Catalogue, contact: ContactFacts | None, now: datetime
) -> Iterator[Offer]:
    """The offers that the viewer may know of: staff of all, others of those for everyone, of those reserved for their
    contact now, and of the ``opened`` ones, by codes.
    """
    campaigns, levels = (contact.campaigns, contact.indicators) if contact else (frozenset[UUID](), {})
    for offer in catalogue.offers.values():
        if viewer.reads_records or offer.id in opened or is_for(offer, campaigns, levels, now):
            yield offer


def _answers(
    offers: Iterable[Offer], request: EligibilityRequest, facts: PricingFacts, viewer: Viewer
) -> Iterator[OfferEligibility]:
    """What stands in the way of each offer, of all that was asked about."""
    asked = _elements(facts.catalogue, request)
    sold = None if asked is None else [each for each in asked if _is_sold(each, facts, viewer)]
    over = () if asked is None or sold or not asked else (_all_over(asked, facts),)
    # Where nothing is sold any more, that says enough of the tickets.
    kinds = None if sold is None or over else list(_kinds(facts.catalogue, sold))
    include = frozenset(request.include)
    left_open = _left_open(facts.sale)
    for offer in offers:
        found = (*over, *eligibility(offer, facts.sale, kinds, facts.codes, facts.taken, include=include))
        yield OfferEligibility(offer.id, tuple(refusal for refusal in found if refusal.code not in left_open))


def _left_open(sale: Sale) -> frozenset[RefusalCode]:
    """What no offer is refused for, because it was not said: where it is sold, and how it is delivered."""
    place = RefusalCode.WRONG_CHANNEL if sale.point_of_sale == NOWHERE else None
    delivery = RefusalCode.WRONG_DELIVERY_MODE if sale.delivery_mode is None else None
    return frozenset(filter(None, (place, delivery)))


def _elements(catalogue: Catalogue, request: EligibilityRequest) -> list[UUID] | None:
    """The performance, or the product and all its performances, that have prices; None where none is named."""
    if request.performance is not None:
        elements = [request.performance]
    elif request.product is not None:
        elements = [request.product, *(each.id for each in catalogue.products[request.product].performances)]
    else:
        return None
    return [element for element in elements if catalogue.rates.get(element)]


def _is_sold(element: UUID, facts: PricingFacts, viewer: Viewer) -> bool:
    performance = facts.catalogue.performances.get(element)
    return performance is None or is_sold_by(viewer, performance, facts.sale.now)


def _all_over(performances: Iterable[UUID], facts: PricingFacts) -> Refusal:
    """Says until when the last of them was sold."""
    last = max(facts.catalogue.performances[each].sold_until for each in performances)
    return Refusal(RefusalCode.SALE_CLOSED, Instant(last), Instant(facts.sale.now))


def _kinds(catalogue: Catalogue, elements: Iterable[UUID]) -> Iterator[TicketKind]:
    """The tickets that are sold for them."""
    for element in elements:
        for seat, audience in catalogue.rates.get(element, {}):
            kind = catalogue.ticket_kind(element, seat, audience)
            if kind is not None:
                yield kind
