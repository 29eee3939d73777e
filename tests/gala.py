"""An organisation made for trouble: few codes, small limits on every level, and what its clients send."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
from tests.wire import Json, JsonObject

from db.core.keyset import Stretch
from db.core.sessions import Sessions
from resolvers.runtime.ids import encode
from services.access.credentials import Credentials
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import AudienceSubCategory, Catalogue, Performance, SeatCategory, by_code
from services.codes.batches import BatchState
from services.codes.download_links import DownloadLinks
from services.codes.format import display
from services.codes.generation import Generation
from services.codes.tracking import CodeFilter, Codes
from services.core.expiry import HeldNow
from services.core.mail import FolderMailer
from services.core.transactions import Transactions
from services.core.viewer import Audience, StaffRole, Viewer
from services.dataset import Datasets

SECRET = "a secret of thirty-two characters"
CODES = 60
CUSTOMERS = 8
ENDING = tuple(f"ENDING-{number}" for number in range(3))
"""Performances whose prices, advantage and coupon staff change, suspend, let expire, and close while they are sold."""
BALANCE = 100_000
"""Minor units that each customer has at first."""

_TICKETS = "tickets { advantage { code } promotionShare { amount } fullPrice { amount } price { amount } }"
_CODES = "codes { code applied refusals { code } }"
_PRICING = f"total {{ amount }} balanceUsed {{ amount }} lines {{ {_TICKETS} }} {_CODES}"
_BASKET = f"id state pricing {{ {_PRICING} }}"
_ORDER = "id number state pricing { total { amount } } tickets { id barcode price { amount } }"
_REFUSED = "... on CodeRefused { refusals { code } } ... on Failure { message }"
DOCUMENT = f"""
mutation createBasket($input: CreateBasketInput!) {{ answer: createBasket(input: $input) {{ __typename
    ... on Basket {{ {_BASKET} }} ... on Failure {{ message }} }} }}
mutation applyAdvantageCode($input: ApplyAdvantageCodeInput!) {{ answer: applyAdvantageCode(input: $input) {{ __typename
    ... on AdvantageCodeApplied {{ basket {{ {_BASKET} }} offer {{ id }} }} {_REFUSED} }} }}
mutation removeAdvantageCode($input: RemoveAdvantageCodeInput!) {{ answer: removeAdvantageCode(input: $input) {{ __typename
    ... on Basket {{ {_BASKET} }} ... on Failure {{ message }} }} }}
mutation updateBasket($input: UpdateBasketInput!) {{ answer: updateBasket(input: $input) {{ __typename
    ... on Basket {{ {_BASKET} }} {_REFUSED} }} }}
mutation cancelBasket($input: CancelBasketInput!) {{ answer: cancelBasket(input: $input) {{ __typename
    ... on Basket {{ {_BASKET} }} ... on Failure {{ message }} }} }}
mutation confirmBasket($input: ConfirmBasketInput!) {{ answer: confirmBasket(input: $input) {{ __typename
    ... on Order {{ {_ORDER} }} {_REFUSED} }} }}
mutation cancelOrder($input: CancelOrderInput!) {{ answer: cancelOrder(input: $input) {{ __typename
    ... on Order {{ {_ORDER} }} ... on Failure {{ message }} }} }}
mutation cancelTickets($input: CancelTicketsInput!) {{ answer: cancelTickets(input: $input) {{ __typename
    ... on Order {{ {_ORDER} }} ... on Failure {{ message code }} }} }}
mutation controlTicket($input: ControlTicketInput!) {{ answer: controlTicket(input: $input) {{ __typename
    ... on Ticket {{ id barcode controlledAt entries }} ... on Failure {{ message code }} }} }}
mutation invalidateCode($input: InvalidateCodeInput!) {{ answer: invalidateCode(input: $input) {{ __typename
    ... on AdvantageCode {{ id status }} ... on Failure {{ message }} }} }}
mutation changeOfferState($input: ChangeOfferStateInput!) {{ answer: changeOfferState(input: $input) {{ __typename
    ... on OfferStateChanged {{ offer {{ id state }} }} ... on Failure {{ message }} }} }}
