"""Where an offer is sold, on what, and how often: the things of the catalogue that a draft names."""

from collections.abc import Container, Mapping
from typing import Final
from uuid import UUID

from services.catalogue.snapshot import Catalogue
from services.core.errors import Path
from services.core.problems import Problems
from services.core.texts import text
from services.offers.checks import Belonging, check_belonging, check_element_limits, check_elements
from services.offers.forms import ElementLimitDraft, LimitsDraft, ScopeDraft
from services.pricing.facts.offers import ElementLimits, Limits, Scope
from services.pricing.facts.tickets import Element, ElementKind

ELEMENT_FIELDS: Final[Mapping[ElementKind, str]] = {
    ElementKind.PRODUCT: "productId",
    ElementKind.PERFORMANCE: "performanceId",
    ElementKind.SEAT_CATEGORY: "seatCategoryId",
    ElementKind.AUDIENCE_SUB_CATEGORY: "audienceSubCategoryId",
}
"""What the API's inputs name an element by; lists have an s."""

_ELEMENT_WORDS: Final = [field.removesuffix("Id") for field in ELEMENT_FIELDS.values()]


class ScopesAndLimits:
    """Reads scopes and limits from what staff wrote.

    ``of`` is what an advantage belongs to, None for a promotional code, which belongs to nothing.
    """

    def __init__(self, catalogue: Catalogue, problems: Problems, of: Belonging | None) -> None:
        self._catalogue = catalogue
        self._problems = problems
        self._of = of
        self._elements: Mapping[ElementKind, Mapping[UUID, object]] = {
            ElementKind.PRODUCT: catalogue.products,
            ElementKind.PERFORMANCE: catalogue.performances,
            ElementKind.SEAT_CATEGORY: catalogue.seat_categories,
            ElementKind.AUDIENCE_SUB_CATEGORY: catalogue.audience_sub_categories,
        }

    def channels(self, keys: tuple[UUID, ...]) -> frozenset[UUID]:
        return self._all("channelIds", keys, self._catalogue.sales_channels, "unknown_channel")

    def points_of_sale(self, keys: tuple[UUID, ...]) -> frozenset[UUID]:
        return self._all("pointOfSaleIds", keys, self._catalogue.points_of_sale, "unknown_point_of_sale")

    def delivery_modes(self, keys: tuple[UUID, ...]) -> frozenset[UUID]:
        return self._all("deliveryModeIds", keys, self._catalogue.delivery_modes, "unknown_delivery_mode")

    def _all(self, name: str, keys: tuple[UUID, ...], known: Container[UUID], reason: str) -> frozenset[UUID]:
        for position, key in enumerate(keys):
            if key not in known:
                self._problems.add((name, str(position)), text(reason))
        return frozenset(keys)

    def scope(self, draft: ScopeDraft) -> Scope:
        lists = (draft.products, draft.performances, draft.seat_categories, draft.audience_sub_categories)
        for (kind, field), keys in zip(ELEMENT_FIELDS.items(), lists, strict=True):
            for position, key in enumerate(keys):
                self._check(("scope", f"{field}s", str(position)), Element(kind, key))
        return Scope(*map(frozenset, lists))

    def limits(self, draft: LimitsDraft) -> tuple[Limits, tuple[ElementLimits, ...]]:
        """The limits of the offer itself and of its elements, in the order of the elements' keys."""
        self._numbers(("limits",), draft.own)
        found: dict[Element, ElementLimits] = {}
        reasons = check_elements(limit.element for limit in draft.elements)
        for position, (limit, reason) in enumerate(zip(draft.elements, reasons, strict=True)):
            path = ("limits", "elements", str(position))
            element = self._limited(path, limit)
            if element is None:
                continue
            self._problems.refuse(path, reason)
            found[element] = ElementLimits(element, limit.limits)
        return draft.own, tuple(sorted(found.values(), key=lambda each: each.element.id))

    def _limited(self, path: Path, limit: ElementLimitDraft) -> Element | None:
        self._numbers(path, limit.limits)
        self._problems.refuse(path, check_element_limits(limit.limits))
        if limit.element is None:
            self._problems.add(path, text("exactly_one_of", names=", ".join(_ELEMENT_WORDS)))
            return None
        self._check((*path, ELEMENT_FIELDS[limit.element.kind]), limit.element)
        return limit.element

    def _numbers(self, path: Path, limits: Limits) -> None:
        """A quota of nothing closes an offer for a while; an order or a contact with nothing would never get it."""
        for name, least, number in (
            ("quota", 0, limits.quota),
            ("perOrder", 1, limits.per_order),
            ("perContact", 1, limits.per_contact),
        ):
            if number is not None and number < least:
                self._problems.add((*path, name), text("number_too_small", ge=least))

    def _check(self, path: Path, element: Element) -> None:
        catalogue = self._catalogue
        if element.id not in self._elements[element.kind]:
            self._problems.add(path, text(f"unknown_{element.kind.lower()}"))
            return
        performance = catalogue.performances.get(element.id)
        product = catalogue.products.get(performance.product_id if performance else element.id)
        if self._of is not None and product is not None:
            belonging = Belonging(product.family, catalogue.seasons[product.season_id].code)
            self._problems.refuse(path, check_belonging(belonging, self._of))
