"""What the objects of a data file must be to each other, and to what the database holds already."""

from collections.abc import Sequence

from services.catalogue.checks import check_period, check_prices
from services.catalogue.snapshot import by_code
from services.core.errors import Path
from services.core.problems import Problems
from services.core.texts import text
from services.dataset import format as form
from services.dataset.existing import Existing
from services.dataset.fields import shown
from services.dataset.offer_checks import OfferChecks
from services.dataset.outline import Outline
from services.dataset.parsing import Document, Placed
from services.pricing.facts.tickets import FAMILIES_WITH_PERFORMANCES


def check(document: Document, outline: Outline, existing: Existing, problems: Problems) -> None:
    """Notes everything that is wrong between sound objects."""
    if document.organisation is not None and existing.catalogue is not None:
        currency = existing.catalogue.organisation.currency
        if document.organisation.currency != currency:
            problems.add(("organisation", "currency"), text("fixed_once_loaded", value=currency))
    if document.organisation is not None:
        least, most = document.organisation.basket_minutes, document.organisation.basket_minutes_in_all
        if most < least:
            problems.add(("organisation", "basketMaximumMinutes"), text("basket_maximum_too_short", least=least))
    for season in document.seasons:
        problems.refuse((*season.path, "endsOn"), check_period(season.item.starts_on, season.item.ends_on))
    for campaign in document.campaigns:
        problems.refuse((*campaign.path, "endsOn"), check_period(campaign.item.starts_on, campaign.item.ends_on))
    products = _Products(existing, problems)
    for product in document.products:
        products.check(product)
    for contact in document.contacts:
        for indicator, level in contact.item.indicators.items():
            problems.refuse((*contact.path, "indicators", shown(indicator)), outline.check_level(indicator, level))
    OfferChecks(outline, existing, problems).check(document)


class _Products:
    def __init__(self, existing: Existing, problems: Problems) -> None:
        catalogue = existing.catalogue
        self._stored = {} if catalogue is None else by_code(catalogue.products)
        self._performances = {} if catalogue is None else by_code(catalogue.performances)
        self._problems = problems

    def check(self, entry: Placed[form.ProductItem]) -> None:
        add, product, stored = self._problems.add, entry.item, self._stored.get(entry.item.code)
        if stored is not None and stored.family is not product.family:
            add((*entry.path, "family"), text("fixed_once_loaded", value=stored.family))
        if product.family not in FAMILIES_WITH_PERFORMANCES:
            if product.performances:
                add((*entry.path, "performances"), text("performances_misplaced", family=product.family))
        else:
            if product.prices:
                add((*entry.path, "prices"), text("prices_misplaced", family=product.family))
            if not product.performances and not (stored and stored.performances):
                add((*entry.path, "performances"), text("performances_missing", family=product.family))
        self._check_prices((*entry.path, "prices"), product.prices)
        for position, performance in enumerate(product.performances):
            path = (*entry.path, "performances", str(position))
            before = self._performances.get(performance.code)
            if before is not None and (stored is None or before.product_id != stored.id):
                add((*path, "code"), text("performance_of_another_product"))
            self._check_prices((*path, "prices"), performance.prices)

    def _check_prices(self, path: Path, prices: Sequence[form.PriceItem]) -> None:
        self._problems.refuse_each(path, check_prices(price.combination for price in prices))
