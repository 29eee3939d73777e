"""The peer of ``benchmarks.edge``: endpoints that do what an operation does, by the same services, without GraphQL."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from starlette.requests import Request
from starlette.responses import Response

from resolvers.runtime.connections import MOST_FIRST, window
from resolvers.runtime.context import Clock, Context, Services
from resolvers.runtime.ids import decode, encode
from resolvers.runtime.refusals import Reader, refusals
from services.baskets.basket_input import BasketRequest, LineRequest
from services.catalogue.snapshot import Catalogue
from services.codes.tracking import CodeFilter, shown
from services.core.instants import at_home
from services.core.money import to_decimal
from services.core.texts import localised
from services.pricing import result
from services.pricing.facts import offers

PRICE: Final = """query ($input: BasketInput!) { priceBasket(input: $input) {
  lines { product { id code name } performance { id code startsAt } seatCategory { id code name }
    audienceSubCategory { id code name } quantity
    tickets { fullPrice { ...M } advantage { id code publicName } advantagePrice { ...M } promotionShare { ...M }
      price { ...M } }
    total { ...M } }
  codes { code offer { id code publicName } applied discount { ...M } refusals { code required actual message } }
  subtotal { ...M } advantageDiscount { ...M } promotionDiscount { ...M } processingFee { ...M } deliveryFee { ...M }
  total { ...M } balanceUsed { ...M } amountDue { ...M } } }
  fragment M on Money { amount currency }"""

CODES: Final = """{ codes(first: 100) { edges { cursor node { id code status usedAt batch { id state }
  order { id } usedBy { id code } } } pageInfo { hasNextPage endCursor } } }"""


class ByHand:
    """The endpoints, on the services of an application."""

    def __init__(self, services: Services, clock: Clock) -> None:
        self._services = services
        self._clock = clock

    async def price(self, request: Request) -> Response:
        """Answers what ``PRICE`` does."""
        sent = orjson.loads(await request.body())["input"]
        context = Context(self._services, self._clock, request.headers, "127.0.0.1")
        viewer = await context.viewer()
        wanted = BasketRequest(
            lines=tuple(_line(each) for each in sent["lines"]),
            codes=tuple(sent["codes"]),
            point_of_sale=None,
            contact=None,
            delivery_mode=None,
            use_balance=False,
            advantages=None,
        )
        pricing = await self._services.baskets.price(viewer, wanted, context.now)
        written = _Price(await context.catalogue(), context).pricing(pricing)
        return Response(orjson.dumps({"data": {"priceBasket": written}}), media_type="application/json")

    async def codes(self, request: Request) -> Response:
        """Answers what ``CODES`` does."""
        context = Context(self._services, self._clock, request.headers, "127.0.0.1")
        viewer = await context.viewer()
        services = self._services
        rows = await services.codes.page(viewer, CodeFilter(), window(MOST_FIRST, None, UUID))
        page_rows = rows[:MOST_FIRST]
        batches = await services.batches.find(viewer, [row.batch for row in page_rows if row.batch is not None])
        orders = await services.orders.find(viewer, [row.order for row in page_rows if row.order is not None])
        people = await services.contacts.find(viewer, [row.used_by for row in page_rows if row.used_by is not None])
        edges = []
        for row in page_rows:
            batch = None if row.batch is None else batches.get(row.batch)
            order = None if row.order is None else orders.get(row.order)
            contact = None if row.used_by is None else people.get(row.used_by)
            edges.append(
                {
                    "cursor": _cursor(row.id),
                    "node": {
                        "id": encode("AdvantageCode", row.id),
                        "code": shown(row),
                        "status": row.status,
                        "usedAt": None if row.used_at is None else row.used_at.isoformat(),
                        "batch": batch and {"id": encode("CodeBatch", batch.id), "state": batch.state},
                        "order": order and {"id": encode("Order", order.id)},
                        "usedBy": contact and {"id": encode("Contact", contact.id), "code": contact.code},
                    },
                }
            )
        page = {"hasNextPage": len(rows) > MOST_FIRST, "endCursor": edges[-1]["cursor"] if edges else None}
        answer = {"data": {"codes": {"edges": edges, "pageInfo": page}}}
        return Response(orjson.dumps(answer), media_type="application/json")


def _cursor(key: UUID) -> str:
    return urlsafe_b64encode(str(key).encode()).decode()


def _line(sent: dict[str, Any]) -> LineRequest:
    return LineRequest(
        performance=decode(sent["performanceId"], "Performance", path=()),
        product=None,
        seat_category=decode(sent["seatCategoryId"], "SeatCategory", path=()),
        audience_sub_category=decode(sent["audienceSubCategoryId"], "AudienceSubCategory", path=()),
        quantity=sent["quantity"],
    )


class _Price:
    """Writes a price out."""

    def __init__(self, catalogue: Catalogue, context: Context) -> None:
        self._catalogue = catalogue
        self._language = context.language
        self._currency = catalogue.organisation.currency

    def pricing(self, of: result.Pricing) -> dict[str, Any]:
        return {
            "lines": [self._line(each) for each in of.lines],
            "codes": [self._code(each) for each in of.codes],
            "subtotal": self._money(of.subtotal),
            "advantageDiscount": self._money(of.advantage_discount),
            "promotionDiscount": self._money(of.promotion_discount),
            "processingFee": self._money(of.processing_fee),
            "deliveryFee": self._money(of.delivery_fee),
            "total": self._money(of.total),
            "balanceUsed": self._money(of.balance_used),
            "amountDue": self._money(of.amount_due),
        }

    def _money(self, minor: int) -> dict[str, str]:
        return {"amount": format(to_decimal(minor, self._currency), "f"), "currency": self._currency}

    def _named(self, kind: str, row: Any) -> dict[str, str]:
        return {"id": encode(kind, row.id), "code": row.code, "name": localised(row.name, self._language)}

    def _line(self, of: result.PricedLine) -> dict[str, Any]:
        catalogue, kind = self._catalogue, of.kind
        performance = None if kind.performance is None else catalogue.performances[kind.performance]
        seat = kind.seat_category
        zone = ZoneInfo(catalogue.organisation.timezone)
        return {
            "product": self._named("Product", catalogue.products[kind.product]),
            "performance": performance
            and {
                "id": encode("Performance", performance.id),
                "code": performance.code,
                "startsAt": at_home(performance.starts_at, zone).isoformat(),
            },
            "seatCategory": None if seat is None else self._named("SeatCategory", catalogue.seat_categories[seat]),
            "audienceSubCategory": self._named(
                "AudienceSubCategory", catalogue.audience_sub_categories[kind.audience_sub_category]
            ),
            "quantity": len(of.tickets),
            "tickets": [self._ticket(each) for each in of.tickets],
            "total": self._money(of.total),
        }

    def _ticket(self, of: result.PricedTicket) -> dict[str, Any]:
        return {
            "fullPrice": self._money(of.full_price),
            "advantage": None if of.advantage is None else self._offer(of.advantage),
            "advantagePrice": self._money(of.advantage_price),
            "promotionShare": self._money(of.promotion_share),
            "price": self._money(of.price),
        }

    def _offer(self, key: UUID) -> dict[str, Any]:
        details = self._catalogue.offer_details[key]
        name = localised(details.public_name, self._language)
        kind = "PromotionalCode" if isinstance(details.offer, offers.PromotionalCode) else "Advantage"
        return {"id": encode(kind, key), "code": details.offer.code, "publicName": name}

    def _code(self, of: result.PricedCode) -> dict[str, Any]:
        reader = Reader(self._catalogue, self._language, datetime.now(UTC), reads_records=False)
        refused = refusals(of.refusals, reader)
        return {
            "code": of.text,
            "offer": None if of.offer is None else self._offer(of.offer),
            "applied": of.applied,
            "discount": self._money(of.discount),
            "refusals": [
                {"code": each.code, "required": each.required, "actual": each.actual, "message": each.message()}
                for each in refused
            ],
        }
