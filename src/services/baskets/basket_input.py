"""What a client may put into a basket: all problems of a request at once, each with the path of the field at fault."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from db.baskets.baskets import BasketContent, BasketLine
from services.baskets.sale_input import check_codes, check_contact, check_delivery_mode, check_point_of_sale
from services.baskets.simulation import NOTHING, Simulation, check_simulation
from services.catalogue.snapshot import Catalogue
from services.core.errors import InvalidInput, Path
from services.core.problems import Problems
from services.core.texts import text
from services.core.unset import UNSET, Given, Unset
from services.core.viewer import Viewer
from services.pricing.facts.tickets import FAMILIES_WITH_PERFORMANCES

MAXIMUM_LINES = 500
MAXIMUM_TICKETS = 1000


@dataclass(frozen=True, slots=True)
class LineRequest:
    """A line as a client asks for it: a performance, or a product of a family without performances."""

    performance: UUID | None
    product: UUID | None
    seat_category: UUID | None
    audience_sub_category: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class BasketRequest:
    """A basket as a client asks for it; what is None is left to the credentials or to no choice."""

    lines: tuple[LineRequest, ...]
    codes: tuple[str, ...] = ()
    point_of_sale: UUID | None = None
    contact: UUID | None = None
    delivery_mode: UUID | None = None
    use_balance: bool = False
    advantages: tuple[UUID, ...] | None = None


@dataclass(frozen=True, slots=True)
class BasketChange:
    """What a client wants otherwise in a basket; what is UNSET stays as it is, None clears it."""

    lines: tuple[LineRequest, ...] | Unset = UNSET
    contact: Given[UUID] = UNSET
    delivery_mode: Given[UUID] = UNSET
    use_balance: bool | Unset = UNSET
    advantages: Given[tuple[UUID, ...]] = UNSET


def apply_change(content: BasketContent, change: BasketChange, viewer: Viewer, catalogue: Catalogue) -> BasketContent:
    """The content with the change made, which alone is checked. Raises InvalidInput with every problem."""
    problems = Problems()
    changed = content
    if change.contact is not UNSET:
        changed = replace(changed, contact=check_contact(change.contact, viewer, problems))
    if change.delivery_mode is not UNSET:
        check_delivery_mode(change.delivery_mode, catalogue, problems)
        changed = replace(changed, delivery_mode=change.delivery_mode)
    if change.advantages is not UNSET:
        _check_advantages(change.advantages, catalogue, problems)
        changed = replace(changed, advantages=change.advantages)
    if change.lines is not UNSET:
        changed = replace(changed, lines=_lines(change.lines, catalogue, problems))
    if change.use_balance is not UNSET:
        changed = replace(changed, use_balance=change.use_balance)
    problems.check()
    return changed


def check(
    request: BasketRequest, viewer: Viewer, catalogue: Catalogue, simulation: Simulation = NOTHING
) -> BasketContent:
    """The content of a basket that ``viewer`` may ask for, with what a simulation may suppose of it.

    Raises InvalidInput with every problem, Forbidden where the viewer may try nothing.
    """
    problems = Problems()
    check_simulation(simulation, viewer, catalogue, problems)
    point_of_sale = check_point_of_sale(request.point_of_sale, viewer, catalogue, problems)
    if point_of_sale is None:
        problems.add(("pointOfSaleId",), text("point_of_sale_missing"))
    contact = check_contact(request.contact, viewer, problems)
    check_delivery_mode(request.delivery_mode, catalogue, problems)
    _check_advantages(request.advantages, catalogue, problems)
    check_codes(request.codes, problems)
    lines = _lines(request.lines, catalogue, problems)
    if problems or point_of_sale is None:
        raise InvalidInput(problems)
    return BasketContent(
        point_of_sale=point_of_sale,
        contact=contact,
        delivery_mode=request.delivery_mode,
        use_balance=request.use_balance,
        advantages=request.advantages,
        counter_profile=viewer.counter_profile,
        lines=lines,
        codes=request.codes,
    )


def _check_advantages(advantages: Sequence[UUID] | None, catalogue: Catalogue, problems: Problems) -> None:
    for position, advantage in enumerate(advantages or ()):
        if catalogue.offers.get(advantage) is None:
            problems.add(("advantageIds", str(position)), text("unknown_offer"))


def _lines(requests: Sequence[LineRequest], catalogue: Catalogue, problems: Problems) -> tuple[BasketLine, ...]:
    if len(requests) > MAXIMUM_LINES:
        problems.add(("lines",), text("too_many_lines", maximum=MAXIMUM_LINES, found=len(requests)))
        return ()
    lines = []
    for position, request in enumerate(requests):
        line = _line(("lines", str(position)), request, catalogue, problems)
        if line is not None:
            lines.append(line)
    tickets = sum(line.quantity for line in lines)
    if tickets > MAXIMUM_TICKETS:
        problems.add(("lines",), text("too_many_tickets", maximum=MAXIMUM_TICKETS, found=tickets))
    return tuple(lines)


def _line(path: Path, request: LineRequest, catalogue: Catalogue, problems: Problems) -> BasketLine | None:
    before = len(problems)
    if not 1 <= request.quantity <= MAXIMUM_TICKETS:
        problems.add((*path, "quantity"), text("bad_quantity", maximum=MAXIMUM_TICKETS))
    if (request.performance is None) == (request.product is None):
        problems.add(path, text("performance_or_product"))
        return None
    product = _product(path, request, catalogue, problems)
    if request.seat_category is not None and request.seat_category not in catalogue.seat_categories:
        problems.add((*path, "seatCategoryId"), text("unknown_seat_category"))
    if request.audience_sub_category not in catalogue.audience_sub_categories:
        problems.add((*path, "audienceSubCategoryId"), text("unknown_audience_sub_category"))
    if len(problems) > before or product is None:
        return None
    element = request.performance or product
    if catalogue.ticket_kind(element, request.seat_category, request.audience_sub_category) is None:
        problems.add(path, text("combination_not_sold"))
        return None
    return BasketLine(
        product, request.performance, request.seat_category, request.audience_sub_category, request.quantity
    )


def _product(path: Path, request: LineRequest, catalogue: Catalogue, problems: Problems) -> UUID | None:
    if request.performance is not None:
        performance = catalogue.performances.get(request.performance)
        if performance is None:
            problems.add((*path, "performanceId"), text("unknown_performance"))
            return None
        return performance.product_id
    product = None if request.product is None else catalogue.products.get(request.product)
    if product is None:
        problems.add((*path, "productId"), text("unknown_product"))
        return None
    if product.family in FAMILIES_WITH_PERFORMANCES:
        problems.add((*path, "productId"), text("performance_needed"))
        return None
    return product.id
