"""What entries of the audit log say to people: names in place of ids, amounts with their currency."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.catalogue.snapshot import Catalogue
from services.core.instants import local
from services.core.money import to_decimal
from services.core.percentages import to_percentage
from services.core.texts import Language, localised

_AMOUNTS: Final = frozenset({"amountOff", "amountOffPerTicket", "fixedPrice", "price", "minimumBasket"})
"""What is in minor units wherever it stands in details."""
_PERCENTAGES: Final = frozenset({"percentOff"})
_LISTS: Final = frozenset({"tickets"})
"""What is a list of things, and no change, however many it has."""
_CHANGE: Final = 2  # What it was, and what it is.


@dataclass(frozen=True, slots=True)
class AuditFact:
    """One thing that an entry says: of a change what it was before, and what it is; None is nothing."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Names:
    """What ids stand for, in one language: of the catalogue, and ``others``, which are read beside it."""

    catalogue: Catalogue
    others: Mapping[UUID, str]
    language: Language

    def of(self, key: UUID) -> str | None:
        """The code and the name of what has the id; None where nothing is known by it."""
        catalogue = self.catalogue
        if key in catalogue.offer_details:
            details = catalogue.offer_details[key]
            return f"{details.code} ({localised(details.internal_name, self.language)})"
        if key in catalogue.performances:
            performance = catalogue.performances[key]
            return f"{performance.code} ({local(performance.starts_at, ZoneInfo(catalogue.timezone))})"
        for things in (
            catalogue.seasons,
            catalogue.products,
            catalogue.seat_categories,
            catalogue.audience_sub_categories,
            catalogue.sales_channels,
            catalogue.points_of_sale,
            catalogue.delivery_modes,
            catalogue.campaigns,
            catalogue.indicators,
        ):
            if key in things:
                return f"{things[key].code} ({localised(things[key].name, self.language)})"
        return self.others.get(key)

    def facts(self, details: Mapping[str, object]) -> list[AuditFact]:
        """What the details of an entry say, one by one."""
        return [self._fact(name, value) for name, value in details.items()]

    def _fact(self, name: str, value: object) -> AuditFact:
        if isinstance(value, list) and len(value) == _CHANGE and name not in _LISTS:
            return AuditFact(name, self._said(name, value[0]), self._said(name, value[1]))
        return AuditFact(name, None, self._said(name, value))

    def _said(self, name: str, value: object) -> str | None:
        match value:
            case None:
                return None
            case str():
                key = _key(value)
                return value if key is None else self.of(key) or value
            case list():
                return ", ".join(filter(None, (self._said(name, each) for each in value))) or None
            case dict():
                parts = ((each, self._said(each, inner)) for each, inner in value.items())
                return "; ".join(f"{each}: {said}" for each, said in parts if said is not None) or None
        return self._number(name, value)

    def _number(self, name: str, value: object) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int) and name in _AMOUNTS:
            return f"{to_decimal(value, self.catalogue.currency)} {self.catalogue.currency}"
        return f"{to_percentage(value)} %" if isinstance(value, int) and name in _PERCENTAGES else str(value)


def mentioned(details: object) -> Iterator[UUID]:
    """The ids that stand anywhere in details."""
    match details:
        case str():
            key = _key(details)
            if key is not None:
                yield key
        case list():
            for each in details:
                yield from mentioned(each)
        case dict():
            for each in details.values():
                yield from mentioned(each)


def _key(value: str) -> UUID | None:
    try:
        return UUID(value) if len(value) == len("00000000-0000-0000-0000-000000000000") else None
    except ValueError:
        return None
