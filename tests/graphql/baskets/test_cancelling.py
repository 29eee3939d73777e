"""Parts of orders are cancelled: what the preview says, what is given back, and what becomes of the rest."""

import json

import pytest
from sqlalchemy import text
from tests.back_door import change_offer, touch
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Client, Shop
from tests.ledger import breaches
from tests.wire import Json

OPERA = ("HELENE-1217", "CAT1", "FULL")
CONCERT = ("ZINMAN-0119", "CAT1", "FULL")


class Desk(Client):
    """Staff who cancel."""

    def __init__(self, server: Server, token: str | None = None) -> None:
        super().__init__(server, "counter", token or server.staff)

    async def preview(self, order: Json, *tickets: int) -> Json:
        ids = [order["tickets"][each]["id"] for each in tickets] if tickets else None
        data = await self.ask("CancellationPreview", orderId=order["id"], ticketIds=ids)
        return data["cancellationPreview"]

    async def cancel(self, order: Json, *tickets: int, **others: Json) -> Json:
        ids = [order["tickets"][each]["id"] for each in tickets]
        wanted = {"orderId": order["id"], "ticketIds": ids, **others}
        return (await self.ask("CancelTickets", input=wanted))["cancelTickets"]

    async def cancel_all(self, order: Json) -> Json:
        return (await self.ask("CancelOrder", input={"orderId": order["id"]}))["cancelOrder"]

    async def balance(self) -> str:
        [edge] = (await self.ask("FindContacts", search="BLANDINE"))["contacts"]["edges"]
        return str(edge["node"]["balance"]["amount"])


async def execute(server: Server, statement: str) -> None:
    async with server.own.sessions.writing() as connection:
        await connection.execute(text(statement))
    await touch(server.own.sessions)


async def anew(server: Server, *codes: str) -> None:
    for code in codes:
        await change_offer(server.own.sessions, code, cancellation_policy="ANEW")


async def sold(
    shop: Shop, *lines: tuple[str, str | None, str, int], codes: tuple[str, ...] = (), **others: Json
) -> Json:
    basket = await shop.basket(*lines, **others)
    for code in codes:
        applied = await shop.apply(basket["id"], code)
        assert applied["__typename"] == "AdvantageCodeApplied", applied
    return await shop.confirm(basket["id"])


async def status(server: Server, code: str) -> str:
    [edge] = (await BackOffice(server).ask("Codes", filter={"code": code}))["codes"]["edges"]
    return str(edge["node"]["status"])


async def offer(server: Server, code: str) -> Json:
    data = await BackOffice(server).ask("BackOfficeOffers", first=100)
    edges = data["advantages"]["edges"] + data["promotionalCodes"]["edges"]
    return next(edge["node"] for edge in edges if edge["node"]["code"] == code)


def amount(money: Json) -> str:
    return str(money["amount"])


def same(preview: Json, cancelled: Json) -> None:
    """The act did what the preview had said."""
    assert cancelled["__typename"] == "Order", cancelled
    done = cancelled["cancellations"][-1]
    for name in ("policy", "givenBack", "forTickets", "forFees", "toBalance", "toPayment"):
        assert done[name] == preview[name]
    now = {ticket["id"]: ticket for ticket in cancelled["tickets"]}
    for each in preview["tickets"]:
        ticket = now[each["ticket"]["id"]]
        assert (ticket["givenBack"], ticket["cancelledAt"] is not None) == (each["givenBack"], True)
    for each in preview["staying"]:
        ticket = now[each["ticket"]["id"]]
        assert (ticket["price"], ticket["cancelledAt"]) == (each["price"], None)
    assert cancelled["remaining"]["total"] == preview["remaining"]["total"]
    assert cancelled["remaining"]["balanceUsed"] == preview["remaining"]["balanceUsed"]


# ── KEEP ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_tickets_that_stay_keep_their_prices_and_each_cancelled_one_gives_back_what_it_cost(
    server: Server, loaded_url: str
) -> None:
    shop, desk = Shop(server), Desk(server)
    order = await sold(shop, (*OPERA, 2), (*CONCERT, 2), codes=("MERCI10",))
    prices = [amount(ticket["price"]) for ticket in order["tickets"]]
    preview = await desk.preview(order, 0, 3)
    assert [amount(each["givenBack"]) for each in preview["tickets"]] == [prices[0], prices[3]]
    assert [amount(each["price"]) for each in preview["staying"]] == [prices[1], prices[2]]
    assert (preview["policy"], amount(preview["forFees"])) == ("KEEP", "0.00")
    cancelled = await desk.cancel(order, 0, 3)
    same(preview, cancelled)
    assert cancelled["state"] == "CONFIRMED"
    assert await breaches(loaded_url) == []


