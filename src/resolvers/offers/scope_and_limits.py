"""On what an offer applies, and how often."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self
from uuid import UUID

import strawberry

from resolvers.catalogue.catalogue import AudienceSubCategory, Performance, Product, SeatCategory
from resolvers.offers.target_and_benefit import reads_records
from resolvers.runtime.context import Context, Info
from services.catalogue.snapshot import Catalogue
from services.pricing.facts import offers as offer_facts
from services.pricing.facts import tickets as ticket_facts


@strawberry.type(description="What an offer is for: a ticket matches every list, and an empty one matches all.")
class Scope:
    products: list[Product]
    performances: list[Performance]
    seat_categories: list[SeatCategory]
    audience_sub_categories: list[AudienceSubCategory]

    @classmethod
    def of(cls, scope: offer_facts.Scope, catalogue: Catalogue) -> Self:
        return cls(
            products=[Product.of(catalogue.products[key], catalogue) for key in sorted(scope.products)],
            performances=[Performance.of(catalogue.performances[key], catalogue) for key in sorted(scope.performances)],
            seat_categories=[SeatCategory.of(catalogue.seat_categories[key]) for key in sorted(scope.seat_categories)],
            audience_sub_categories=[
                AudienceSubCategory.of(catalogue.audience_sub_categories[key])
                for key in sorted(scope.audience_sub_categories)
            ],
        )


LimitedElement = Annotated[
    Product | Performance | SeatCategory | AudienceSubCategory,
    strawberry.union("LimitedElement", description="What can have limits of its own within an offer."),
]


@strawberry.interface(description="Numbers of tickets, null where there is no limit.")
class TicketLimits:
    quota: int | None = strawberry.field(description="Tickets over all orders; null is without limit.")
    per_order: int | None
    per_contact: int | None
    offer: strawberry.Private[UUID]
    key: strawberry.Private[UUID | None]

    @strawberry.field(
        description="Tickets that count against the quota, those of baskets in progress too. For staff, with a quota."
    )
    async def taken(self, info: Info) -> int | None:
        if self.quota is None or not await reads_records(info.context):
            return None
        return (await info.context.load(_taken, self.offer) or {}).get(self.key, 0)

    @strawberry.field(description="What is left of the quota. For staff, with a quota.")
    async def remaining(self, info: Info) -> int | None:
        if self.quota is None or not await reads_records(info.context):
            return None
        return self.quota - (await info.context.load(_taken, self.offer) or {}).get(self.key, 0)


@strawberry.type(description="Limits on the tickets of one thing.")
class ElementLimit(TicketLimits):
    element: LimitedElement


@strawberry.type(description="Limits of an offer as a whole, and of single things within it.")
class OfferLimits(TicketLimits):
    elements: list[ElementLimit]

    @classmethod
    def of(cls, offer: offer_facts.Offer, catalogue: Catalogue) -> Self:
        own = offer.limits
        return cls(
            quota=own.quota,
            per_order=own.per_order,
            per_contact=own.per_contact,
            offer=offer.id,
            key=None,
            elements=[_element_limit(offer, each, catalogue) for each in offer.element_limits],
        )


def _element_limit(offer: offer_facts.Offer, limited: offer_facts.ElementLimits, catalogue: Catalogue) -> ElementLimit:
    return ElementLimit(
        quota=limited.limits.quota,
        per_order=limited.limits.per_order,
        per_contact=limited.limits.per_contact,
        offer=offer.id,
        key=limited.element.id,
        element=_element(limited.element, catalogue),
    )


def _element(element: ticket_facts.Element, catalogue: Catalogue) -> LimitedElement:
    match element.kind:
        case ticket_facts.ElementKind.PRODUCT:
            return Product.of(catalogue.products[element.id], catalogue)
        case ticket_facts.ElementKind.PERFORMANCE:
            return Performance.of(catalogue.performances[element.id], catalogue)
        case ticket_facts.ElementKind.SEAT_CATEGORY:
            return SeatCategory.of(catalogue.seat_categories[element.id])
        case ticket_facts.ElementKind.AUDIENCE_SUB_CATEGORY:
            return AudienceSubCategory.of(catalogue.audience_sub_categories[element.id])


async def _taken(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, Mapping[UUID | None, int]]:
    viewer = await context.viewer()
    return await context.services.offers.taken(viewer.organisation_id, keys)
