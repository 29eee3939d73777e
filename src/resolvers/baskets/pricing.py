"""A basket's price as clients read it, and a basket as they ask for it."""

from collections.abc import Sequence
from typing import Self
from uuid import UUID

import strawberry

from resolvers.catalogue.catalogue import AudienceSubCategory, Performance, Product, SeatCategory
from resolvers.offers.offers import Advantage, Offer, advantage_of, offer_of
from resolvers.runtime.context import Context
from resolvers.runtime.ids import Ids, decode, encode
from resolvers.runtime.refusals import Reader, Refusal, refusals
from resolvers.runtime.scalars import Money, money
from services.baskets.basket_input import MAXIMUM_LINES, BasketChange, BasketRequest, LineRequest
from services.catalogue.snapshot import Catalogue
from services.core.texts import text
from services.core.unset import UNSET
from services.pricing import result


@strawberry.type(
    description="The price of one ticket: its full price, what an advantage made of it, and its share of the "
    "basket-wide discounts."
)
class PricedTicket:
    full_price: Money
    advantage: Advantage | None
    advantage_price: Money
    promotion_share: Money
    price: Money

    @classmethod
    def of(cls, ticket: result.PricedTicket, catalogue: Catalogue) -> Self:
        currency = catalogue.organisation.currency
        return cls(
            full_price=money(ticket.full_price, currency),
            advantage=None if ticket.advantage is None else advantage_of(ticket.advantage, catalogue),
            advantage_price=money(ticket.advantage_price, currency),
            promotion_share=money(ticket.promotion_share, currency),
            price=money(ticket.price, currency),
        )


@strawberry.type
class PricedLine:
    seat_category: SeatCategory | None
    audience_sub_category: AudienceSubCategory
    product: Product
    performance: Performance | None
    quantity: int
    total: Money
    line: strawberry.Private[result.PricedLine]
    catalogue: strawberry.Private[Catalogue]

    @strawberry.field(description="One by one, in the order of the line.")
    def tickets(self) -> list[PricedTicket]:
        return [PricedTicket.of(ticket, self.catalogue) for ticket in self.line.tickets]

    @classmethod
    def of(cls, line: result.PricedLine, catalogue: Catalogue) -> Self:
        kind = line.kind
        seat = kind.seat_category
        performance = kind.performance
        return cls(
            product=Product.of(catalogue.products[kind.product], catalogue),
            performance=None if performance is None else Performance.of(catalogue.performances[performance], catalogue),
            seat_category=None if seat is None else SeatCategory.of(catalogue.seat_categories[seat]),
            audience_sub_category=AudienceSubCategory.of(catalogue.audience_sub_categories[kind.audience_sub_category]),
            quantity=len(line.tickets),
            total=money(line.total, catalogue.organisation.currency),
            line=line,
            catalogue=catalogue,
        )


@strawberry.type(description="What a code in the basket took off, or all the reasons why it did not apply.")
class BasketCode:
    code: str
    offer: Offer | None
    applied: bool
    discount: Money
    refusals: list[Refusal]

    @classmethod
    def of(cls, code: result.PricedCode, reader: Reader) -> Self:
        catalogue = reader.catalogue
        return cls(
            code=code.text,
            offer=None if code.offer is None else offer_of(code.offer, catalogue),
            applied=code.applied,
            discount=money(code.discount, catalogue.organisation.currency),
            refusals=refusals(code.refusals, reader),
        )


@strawberry.type(description="The whole price of a basket or order, which explains itself.")
class BasketPricing:
    lines: list[PricedLine]
    codes: list[BasketCode]
    subtotal: Money = strawberry.field(description="Sum of full prices.")
    advantage_discount: Money
    promotion_discount: Money
    processing_fee: Money
    delivery_fee: Money
    total: Money = strawberry.field(
        description="subtotal - advantageDiscount - promotionDiscount + processingFee + deliveryFee"
    )
    balance_used: Money
    amount_due: Money = strawberry.field(description="total - balanceUsed")

    @classmethod
    def of(cls, pricing: result.Pricing, reader: Reader) -> Self:
        catalogue = reader.catalogue
        currency = catalogue.organisation.currency
        return cls(
            lines=[PricedLine.of(line, catalogue) for line in pricing.lines],
            codes=[BasketCode.of(code, reader) for code in pricing.codes],
            subtotal=money(pricing.subtotal, currency),
            advantage_discount=money(pricing.advantage_discount, currency),
            promotion_discount=money(pricing.promotion_discount, currency),
            processing_fee=money(pricing.processing_fee, currency),
            delivery_fee=money(pricing.delivery_fee, currency),
            total=money(pricing.total, currency),
            balance_used=money(pricing.balance_used, currency),
            amount_due=money(pricing.amount_due, currency),
        )


async def pricing_of(context: Context, pricing: result.Pricing) -> BasketPricing:
    """A price with the names of what it mentions."""
    return BasketPricing.of(pricing, await Reader.of(context))