async def test_part_by_part_comes_to_what_the_whole_would_have(server: Server, loaded_url: str) -> None:
    shop, desk = Shop(server, server.contact), Desk(server)
    before = await desk.balance()
    order = await sold(shop, (*OPERA, 1), (*CONCERT, 3), codes=("MERCI10",), useBalance=True)
    used, total = amount(order["pricing"]["balanceUsed"]), amount(order["pricing"]["total"])
    assert float(used) < float(total)
    whole = await desk.preview(order)
    given = []
    for each in range(4):
        preview = await desk.preview(order, each)
        cancelled = await desk.cancel(order, each)
        same(preview, cancelled)
        given.append(cancelled["cancellations"][-1])
    assert sum(round(float(amount(each["givenBack"])) * 100) for each in given) == round(float(total) * 100)
    assert sum(round(float(amount(each["toBalance"])) * 100) for each in given) == round(float(used) * 100)
    assert (amount(whole["givenBack"]), amount(whole["toBalance"])) == (total, used)
    assert (cancelled["state"], await desk.balance()) == ("CANCELLED", before)
    assert await breaches(loaded_url) == []


async def test_what_is_given_back_goes_where_it_came_from_in_proportion(server: Server) -> None:
    shop, desk = Shop(server, server.contact), Desk(server)
    await execute(server, "UPDATE contacts SET balance = 10000 WHERE code = 'BLANDINE'")
    await execute(server, "UPDATE offers SET state = 'SUSPENDED'")
    order = await sold(shop, (*OPERA, 2), useBalance=True)
    assert (amount(order["pricing"]["total"]), amount(order["pricing"]["balanceUsed"])) == ("162.00", "100.00")
    preview = await desk.preview(order, 1)
    assert (amount(preview["givenBack"]), amount(preview["toBalance"]), amount(preview["toPayment"])) == (
        "80.00",
        "49.38",
        "30.62",
    )
    same(preview, await desk.cancel(order, 1))
    assert await desk.balance() == "49.38"


@pytest.mark.parametrize(("returned", "last"), [(True, "82.00"), (False, "80.00")])
async def test_fees_come_with_the_last_ticket_where_the_organisation_says_so(
    server: Server, returned: bool, last: str
) -> None:
    shop, desk = Shop(server), Desk(server)
    await execute(server, f"UPDATE organisations SET returns_fees = {returned}")
    order = await sold(shop, (*OPERA, 2))
    assert amount((await desk.cancel(order, 0))["cancellations"][0]["givenBack"]) == "80.00"
    preview = await desk.preview(order)
    assert amount(preview["givenBack"]) == last
    same(preview, await desk.cancel(order, 1))


async def test_a_single_use_code_comes_back_with_the_last_of_its_tickets(server: Server, loaded_url: str) -> None:
    shop, desk, office = Shop(server), Desk(server), BackOffice(server)
    await change_offer(server.own.sessions, "PROMOTYD", tickets_per_code=2)
    [code] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"), status=["AVAILABLE"])
    order = await sold(shop, (*OPERA, 3), codes=(code,))
    covered = [at for at, ticket in enumerate(order["tickets"]) if amount(ticket["price"]) == "40.00"]
    assert len(covered) == 2
    assert (await desk.preview(order, covered[0]))["codesReturned"] == []
    await desk.cancel(order, covered[0])
    assert await status(server, code) == "USED"
    assert (await desk.preview(order, covered[1]))["codesReturned"] == [code]
    await desk.cancel(order, covered[1])
    assert await status(server, code) == "AVAILABLE"
    assert (await offer(server, "PROMOTYD"))["counts"]["ticketsSold"] == 0
    assert await breaches(loaded_url) == []


async def test_a_single_use_code_stays_used_where_its_offer_says_so(server: Server, loaded_url: str) -> None:
    shop, desk, office = Shop(server), Desk(server), BackOffice(server)
    await change_offer(server.own.sessions, "PROMOTYD", returns_codes=False)
    [code] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"), status=["AVAILABLE"])
    order = await sold(shop, (*OPERA, 1), codes=(code,))
    assert (await desk.preview(order, 0))["codesReturned"] == []
    await desk.cancel(order, 0)
    assert await status(server, code) == "USED"
    assert await breaches(loaded_url) == []


