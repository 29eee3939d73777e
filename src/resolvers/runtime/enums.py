"""The services' enums as GraphQL enums, under the same names."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

import strawberry

from services.codes.tracking import CodeStatus
from services.core.errors import FailureCode
from services.core.texts import Language
from services.core.viewer import Audience, StaffRole
from services.pricing.facts.offers import OfferState, TargetType
from services.pricing.facts.refusals import RefusalCode
from services.pricing.facts.tickets import ProductFamily

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
        FailureCode,
        "What went wrong, for programs. New values may come: take one that you do not know like STATE_DOES_NOT_ALLOW.",
    ),
    (
        RefusalCode,
        "Why an offer or a code does not apply. Everything that stands in the way is listed, not only the first thing.",
    ),
):
    strawberry.enum(enum, description=description)

_VALUES: Final[Mapping[type[Enum], Mapping[str, str]]] = {
    CodeStatus: {
        CodeStatus.SWITCHED_OFF: "Cannot be used at the moment; staff can switch it on again. Chosen codes alone."
    },
    RefusalCode: {
        RefusalCode.SWITCHED_OFF: "The code cannot be used at the moment: try again later, or take another one."
    },
}
for described, values in _VALUES.items():
    for each in described.__strawberry_definition__.values:  # type: ignore[attr-defined]  # strawberry.enum adds it
        each.description = values.get(each.name, each.description)

__all__ = [
    "Audience",
    "CodeStatus",
    "FailureCode",
    "Language",
    "OfferState",
    "ProductFamily",
    "RefusalCode",
    "StaffRole",
    "TargetType",
]
