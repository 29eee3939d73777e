"""The states of an offer: which follow which, what may change in each, and what is missing before one runs."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

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
    OfferState,
    PartnerTarget,
    PromotionalCode,
)
from services.pricing.facts.tickets import TicketKind
from services.pricing.rules import is_over
from services.pricing.scope import in_scope, is_on_sale

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


def missing(details: OfferDetails, catalogue: Catalogue, ready: Readiness, now: datetime) -> list[Problem]:
    """Everything that keeps an offer from being put into operation, at the fields of the input that would mend it."""
    return [*_missing(details, catalogue, now), *_missing_beside(details, catalogue, ready, now)]


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
    yield from _without_tickets(offer, catalogue, now)


def _without_tickets(offer: Advantage | PromotionalCode, catalogue: Catalogue, now: datetime) -> Iterator[Problem]:
    """Nothing that is sold is in its scope, or on sale still, or cheaper with it."""
    # The scope on its own, whatever a rate sub-table has prices for.
    scope = replace(offer, benefit=FixedPrice(0)) if isinstance(offer, Advantage) else offer
    in_its_scope = still_on_sale = False
    for kind in _sold(offer, catalogue):
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


def _sold(offer: Advantage | PromotionalCode, catalogue: Catalogue) -> Iterator[TicketKind]:
    for element in offer.scope.performances or catalogue.rates:
        for seat, audience in catalogue.rates.get(element, {}):
            kind = catalogue.ticket_kind(element, seat, audience)
            if kind is not None:
                yield kind


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