mutation updateAdvantage($input: UpdateAdvantageInput!) {{ answer: updateAdvantage(input: $input) {{ __typename
    ... on Advantage {{ id }} ... on Failure {{ message }} }} }}
mutation updatePromotionalCode($input: UpdatePromotionalCodeInput!) {{ answer: updatePromotionalCode(input: $input) {{
    __typename ... on PromotionalCode {{ id }} ... on Failure {{ message }} }} }}
query basket($id: ID!) {{ answer: basket(id: $id) {{ __typename {_BASKET} order {{ id }} }} }}
"""


def document(now: datetime) -> JsonObject:
    """Its data file. Each performance has an offer of its own kind."""
    start = {"startsOn": (now - timedelta(days=30)).isoformat()}
    season = {"code": "S", "name": {"en": "S"}, **start, "endsOn": (now + timedelta(days=300)).isoformat()}
    prices = [
        {"seatCategory": seat, "audienceSubCategory": "FULL", "price": price}
        for seat, price in (("CAT1", "100.00"), ("CAT2", "50.00"))
    ]
    performances = [
        {"code": code, "startsAt": (now + timedelta(days=30)).isoformat(), "venue": "Hall", "prices": prices}
        for code in ("BY-CODE", "FEW", "ELEMENTS", "SHARES", "COUPONS", "PLAIN", *ENDING)
    ]

    def offer(code: str, **parts: Json) -> JsonObject:
        names = {"internalName": {"en": code}, "publicName": {"en": code}}
        return {"code": code, "state": "RUNNING", **names, **parts}

    def advantage(code: str, performance: str, **parts: Json) -> JsonObject:
        rest = {"targetType": "PUBLIC", "benefit": {"amountOff": "10.00"}, **parts}
        return offer(code, season="S", family="EVENT", scope={"performances": [performance]}, **rest)

    def coupon(code: str, limits: JsonObject, performance: str = "COUPONS", **custom: Json) -> JsonObject:
        customs = [{"code": f"{code}-CODE", **custom}]
        rest = {"benefit": {"amountOffPerTicket": "5.00"}, "combinable": True, "limits": limits, "customCodes": customs}
        return offer(code, scope={"performances": [performance]}, **rest)

    return {
        "organisation": {"code": "gala", "name": "Gala", "currency": "EUR", "timezone": "Europe/Paris"},
        "seasons": [season],
        "seatCategories": [{"code": code, "name": {"en": code}} for code in ("CAT1", "CAT2")],
        "audienceSubCategories": [{"code": "FULL", "name": {"en": "FULL"}}],
        "salesChannels": [
            {"code": code, "kind": kind, "name": {"en": code}, "pointsOfSale": [{"code": place, "name": {"en": place}}]}
            for code, kind, place in (("WEB", "INTERNET", "SHOP"), ("COUNTER", "BOX_OFFICE", "HALL"))
        ],
        "products": [
            {"code": "GALA", "season": "S", "family": "EVENT", "name": {"en": "Gala"}, "performances": performances}
        ],
        "contacts": [
            {"code": "MAKER", "kind": "STRUCTURE", "name": "Maker", "email": "maker@example.org"},
            *(
                {"code": f"C{number}", "kind": "INDIVIDUAL", "name": f"C{number}", "balance": f"{BALANCE // 100}.00"}
                for number in range(CUSTOMERS)
            ),
        ],
        "advantages": [
            advantage("CODES", "BY-CODE", targetType="SINGLE_USE_CODE", benefit={"percentOff": "50"}),
            advantage("FEW", "FEW", limits={"quota": 37}),
            advantage("ELEMENTS", "ELEMENTS", limits={"quota": 6, "elements": [{"seatCategory": "CAT1", "quota": 2}]}),
            advantage("SHARES", "SHARES", limits={"perContact": 3, "perOrder": 2}),
            *(advantage(code, code, benefit={"amountOff": "80.00"}) for code in ENDING),
        ],
        "promotionalCodes": [
            coupon("THIRTY-SEVEN", {"quota": 37}),
            coupon("TWO", {"elements": [{"seatCategory": "CAT1", "quota": 2}]}),
            coupon("FIVE-USES", {}, maxUses=5),
            *(coupon(code, {}, code) for code in ENDING),
        ],
        "batches": [
            {"code": "B", "advantage": "CODES", "contact": "MAKER", "quantity": CODES, "documentType": "NO_EMAIL"}
        ],
    }


@dataclass(frozen=True)
class Gala:
    """What clients know: tokens, ids on the wire by code, and every single-use code."""

    organisation: UUID
    shopper: str
    staff: str
    customers: tuple[str, ...]
    codes: tuple[str, ...]
    performances: Mapping[str, str]
    endings: Mapping[str, tuple[str, str]]
    """The advantage and the promotional code of each performance of ENDING."""
    seats: Mapping[str, str]
    tariff: str

    def line(self, performance: str, seat: str = "CAT1", quantity: int = 1) -> JsonObject:
        return {
            "performanceId": self.performances[performance],
            "seatCategoryId": self.seats[seat],
            "audienceSubCategoryId": self.tariff,
            "quantity": quantity,
        }


async def build(url: str) -> Gala:
    """Fills a migrated database, and tells what clients need."""
    now = datetime.now(UTC)
    sessions = Sessions(url, pool_size=2)
    try:
        loaded = await Datasets(sessions).load(document(now), now=now)
        transactions = Transactions(sessions, lambda _organisation, _subjects: None)
        generation = Generation(
            sessions, transactions, DownloadLinks(SECRET, "http://test"), FolderMailer(Path("/nowhere"))
        )
        for batch in loaded.made:
            while await generation.advance(loaded.organisation_id, batch, now) is not BatchState.DONE:
                pass
        viewer = Viewer(Audience.STAFF, loaded.organisation_id, "gala", "staff:x", roles=frozenset(StaffRole))
        made = CodeFilter(batch=loaded.batches["B"])
        codes = await Codes(HeldNow(sessions, transactions), transactions).page(viewer, made, Stretch(None, CODES))
        catalogue = await Catalogues(sessions).current(loaded.organisation_id)
        credentials = Credentials(sessions, SECRET)
        until = now + timedelta(hours=12)
        customers = [
            await credentials.contact_token("gala", f"C{number}", "SHOP", until) for number in range(CUSTOMERS)
        ]
        return Gala(
            organisation=loaded.organisation_id,
            shopper=await credentials.shopper_token("gala", "SHOP"),
            staff=await credentials.staff_token("gala", list(StaffRole), until, point_of_sale="HALL", name="ada"),
            customers=tuple(customers),
            codes=tuple(display(code.code) for code in codes),
            performances=_encoded("Performance", catalogue.performances),
            endings=_endings(catalogue),
            seats=_encoded("SeatCategory", catalogue.seat_categories),
            tariff=_encoded("AudienceSubCategory", catalogue.audience_sub_categories)["FULL"],
        )
    finally:
        await sessions.close()


def _encoded(kind: str, things: Mapping[UUID, Performance | SeatCategory | AudienceSubCategory]) -> Mapping[str, str]:
    """Ids on the wire by code."""
    return {code: encode(kind, thing.id) for code, thing in by_code(things).items()}


def _endings(catalogue: Catalogue) -> Mapping[str, tuple[str, str]]:
    ids = {
        (type(offer).__name__, offer.code): encode(type(offer).__name__, offer.id)
        for offer in catalogue.offers.values()
    }
    return {code: (ids["Advantage", code], ids["PromotionalCode", code]) for code in ENDING}


class Fault(Exception):  # noqa: N818 - an answer, not a bug of the client
    """The server said that something went wrong on its side: what became of the request is not known."""


async def send(client: httpx.AsyncClient, token: str, operation: str, variables: JsonObject) -> Json:
    """The answer to one operation of DOCUMENT. Raises Fault, or httpx.TransportError where the connection broke."""
    response = await client.post(
        "/graphql",
        content=json.dumps({"query": DOCUMENT, "operationName": operation, "variables": variables}),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    told = response.json()
    if "errors" not in told:
        return told["data"]["answer"]
    if told["errors"][0]["extensions"]["code"] in {"INTERNAL", "OVERLOADED", "UNAVAILABLE"}:
        raise Fault(told["errors"][0]["message"])
    raise AssertionError(told["errors"])
