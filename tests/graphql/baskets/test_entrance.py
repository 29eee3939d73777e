"""What tickets admit to, and what a gate makes of them."""

import json
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.back_door import touch
from tests.conftest import NOW, Server
from tests.counting import counted
from tests.graphql.operations import BackOffice, Client, Shop
from tests.ledger import breaches
from tests.wire import Json, JsonObject

from resolvers.runtime.ids import encode
from services.core.viewer import StaffRole

OPERA = ("HELENE-1217", "CAT1", "FULL", 1)
CONCERT = ("ZINMAN-0119", "CAT1", "FULL", 1)
STARTS = datetime.fromisoformat("2026-12-17T20:00:00+01:00")
PASS = ("PASS", None, "FULL", 1)


class Gate(Client):
    """A device at the entrance of a performance or product, or of any."""

    def __init__(self, server: Server, performance: str | None = None, product: str | None = None) -> None:
        super().__init__(server, "counter", server.staff)
        self._server = server
        self._at = {"performance": performance, "product": product}

    async def scan(self, barcode: str, **others: Json) -> Json:
        named: JsonObject = {}
        shop = Shop(self._server)
        for edge in (await shop.ask("Products", first=100))["products"]["edges"]:
            product = edge["node"]
            if product["code"] == self._at["product"]:
                named["productId"] = product["id"]
            for each in product["performances"]["edges"]:
                if each["node"]["code"] == self._at["performance"]:
                    named["performanceId"] = each["node"]["id"]
        assert len(named) == sum(each is not None for each in self._at.values())
        self._token = await self._server.own.credentials.staff_token(
            "theatre", list(StaffRole), self._server.clock.now + timedelta(hours=1), point_of_sale="HALL", name="ada"
        )
        return (await self.ask("ControlTicket", input={"barcode": barcode, **named, **others}))["controlTicket"]


async def sold(server: Server, *lines: tuple[str, str | None, str, int], token: str | None = None) -> list[Json]:
    shop = Shop(server, token)
    order = await shop.confirm((await shop.basket(*lines))["id"])
    tickets: list[Json] = order["tickets"]
    return tickets


async def execute(server: Server, statement: str, **values: object) -> None:
    async with server.own.sessions.writing() as connection:
        await connection.execute(text(statement), values)
    await touch(server.own.sessions)


def reason(refused: Json) -> tuple[str, str]:
    assert refused["__typename"] == "Conflict", refused
    return refused["code"], refused["ticket"]["reason"]


# ── What a ticket says ───────────────────────────────────────────────────────────────────────────

TICKET = """
    id barcode fullPrice { amount } price { amount } advantage { code } product { code family } performance { code startsAt }
    seatCategory { code } audienceSubCategory { code } order { number state } contact { code } cancelledAt controlledAt
    entries entriesAllowed
"""


async def test_a_ticket_says_what_it_admits_to_and_what_it_cost(server: Server) -> None:
    shop = Shop(server, server.contact)
    order = await shop.confirm((await shop.basket(CONCERT))["id"])
    document = f"query ($id: ID!) {{ node(id: $id) {{ ... on Ticket {{ {TICKET} }} }} }}"
    asked = {"id": order["tickets"][0]["id"]}
    for token in (server.contact, server.staff):
        ticket = (await server.ask(document, asked, token=token))["data"]["node"]
        assert ticket == {
            "id": order["tickets"][0]["id"],
            "barcode": order["tickets"][0]["barcode"],
            "fullPrice": {"amount": "48.00"},
            "price": {"amount": "43.00"},
            "advantage": {"code": "OPENING"},
            "product": {"code": "ZINMAN", "family": "EVENT"},
            "performance": {"code": "ZINMAN-0119", "startsAt": ticket["performance"]["startsAt"]},
            "seatCategory": {"code": "CAT1"},
            "audienceSubCategory": {"code": "FULL"},
            "order": {"number": order["number"], "state": "CONFIRMED"},
            "contact": {"code": "BLANDINE"},
            "cancelledAt": None,
            "controlledAt": None,
            "entries": 0,
            "entriesAllowed": 1,
        }


@pytest.mark.parametrize("who", ["shopper", "partner"])
async def test_a_contacts_ticket_is_nobody_elses(server: Server, who: str) -> None:
    [ticket] = await sold(server, CONCERT, token=server.contact)
    document = "query ($id: ID!) { node(id: $id) { id } }"
    answer = await server.ask(document, {"id": ticket["id"]}, token=getattr(server, who))
    assert answer["data"] == {"node": None}


