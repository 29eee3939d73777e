"""Orders: concluded sales with their tickets."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

import strawberry

from resolvers.baskets.pricing import BasketPricing, pricing_of
from resolvers.contacts.contacts import Contact, load_contact
from resolvers.offers.offers import Advantage, advantage_of
from resolvers.runtime.asked_by_id import AskedById
from resolvers.runtime.context import Context, Info
from resolvers.runtime.errors import CodeRefused, Conflict, InvalidInput, NotFound
from resolvers.runtime.ids import Node, decode, decode_subject, encode
from resolvers.runtime.scalars import Money, money
from services.access.misses import OF_BARCODES
from services.baskets import orders as services
from services.baskets.orders import OrderState
from services.catalogue.snapshot import Catalogue

strawberry.enum(OrderState, description="CONFIRMED until it is cancelled as a whole.")


@strawberry.type(description="One unit of an order; its barcode is scanned at the entrance.")
class Ticket(Node):
    barcode: str
    price: Money
    advantage: Advantage | None
    controlled_at: datetime | None

    @classmethod
    def of(cls, row: services.Ticket, catalogue: Catalogue) -> Self:
        return cls(
            id=encode("Ticket", row.id),
            barcode=row.barcode,
            price=money(row.price, catalogue.organisation.currency),
            advantage=None if row.advantage is None else advantage_of(row.advantage, catalogue),
            controlled_at=row.controlled_at,
        )


@strawberry.type(description="A concluded sale with its tickets.")
class Order(Node):
    number: str
    state: OrderState
    confirmed_at: datetime
    pricing: BasketPricing
    row: strawberry.Private[services.Order]

    @strawberry.field
    async def contact(self, info: Info) -> Contact | None:
        return await load_contact(info.context, self.row.contact)

    @strawberry.field
    async def tickets(self, info: Info) -> list[Ticket]:
        return list(await info.context.load(_tickets, self.row.id) or ())

    @classmethod
    async def of(cls, row: services.Order, context: Context) -> Self:
        return cls(
            id=encode("Order", row.id),
            number=row.number,
            state=row.state,
            confirmed_at=row.confirmed_at,
            pricing=await pricing_of(context, row.pricing),
            row=row,
        )


async def load_order(context: Context, key: UUID) -> Order | None:
    """The order, or None where there is none or the viewer may not see it."""
    return await context.load(_orders, key)


async def load_ticket(context: Context, key: UUID) -> Ticket | None:
    """The ticket, or None where there is none or the viewer may not see its order."""
    return await context.load(_single_tickets, key)


async def _single_tickets(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, Ticket]:
    catalogue = await context.catalogue()
    found = await context.services.orders.tickets(await context.viewer(), keys)
    return {key: Ticket.of(row, catalogue) for key, row in found.items()}


async def _orders(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, Order]:
    rows = await context.services.orders.find(await context.viewer(), keys)
    return {key: await Order.of(row, context) for key, row in rows.items()}


async def _tickets(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, Sequence[Ticket]]:
    catalogue = await context.catalogue()
    found = await context.services.orders.tickets_of(await context.viewer(), keys)
    return {key: [Ticket.of(row, catalogue) for row in rows] for key, rows in found.items()}


@strawberry.type
class OrdersQuery:
    @strawberry.field(extensions=[AskedById()])
    async def order(self, info: Info, id: strawberry.ID) -> Order | None:  # noqa: A002
        return await load_order(info.context, decode(id, "Order", path=("id",)))


@strawberry.input
class ConfirmBasketInput:
    basket_id: strawberry.ID
    payment_reference: str | None = None
    expected_total: Decimal | None = strawberry.field(
        default=None,
        description="What the customer saw: where the total is another by now, nothing happens and the failure is "
        "TOTAL_CHANGED.",
    )
    idempotency_key: str | None = None


ConfirmBasketResult = Annotated[
    Order | CodeRefused | InvalidInput | NotFound | Conflict, strawberry.union("ConfirmBasketResult")
]


@strawberry.input
class CancelOrderInput:
    order_id: strawberry.ID
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class ControlTicketInput:
    barcode: str
    idempotency_key: str | None = None


CancelOrderResult = Annotated[Order | InvalidInput | NotFound | Conflict, strawberry.union("CancelOrderResult")]
ControlTicketResult = Annotated[Ticket | InvalidInput | NotFound | Conflict, strawberry.union("ControlTicketResult")]


@strawberry.type
class OrdersMutation:
    @strawberry.mutation(description="Makes an order of a basket, at the price that the basket held.")
    async def confirm_basket(self, info: Info, input: ConfirmBasketInput) -> ConfirmBasketResult:  # noqa: A002
        context = info.context
        row = await context.services.orders.confirm(
            await context.viewer(),
            decode_subject(input.basket_id, "Basket", ("basketId",)),
            input.payment_reference,
            context.now,
            input.idempotency_key,
            input.expected_total,
        )
        return await Order.of(row, context)

    @strawberry.mutation(description="Cancels an order as a whole and gives back what it had used.")
    async def cancel_order(self, info: Info, input: CancelOrderInput) -> CancelOrderResult:  # noqa: A002
        context = info.context
        order = decode(input.order_id, "Order", path=("orderId",))
        viewer = await context.viewer()
        row = await context.services.orders.cancel(viewer, order, input.reason, context.now, input.idempotency_key)
        return await Order.of(row, context)

    @strawberry.mutation(
        description="Counts a ticket's scan at the entrance; the second says when and where it was.",
        extensions=[AskedById(OF_BARCODES)],
    )
    async def control_ticket(self, info: Info, input: ControlTicketInput) -> ControlTicketResult:  # noqa: A002
        context = info.context
        viewer = await context.viewer()
        row = await context.services.orders.control(viewer, input.barcode, context.now, input.idempotency_key)
        return Ticket.of(row, await context.catalogue())
