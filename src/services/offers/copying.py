"""Copying an offer, to another season too: what a copy has of its original, and what it cannot have (docs/domain.md,
Offers, Copies).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from services.catalogue.offer_details import OfferDetails
from services.catalogue.snapshot import Catalogue
from services.core.errors import Problem
from services.core.problems import Problems
from services.core.text_checks import check_label
from services.core.texts import text
from services.offers.editing import LONGEST_CODE
from services.pricing.facts.offers import Advantage, OfferState, PartnerTarget, PromotionalCode
from services.pricing.facts.tickets import Element, ElementKind


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """An offer to be copied under a ``code`` of its own; ``season`` None is the original's."""

    offer: UUID
    code: str
    season: UUID | None = None


def check_copy(original: OfferDetails, request: CopyRequest, catalogue: Catalogue, problems: Problems) -> None:
    """What keeps an offer from being copied so; whether the code is free is for others to find out."""
    problems.refuse(("code",), check_label(request.code, LONGEST_CODE))
    if request.season is None:
        return
    if isinstance(original.offer, PromotionalCode):
        problems.add(("seasonId",), text("promotion_without_season"))
    elif request.season not in catalogue.seasons:
        problems.add(("seasonId",), text("unknown_season"))


def copied(original: OfferDetails, key: UUID, request: CopyRequest, catalogue: Catalogue) -> OfferDetails:
    """The same once more as a DRAFT, without codes; in another season without what belongs to the original's.

    What its scope or its limits had to leave out would have it apply to more, or without limit: these are
    ``unfinished`` until somebody gives them anew.
    """
    offer = replace(original.offer, id=key, code=request.code, state=OfferState.DRAFT)
    unfinished = original.unfinished
    if isinstance(offer, Advantage) and request.season is not None:
        outside = set(_outside(offer, request.season, catalogue))
        scope, limits = offer.scope, offer.element_limits
        offer = replace(
            offer,
            season=request.season,
            scope=replace(
                scope,
                products=frozenset(each for each in scope.products if _product(each) not in outside),
                performances=frozenset(each for each in scope.performances if _performance(each) not in outside),
            ),
            element_limits=tuple(each for each in limits if each.element not in outside),
        )
        unfinished |= {"scope"} if offer.scope != scope else set()
        unfinished |= {"limits"} if offer.element_limits != limits else set()
    return replace(original, offer=offer, unfinished=unfinished, version=1)


def left_out(original: OfferDetails, season: UUID | None, catalogue: Catalogue) -> Iterator[Problem]:
    """What a copy in this season does not have of its original, at the fields of the input that would give it."""
    offer = original.offer
    if isinstance(offer, PromotionalCode):
        yield Problem(("customCodes",), text("copy_without_codes"))
        return
    if isinstance(offer.target, PartnerTarget):
        yield Problem(("target", "accessCode"), text("copy_without_codes"))
    if season is None:
        return
    limited = {each.element for each in offer.element_limits}
    scoped = {*map(_product, offer.scope.products), *map(_performance, offer.scope.performances)}
    for element in _outside(offer, season, catalogue):
        is_product = element.kind is ElementKind.PRODUCT
        things = catalogue.products if is_product else catalogue.performances
        reason = text("copy_outside_season", code=things[element.id].code, season=catalogue.seasons[season].code)
        if element in scoped:
            yield Problem(("scope", "productIds" if is_product else "performanceIds"), reason)
        if element in limited:
            yield Problem(("limits", "elements"), reason)


def _outside(advantage: Advantage, season: UUID, catalogue: Catalogue) -> Iterator[Element]:
    """The products and performances that the advantage names and that are of another season, each once."""
    named = {*map(_product, advantage.scope.products), *map(_performance, advantage.scope.performances)}
    named |= {each.element for each in advantage.element_limits}
    for element in sorted(named):
        performance = catalogue.performances.get(element.id)
        product = catalogue.products.get(performance.product_id if performance else element.id)
        if product is not None and product.season_id != season:
            yield element


def _product(key: UUID) -> Element:
    return Element(ElementKind.PRODUCT, key)


def _performance(key: UUID) -> Element:
    return Element(ElementKind.PERFORMANCE, key)
