"""The services' enums as GraphQL enums, under the same names."""

import tomllib
from enum import EnumType
from importlib.resources import files
from typing import Final

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from services.catalogue.offer_details import CancellationPolicy
from services.codes.tracking import CodeStatus
from services.core.failure_codes import FailureCode, InputRule
from services.core.texts import Language
from services.core.viewer import Audience, StaffRole
from services.pricing.facts.offers import OfferState, TargetType
from services.pricing.facts.refusals import RefusalCode
from services.pricing.facts.tickets import ProductFamily

MEANINGS: Final[dict[str, dict[str, str]]] = tomllib.loads(
    files("resolvers.runtime").joinpath("meanings.toml").read_text(encoding="utf-8")
)
"""What each code of an enum means and what to do about it, by the enum's name."""


def _describe(enum: EnumType, description: str) -> None:
    """Makes a GraphQL enum of one of the services', each value with its meaning where it has one."""
    strawberry.enum(enum, description=description)
    definition: StrawberryEnumDefinition = vars(enum)["__strawberry_definition__"]
    for each in definition.values:
        each.description = MEANINGS.get(enum.__name__, {}).get(each.name)


for enum, description in (
    (Language, "The languages that names and messages come in."),
    (Audience, "Who is asking, as the credentials say."),
    (StaffRole, "What a staff member may do."),
    (ProductFamily, "The eleven families of what is sold."),
    (
        OfferState,
        "DRAFT → VALIDATED → RUNNING ⇄ SUSPENDED → CLOSED, and DRAFT or VALIDATED → CLOSED; only RUNNING offers apply.",
    ),
    (
        CodeStatus,
        "AVAILABLE → HELD by one basket → USED by one order, or INVALIDATED; chosen codes also SWITCHED_OFF.",
    ),
    (TargetType, "For whom an advantage is."),
    (
        CancellationPolicy,
        "What becomes of the tickets that stay where others of their order are cancelled. KEEP: their prices stay. "
        "ANEW: they are priced once more, at the order's own instant and terms.",
    ),
    (
        FailureCode,
        "What went wrong, for programs. New values may come: take one that you do not know like STATE_DOES_NOT_ALLOW.",
    ),
    (
        InputRule,
        "Which rule a value of the input broke. New values may come: take one that you do not know like MALFORMED.",
    ),
    (
        RefusalCode,
        "Why an offer or a code does not apply. Everything that stands in the way is listed, not only the first thing.",
    ),
):
    _describe(enum, description)

__all__ = [
    "Audience",
    "CancellationPolicy",
    "CodeStatus",
    "FailureCode",
    "InputRule",
    "Language",
    "OfferState",
    "ProductFamily",
    "RefusalCode",
    "StaffRole",
    "TargetType",
]
