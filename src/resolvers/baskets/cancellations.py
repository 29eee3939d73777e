"""Cancelling orders and tickets of them: what it would give back, and doing it."""

from typing import Annotated, Self
from uuid import UUID

import strawberry

from resolvers.baskets.orders import Order, Ticket, load_order, order_named
from resolvers.baskets.pricing import BasketPricing, pricing_of
from resolvers.runtime.asked_by_id import AskedById
from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import CancellationPolicy
from resolvers.runtime.errors import Conflict, InvalidInput, NotFound
from resolvers.runtime.ids import decode_all
from resolvers.runtime.scalars import Money, money
from services.baskets import cancellations as services


@strawberry.type(description="A ticket that is to be cancelled.")
class TicketToCancel:
    ticket: Ticket
    given_back: Money = strawberry.field(
        description="What is given back for it; its share of that where the tickets that stay are priced anew."
    )


@strawberry.type(description="A ticket that stays.")
class TicketToKeep:
    ticket: Ticket = strawberry.field(description="As it is now.")
    price: Money = strawberry.field(description="What it costs after the cancellation.")


@strawberry.type(description="What cancelling tickets would do; the act does the same, unless something comes between.")
class CancellationPreview:
    policy: CancellationPolicy = strawberry.field(description="What becomes of the tickets that stay.")
    tickets: list[TicketToCancel] = strawberry.field(description="Those to be cancelled.")
    staying: list[TicketToKeep] = strawberry.field(description="Those that stay, what they cost then included.")
    remaining: BasketPricing = strawberry.field(
        description="What those that stay cost then, with the fees that are kept; codes that fall away say why."
    )
    given_back: Money = strawberry.field(description="In all: `forTickets` + `forFees` = `toBalance` + `toPayment`.")
    for_tickets: Money = strawberry.field(description="What of `givenBack` is for tickets; never less than nothing.")
    for_fees: Money = strawberry.field(description="What of `givenBack` is for fees: nothing before the last ticket.")
    to_balance: Money = strawberry.field(description="What of `givenBack` goes to the contact's balance.")
    to_payment: Money = strawberry.field(
        description="What of `givenBack` is to be paid back as the rest was paid, by whoever took the payment."
    )
    codes_returned: list[str] = strawberry.field(
        description="The single-use codes that are available again, as they were entered."
    )
    key: strawberry.Private[UUID]

    @strawberry.field(description="The order as it is now.")
    async def order(self, info: Info) -> Order:
        found = await load_order(info.context, self.key)
        if found is None:
            raise TypeError("an order that its preview was made of is gone")
        return found

    @classmethod
    async def of(cls, row: services.CancellationPreview, context: Context) -> Self:
        catalogue = await context.catalogue()
        currency, back = catalogue.organisation.currency, row.given_back
        return cls(
            policy=row.policy,
            tickets=[
                TicketToCancel(ticket=Ticket.of(ticket, catalogue), given_back=money(amount, currency))
                for ticket, amount in row.tickets
            ],
            staying=[
                TicketToKeep(ticket=Ticket.of(ticket, catalogue), price=money(price, currency))
                for ticket, price in row.staying
            ],
            remaining=await pricing_of(context, row.remaining),
            given_back=money(back.total, currency),
            for_tickets=money(back.for_tickets, currency),
            for_fees=money(back.for_fees, currency),
            to_balance=money(back.to_balance, currency),
            to_payment=money(back.total - back.to_balance, currency),
            codes_returned=list(row.codes),
            key=row.order,
        )


@strawberry.type
class CancellationsQuery:
    @strawberry.field(
        description="What cancelling these tickets of an order, or all that are left, would give back, and what would "
        "become of the others; fails as cancelling would. For staff with SALES, and partners with orders of their own.",
        extensions=[AskedById()],
    )
    async def cancellation_preview(
        self, info: Info, order_id: strawberry.ID, ticket_ids: list[strawberry.ID] | None = None
    ) -> CancellationPreview:
        context = info.context
        order = await order_named(context, order_id, ("orderId",))
        tickets = None if ticket_ids is None else decode_all(ticket_ids, "Ticket", path=("ticketIds",))
        row = await context.services.cancellations.preview(await context.viewer(), order, tickets)
        return await CancellationPreview.of(row, context)


@strawberry.input
class CancelOrderInput:
    order_id: strawberry.ID = strawberry.field(description="The order's id, or its number as it is printed.")
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.input(description="Some tickets of one order; the order is cancelled with the last of them.")
class CancelTicketsInput:
    order_id: strawberry.ID = strawberry.field(
        description="The id of the order that has them, or its number as it is printed."
    )
    ticket_ids: list[strawberry.ID] = strawberry.field(description="At least one; one named twice is named once.")
    reason: str | None = strawberry.field(default=None, description="Why, for the records: up to 500 characters.")
    idempotency_key: str | None = None


CancelOrderResult = Annotated[Order | InvalidInput | NotFound | Conflict, strawberry.union("CancelOrderResult")]
CancelTicketsResult = Annotated[Order | InvalidInput | NotFound | Conflict, strawberry.union("CancelTicketsResult")]


@strawberry.type
class CancellationsMutation:
    @strawberry.mutation(
        description="Cancels all tickets of an order that are left, and gives back what it had used. An order with a "
        "scanned ticket is not cancelled as a whole. For staff with SALES, and partners with orders of their own."
    )
    async def cancel_order(self, info: Info, input: CancelOrderInput) -> CancelOrderResult:  # noqa: A002
        context = info.context
        order = await order_named(context, input.order_id, ("orderId",))
        await context.services.cancellations.cancel_order(
            await context.viewer(), order, input.reason, context.now, input.idempotency_key
        )
        return await _cancelled(context, order)

    @strawberry.mutation(
        description="Cancels tickets of an order, as `cancellationPreview` says; one that was scanned stays. For staff "
        "with SALES, and partners with orders of their own."
    )
    async def cancel_tickets(self, info: Info, input: CancelTicketsInput) -> CancelTicketsResult:  # noqa: A002
        context = info.context
        order = await order_named(context, input.order_id, ("orderId",))
        tickets = decode_all(input.ticket_ids, "Ticket", path=("ticketIds",))
        await context.services.cancellations.cancel_tickets(
            await context.viewer(), order, tickets, input.reason, context.now, input.idempotency_key
        )
        return await _cancelled(context, order)


async def _cancelled(context: Context, order: UUID) -> Order:
    viewer = await context.viewer()
    return await Order.of((await context.services.orders.find(viewer, [order]))[order], context)
