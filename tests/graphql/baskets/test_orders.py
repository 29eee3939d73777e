"""Orders: found by all that staff know of one, a contact's own by them, and what they give back."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Client, Shop
from tests.wire import Json, JsonObject

from services.core.viewer import StaffRole

SEATS = ("HELENE-1217", "CAT1", "FULL", 1)


@dataclass
class Sales:
    """Somebody who sells at the counter, and what they sold."""

    server: Server
    office: BackOffice = field(init=False)
    counter: Shop = field(init=False)

    def __post_init__(self) -> None:
        self.office = BackOffice(self.server)
        self.counter = Shop(self.server, self.server.staff)

    async def sold(self, contact: str | None = None, **others: Json) -> Json:
        """An order of one seat, for the contact with this code."""
        key = None if contact is None else await self.office.contact_id(contact)
        return await self.sold_to(self.counter, contactId=key, **others)

    async def sold_to(self, shop: Shop, *codes: str, payment: str | None = None, **others: Json) -> Json:
        basket = (await shop.basket(SEATS, **others))["id"]
        for code in codes:
            applied = await shop.apply(basket, code)
            assert applied["__typename"] == "AdvantageCodeApplied", applied
        order = await shop.confirm(basket, paymentReference=payment)
        assert order["__typename"] == "Order", order
        return order

    async def found(self, token: str | None = None, **wanted: Json) -> list[str]:
        """The numbers of the orders that are found, as the screen of orders asks for them."""
        data = await Client(self.server, "counter", token or self.server.staff).ask("Orders", **wanted)
        return [edge["node"]["number"] for edge in data["orders"]["edges"]]

    async def cancelled(self, order: str, **others: Json) -> Json:
        wanted = {"orderId": order, **others}
        data = await Client(self.server, "counter", self.server.staff).ask("CancelOrder", input=wanted)
        return data["cancelOrder"]

    async def at(self, order: Json, instant: datetime) -> None:
        """Lets the order have been confirmed then."""
        wanted = {"number": order["number"], "at": instant}
        async with self.server.own.sessions.writing() as connection:
            [key] = await connection.scalars(text("SELECT id FROM orders WHERE number = :number"), wanted)
            for statement in (
                "UPDATE orders SET confirmed_at = :at WHERE id = :id",
                "UPDATE order_subjects SET confirmed_at = :at WHERE order_id = :id",
            ):
                await connection.execute(text(statement), {"id": key, "at": instant})


@pytest.fixture
def sales(server: Server) -> Sales:
    return Sales(server)


async def test_staff_find_orders_by_all_that_they_know_of_one(sales: Sales) -> None:
    [code] = await sales.office.codes(1, offerId=await sales.office.offer_id("PROMOTYD"))
    nobodys = await sales.sold()
    blandines = await sales.sold("BLANDINE")
    with_code = await sales.sold_to(Shop(sales.server), code)
    everything = [order["number"] for order in (with_code, blandines, nobodys)]
    assert await sales.found() == everything
    assert await sales.found(number=blandines["number"]) == [blandines["number"]]
    assert await sales.found(number=f" {int(blandines['number'])}\n") == [blandines["number"]]
    assert await sales.found(number="98765432") == []
    assert await sales.found(number="none") == []
    barcode = nobodys["tickets"][0]["barcode"]
    assert await sales.found(barcode=f" {barcode.lower()}\r\n") == [nobodys["number"]]
    assert await sales.found(barcode="0" * 20) == []
    assert await sales.found(contactId=await sales.office.contact_id("BLANDINE")) == [blandines["number"]]
    assert await sales.found(contactId=await sales.office.contact_id("TYD")) == []
    assert await sales.found(offerId=await sales.office.offer_id("PROMOTYD")) == [with_code["number"]]
    assert await sales.found(offerId=await sales.office.offer_id("STAFFTYD")) == []
    assert await sales.found(codeText=code.lower().replace(" ", "-")) == [with_code["number"]]
    assert await sales.found(codeText="NOBODY KNOWS IT") == []


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("blandine", ["BLANDINE"]),
        ("de DAIN", ["BLANDINE"]),
        (" nouveau@example ", ["NOUVEAU"]),
        ("@example.org", ["NOUVEAU", "BLANDINE"]),
        ("@", ["NOUVEAU", "BLANDINE"]),
        ("ve", ["NOUVEAU"]),
        ("q", []),
        ("100%", []),
        ("_", []),
        ("  ", ["NOUVEAU", "BLANDINE", None]),
        ("", ["NOUVEAU", "BLANDINE", None]),
    ],
)
async def test_a_search_finds_a_part_of_the_contacts_name_or_address(
    sales: Sales, part: str, found: list[str | None]
) -> None:
    orders = {contact: await sales.sold(contact) for contact in (None, "BLANDINE", "NOUVEAU")}
    assert await sales.found(search=part) == [orders[contact]["number"] for contact in found]


async def test_a_search_finds_a_part_of_the_number(sales: Sales) -> None:
    first, second = await sales.sold(), await sales.sold("BLANDINE")
    for length in (8, 7, 3, 2, 1):
        wanted = [order["number"] for order in (second, first) if first["number"][-length:] in order["number"]]
        assert await sales.found(search=first["number"][-length:]) == wanted


async def test_all_that_is_asked_for_must_hold(sales: Sales) -> None:
    first, second = await sales.sold("BLANDINE"), await sales.sold("BLANDINE")
    assert (await sales.cancelled(first["id"]))["state"] == "CANCELLED"
    blandine = await sales.office.contact_id("BLANDINE")
    offer = second["tickets"][0]["advantage"]
    assert offer is not None
    by_offer = await sales.office.offer_id("OPENING")
    for leading in ({"contactId": blandine}, {"search": "Blandine"}, {"search": first["number"][:4]}, {}):
        assert await sales.found(**leading, state="CANCELLED") == [first["number"]]
        assert await sales.found(**leading, state="CONFIRMED") == [second["number"]]
    nobody = await sales.office.contact_id("NOUVEAU")
    assert await sales.found(contactId=nobody, search="Blandine") == []
    assert await sales.found(contactId=nobody, number=first["number"]) == []
    assert await sales.found(contactId=nobody, barcode=first["tickets"][0]["barcode"]) == []
    assert await sales.found(offerId=by_offer, contactId=nobody) == []


async def test_orders_are_found_by_when_they_were_confirmed(sales: Sales) -> None:
    orders = [await sales.sold("BLANDINE") for _ in range(3)]
    days = [datetime(2026, 10, day, 12, tzinfo=UTC) for day in (24, 25, 26)]
    # The last that was made is the first that was confirmed.
    for order, day in zip(reversed(orders), days, strict=True):
        await sales.at(order, day)
    third, second, first = [order["number"] for order in orders]
    assert await sales.found() == [third, second, first]
    since = {"from": days[1].isoformat()}
    assert await sales.found(**since) == [third, second]
    assert await sales.found(until=days[1].isoformat()) == [first]
    assert await sales.found(**since, until=days[2].isoformat(), search="blandine") == [second]
    assert await sales.found(
        **since, until=days[2].isoformat(), contactId=await sales.office.contact_id("BLANDINE")
    ) == [second]
    assert await sales.found(**{"from": days[2].isoformat()}, until=days[0].isoformat()) == []
    # Where the calendar ends, too.
    assert await sales.found(**{"from": "0001-01-01T00:00:00+14:00"}, until="9999-12-31T23:59:59-14:00") == [
        third,
        second,
        first,
    ]


async def test_pages_of_orders_follow_on_each_other(sales: Sales) -> None:
    orders = [await sales.sold("BLANDINE") for _ in range(5)]
    # Two of one instant are told apart.
    for order in orders[1:4]:
        await sales.at(order, NOW)
    everything = await sales.found(first=100)
    assert len(everything) == 5
    blandine = await sales.office.contact_id("BLANDINE")
    counter = Client(sales.server, "counter", sales.server.staff)
    for filters in ({}, {"contactId": blandine}, {"search": "blandine"}, {"state": "CONFIRMED"}):
        walked: list[str] = []
        after = None
        while True:
            page = (await counter.ask("Orders", **filters, first=2, after=after))["orders"]
            walked += [edge["node"]["number"] for edge in page["edges"]]
            after = page["pageInfo"]["endCursor"]
            assert page["totalCount"] == 5
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert walked == everything, filters


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"search": "x" * 201}, ["search"]),
        ({"search": "\u0000"}, ["search"]),
        ({"number": "\u0000"}, ["number"]),
        ({"barcode": "7" * 500}, ["barcode"]),
        ({"codeText": " - "}, ["codeText"]),
        ({"contactId": "nobody"}, ["contactId"]),
        ({"offerId": "nothing"}, ["offerId"]),
        ({"after": "nowhere"}, ["after"]),
        # A place without an offset.
        ({"after": "MjAyNi0wMS0wMVQwMDowMDowMCAwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA="}, ["after"]),
        ({"first": 101}, ["first"]),
    ],
)
async def test_what_cannot_be_looked_for_is_said(sales: Sales, wanted: JsonObject, path: list[str]) -> None:
    answer = await Client(sales.server, "counter", sales.server.staff).send("Orders", **wanted)
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT", error
    assert [problem["path"] for problem in error["extensions"]["problems"]] == [path]


async def test_a_contact_finds_their_own_orders_the_last_one_first(sales: Sales) -> None:
    server = sales.server
    mine = Shop(server, server.contact)
    first, second = await sales.sold_to(mine), await sales.sold("BLANDINE")
    others, nobodys = await sales.sold("NOUVEAU"), await sales.sold()
    own = [second["number"], first["number"]]
    assert await sales.found(server.contact) == own
    assert await sales.found(server.contact, search=first["number"]) == [first["number"]]
    for order in (others, nobodys):
        assert await sales.found(server.contact, number=order["number"]) == []
        assert await sales.found(server.contact, barcode=order["tickets"][0]["barcode"]) == []
    assert await sales.found(server.contact, contactId=await sales.office.contact_id("NOUVEAU")) == []
    data = (await mine.ask("MyOrders", first=1))["viewer"]["orders"]
    assert data["totalCount"] == 2
    assert [edge["node"]["number"] for edge in data["edges"]] == own[:1]
    data = (await mine.ask("MyOrders", first=1, after=data["pageInfo"]["endCursor"]))["viewer"]["orders"]
    assert [edge["node"]["number"] for edge in data["edges"]] == own[1:]
    assert not data["pageInfo"]["hasNextPage"]


async def test_who_has_no_orders_is_told_so(sales: Sales) -> None:
    await sales.sold()
    server = sales.server
    control = await server.own.credentials.staff_token(
        "theatre", [StaffRole.CONTROL], NOW + timedelta(hours=1), point_of_sale="HALL", name="eve"
    )
    for token in (server.shopper, control):
        answer = await Client(server, "counter", token).send("Orders")
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert (await Shop(server, token).ask("MyOrders"))["viewer"]["orders"] is None
    assert await sales.found(server.partner) == []


async def test_the_printed_number_names_an_order(sales: Sales) -> None:
    server = sales.server
    order, nobodys = await sales.sold("BLANDINE"), await sales.sold()
    for token in (server.staff, server.contact):
        for written in (order["number"], f" {order['number']} ", str(int(order["number"]))):
            found = await Shop(server, token).ask("Order", id=written)
            assert found["order"]["id"] == order["id"]
    # Whoever counts finds no orders of others, nor those of nobody.
    for token, hidden in ((server.contact, nobodys), (server.shopper, nobodys), (server.partner, order)):
        assert (await Shop(server, token).ask("Order", id=hidden["number"]))["order"] is None
    assert (await Shop(server).ask("Order", id=nobodys["id"]))["order"]["number"] == nobodys["number"]
    answer = await Shop(server).send("Order", id="no number")
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_an_order_is_cancelled_by_its_printed_number(sales: Sales) -> None:
    order = await sales.sold("BLANDINE")
    cancelled = await sales.cancelled(order["number"], idempotencyKey="k")
    assert (cancelled["id"], cancelled["state"]) == (order["id"], "CANCELLED")
    # Whichever way it is named, it is the same request.
    assert (await sales.cancelled(order["id"], idempotencyKey="k"))["state"] == "CANCELLED"
    unknown = await sales.cancelled("98765432")
    assert (unknown["__typename"], unknown["path"]) == ("NotFound", ["orderId"])
    wanted = {"orderId": (await sales.sold())["number"]}
    data = await Client(sales.server, "counter", sales.server.shopper).ask("CancelOrder", input=wanted)
    assert data["cancelOrder"]["__typename"] == "NotFound"


async def test_an_order_says_how_it_was_sold_and_how_it_was_cancelled(sales: Sales) -> None:
    mode = (await sales.counter.ask("Season"))["deliveryModes"][0]
    advantage = await sales.office.offer_id("OPENING")
    order = await sales.sold(
        "BLANDINE", payment="PAY-1", deliveryModeId=mode["id"], useBalance=True, advantageIds=[advantage]
    )
    plain = await sales.sold("BLANDINE")
    assert order["pointOfSale"]["code"] == "HALL"
    assert order["deliveryMode"]["code"] == mode["code"]
    assert (order["useBalance"], order["advantageIds"], order["paymentReference"]) == (True, [advantage], "PAY-1")
    assert (plain["deliveryMode"], plain["useBalance"], plain["advantageIds"]) == (None, False, None)
    assert (order["cancelledAt"], order["cancelledBy"], order["cancellationReason"]) == (None, None, None)
    await sales.cancelled(order["id"], reason="rain")
    seen = (await sales.counter.ask("Order", id=order["id"]))["order"]
    assert datetime.fromisoformat(seen["cancelledAt"]) >= datetime.fromisoformat(order["confirmedAt"])
    assert (seen["cancelledBy"], seen["cancellationReason"]) == ("staff:ada", "rain")
    # Whose order it is learns when and why, not which member of the staff did it.
    mine = (await Shop(sales.server, sales.server.contact).ask("Order", id=order["id"]))["order"]
    assert (mine["cancelledAt"], mine["cancelledBy"], mine["cancellationReason"]) == (seen["cancelledAt"], None, "rain")


async def test_a_basket_says_how_it_is_to_be_sold(sales: Sales) -> None:
    mode = (await sales.counter.ask("Season"))["deliveryModes"][0]
    advantage = await sales.office.offer_id("OPENING")
    shop = Shop(sales.server, sales.server.contact)
    wanted = {"deliveryModeId": mode["id"], "useBalance": True, "advantageIds": [advantage]}
    made = await shop.basket(SEATS, **wanted)
    for basket in (made, (await shop.ask("Basket", id=made["id"]))["basket"]):
        assert basket["pointOfSale"]["code"] == "SHOP"
        assert basket["deliveryMode"]["code"] == mode["code"]
        assert (basket["useBalance"], basket["advantageIds"]) == (True, [advantage])
    change = {"basketId": made["id"], "deliveryModeId": None, "useBalance": False, "advantageIds": None}
    changed = (await shop.ask("UpdateBasket", input=change))["updateBasket"]
    assert (changed["deliveryMode"], changed["useBalance"], changed["advantageIds"]) == (None, False, None)


async def test_an_order_that_used_a_code_is_found_by_it_after_it_was_cancelled(sales: Sales) -> None:
    offer = await sales.office.offer_id("PROMOTYD")
    [code] = await sales.office.codes(1, offerId=offer)
    first = await sales.sold_to(Shop(sales.server, sales.server.contact), code)
    await sales.cancelled(first["number"])
    second = await sales.sold_to(Shop(sales.server), code)
    both = [second["number"], first["number"]]
    assert await sales.found(codeText=code) == both
    assert await sales.found(offerId=offer, codeText=code) == both
    assert await sales.found(offerId=offer, state="CANCELLED") == [first["number"]]
    assert await sales.found(codeText=code, contactId=await sales.office.contact_id("BLANDINE")) == [first["number"]]
    assert await sales.found(codeText=code, contactId=await sales.office.contact_id("NOUVEAU")) == []
    assert await sales.found(sales.server.contact, codeText=code) == [first["number"]]


async def test_numbers_go_on_past_eight_digits(sales: Sales) -> None:
    async with sales.server.own.sessions.writing() as connection:
        await connection.execute(text("SELECT setval('order_numbers', 123456788)"))
    orders = [await sales.sold() for _ in range(2)]
    assert [order["number"] for order in orders] == ["123456789", "123456790"]
    assert await sales.found(number="123456790") == ["123456790"]


async def test_orders_of_a_contact_are_theirs_in_any_list_of_contacts(sales: Sales) -> None:
    orders = [await sales.sold("BLANDINE") for _ in range(2)]
    data = await Client(sales.server, "counter", sales.server.staff).ask("FindContacts", search="example.org")
    found = {edge["node"]["code"]: edge["node"] for edge in data["contacts"]["edges"]}
    assert [edge["node"]["number"] for edge in found["BLANDINE"]["orders"]["edges"]] == [
        orders[1]["number"],
        orders[0]["number"],
    ]
    assert found["BLANDINE"]["orders"]["totalCount"] == 2
    assert found["NOUVEAU"]["orders"] == {"edges": [], "totalCount": 0}