def advantage_ids(chosen: Sequence[UUID] | None) -> list[strawberry.ID] | None:
    """The advantages that alone are considered, as ids; None for all of them."""
    return None if chosen is None else [encode("Advantage", key) for key in chosen]


@strawberry.input
class BasketLineInput:
    audience_sub_category_id: strawberry.ID
    performance_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="A performance, or a product of a family without performances: exactly one of the two.",
    )
    product_id: strawberry.ID | None = None
    seat_category_id: strawberry.ID | None = None
    quantity: int = 1

    def read(self, ids: Ids, position: int) -> LineRequest:
        path = ("lines", str(position))
        return LineRequest(
            performance=ids.maybe(self.performance_id, "Performance", path=(*path, "performanceId")),
            product=ids.maybe(self.product_id, "Product", path=(*path, "productId")),
            seat_category=ids.maybe(self.seat_category_id, "SeatCategory", path=(*path, "seatCategoryId")),
            audience_sub_category=ids.read(
                self.audience_sub_category_id, "AudienceSubCategory", path=(*path, "audienceSubCategoryId")
            ),
            quantity=self.quantity,
        )


@strawberry.input
class BasketInput:
    lines: list[BasketLineInput]
    point_of_sale_id: strawberry.ID | None = None
    contact_id: strawberry.ID | None = None
    codes: list[str] = strawberry.field(default_factory=list)
    delivery_mode_id: strawberry.ID | None = None
    use_balance: bool = False
    advantage_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Only these advantages are considered; left out, all of them."
    )

    def read(self, ids: Ids) -> BasketRequest:
        """The request with its ids read, those that are wrong among ``ids``' problems."""
        return _basket_request(self, tuple(self.codes), ids)


@strawberry.input
class CreateBasketInput:
    lines: list[BasketLineInput]
    point_of_sale_id: strawberry.ID | None = None
    contact_id: strawberry.ID | None = None
    delivery_mode_id: strawberry.ID | None = None
    use_balance: bool = False
    advantage_ids: list[strawberry.ID] | None = None
    idempotency_key: str | None = None

    def read(self) -> BasketRequest:
        """The request with ids read; raises WrongId with every one that is wrong."""
        ids = Ids()
        request = _basket_request(self, (), ids)
        ids.check()
        return request


@strawberry.input(description="What is left out stays as it is; null clears it.")
class UpdateBasketInput:
    basket_id: strawberry.ID
    contact_id: strawberry.ID | None = strawberry.UNSET
    lines: list[BasketLineInput] | None = strawberry.UNSET
    delivery_mode_id: strawberry.ID | None = strawberry.UNSET
    use_balance: bool | None = strawberry.UNSET
    advantage_ids: list[strawberry.ID] | None = strawberry.UNSET
    idempotency_key: str | None = None

    def read(self) -> tuple[UUID, BasketChange]:
        """The basket and what is to change; raises NotFound for the basket, else WrongId with every id that is wrong.
        No lines clears them.
        """
        basket = decode(self.basket_id, "Basket", path=("basketId",))
        ids = Ids()
        lines = self.lines
        advantages = self.advantage_ids
        change = BasketChange(
            lines=UNSET if lines is strawberry.UNSET else _lines(lines or (), ids),
            contact=UNSET
            if self.contact_id is strawberry.UNSET
            else ids.maybe(self.contact_id, "Contact", path=("contactId",)),
            delivery_mode=UNSET
            if self.delivery_mode_id is strawberry.UNSET
            else ids.maybe(self.delivery_mode_id, "DeliveryMode", path=("deliveryModeId",)),
            use_balance=UNSET if self.use_balance is strawberry.UNSET else bool(self.use_balance),
            advantages=UNSET if advantages is strawberry.UNSET else _advantages(advantages, ids),
        )
        ids.check()
        return basket, change


def _lines(asked: Sequence[BasketLineInput], ids: Ids) -> tuple[LineRequest, ...]:
    """The lines; where there are too many, that is the problem, and none of them is looked at."""
    if len(asked) > MAXIMUM_LINES:
        ids.refuse(("lines",), text("too_many_lines", maximum=MAXIMUM_LINES, found=len(asked)))
        return ()
    return tuple(line.read(ids, position) for position, line in enumerate(asked))


def _advantages(asked: list[strawberry.ID] | None, ids: Ids) -> tuple[UUID, ...] | None:
    return None if asked is None else ids.all(asked, "Advantage", path=("advantageIds",))


def _basket_request(asked: BasketInput | CreateBasketInput, codes: tuple[str, ...], ids: Ids) -> BasketRequest:
    return BasketRequest(
        lines=_lines(asked.lines, ids),
        codes=codes,
        point_of_sale=ids.maybe(asked.point_of_sale_id, "PointOfSale", path=("pointOfSaleId",)),
        contact=ids.maybe(asked.contact_id, "Contact", path=("contactId",)),
        delivery_mode=ids.maybe(asked.delivery_mode_id, "DeliveryMode", path=("deliveryModeId",)),
        use_balance=asked.use_balance,
        advantages=_advantages(asked.advantage_ids, ids),
    )
