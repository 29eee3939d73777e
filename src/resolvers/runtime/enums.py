"""The services' enums as GraphQL enums, under the same names."""

import strawberry

from services.catalogue.offer_details import CancellationPolicy
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
    (OfferState, "DRAFT → VALIDATED → RUNNING ⇄ SUSPENDED → CLOSED; only RUNNING offers apply."),
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
        RefusalCode,
        "Why an offer or a code does not apply. Everything that stands in the way is listed, not only the first thing.",
    ),
):
    strawberry.enum(enum, description=description)

__all__ = [
    "Audience",
    "CancellationPolicy",
    "FailureCode",
    "Language",
    "OfferState",
    "ProductFamily",
    "RefusalCode",
    "StaffRole",
    "TargetType",
]
