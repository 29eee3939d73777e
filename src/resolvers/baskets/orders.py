"""Orders: concluded sales with their tickets."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

import strawberry

from resolvers.baskets.pricing import BasketPricing, advantage_ids, pricing_of
from resolvers.catalogue.catalogue import DeliveryMode, PointOfSale
from resolvers.contacts.contacts import Contact, load_contact
from resolvers.offers.offers import Advantage, advantage_of
from resolvers.runtime.asked_by_id import AskedById
from resolvers.runtime.context import Context, Info
from resolvers.runtime.errors import CodeRefused, Conflict, InvalidInput, NotFound
from resolvers.runtime.ids import Node, decode, encode
from resolvers.runtime.scalars import Money, money
from services.access.misses import OF_BARCODES
from services.baskets import orders as services
from services.baskets.order_search import printed_number
from services.baskets.orders import OrderState
from services.catalogue.snapshot import Catalogue
from services.core.errors import NotFound as NotFoundFailure
from services.core.errors import Path
from services.core.texts import text

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
    number: str = strawberry.field(
        description="As it is printed; it is taken for the order's id wherever an order is named."
    )
    state: OrderState
    confirmed_at: datetime
    pricing: BasketPricing
    point_of_sale: PointOfSale = strawberry.field(description="Where it was sold.")
    delivery_mode: DeliveryMode | None = strawberry.field(
        description="How the tickets reach the customer; null where that was not chosen."
    )
    use_balance: bool = strawberry.field(description="Whether the contact's balance was to pay, up to the total.")
    advantage_ids: list[strawberry.ID] | None = strawberry.field(
        description="Only these advantages were considered; null where all of them were. Those that tickets got stand "
        "in its pricing."
    )
    payment_reference: str | None = strawberry.field(
        description="Under which the shop knows the payment, as it was said with the confirmation."
    )
    cancelled_at: datetime | None = strawberry.field(description="Null for as long as it is not cancelled.")
    cancelled_by: str | None = strawberry.field(
        description='As the audit has it ("staff:ada", "partner:TYD"); for staff who read the records, and for whoever '
        "did it."
    )
    cancellation_reason: str | None = strawberry.field(description="As it was given with the cancellation.")
    row: strawberry.Private[services.Order]

    @strawberry.field
    async def contact(self, info: Info) -> Contact | None:
        return await load_contact(info.context, self.row.contact)

    @strawberry.field
    async def tickets(self, info: Info) -> list[Ticket]:
        return list(await info.context.load(_tickets, self.row.id) or ())

    @classmethod
    async def of(cls, row: services.Order, context: Context) -> Self:
        catalogue, mode = await context.catalogue(), row.delivery_mode
        return cls(
            id=encode("Order", row.id),
            number=row.number,
            state=row.state,
            confirmed_at=row.confirmed_at,
            pricing=await pricing_of(context, row.pricing),
            point_of_sale=PointOfSale.of(catalogue.points_of_sale[row.point_of_sale], catalogue),
            delivery_mode=None if mode is None else DeliveryMode.of(catalogue.delivery_modes[mode], catalogue),
            use_balance=row.use_balance,
            advantage_ids=advantage_ids(row.advantages),
            payment_reference=row.payment_reference,
            cancelled_at=row.cancelled_at,
            cancelled_by=row.cancelled_by,
            cancellation_reason=row.cancellation_reason,
            row=row,
        )


async def order_named(context: Context, written: str, path: Path) -> UUID:
    """The key of the order that a client names by its id, or by its number as it is printed.

    Raises WrongId for what is neither, NotFound where the viewer may ask for no order by that number.
    """
    number = printed_number(written)
    if number is None:
        return decode(written, "Order", path=path)
    order = await context.services.order_search.numbered(await context.viewer(), number)
    if order is None:
        raise NotFoundFailure(path, text("unknown_order"))
    return order


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
    @strawberry.field(
        description="By its id or, for staff and for whose order it is, by its number as it is printed; null where "
        "there is none that you may see.",
        extensions=[AskedById()],
    )
    async def order(self, info: Info, id: strawberry.ID) -> Order | None:  # noqa: A002
        context = info.context
        try:
            key = await order_named(context, id, ("id",))
        except NotFoundFailure:
            return None
        return await load_order(context, key)


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


ConfirmBasketResult = Annotated[Order | CodeRefused | NotFound | Conflict, strawberry.union("ConfirmBasketResult")]


@strawberry.input
class CancelOrderInput:
    order_id: strawberry.ID = strawberry.field(description="The order's id, or its number as it is printed.")
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class ControlTicketInput:
    barcode: str
    idempotency_key: str | None = None


CancelOrderResult = Annotated[Order | InvalidInput | NotFound | Conflict, strawberry.union("CancelOrderResult")]
ControlTicketResult = Annotated[Ticket | NotFound | Conflict, strawberry.union("ControlTicketResult")]


@strawberry.type
class OrdersMutation:
    @strawberry.mutation(description="Makes an order of a basket, at the price that the basket held.")
    async def confirm_basket(self, info: Info, input: ConfirmBasketInput) -> ConfirmBasketResult:  # noqa: A002
        context = info.context
        row = await context.services.orders.confirm(
            await context.viewer(),
            decode(input.basket_id, "Basket", path=("basketId",)),
            input.payment_reference,
            context.now,
            input.idempotency_key,
            input.expected_total,
        )
        return await Order.of(row, context)

    @strawberry.mutation(description="Cancels an order as a whole and gives back what it had used.")
    async def cancel_order(self, info: Info, input: CancelOrderInput) -> CancelOrderResult:  # noqa: A002
        context = info.context
        order = await order_named(context, input.order_id, ("orderId",))
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