async def test_ten_tickets_cost_as_many_queries_as_two(server: Server) -> None:
    document = f"query ($id: ID!) {{ order(id: $id) {{ tickets {{ {TICKET} }} }} }}"
    counts = []
    for number in (1, 9):
        shop = Shop(server, server.contact)
        order = await shop.confirm((await shop.basket((*OPERA[:3], number), CONCERT))["id"])
        await server.ask(document, {"id": order["id"]}, token=server.contact)
        with counted(server.own.sessions) as statements:
            answer = await server.ask(document, {"id": order["id"]}, token=server.contact)
        assert len(answer["data"]["order"]["tickets"]) == number + 1
        counts.append(len(statements))
    assert counts[0] == counts[1]


# ── The gate ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_gate_lets_in_the_tickets_of_its_own_performance(server: Server) -> None:
    server.clock.now = STARTS
    [ticket] = await sold(server, OPERA)
    scanned = await Gate(server, performance="HELENE-1217").scan(ticket["barcode"])
    assert (scanned["__typename"], scanned["entries"], scanned["performance"]["code"]) == ("Ticket", 1, "HELENE-1217")


async def test_a_ticket_for_another_performance_is_told_which(server: Server) -> None:
    server.clock.now = STARTS
    [ticket] = await sold(server, CONCERT)
    refused = await Gate(server, performance="HELENE-1217").scan(ticket["barcode"])
    assert reason(refused) == ("WRONG_PERFORMANCE", "WRONG_PERFORMANCE")
    assert datetime.fromisoformat(refused["ticket"]["startsAt"]).date().isoformat() == "2027-01-19"
    assert "19 January 2027 at 20:30 (GMT+01:00)" in refused["message"]


async def test_a_ticket_for_another_product_is_told_which(server: Server) -> None:
    [ticket] = await sold(server, CONCERT)
    refused = await Gate(server, product="HELENE").scan(ticket["barcode"])
    assert reason(refused) == ("WRONG_PERFORMANCE", "WRONG_PRODUCT")
    assert "Zinman" in refused["message"]


@pytest.mark.parametrize("gate", [{"performance": "HELENE-1217"}, {"product": "HELENE"}])
@pytest.mark.parametrize(
    ("minutes", "answer"),
    [
        (-180, "Ticket"),
        (1440, "Ticket"),
        (-181, "TOO_EARLY"),
        (1441, "TOO_LATE"),
    ],
)
async def test_a_gate_lets_in_from_three_hours_before_the_start_to_a_day_after_it(
    server: Server, gate: dict[str, str], minutes: int, answer: str
) -> None:
    [ticket] = await sold(server, OPERA)
    server.clock.now = STARTS + timedelta(minutes=minutes)
    scanned = await Gate(server, **gate).scan(ticket["barcode"])
    if answer == "Ticket":
        assert scanned["__typename"] == answer
        return
    assert reason(scanned) == ("OUTSIDE_ENTRY_TIME", answer)
    opens, closes = (datetime.fromisoformat(scanned["ticket"][each]) for each in ("entryOpensAt", "entryClosesAt"))
    assert (opens, closes) == (STARTS - timedelta(hours=3), STARTS + timedelta(days=1))


async def test_an_organisation_says_when_its_gates_open_and_close(server: Server) -> None:
    [ticket] = await sold(server, OPERA)
    await execute(server, "UPDATE organisations SET entry_opens_minutes = 30, entry_closes_minutes = 10")
    gate = Gate(server, performance="HELENE-1217")
    told = []
    for minutes in (-31, 11, -30):
        server.clock.now = STARTS + timedelta(minutes=minutes)
        answer = await gate.scan(ticket["barcode"])
        told.append(answer["ticket"]["reason"] if "ticket" in answer else answer["__typename"])
    assert told == ["TOO_EARLY", "TOO_LATE", "Ticket"]


async def test_a_gate_that_is_not_named_admits_at_any_time(server: Server) -> None:
    [ticket] = await sold(server, OPERA)
    assert (await Gate(server).scan(ticket["barcode"]))["__typename"] == "Ticket"


async def test_a_ticket_that_is_in_says_when_where_and_by_whom(server: Server) -> None:
    [ticket] = await sold(server, OPERA)
    scanned = await Gate(server).scan(ticket["barcode"])
    refused = await Gate(server).scan(ticket["barcode"])
    assert reason(refused) == ("ALREADY_CONTROLLED", "ALREADY_CONTROLLED")
    facts = refused["ticket"]
    assert (facts["controlledAt"], facts["controlledBy"]) == (scanned["controlledAt"], "staff:ada")
    assert facts["controlledAtPointOfSale"] == "Hall counter"


