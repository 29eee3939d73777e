"""From parsed JSON to the sections of a data file, with everything that is wrong with single fields."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from services.codes.format import normalise
from services.core.errors import Path, Problem
from services.core.problems import Problems
from services.core.texts import text
from services.dataset import format as form
from services.dataset import offer_format as offer_form
from services.dataset.fields import Known, problem, shown
from services.pricing.facts.offers import OfferState

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A sound object of the file, and where it stands."""

    path: Path
    item: T


SECTIONS: Final = (
    "seasons",
    "seatCategories",
    "audienceSubCategories",
    "salesChannels",
    "deliveryModes",
    "indicators",
    "counterProfiles",
    "products",
    "contacts",
    "campaigns",
    "advantages",
    "promotionalCodes",
    "batches",
)

_CODES: Final[Mapping[str, tuple[str, ...]]] = {
    **{section: (section, "*", "code") for section in SECTIONS},
    "pointsOfSale": ("salesChannels", "*", "pointsOfSale", "*", "code"),
    "performances": ("products", "*", "performances", "*", "code"),
}
_ENTERED: Final = (
    ("promotionalCodes", ("customCodes", "*", "code")),
    ("advantages", ("target", "accessCode")),
)
"""Where codes to enter stand: the section of their offers, and the path in it."""


@dataclass(frozen=True, slots=True)
class Document:
    """The sound objects of a file, section by section; ``organisation`` is None where that is not sound."""

    organisation: form.OrganisationItem | None
    seasons: list[Placed[form.SeasonItem]]
    seat_categories: list[Placed[form.CategoryItem]]
    audience_sub_categories: list[Placed[form.CategoryItem]]
    sales_channels: list[Placed[form.SalesChannelItem]]
    delivery_modes: list[Placed[form.DeliveryModeItem]]
    indicators: list[Placed[form.IndicatorItem]]
    counter_profiles: list[Placed[form.CounterProfileItem]]
    products: list[Placed[form.ProductItem]]
    contacts: list[Placed[form.ContactItem]]
    campaigns: list[Placed[form.CampaignItem]]
    advantages: list[Placed[offer_form.AdvantageItem]]
    promotional_codes: list[Placed[offer_form.PromotionalCodeItem]]
    batches: list[Placed[offer_form.BatchItem]]


def strings_at(document: object, *pattern: str) -> Iterator[tuple[Path, str]]:
    """Every text that stands at a path, ``*`` being all positions of a list, however broken the rest is."""
    yield from _strings_in(document, pattern, ())


def _strings_in(value: object, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, str]]:
    for place, each in _values_at(value, pattern, path):
        if isinstance(each, str):
            yield place, each


def _values_at(value: object, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, object]]:
    if not pattern:
        yield path, value
    elif pattern[0] == "*":
        for position, each in enumerate(value if isinstance(value, list) else ()):
            yield from _values_at(each, pattern[1:], (*path, str(position)))
    elif isinstance(value, dict) and pattern[0] in value:
        yield from _values_at(value[pattern[0]], pattern[1:], (*path, pattern[0]))


def objects_at(value: object, section: str) -> Iterator[tuple[str, dict[str, object]]]:
    """The objects of a section that have a code, by that code."""
    for _, item in _values_at(value, (section, "*"), ()):
        if isinstance(item, dict) and isinstance(code := item.get("code"), str):
            yield code, item


def codes_in(document: object) -> dict[str, list[str]]:
    """The codes that the file gives to its things, section by section, those of broken objects included."""
    return {section: [code for _, code in strings_at(document, *pattern)] for section, pattern in _CODES.items()}


def doubles(document: object) -> Iterator[Problem]:
    """Codes that the file gives twice to things of one kind, and codes to enter that are the same to a customer: those
    of offers that are CLOSED are nobody's, so that another offer may have them too.
    """
    for pattern in _CODES.values():
        yield from _doubles(list(strings_at(document, *pattern)), str)
    entered = [
        (path, code)
        for section, pattern in _ENTERED
        for place, offer in _values_at(document, (section, "*"), ())
        if not _is_closed(offer)
        for path, code in _strings_in(offer, pattern, place)
    ]
    yield from _doubles(entered, normalise)


def _is_closed(offer: object) -> bool:
    return isinstance(offer, dict) and offer.get("state") == OfferState.CLOSED


def _doubles(found: Sequence[tuple[Path, str]], as_compared: Callable[[str], str]) -> Iterator[Problem]:
    """Names of each that comes again where the first one stands, and how it is written there."""
    first: dict[str, tuple[Path, str]] = {}
    for path, code in found:
        place, other = first.setdefault(as_compared(code), (path, code))
        if place != path:
            yield Problem(path, text("code_twice", code=shown(code), other=shown(other), place=".".join(place)))


class Parser:
    """Reads the objects of one file, and gathers what is wrong with them in ``problems``."""

    def __init__(self, document: object, known: Known) -> None:
        self._document = document if isinstance(document, dict) else {}
        self._known = known
        self.problems = Problems()

    def document(self) -> Document:
        """The document as far as its objects are sound."""
        for key in self._document:
            if key not in (*SECTIONS, "organisation"):
                self.problems.add((shown(key),), text("field_unknown"))
        return Document(
            organisation=self.organisation(),
            seasons=self._section("seasons", form.SeasonItem),
            seat_categories=self._section("seatCategories", form.CategoryItem),
            audience_sub_categories=self._section("audienceSubCategories", form.CategoryItem),
            sales_channels=self._section("salesChannels", form.SalesChannelItem),
            delivery_modes=self._section("deliveryModes", form.DeliveryModeItem),
            indicators=self._section("indicators", form.IndicatorItem),
            counter_profiles=self._section("counterProfiles", form.CounterProfileItem),
            products=self._section("products", form.ProductItem),
            contacts=self._section("contacts", form.ContactItem),
            campaigns=self._section("campaigns", form.CampaignItem),
            advantages=self._section("advantages", offer_form.AdvantageItem),
            promotional_codes=self._section("promotionalCodes", offer_form.PromotionalCodeItem),
            batches=self._section("batches", offer_form.BatchItem),
        )

    def organisation(self) -> form.OrganisationItem | None:
        path = ("organisation",)
        if "organisation" not in self._document:
            self.problems.add(path, text("field_missing"))
            return None
        return self._item(path, form.OrganisationItem, self._document["organisation"])

    def _section(self, section: str, model: type[T]) -> list[Placed[T]]:
        values = self._document.get(section, [])
        if not isinstance(values, list):
            self.problems.add((section,), text("not_list"))
            return []
        entries = []
        for position, value in enumerate(values):
            path = (section, str(position))
            item = self._item(path, model, value)
            if item is not None:
                entries.append(Placed(path, item))
        return entries

    def _item(self, path: Path, model: type[T], value: object) -> T | None:
        try:
            return model.model_validate(value, context=self._known)
        except ValidationError as error:
            self.problems.extend(problem(path, each) for each in error.errors(include_url=False, include_input=False))
            return None
