"""Baskets: priced, kept, given codes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

import strawberry

from resolvers.baskets.orders import Order, load_order
from resolvers.baskets.pricing import (
    BasketInput,
    BasketPricing,
    CreateBasketInput,
    UpdateBasketInput,
    advantage_ids,
    pricing_of,
)
from resolvers.catalogue.catalogue import DeliveryMode, PointOfSale
from resolvers.contacts.contacts import Contact, load_contact
from resolvers.offers.offers import Offer, offer_of
from resolvers.runtime.asked_by_id import AskedById
from resolvers.runtime.context import Context, Info
from resolvers.runtime.errors import CodeRefused, Conflict, InvalidInput, NotFound
from resolvers.runtime.ids import OFFER, Ids, Node, decode, encode
from services.baskets import basket as services
from services.baskets.basket import BasketState
from services.baskets.simulation import Simulation

strawberry.enum(BasketState, description="OPEN until it becomes an order, is cancelled, or its time is over.")


@strawberry.type(description="An open sale that holds what it needs until it expires.")
class Basket(Node):
    state: BasketState
    expires_at: datetime
    pricing: BasketPricing
    point_of_sale: PointOfSale = strawberry.field(description="Where it was opened.")
    delivery_mode: DeliveryMode | None = strawberry.field(
        description="How the tickets are to reach the customer; null where that is not chosen."
    )
    use_balance: bool = strawberry.field(description="Whether the contact's balance is to pay, up to the total.")
    advantage_ids: list[strawberry.ID] | None = strawberry.field(
        description="Only these advantages are considered; null where all of them are."
    )
    row: strawberry.Private[services.Basket]

    @strawberry.field
    async def contact(self, info: Info) -> Contact | None:
        return await load_contact(info.context, self.row.content.contact)

    @strawberry.field(description="The order that it became.")
    async def order(self, info: Info) -> Order | None:
        return None if self.row.order is None else await load_order(info.context, self.row.order)

    @classmethod
    async def of(cls, row: services.Basket, context: Context) -> Self:
        content, catalogue = row.content, await context.catalogue()
        mode = content.delivery_mode
        return cls(
            id=encode("Basket", row.id),
            state=row.state,
            expires_at=row.expires_at,
            pricing=await pricing_of(context, row.pricing),
            point_of_sale=PointOfSale.of(catalogue.points_of_sale[content.point_of_sale], catalogue),
            delivery_mode=None if mode is None else DeliveryMode.of(catalogue.delivery_modes[mode], catalogue),
            use_balance=content.use_balance,
            advantage_ids=advantage_ids(content.advantages),
            row=row,
        )


async def load_basket(context: Context, key: UUID) -> Basket | None:
    """The basket, or None where there is none or the viewer may not see it."""
    return await context.load(_baskets, key)


async def _baskets(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, Basket]:
    rows = await context.services.baskets.find(await context.viewer(), keys, context.now)
    return {key: await Basket.of(row, context) for key, row in rows.items()}


@strawberry.type
class BasketsQuery:
    @strawberry.field(
        description="The price of a basket that is kept nowhere. For staff who try offers: `at` another instant, and "
        "with those of `includeOfferIds` as if they ran; one that needs a code and has none in the basket counts as "
        "entered once, and stands among the codes by the offer's own code."
    )
    async def price_basket(
        self,
        info: Info,
        input: BasketInput,  # noqa: A002
        at: datetime | None = None,
        include_offer_ids: list[strawberry.ID] | None = None,
    ) -> BasketPricing:
        context = info.context
        ids = Ids()
        request = input.read(ids)
        simulation = Simulation(at, ids.all(include_offer_ids or (), *OFFER, path=("includeOfferIds",)))
        ids.check()
        pricing = await context.services.baskets.price(await context.viewer(), request, context.now, simulation)
        return await pricing_of(context, pricing)

    @strawberry.field(extensions=[AskedById()])
    async def basket(self, info: Info, id: strawberry.ID) -> Basket | None:  # noqa: A002
        return await load_basket(info.context, decode(id, "Basket", path=("id",)))


@strawberry.input
class ApplyAdvantageCodeInput:
    basket_id: strawberry.ID
    code: str
    idempotency_key: str | None = None


@strawberry.type(description="The basket with the code, and the offer that the code opened.")
class AdvantageCodeApplied:
    basket: Basket
    offer: Offer


@strawberry.input
class RemoveAdvantageCodeInput:
    basket_id: strawberry.ID
    code: str
    idempotency_key: str | None = None


@strawberry.input
class CancelBasketInput:
    basket_id: strawberry.ID
    idempotency_key: str | None = None


CreateBasketResult = Annotated[Basket | InvalidInput | NotFound | Conflict, strawberry.union("CreateBasketResult")]
ApplyAdvantageCodeResult = Annotated[
    AdvantageCodeApplied | CodeRefused | InvalidInput | NotFound | Conflict,
    strawberry.union("ApplyAdvantageCodeResult"),
]
RemoveAdvantageCodeResult = Annotated[
    Basket | InvalidInput | NotFound | Conflict, strawberry.union("RemoveAdvantageCodeResult")
]
UpdateBasketResult = Annotated[
    Basket | CodeRefused | InvalidInput | NotFound | Conflict, strawberry.union("UpdateBasketResult")
]
CancelBasketResult = Annotated[Basket | InvalidInput | NotFound | Conflict, strawberry.union("CancelBasketResult")]


@strawberry.type
class BasketsMutation:
    @strawberry.mutation(description="Opens a basket that holds everything its price depends on until it expires.")
    async def create_basket(self, info: Info, input: CreateBasketInput) -> CreateBasketResult:  # noqa: A002
        context = info.context
        viewer = await context.viewer()
        row = await context.services.baskets.create(viewer, input.read(), context.now, input.idempotency_key)
        return await Basket.of(row, context)

    @strawberry.mutation(description="Enters a code into a basket, or says all the reasons why it does not apply.")
    async def apply_advantage_code(self, info: Info, input: ApplyAdvantageCodeInput) -> ApplyAdvantageCodeResult:  # noqa: A002
        context = info.context
        row, offer = await context.services.baskets.apply_code(
            await context.viewer(),
            decode(input.basket_id, "Basket", path=("basketId",)),
            input.code,
            context.now,
            input.idempotency_key,
        )
        return AdvantageCodeApplied(
            basket=await Basket.of(row, context), offer=offer_of(offer, await context.catalogue())
        )

    @strawberry.mutation(description="Takes a code out of a basket, which gives it back.")
    async def remove_advantage_code(self, info: Info, input: RemoveAdvantageCodeInput) -> RemoveAdvantageCodeResult:  # noqa: A002
        context = info.context
        row = await context.services.baskets.remove_code(
            await context.viewer(),
            decode(input.basket_id, "Basket", path=("basketId",)),
            input.code,
            context.now,
            input.idempotency_key,
        )
        return await Basket.of(row, context)

    @strawberry.mutation(
        description="Changes what is in a basket. Refused where it would cost the basket a code that applies: take it "
        "out first."
    )
    async def update_basket(self, info: Info, input: UpdateBasketInput) -> UpdateBasketResult:  # noqa: A002
        context = info.context
        basket, change = input.read()
        row = await context.services.baskets.update(
            await context.viewer(), basket, change, context.now, input.idempotency_key
        )
        return await Basket.of(row, context)

    @strawberry.mutation(description="Ends a basket, which gives back all that it holds.")
    async def cancel_basket(self, info: Info, input: CancelBasketInput) -> CancelBasketResult:  # noqa: A002
        context = info.context
        basket = decode(input.basket_id, "Basket", path=("basketId",))
        row = await context.services.baskets.cancel(await context.viewer(), basket, context.now, input.idempotency_key)
        return await Basket.of(row, context)
