"""Anything by its global id. What the viewer may not see is answered like what does not exist."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from uuid import UUID

import strawberry

from resolvers.baskets.baskets import load_basket
from resolvers.baskets.orders import load_order, load_ticket
from resolvers.catalogue.catalogue import (
    AudienceSubCategory,
    DeliveryMode,
    Performance,
    PointOfSale,
    Product,
    SalesChannel,
    Season,
    SeatCategory,
)
from resolvers.codes.batches import load_batch
from resolvers.codes.codes import load_code
from resolvers.contacts.contacts import load_contact
from resolvers.offers.offers import Campaign, offer_of
from resolvers.runtime.asked_by_id import AskedById
from resolvers.runtime.context import Context, Info
from resolvers.runtime.ids import OFFER, Node, decode_any
from services.catalogue.snapshot import Catalogue

# What stands in the snapshot, by kind: where it stands, and how it is shown.
_CATALOGUE: Final[Mapping[str, Callable[[Catalogue, UUID], Node | None]]] = {
    "Season": lambda c, key: Season.of(c.seasons[key]) if key in c.seasons else None,
    "SeatCategory": lambda c, key: SeatCategory.of(c.seat_categories[key]) if key in c.seat_categories else None,
    "AudienceSubCategory": lambda c, key: (
        AudienceSubCategory.of(c.audience_sub_categories[key]) if key in c.audience_sub_categories else None
    ),
    "DeliveryMode": lambda c, key: DeliveryMode.of(c.delivery_modes[key], c) if key in c.delivery_modes else None,
    "SalesChannel": lambda c, key: SalesChannel.of(c.sales_channels[key], c) if key in c.sales_channels else None,
    "PointOfSale": lambda c, key: PointOfSale.of(c.points_of_sale[key], c) if key in c.points_of_sale else None,
    "Product": lambda c, key: Product.of(c.products[key], c) if key in c.products else None,
    "Performance": lambda c, key: Performance.of(c.performances[key], c) if key in c.performances else None,
}
_STORED: Final[Mapping[str, Callable[[Context, UUID], Awaitable[Node | None]]]] = {
    "AdvantageCode": load_code,
    "Basket": load_basket,
    "CodeBatch": load_batch,
    "Contact": load_contact,
    "Order": load_order,
    "Ticket": load_ticket,
}


async def load_node(context: Context, kind: str, key: UUID) -> Node | None:
    """The thing of that kind and key, or None where there is none that the viewer may see."""
    if kind in _STORED:
        return await _STORED[kind](context, key)
    viewer = await context.viewer()
    catalogue = await context.catalogue()
    if kind in _CATALOGUE:
        return _CATALOGUE[kind](catalogue, key)
    if kind == "Campaign" and viewer.reads_records and key in catalogue.campaigns:
        return Campaign.of(catalogue.campaigns[key], catalogue)
    if kind in OFFER and key in await context.services.offers.visible(viewer, catalogue, context.now):
        return offer_of(key, catalogue)
    return None


@strawberry.type
class NodesQuery:
    @strawberry.field(
        description="Anything by its id, null where nothing that you may see has it.", extensions=[AskedById()]
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002
        return await load_node(info.context, *decode_any(id, ("id",)))
