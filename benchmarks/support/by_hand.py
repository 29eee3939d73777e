"""The peer of ``benchmarks.edge``: endpoints that do what an operation does, by the same services, without GraphQL."""

from typing import Any, Final
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from resolvers.runtime.context import Clock, Context, Services
from resolvers.runtime.ids import decode, encode
from services.baskets.basket_input import BasketRequest, LineRequest
from services.catalogue.snapshot import Catalogue
from services.codes.tracking import Filter
from services.core.money import to_decimal
from services.core.texts import localised
from services.pricing import result

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
