"""Putting a snapshot together: of the one before, where there is one, and of the parts that moved since."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar
from uuid import UUID

from db.catalogue import parts as db
from db.catalogue.catalogue import Campaign, Performance, PointOfSale, ProductRow, Rates, SalesChannelRow
from services.catalogue.offer_details import OfferDetails
from services.catalogue.offer_rows import from_row
from services.catalogue.reading import Parts
from services.catalogue.snapshot import Catalogue, Product, SalesChannel, SalesChannelKind
from services.pricing.facts.tickets import ProductFamily
from services.pricing.offer_index import OfferIndex

_A_FEW: Final = 64
"""Offers, or products, that are made without a rest: a millisecond's work."""
_MORE: Final = 1_000
"""Rate tables that are looked at without a rest."""


Anything = TypeVar("Anything")


def assemble(before: Catalogue | None, parts: Parts) -> Generator[None, None, Catalogue]:
    """The snapshot that the parts make, with all else as it was ``before``; yields where it may rest.

    What did not change is the same in both snapshots: a change costs what it changes.
    """
    old = _nothing(parts) if before is None or parts.is_all else before
    campaigns = _merged(old.campaigns, parts.of(db.CAMPAIGNS))
    performances = _merged(old.performances, parts.of(db.PERFORMANCES))
    yield
    made_products = yield from _products(old, parts)
    yield
    products = _merged(old.products, made_products)
    yield
    shared = yield from _shared(parts.rates)
    yield
    rates = _merged(old.rates, shared)
    yield
    made = yield from _offers(parts, campaigns)
    details = _merged(old.offer_details, made)
    yield
    offers = {key: None if each is None else each.offer for key, each in made.items()}
    index = (yield from old.offers.changed(offers)) if offers else old.offers
    same_kinds = products is old.products and performances is old.performances and rates is old.rates
    return Catalogue(
        organisation=parts.organisation,
        seen=parts.seen,
        seasons=_merged(old.seasons, parts.of(db.SEASONS)),
        seat_categories=_merged(old.seat_categories, parts.of(db.SEAT_CATEGORIES)),
        audience_sub_categories=_merged(old.audience_sub_categories, parts.of(db.AUDIENCE_SUB_CATEGORIES)),
        sales_channels=_merged(old.sales_channels, _channels(old, parts)),
        points_of_sale=_merged(old.points_of_sale, parts.of(db.POINTS_OF_SALE)),
        delivery_modes=_merged(old.delivery_modes, parts.of(db.DELIVERY_MODES)),
        indicators=_merged(old.indicators, parts.of(db.INDICATORS)),
        counter_profiles=_merged(old.counter_profiles, parts.of(db.COUNTER_PROFILES)),
        campaigns=campaigns,
        products=products,
        performances=performances,
        rates=rates,
        offer_details=details,
        offers=index,
        kinds=old.kinds if same_kinds else {},
    )


def _nothing(parts: Parts) -> Catalogue:
    return Catalogue(parts.organisation, parts.seen, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, OfferIndex())


def _merged(before: Mapping[UUID, Anything], changed: Mapping[UUID, Anything | None]) -> Mapping[UUID, Anything]:
    """All of them, in the order of creation."""
    if not changed:
        return before
    after = dict(before)
    for key, thing in changed.items():
        if thing is None:
            after.pop(key, None)
        else:
            after[key] = thing
    new = [key for key, thing in changed.items() if thing is not None and key not in before]
    # Keys are made in it; but of those of the same moment an earlier one may be seen after a later one.
    if new and (keys := [*[*before][-1:], *new]) != sorted(keys):
        return dict(sorted(after.items(), key=lambda item: item[0].int))
    return after


def _products(old: Catalogue, parts: Parts) -> Generator[None, None, dict[UUID, Product | None]]:
    rows, performances = parts.of(db.PRODUCTS), parts.of(db.PERFORMANCES)
    left = (old.performances[key].product_id for key in performances if key in old.performances)
    entered = _grouped(performances.values(), lambda performance: performance.product_id)
    made: dict[UUID, Product | None] = {}
    for place, key in enumerate(dict.fromkeys([*rows, *left, *entered]), start=1):
        before = old.products.get(key)
        own = [each for each in (before.performances if before else ()) if each.id not in performances]
        own += entered.get(key, ())
        own.sort(key=lambda performance: (performance.starts_at, performance.id.int))
        made[key] = _product(rows[key], own) if key in rows else before and replace(before, performances=tuple(own))
        if place % _A_FEW == 0:
            yield
    return made


def _product(row: ProductRow | None, performances: Sequence[Performance]) -> Product | None:
    if row is None:
        return None
    family = ProductFamily(row.family)
    return Product(row.id, row.code, row.name, row.season_id, family, row.entries_allowed, tuple(performances))


def _channels(old: Catalogue, parts: Parts) -> dict[UUID, SalesChannel | None]:
    rows, points = parts.of(db.SALES_CHANNELS), parts.of(db.POINTS_OF_SALE)
    left = (old.points_of_sale[key].channel_id for key in points if key in old.points_of_sale)
    entered = _grouped(points.values(), lambda point: point.channel_id)
    made: dict[UUID, SalesChannel | None] = {}
    for key in dict.fromkeys([*rows, *left, *entered]):
        before = old.sales_channels.get(key)
        own = [each for each in (before.points_of_sale if before else ()) if each.id not in points]
        own += entered.get(key, ())
        own.sort(key=lambda point: point.id.int)
        made[key] = _channel(rows[key], own) if key in rows else before and replace(before, points_of_sale=tuple(own))
    return made


def _channel(row: SalesChannelRow | None, points: Sequence[PointOfSale]) -> SalesChannel | None:
    if row is None:
        return None
    return SalesChannel(row.id, row.code, row.name, SalesChannelKind(row.kind), row.processing_fee, tuple(points))


def _grouped(things: Iterable[Anything | None], of: Callable[[Anything], UUID]) -> dict[UUID, list[Anything]]:
    groups: dict[UUID, list[Anything]] = {}
    for thing in things:
        if thing is not None:
            groups.setdefault(of(thing), []).append(thing)
    return groups


def _shared(tables: Mapping[UUID, Rates | None]) -> Generator[None, None, dict[UUID, Rates | None]]:
    """Rate tables of which those that are alike are one: most performances are sold at the prices of others."""
    known: dict[object, Rates] = {}
    made: dict[UUID, Rates | None] = {}
    for place, (element, table) in enumerate(tables.items(), start=1):
        made[element] = None if table is None else known.setdefault(tuple(table.items()), table)
        if place % _MORE == 0:
            yield
    return made


def _offers(parts: Parts, campaigns: Mapping[UUID, Campaign]) -> Generator[None, None, dict[UUID, OfferDetails | None]]:
    made: dict[UUID, OfferDetails | None] = {}
    for place, (key, found) in enumerate(parts.offers.items(), start=1):
        made[key] = None if found is None else from_row(*found, campaigns)
        if place % _A_FEW == 0:
            yield
    return made
