"""What things are to each other at large: those of a data file, broken ones included, and those it leaves out."""

from collections.abc import Container

from db.contacts.contacts import ContactKind
from services.catalogue.checks import check_level
from services.core.texts import Text
from services.dataset.existing import Existing
from services.dataset.parsing import objects_at, strings_at
from services.offers.checks import Belonging
from services.pricing.facts.offers import TargetType
from services.pricing.facts.tickets import ProductFamily


class Outline:
    """Looked up by codes. What the file says of a thing goes before what the database does; of a thing whose family,
    season, kind or levels the file has wrong, nothing is known of those, so that nothing else is blamed for it.
    """

    def __init__(self, document: object, existing: Existing) -> None:
        catalogue = existing.catalogue
        products = [] if catalogue is None else list(catalogue.products.values())
        offers = [] if catalogue is None else list(catalogue.offer_details.values())
        self.family_of: dict[str, str] = {product.code: product.family for product in products}
        self.season_of: dict[str, str] = {}
        self.seasons = {code for code, _ in objects_at(document, "seasons")}
        self.product_of: dict[str, str] = {
            performance.code: product.code for product in products for performance in product.performances
        }
        self.levels_of: dict[str, object] = {}
        if catalogue is not None:
            self.seasons |= {season.code for season in catalogue.seasons.values()}
            self.season_of |= {product.code: catalogue.seasons[product.season_id].code for product in products}
            self.levels_of |= {indicator.code: indicator.levels for indicator in catalogue.indicators.values()}
        self.kind_of: dict[str, str] = {contact.code: contact.kind for contact in existing.contacts.values()}
        self.email_of: dict[str, object] = {contact.code: contact.email for contact in existing.contacts.values()}
        self.target_type_of: dict[str, str] = {
            offer.code: offer.target_type for offer in offers if offer.target_type is not None
        }
        self.house = next((code for _, code in strings_at(document, "organisation", "code")), "")
        """The code of the organisation itself, as a contact that has codes."""
        self._read(document)

    def _read(self, document: object) -> None:
        for code, product in objects_at(document, "products"):
            _know(self.family_of, code, product.get("family"), set(ProductFamily))
            _know(self.season_of, code, product.get("season"), self.seasons)
            self.product_of |= {performance: code for performance, _ in objects_at(product, "performances")}
        for code, indicator in objects_at(document, "indicators"):
            self.levels_of[code] = indicator.get("levels")
        for code, contact in objects_at(document, "contacts"):
            _know(self.kind_of, code, contact.get("kind"), set(ContactKind))
            self.email_of[code] = contact.get("email")
        for code, advantage in objects_at(document, "advantages"):
            _know(self.target_type_of, code, advantage.get("targetType"), set(TargetType))

    def check_level(self, indicator: str, level: str) -> Text | None:
        """Why the indicator has no such level."""
        levels = self.levels_of.get(indicator)
        return check_level(indicator, level, levels) if levels and isinstance(levels, list) else None

    def belonging(self, section: str, code: str) -> Belonging:
        """What a product, or the product of a performance, belongs to; nothing is known of other elements."""
        product = {"products": code, "performances": self.product_of.get(code)}.get(section)
        if product is None:
            return Belonging(None, None)
        return Belonging(self.family_of.get(product), self.season_of.get(product))


def _know(facts: dict[str, str], code: str, value: object, possible: Container[object]) -> None:
    facts.pop(code, None)
    if isinstance(value, str) and value in possible:
        facts[code] = value
