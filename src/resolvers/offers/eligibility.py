"""Which offers are open, and why the others are not."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from resolvers.offers.offers import Offer, offer_of
from resolvers.runtime.connections import Connection, connection, window
from resolvers.runtime.context import Info
from resolvers.runtime.ids import OFFER, Ids
from resolvers.runtime.refusals import Reader, Refusal, refusals
from services.offers import eligibility as services
from services.offers.eligibility import EligibilityRequest


@strawberry.type(description="Whether an offer is open, or everything that stands in its way.")
class OfferEligibility:
    offer: Offer
    eligible: bool
    refusals: list[Refusal]

    @classmethod
    def of(cls, answer: services.OfferEligibility, reader: Reader) -> Self:
        return cls(
            offer=offer_of(answer.offer, reader.catalogue),
            eligible=answer.is_eligible,
            refusals=refusals(answer.refusals, reader),
        )


@strawberry.type
class EligibilityQuery:
    @strawberry.field(
        description="Offers open to a contact, at a point of sale, for a product or performance, at an instant (now by "
        "default), in the order in which they were made; what is left out is not asked about. Shoppers get the public "
        "ones and those that `codes` open, contacts and partners also those reserved for them, staff all. "
        "`includeIneligible` adds the others that you may see, with all that stands in their way. `includeOfferIds`, "
        "for staff, names offers to try as if they ran."
    )
    async def eligible_offers(
        self,
        info: Info,
        *,
        point_of_sale_id: strawberry.ID | None = None,
        contact_id: strawberry.ID | None = None,
        product_id: strawberry.ID | None = None,
        performance_id: strawberry.ID | None = None,
        delivery_mode_id: strawberry.ID | None = None,
        codes: list[str] | None = None,
        at: datetime | None = None,
        include_offer_ids: list[strawberry.ID] | None = None,
        include_ineligible: bool = False,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[OfferEligibility]:
        context = info.context
        ids = Ids()
        request = EligibilityRequest(
            point_of_sale=ids.maybe(point_of_sale_id, "PointOfSale", path=("pointOfSaleId",)),
            contact=ids.maybe(contact_id, "Contact", path=("contactId",)),
            product=ids.maybe(product_id, "Product", path=("productId",)),
            performance=ids.maybe(performance_id, "Performance", path=("performanceId",)),
            delivery_mode=ids.maybe(delivery_mode_id, "DeliveryMode", path=("deliveryModeId",)),
            codes=tuple(codes or ()),
            at=at,
            include=ids.all(include_offer_ids or (), *OFFER, path=("includeOfferIds",)),
            include_ineligible=include_ineligible,
        )
        ids.check()
        page = window(first, after, UUID, last=last, before=before)
        viewer = await context.viewer()
        found = await context.services.eligibility.page(viewer, request, page, context.now)
        reader = Reader(found.catalogue, context.language, context.now, viewer.reads_records)
        return connection(
            found.offers,
            page,
            lambda answer: OfferEligibility.of(answer, reader),
            lambda answer: answer.offer,
        )
