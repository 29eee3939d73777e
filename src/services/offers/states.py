"""The states of an offer: which follow which, what may change in each, and what is missing before one runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Final
from uuid import UUID

from db.offers.offers import Readiness
from services.catalogue.checks import check_level
from services.catalogue.offer_details import OfferDetails
from services.catalogue.snapshot import Catalogue
from services.core.errors import Path, Problem
from services.core.texts import text
from services.pricing.benefits import saving
from services.pricing.facts.offers import (
    Advantage,
    CampaignTarget,
    FixedPrice,
    IndicatorTarget,
    Offer,
    OfferState,
    PartnerTarget,
    PromotionalCode,
)
from services.pricing.facts.tickets import TicketKind
from services.pricing.rules import is_over
from services.pricing.scope import in_scope, is_on_sale, sale_is_open

FOLLOWING: Final[Mapping[OfferState, frozenset[OfferState]]] = {
    OfferState.DRAFT: frozenset({OfferState.VALIDATED, OfferState.CLOSED}),
    OfferState.VALIDATED: frozenset({OfferState.RUNNING, OfferState.CLOSED}),
    OfferState.RUNNING: frozenset({OfferState.SUSPENDED}),
    OfferState.SUSPENDED: frozenset({OfferState.RUNNING, OfferState.CLOSED}),
    OfferState.CLOSED: frozenset(),
}
"""The states that an offer may be taken to from each. What never ran is discarded by closing it."""


def _reachable(state: OfferState) -> frozenset[OfferState]:
    found = {state}
    ahead = [state]
    while ahead:
        new = FOLLOWING[ahead.pop()] - found
        found |= new
        ahead += new
    return frozenset(found)


REACHABLE: Final[Mapping[OfferState, frozenset[OfferState]]] = {state: _reachable(state) for state in OfferState}
"""The states that an offer can be in some day, that it is in included: in one step or through others."""

NEEDS_TO_BE_COMPLETE: Final = frozenset({OfferState.VALIDATED, OfferState.RUNNING})

_FIXED_WHILE_RUNNING: Final[Mapping[str, str]] = {
    "scope": "scope",
    "target": "target",
    "benefit": "benefit",
    "sale_end_tolerance": "saleEnd",
    "minimum_basket": "minimumBasket",
    "combinable": "combinable",
    "restriction": "restrictedTo",
}


def fixed_changes(before: OfferDetails, after: OfferDetails) -> list[str]:
    """The changed fields that decide who gets which price on what: customers see those of a running offer.

    What may not change while RUNNING needs the offer SUSPENDED first (docs/domain.md, Offers, State).
    """
    changed = [
        field
        for name, field in _FIXED_WHILE_RUNNING.items()
        if getattr(before.offer, name, None) != getattr(after.offer, name, None)
    ]
    changed += ["returnsCodes"] * (before.returns_codes != after.returns_codes)
    return changed + ["cancellationPolicy"] * (before.cancellation_policy != after.cancellation_policy)


def missing(
    details: OfferDetails,
    catalogue: Catalogue,
    ready: Readiness,
    now: datetime,
    tickets: Sequence[Problem] | None = None,
) -> list[Problem]:
    """Everything that keeps an offer from being put into operation, at the fields of the input that would mend it.

    ``tickets`` is what is known of them, ``without_tickets``.
    """
    found = [*_missing(details, catalogue, now)]
    found += without_tickets(details.offer, catalogue, now) if tickets is None else tickets
    return [*found, *_missing_beside(details, catalogue, ready, now)]


def _missing(details: OfferDetails, catalogue: Catalogue, now: datetime) -> Iterator[Problem]:
    offer = details.offer
    for field in sorted(details.unfinished):
        yield Problem((field,), text("copy_unfinished"))
    if not details.public_name:
        yield Problem(("publicName",), text("name_missing"))
    if offer.valid_until is not None and is_over(offer.valid_until, now):
        yield Problem(("validUntil",), text("validity_over"))
    season = offer.season if isinstance(offer, Advantage) else None
    if season is not None and is_over(catalogue.seasons[season].ends_on, now):
        yield Problem(("seasonId",), text("season_over"))
    if not any(
        (not offer.channels or point.channel_id in offer.channels)
        and (not offer.points_of_sale or point.id in offer.points_of_sale)
        for point in catalogue.points_of_sale.values()
    ):
        yield Problem(("pointOfSaleIds" if offer.points_of_sale else "channelIds",), text("sold_nowhere"))


def sells_the_same(before: Offer, after: Offer) -> bool:
    """Whether a change of an offer leaves as it was for which tickets it is, and what it gives for them."""
    return all(getattr(before, name) == getattr(after, name) for name in ("scope", "benefit", "sale_end_tolerance"))


def without_tickets(offer: Advantage | PromotionalCode, catalogue: Catalogue, now: datetime) -> list[Problem]:
    """Nothing that is sold is in its scope, or on sale still, or cheaper with it."""
    return [*_without_tickets(offer, catalogue, now)]


def _without_tickets(offer: Advantage | PromotionalCode, catalogue: Catalogue, now: datetime) -> Iterator[Problem]:
    # The scope on its own, whatever a rate sub-table has prices for.
    scope = replace(offer, benefit=FixedPrice(0)) if isinstance(offer, Advantage) else offer
    in_its_scope = still_on_sale = False
    for kind in _sold(offer, catalogue, now):
        if in_scope(scope, kind):
            in_its_scope = True
            if is_on_sale(offer, kind, now):
                still_on_sale = True
                if not isinstance(offer, Advantage) or saving(offer.benefit, kind):
                    return
    if not in_its_scope:
        yield Problem(("scope",), text("nothing_in_scope"))
    elif not still_on_sale:
        yield Problem(("saleEnd",), text("sale_over"))
    else:
        yield Problem(("benefit",), text("lowers_no_price"))


def _sold(offer: Advantage | PromotionalCode, catalogue: Catalogue, now: datetime) -> Iterator[TicketKind]:
    """One ticket of all those that are alike to the offer: a large house sells at few rate tables."""
    scope, alike = offer.scope, set[object]()
    for element in _named(offer, catalogue):
        table = catalogue.rates.get(element)
        if not table:
            continue
        performance = catalogue.performances.get(element)
        product = catalogue.products[performance.product_id if performance else element]
        is_open = performance is None or sale_is_open(offer, performance.starts_at, now)
        in_scope_so_far = element in scope.performances, product.id in scope.products
        like = (id(table), product.family, product.season_id, is_open, *in_scope_so_far)
        if like not in alike:
            alike.add(like)
            yield from filter(None, (catalogue.ticket_kind(element, *parts) for parts in table))


def _named(offer: Advantage | PromotionalCode, catalogue: Catalogue) -> Iterable[UUID]:
    """What has prices and may be in the offer's scope."""
    if offer.scope.performances:
        return offer.scope.performances
    if offer.scope.products:
        products = [product for key in offer.scope.products if (product := catalogue.products.get(key))]
        return chain(offer.scope.products, (each.id for product in products for each in product.performances))
    return catalogue.rates