async def test_a_ticket_of_a_cancelled_order_says_so(server: Server) -> None:
    shop, gate = Shop(server), Gate(server)
    order = await shop.confirm((await shop.basket(OPERA))["id"])
    await gate.ask("CancelOrder", input={"orderId": order["id"]})
    refused = await gate.scan(order["tickets"][0]["barcode"])
    assert reason(refused) == ("TICKET_CANCELLED", "ORDER_CANCELLED")
    assert refused["ticket"]["cancelledAt"] is not None


async def test_a_cancelled_ticket_says_so_and_the_others_are_let_in(server: Server) -> None:
    shop, gate = Shop(server), Gate(server)
    order = await shop.confirm((await shop.basket((*OPERA[:3], 2)))["id"])
    first, second = order["tickets"]
    await gate.ask("CancelTickets", input={"orderId": order["id"], "ticketIds": [first["id"]]})
    assert reason(await gate.scan(first["barcode"])) == ("TICKET_CANCELLED", "TICKET_CANCELLED")
    assert (await gate.scan(second["barcode"]))["__typename"] == "Ticket"


@pytest.mark.parametrize("field", ["performanceId", "productId"])
async def test_a_gate_of_nothing_known_is_told_so(server: Server, field: str) -> None:
    kind = "Performance" if field == "performanceId" else "Product"
    [ticket] = await sold(server, OPERA)
    unknown = encode(kind, UUID(int=7))
    refused = await Gate(server).scan(ticket["barcode"], **{field: unknown})
    assert (refused["__typename"], refused["code"]) == ("NotFound", "NOT_FOUND")


# ── Entries ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_pass_lets_in_as_often_as_its_product_allows_and_is_controlled_once(
    server: Server, loaded_url: str
) -> None:
    office, gate = BackOffice(server), Gate(server)
    await execute(server, "UPDATE products SET entries_allowed = 3 WHERE code = 'ZINMAN'")
    [ticket] = await sold(server, CONCERT)
    entries = [(await gate.scan(ticket["barcode"])).get("entries") for _ in range(3)]
    refused = await gate.scan(ticket["barcode"])
    assert entries == [1, 2, 3]
    assert reason(refused) == ("ALREADY_CONTROLLED", "ALREADY_CONTROLLED")
    assert (refused["ticket"]["entries"], refused["ticket"]["entriesAllowed"]) == (3, 3)
    assert refused["message"].startswith("All 3 entries of this ticket are used")
    data = await office.ask("BackOfficeOffers", first=100)
    [opening] = [each["node"] for each in data["advantages"]["edges"] if each["node"]["code"] == "OPENING"]
    assert opening["counts"]["ticketsControlled"] == 1
    assert await breaches(loaded_url) == []


async def test_a_key_counts_one_entry_however_often_it_is_sent(server: Server) -> None:
    gate = Gate(server)
    await execute(server, "UPDATE products SET entries_allowed = 3 WHERE code = 'ZINMAN'")
    [ticket] = await sold(server, CONCERT)
    first = await gate.scan(ticket["barcode"], idempotencyKey="a")
    assert await gate.scan(ticket["barcode"], idempotencyKey="a") == first
    assert (await gate.scan(ticket["barcode"], idempotencyKey="b"))["entries"] == 2


async def test_a_refusal_under_a_key_is_told_again_with_its_facts(server: Server) -> None:
    gate = Gate(server)
    [ticket] = await sold(server, OPERA)
    await gate.scan(ticket["barcode"])
    refused = await gate.scan(ticket["barcode"], idempotencyKey="a")
    assert refused["ticket"]["reason"] == "ALREADY_CONTROLLED"
    assert await gate.scan(ticket["barcode"], idempotencyKey="a") == refused


async def test_what_was_sold_before_keeps_the_entries_that_it_was_sold_with(server: Server) -> None:
    [ticket] = await sold(server, CONCERT)
    await execute(server, "UPDATE products SET entries_allowed = 3 WHERE code = 'ZINMAN'")
    assert (await Gate(server).scan(ticket["barcode"]))["entriesAllowed"] == 1
    [another] = await sold(server, CONCERT)
    assert (await Gate(server).scan(another["barcode"]))["entriesAllowed"] == 3


async def test_each_entry_leaves_an_audit_entry(server: Server) -> None:
    server.clock.now = STARTS
    [ticket] = await sold(server, OPERA)
    await Gate(server, performance="HELENE-1217").scan(ticket["barcode"])
    server.clock.now = NOW
    edges = (await BackOffice(server).ask("AuditLog", subjectId=ticket["id"]))["auditLog"]["edges"]
    assert [edge["node"]["action"] for edge in edges] == ["controlTicket"]
    assert json.loads(edges[0]["node"]["details"])["entry"] == 1
