"""Orders: concluded sales with their tickets."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

import strawberry

from resolvers.baskets.pricing import BasketPricing, advantage_ids, pricing_of
from resolvers.catalogue.catalogue import (
    AudienceSubCategory,
    DeliveryMode,
    Performance,
    PointOfSale,
    Product,
    SeatCategory,
)
from resolvers.contacts.contacts import Contact, load_contact
from resolvers.offers.offers import Advantage, advantage_of
from resolvers.runtime.asked_by_id import AskedById
from resolvers.runtime.context import Context, Info
from resolvers.runtime.enums import CancellationPolicy
from resolvers.runtime.errors import CodeRefused, Conflict, InvalidInput, NotFound
from resolvers.runtime.ids import Node, NoId, decode, encode
from resolvers.runtime.scalars import Money, money
from services.baskets import orders as order_services
from services.baskets.cancellations import Cancellation as CancellationRow
from services.baskets.orders import OrderState
from services.baskets.tickets import Ticket as TicketRow
from services.catalogue.snapshot import Catalogue
from services.core.errors import Forbidden, Path
from services.core.errors import NotFound as NotFoundFailure
from services.core.text_checks import printed_number
from services.core.texts import text
from services.core.viewer import OFFICE

strawberry.enum(OrderState, description="CONFIRMED until it is cancelled as a whole.")


@strawberry.type(
    description="One unit of an order: what it admits to, and what it cost. Its barcode is scanned at the entrance."
)
class Ticket(Node):
    barcode: str
    full_price: Money
    price: Money = strawberry.field(
        description="What it costs: what was paid for it, or less or more where it was priced anew when others of its "
        "order were cancelled."
    )
    given_back: Money = strawberry.field(description="What was given back for it where it is cancelled.")
    controlled_at: datetime | None = strawberry.field(
        description="When it was let in first; null where it was not yet."
    )
    entries: int = strawberry.field(description="How often it was let in so far; 0 for not yet.")
    entries_allowed: int = strawberry.field(description="How often it may be let in: more than once for passes.")
    cancelled_at: datetime | None = strawberry.field(
        description="When it was cancelled, alone or with its order; it does not admit since."
    )
    row: strawberry.Private[TicketRow]
    catalogue: strawberry.Private[Catalogue]

    @strawberry.field(description="The advantage that it is sold at; null for none.")
    def advantage(self) -> Advantage | None:
        return None if self.row.advantage is None else advantage_of(self.row.advantage, self.catalogue)

    @strawberry.field(description="What it admits to.")
    def product(self) -> Product:
        return Product.of(self.catalogue.products[self.row.product], self.catalogue)

    @strawberry.field(description="The date that it admits to; null for products of a family without.")
    def performance(self) -> Performance | None:
        key = self.row.performance
        return None if key is None else Performance.of(self.catalogue.performances[key], self.catalogue)

    @strawberry.field(description="Where its place is; null where places are not told apart.")
    def seat_category(self) -> SeatCategory | None:
        key = self.row.seat_category
        return None if key is None else SeatCategory.of(self.catalogue.seat_categories[key])

    @strawberry.field(description="The tariff that it was sold at.")
    def audience_sub_category(self) -> AudienceSubCategory:
        return AudienceSubCategory.of(self.catalogue.audience_sub_categories[self.row.audience_sub_category])

    @strawberry.field(description="The order that it is of; refused to whoever may see the ticket alone.")
    async def order(self, info: Info) -> "Order":
        found = await load_order(info.context, self.row.order)
        if found is None:
            raise Forbidden(text("forbidden_role", roles=", ".join(OFFICE)))
        return found

    @strawberry.field(description="Who bought it; null where that is not known, or not to you.")
    async def contact(self, info: Info) -> Contact | None:
        return await load_contact(info.context, self.row.contact)

    @classmethod
    def of(cls, row: TicketRow, catalogue: Catalogue) -> Self:
        currency = catalogue.organisation.currency
        return cls(
            id=encode("Ticket", row.id),
            barcode=row.barcode,
            full_price=money(row.full_price, currency),
            price=money(row.price, currency),
            given_back=money(row.given_back, currency),
            controlled_at=row.controlled_at,
            entries=row.entries,
            entries_allowed=row.entries_allowed,
            cancelled_at=row.cancelled_at,
            row=row,
            catalogue=catalogue,
        )


@strawberry.type(description="Tickets of an order that were cancelled together, and what was given back.")
class Cancellation:
    cancelled_at: datetime
    cancelled_by: str | None = strawberry.field(
        description="As the audit has it; for staff who read the records, and for whoever did it."
    )
    reason: str | None
    policy: CancellationPolicy = strawberry.field(description="What became of the tickets that stayed.")
    given_back: Money = strawberry.field(description="In all: `forTickets` + `forFees` = `toBalance` + `toPayment`.")
    for_tickets: Money = strawberry.field(description="What of `givenBack` is for tickets.")
    for_fees: Money = strawberry.field(description="What of `givenBack` is for fees.")
    to_balance: Money = strawberry.field(description="What of `givenBack` went to the contact's balance.")
    to_payment: Money = strawberry.field(
        description="What of `givenBack` is to be paid back as the rest was paid, by whoever took the payment."
    )

    @classmethod
    def of(cls, row: CancellationRow, currency: str) -> Self:
        total = row.for_tickets + row.for_fees
        return cls(
            cancelled_at=row.cancelled_at,
            cancelled_by=row.cancelled_by,
            reason=row.reason,
            policy=CancellationPolicy(row.policy),
            given_back=money(total, currency),
            for_tickets=money(row.for_tickets, currency),
            for_fees=money(row.for_fees, currency),
            to_balance=money(row.to_balance, currency),
            to_payment=money(total - row.to_balance, currency),
        )


@strawberry.type(description="A concluded sale with its tickets.")
class Order(Node):
    number: str = strawberry.field(
        description="As it is printed; it is taken for the order's id wherever an order is named."
    )
    state: OrderState
    confirmed_at: datetime
    pricing: BasketPricing = strawberry.field(
        description="What was paid, as it was confirmed: cancelling changes `remaining` alone."
    )
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
    row: strawberry.Private[order_services.Order]

    @strawberry.field
    async def contact(self, info: Info) -> Contact | None:
        return await load_contact(info.context, self.row.contact)

    @strawberry.field(description="All of them, those that were cancelled too, in the order of the lines.")
    async def tickets(self, info: Info) -> list[Ticket]:
        return list(await info.context.load(_tickets, self.row.id) or ())

    @strawberry.field(description="What the tickets that are not cancelled cost by now, with the fees that are kept.")
    async def remaining(self, info: Info) -> BasketPricing:
        return await pricing_of(info.context, self.row.remaining)

    @strawberry.field(description="What was given back, the first time first.")
    async def cancellations(self, info: Info) -> list[Cancellation]:
        return list(await info.context.load(_cancellations, self.row.id) or ())

    @classmethod
    async def of(cls, row: order_services.Order, context: Context) -> Self:
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

    Raises NoId for what is neither, NotFound where the viewer may ask for no order by that number.
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
    found = await context.services.tickets.find(await context.viewer(), keys)
    return {key: Ticket.of(row, catalogue) for key, row in found.items()}


async def _orders(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, Order]:
    rows = await context.services.orders.find(await context.viewer(), keys)
    return {key: await Order.of(row, context) for key, row in rows.items()}


async def _tickets(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, Sequence[Ticket]]:
    catalogue = await context.catalogue()
    found = await context.services.tickets.of_orders(await context.viewer(), keys)
    return {key: [Ticket.of(row, catalogue) for row in rows] for key, rows in found.items()}


async def _cancellations(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, Sequence[Cancellation]]:
    currency = (await context.catalogue()).organisation.currency
    found = await context.services.cancellations.of_orders(await context.viewer(), keys)
    return {key: [Cancellation.of(row, currency) for row in rows] for key, rows in found.items()}


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
        except NoId:
            raise
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


ConfirmBasketResult = Annotated[
    Order | CodeRefused | InvalidInput | NotFound | Conflict, strawberry.union("ConfirmBasketResult")
]


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