async def test_quota_and_counts_follow_the_tickets(server: Server, loaded_url: str) -> None:
    shop, desk = Shop(server, server.contact), Desk(server)
    order = await sold(shop, (*CONCERT, 3))
    held = sum(ticket["advantage"] is not None for ticket in order["tickets"])
    before = await offer(server, "OPENING")
    await desk.cancel(order, 0)
    after = await offer(server, "OPENING")
    assert held == 3
    assert (before["remaining"], after["remaining"]) == (197, 198)
    assert (before["counts"]["ticketsSold"], after["counts"]["ticketsSold"]) == (3, 2)
    assert await breaches(loaded_url) == []


async def test_a_custom_codes_use_comes_back_with_the_last_of_its_tickets(server: Server, loaded_url: str) -> None:
    shop, desk = Shop(server), Desk(server)
    order = await sold(shop, (*OPERA, 2), codes=("MERCI10",))
    await desk.cancel(order, 0)
    assert await breaches(loaded_url) == []
    async with server.own.sessions.reading() as connection:
        uses = text("SELECT uses FROM codes WHERE shown = 'MERCI10'")
        assert await connection.scalar(uses) == 1
        await desk.cancel(order, 1)
        assert await connection.scalar(uses) == 0


# ── ANEW ─────────────────────────────────────────────────────────────────────────────────────────


async def test_anew_a_code_whose_minimum_is_no_longer_reached_falls_away(server: Server, loaded_url: str) -> None:
    shop, desk = Shop(server), Desk(server)
    await anew(server, "TENOFF")
    order = await sold(shop, (*OPERA, 2), codes=("MERCI10",))
    assert amount(order["pricing"]["total"]) == "152.00"
    preview = await desk.preview(order, 0)
    assert (preview["policy"], amount(preview["givenBack"])) == ("ANEW", "70.00")
    assert [amount(each["price"]) for each in preview["staying"]] == ["80.00"]
    [code] = preview["remaining"]["codes"]
    assert (code["applied"], [each["code"] for each in code["refusals"]]) == (False, ["MINIMUM_BASKET_NOT_REACHED"])
    same(preview, await desk.cancel(order, 0))
    assert (await offer(server, "TENOFF"))["counts"]["ticketsSold"] == 0
    assert await breaches(loaded_url) == []


async def test_anew_nothing_is_given_back_where_the_rest_costs_more_than_was_paid(
    server: Server, loaded_url: str
) -> None:
    shop, desk = Shop(server), Desk(server)
    await change_offer(server.own.sessions, "TENOFF", benefit={"amountOff": 9000}, cancellation_policy="ANEW")
    order = await sold(shop, (*OPERA, 2), codes=("MERCI10",))
    assert amount(order["pricing"]["total"]) == "72.00"
    preview = await desk.preview(order, 0)
    assert (amount(preview["givenBack"]), amount(preview["staying"][0]["price"])) == ("0.00", "80.00")
    same(preview, await desk.cancel(order, 0))
    last = await desk.preview(order, 1)
    assert amount(last["givenBack"]) == "72.00"
    same(last, await desk.cancel(order, 1))
    assert await breaches(loaded_url) == []


async def test_anew_is_at_the_orders_own_terms_whatever_became_of_the_offer(server: Server, loaded_url: str) -> None:
    shop, desk = Shop(server), Desk(server)
    await change_offer(server.own.sessions, "OPENING", cancellation_policy="ANEW", benefit={"percentOff": 250_000})
    order = await sold(shop, (*CONCERT, 3))
    assert [amount(ticket["price"]) for ticket in order["tickets"]] == ["36.00"] * 3
    await change_offer(
        server.own.sessions, "OPENING", state="CLOSED", benefit={"amountOff": 1}, cancellation_policy="KEEP"
    )
    await execute(server, "UPDATE offer_limits SET quota = taken WHERE quota = 200")
    preview = await desk.preview(order, 1)
    assert amount(preview["givenBack"]) == "36.00"
    assert [amount(each["price"]) for each in preview["staying"]] == ["36.00"] * 2
    same(preview, await desk.cancel(order, 1))
    assert await breaches(loaded_url) == []


async def test_anew_prices_are_kept_where_the_basket_held_older_terms_than_the_order_has(
    server: Server, loaded_url: str
) -> None:
    shop, desk = Shop(server), Desk(server)
    await change_offer(server.own.sessions, "OPENING", cancellation_policy="ANEW", benefit={"percentOff": 500_000})
    basket = await shop.basket((*CONCERT, 2))
    await change_offer(server.own.sessions, "OPENING", benefit={"percentOff": 100_000})
    order = await shop.confirm(basket["id"])
    assert [amount(ticket["price"]) for ticket in order["tickets"]] == ["24.00"] * 2
    preview = await desk.preview(order, 1)
    assert (preview["policy"], amount(preview["givenBack"])) == ("KEEP", "24.00")
    assert [amount(each["price"]) for each in preview["staying"]] == ["24.00"]
    same(preview, await desk.cancel(order, 1))
    assert await breaches(loaded_url) == []


