"""What a refusal says: a message with what to do, and what was required and found, as text."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from math import ceil
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.catalogue.snapshot import Catalogue
from services.core.instants import at_home
from services.core.money import to_decimal
from services.core.texts import Language, localised, text
from services.pricing.facts.refusals import Amount, Finding, Instant, Refusal, Things, Tickets, Words, over_at

DETAILS: Final = frozenset(
    {
        "mistyped",
        "malformed",
        "uses",
        "point_of_sale",
        "campaign_not_running",
        "level",
        "has_ordered",
        "has_not_ordered",
        "newsletter",
        "counter_profile",
        "code",
        "unknown_contact",
        "held_by_you",
    }
)
"""Values of ``Refusal.detail`` that have a more exact message than the refusal's code; others say nothing more."""

_LONGEST_WAIT: Final = 2**31 - 1
"""Seconds: an answer's whole numbers go no further."""

_INTERNAL: Final = frozenset({"level", "counter_profile"})
"""Values of ``Refusal.detail`` whose findings are codes that the organisation keeps to itself."""


def message(refusal: Refusal, language: Language) -> str:
    """Why, and what to do about it; the figures stand in the refusal's findings."""
    key = refusal.detail if refusal.detail in DETAILS else refusal.code
    return text(f"refusal_{key}").in_language(language)


def told(refusal: Refusal, catalogue: Catalogue, *, reads_records: bool) -> Refusal:
    """What a reader is told: levels and counter profiles mean something to the staff alone, profiles by their names."""
    if refusal.detail not in _INTERNAL:
        return refusal
    if not reads_records:
        return replace(refusal, required=None, actual=None)
    if refusal.detail != "counter_profile":
        return refusal
    required, actual = _profiles(refusal.required, catalogue), _profiles(refusal.actual, catalogue)
    return replace(refusal, required=required, actual=actual)


def _profiles(finding: Finding | None, catalogue: Catalogue) -> Finding | None:
    """Counter profiles as things that have names; as they are where one of them is not known."""
    ids = {profile.code: profile.id for profile in catalogue.counter_profiles.values()}
    if isinstance(finding, Words) and finding.values and all(code in ids for code in finding.values):
        return Things(tuple(ids[code] for code in finding.values))
    return finding


def retry_after(refusals: Iterable[Refusal], now: datetime) -> int | None:
    """The seconds after which none of the refusals stands in the way any more; None where waiting does not help."""
    end = over_at(refusals)
    return None if end is None else min(max(0, ceil((end - now).total_seconds())), _LONGEST_WAIT)


def shown(finding: Finding, catalogue: Catalogue, language: Language) -> str:
    """An amount as "20.00", tickets as a number, an instant in the organisation's time zone, things by name."""
    match finding:
        case Amount(minor):
            return format(to_decimal(minor, catalogue.organisation.currency), "f")
        case Tickets(count):
            return str(count)
        case Instant(at):
            return at_home(at, ZoneInfo(catalogue.organisation.timezone)).isoformat()
        case Things(ids):
            names = [localised(dict(_names(thing, catalogue)), language) for thing in ids]
            return ", ".join(name for name in names if name) or _none(language)
    return ", ".join(finding.values) or _none(language)


def _names(thing: UUID, catalogue: Catalogue) -> Mapping[str, str]:
    """The names of what a refusal can ask for; nothing for what is gone since."""
    kinds = (
        catalogue.sales_channels,
        catalogue.points_of_sale,
        catalogue.delivery_modes,
        catalogue.counter_profiles,
    )
    return next((kind[thing].name for kind in kinds if thing in kind), {})


def _none(language: Language) -> str:
    return text("none").in_language(language)