def _missing_beside(details: OfferDetails, catalogue: Catalogue, ready: Readiness, now: datetime) -> Iterator[Problem]:
    """What an offer needs of others: a campaign that has contacts, a level that there is, a code to enter."""
    offer = details.offer
    if isinstance(offer, PromotionalCode):
        if not ready.has_codes:
            yield Problem(("customCodes",), text("code_missing"))
        if offer.restriction.indicator is not None:
            yield from _lost_level(("restrictedTo", "indicator", "level"), offer.restriction.indicator, catalogue)
        return
    match offer.target:
        case CampaignTarget(ends_at=ends_at):
            if is_over(ends_at, now):
                yield Problem(("target", "campaignId"), text("campaign_over"))
            if not ready.has_contacts:
                yield Problem(("target", "campaignId"), text("campaign_without_contacts"))
        case IndicatorTarget() as level:
            yield from _lost_level(("target", "indicator", "level"), level, catalogue)
        case PartnerTarget() if not ready.has_codes:
            yield Problem(("target", "accessCode"), text("access_code_missing"))


def _lost_level(path: Path, target: IndicatorTarget, catalogue: Catalogue) -> Iterator[Problem]:
    indicator = catalogue.indicators[target.indicator]
    reason = check_level(indicator.code, target.level, indicator.levels)
    if reason is not None:
        yield Problem(path, reason)