async def test_anew_a_better_price_goes_to_a_ticket_that_stays(server: Server, loaded_url: str) -> None:
    """Of five tickets four have the offer, as its limit for an order says: the fifth gets what a cancelled one had."""
    shop, desk = Shop(server), Desk(server)
    await anew(server, "OPENING")
    order = await sold(shop, (*CONCERT, 5))
    prices = [amount(ticket["price"]) for ticket in order["tickets"]]
    assert sorted(prices) == ["43.00"] * 4 + ["48.00"]
    preview = await desk.preview(order, prices.index("43.00"))
    assert amount(preview["givenBack"]) == "48.00"
    assert [amount(each["price"]) for each in preview["staying"]] == ["43.00"] * 4
    same(preview, await desk.cancel(order, prices.index("43.00")))
    assert (await offer(server, "OPENING"))["counts"]["ticketsSold"] == 4
    assert await breaches(loaded_url) == []


async def test_anew_the_scans_of_tickets_that_stay_are_counted_where_they_belong_by_now(
    server: Server, loaded_url: str
) -> None:
    shop, desk = Shop(server), Desk(server)
    await anew(server, "TENOFF")
    order = await sold(shop, (*OPERA, 2), codes=("MERCI10",))
    await desk.ask("ControlTicket", input={"barcode": order["tickets"][1]["barcode"]})
    assert (await offer(server, "TENOFF"))["counts"]["ticketsControlled"] == 1
    await desk.cancel(order, 0)
    assert (await offer(server, "TENOFF"))["counts"]["ticketsControlled"] == 0
    assert await breaches(loaded_url) == []


async def test_an_offer_says_what_becomes_of_the_tickets_that_stay(server: Server) -> None:
    staff = {"token": server.staff}
    key = await BackOffice(server).offer_id("TENOFF")
    await change_offer(server.own.sessions, "TENOFF", state="SUSPENDED")
    answer = await server.ask(
        "mutation ($input: UpdatePromotionalCodeInput!) { updatePromotionalCode(input: $input) { __typename "
        "... on PromotionalCode { cancellationPolicy } ... on Failure { message } } }",
        {"input": {"id": key, "cancellationPolicy": "ANEW"}},
        **staff,
    )
    assert answer["data"]["updatePromotionalCode"] == {"__typename": "PromotionalCode", "cancellationPolicy": "ANEW"}


# ── What is refused ──────────────────────────────────────────────────────────────────────────────


async def test_a_ticket_that_was_scanned_is_not_cancelled_and_the_others_are(server: Server, loaded_url: str) -> None:
    shop, desk = Shop(server), Desk(server)
    order = await sold(shop, (*OPERA, 3))
    await desk.ask("ControlTicket", input={"barcode": order["tickets"][0]["barcode"]})
    refused = await desk.cancel(order, 0, 1)
    assert (refused["__typename"], refused["code"]) == ("Conflict", "ALREADY_CONTROLLED")
    assert refused["ticket"]["ticketId"] == order["tickets"][0]["id"]
    assert (await desk.cancel_all(order))["code"] == "ALREADY_CONTROLLED"
    assert (await desk.cancel(order, 1, 2))["state"] == "CONFIRMED"
    assert await breaches(loaded_url) == []


async def test_a_ticket_is_cancelled_once(server: Server) -> None:
    shop, desk = Shop(server), Desk(server)
    order = await sold(shop, (*OPERA, 2))
    await desk.cancel(order, 0)
    assert (await desk.cancel(order, 0, 1))["code"] == "TICKET_CANCELLED"
    await desk.cancel(order, 1)
    assert (await desk.cancel(order, 1))["code"] == "STATE_DOES_NOT_ALLOW"


async def test_what_is_wrong_is_named_by_its_path(server: Server) -> None:
    shop, desk = Shop(server), Desk(server)
    order, other = await sold(shop, (*OPERA, 1)), await sold(shop, (*OPERA, 1))
    strange = await desk.cancel({**order, "tickets": [*order["tickets"], *other["tickets"]]}, 0, 1)
    assert (strange["__typename"], await desk.cancel(order)) == ("NotFound", await desk.cancel(order))
    assert [each["path"] for each in (await desk.cancel(order))["problems"]] == [["ticketIds"]]


