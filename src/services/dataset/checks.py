"""What the objects of a data file must be to each other, and to what the database holds already."""

from collections.abc import Iterator

from services.catalogue.snapshot import by_code
from services.core.errors import Problem
from services.core.texts import text
from services.dataset import format as form
from services.dataset.existing import Existing
from services.dataset.fields import shown
from services.dataset.offer_checks import OfferChecks
from services.dataset.outline import Outline
from services.dataset.parsing import Document, Placed
from services.dataset.rules import each_once, in_order
from services.pricing.facts.tickets import FAMILIES_WITH_PERFORMANCES


def check(document: Document, outline: Outline, existing: Existing) -> Iterator[Problem]:
    """Everything that is wrong between sound objects."""
    if document.organisation is not None and existing.catalogue is not None:
        currency = existing.catalogue.organisation.currency
        if document.organisation.currency != currency:
            yield Problem(("organisation", "currency"), text("fixed_once_loaded", value=currency))
    for season in document.seasons:
        yield from in_order(season.path, season.item.starts_on, season.item.ends_on, "endsOn")
    for campaign in document.campaigns:
        yield from in_order(campaign.path, campaign.item.starts_on, campaign.item.ends_on, "endsOn")
    products = _Products(outline, existing)
    for product in document.products:
        yield from products.problems(product)
    for contact in document.contacts:
        for indicator, level in contact.item.indicators.items():
            if not outline.has_level(indicator, level):
                path = (*contact.path, "indicators", shown(indicator))
                yield Problem(path, text("level_unknown", indicator=indicator, level=level))
    yield from OfferChecks(outline, existing).problems(document)


class _Products:
    def __init__(self, outline: Outline, existing: Existing) -> None:
        catalogue = existing.catalogue
        self._stored = {} if catalogue is None else by_code(catalogue.products)
        self._performances = {} if catalogue is None else by_code(catalogue.performances)

    def problems(self, entry: Placed[form.ProductItem]) -> Iterator[Problem]:
        product, stored = entry.item, self._stored.get(entry.item.code)
        if stored is not None and stored.family is not product.family:
            yield Problem((*entry.path, "family"), text("fixed_once_loaded", value=stored.family))
        if product.family not in FAMILIES_WITH_PERFORMANCES:
            if product.performances:
                yield Problem((*entry.path, "performances"), text("performances_misplaced", family=product.family))
        else:
            if product.prices:
                yield Problem((*entry.path, "prices"), text("prices_misplaced", family=product.family))
            if not product.performances and not (stored and stored.performances):
                yield Problem((*entry.path, "performances"), text("performances_missing", family=product.family))
        yield from each_once((*entry.path, "prices"), product.prices)
        for position, performance in enumerate(product.performances):
            path = (*entry.path, "performances", str(position))
            before = self._performances.get(performance.code)
            if before is not None and (stored is None or before.product_id != stored.id):
                yield Problem((*path, "code"), text("performance_of_another_product"))
            yield from each_once((*path, "prices"), performance.prices)
