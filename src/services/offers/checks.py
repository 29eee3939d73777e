"""What offers must be, from wherever they come: why a part of one cannot be taken, None where it can."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from services.core.problems import repeated
from services.core.texts import Text, text
from services.pricing.facts.offers import Limits, TargetType


@dataclass(frozen=True, slots=True)
class Belonging:
    """The family of an advantage or a product, and the code of its season; None where that is not known."""

    family: str | None
    season: str | None


def check_belonging(product: Belonging, advantage: Belonging) -> Text | None:
    """What an advantage names is of its own family and season: it could apply to nothing else."""
    if _differ(product.family, advantage.family):
        return text("outside_family", family=advantage.family)
    if _differ(product.season, advantage.season):
        return text("outside_season", season=advantage.season)
    return None


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def check_element_limits(limits: Limits) -> Text | None:
    """The limits of an element limit something."""
    return text("limit_missing") if limits == Limits() else None


def check_elements(elements: Iterable[Hashable]) -> Iterator[Text | None]:
    """An offer limits an element once: each limited element in turn."""
    return (text("limit_twice") if again else None for again in repeated(elements))


def check_new_target(before: TargetType | None, after: TargetType | None, *, has_codes: bool) -> Text | None:
    """Single-use codes that were made keep their target: customers have them."""
    loses_codes = has_codes and before is TargetType.SINGLE_USE_CODE and after is not TargetType.SINGLE_USE_CODE
    return text("target_has_codes") if loses_codes else None