async def test_a_preview_fails_as_the_act_would(server: Server) -> None:
    shop, desk = Shop(server), Desk(server)
    order = await sold(shop, (*OPERA, 1))
    await desk.cancel(order, 0)
    answer = await desk.send("CancellationPreview", orderId=order["id"])
    assert answer["errors"][0]["extensions"]["code"] == "CONFLICT"
    for token in (server.shopper, server.contact):
        answer = await Desk(server, token).send("CancellationPreview", orderId=order["id"])
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_customers_do_not_cancel_their_tickets_themselves(server: Server) -> None:
    order = await sold(Shop(server, server.contact), (*OPERA, 1))
    wanted = {"orderId": order["id"], "ticketIds": [order["tickets"][0]["id"]]}
    answer = await Desk(server, server.contact).send("CancelTickets", input=wanted)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_preview_changes_nothing(server: Server, loaded_url: str) -> None:
    shop, desk = Shop(server, server.contact), Desk(server)
    order = await sold(shop, (*OPERA, 2), useBalance=True)
    balance = await desk.balance()
    first = await desk.preview(order, 0)
    assert (await desk.preview(order, 0), await desk.balance()) == (first, balance)
    assert await breaches(loaded_url) == []


# ── Keys and records ─────────────────────────────────────────────────────────────────────────────


async def test_a_key_cancels_once_and_says_the_same_again(server: Server) -> None:
    shop, desk = Shop(server, server.contact), Desk(server)
    order = await sold(shop, (*OPERA, 2), useBalance=True)
    first = await desk.cancel(order, 0, idempotencyKey="a")
    balance = await desk.balance()
    assert await desk.cancel(order, 0, idempotencyKey="a") == first
    assert await desk.balance() == balance
    assert (await desk.cancel(order, 1, idempotencyKey="a"))["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_cancelling_leaves_an_audit_entry_with_what_was_given_back(server: Server) -> None:
    shop, desk = Shop(server), Desk(server)
    order = await sold(shop, (*OPERA, 2))
    await desk.cancel(order, 0, reason="ill")
    edges = (await BackOffice(server).ask("AuditLog", subjectId=order["id"]))["auditLog"]["edges"]
    [entry] = [edge["node"] for edge in edges]
    assert (entry["action"], entry["actor"]) == ("cancelTickets", "staff:ada")
    details = json.loads(entry["details"])
    assert (details["reason"], details["givenBack"], len(details["tickets"])) == ("ill", "80.00 EUR", 1)


async def test_who_cancelled_is_for_the_staff_to_know(server: Server) -> None:
    shop, desk = Shop(server, server.contact), Desk(server)
    order = await sold(shop, (*OPERA, 2))
    await desk.cancel(order, 0)
    document = "query ($id: ID!) { order(id: $id) { cancellations { cancelledBy givenBack { amount currency } } } }"
    told = [
        (await server.ask(document, {"id": order["id"]}, token=token))["data"]["order"]["cancellations"]
        for token in (server.staff, server.contact)
    ]
    assert [each[0]["cancelledBy"] for each in told] == ["staff:ada", None]
    assert told[0][0]["givenBack"] == told[1][0]["givenBack"] == order["tickets"][0]["price"]


async def test_a_partner_cancels_what_it_sold_and_nothing_else(server: Server) -> None:
    partner = Shop(server, server.partner)
    [line] = await Shop(server).lines((*OPERA, 2))
    own = await partner.confirm((await partner.ask("CreateBasket", input={"lines": [line]}))["createBasket"]["id"])
    others = await sold(Shop(server, server.contact), (*OPERA, 1))
    await Desk(server).ask("ControlTicket", input={"barcode": own["tickets"][1]["barcode"]})
    desk = Desk(server, server.partner)
    refused = await desk.cancel(own, 1)
    assert (refused["code"], refused["ticket"]["reason"]) == ("ALREADY_CONTROLLED", "ALREADY_CONTROLLED")
    assert (await desk.cancel(own, 0))["__typename"] == "Order"
    assert (await desk.cancel(others, 0))["__typename"] == "NotFound"


async def test_a_contact_has_ordered_until_the_last_ticket_is_cancelled(server: Server) -> None:
    shop, desk = Shop(server, server.contact), Desk(server)
    await execute(server, "UPDATE contacts SET has_ordered = false, ordered_elsewhere = false WHERE code = 'BLANDINE'")
    order = await sold(shop, (*OPERA, 2))
    ordered = text("SELECT has_ordered FROM contacts WHERE code = 'BLANDINE'")
    async with server.own.sessions.reading() as connection:
        told = []
        for each in range(2):
            told.append(await connection.scalar(ordered))
            await desk.cancel(order, each)
        told.append(await connection.scalar(ordered))
    assert told == [True, True, False]
