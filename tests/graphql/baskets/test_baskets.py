"""What becomes of baskets and orders: changed, cancelled, expired, scanned, audited, each once a key."""

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from tests.back_door import change_offer, expire_baskets, set_quota, touch
from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Client, Shop
from tests.ledger import breaches
from tests.wire import JsonObject

from services.core.expiry import Sweeper

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)
OTHER_SEATS = ("HELENE-1217", "CAT2", "FULL", 2)
CONCERT = ("ZINMAN-0119", "CAT1", "FULL", 3)

Answer = JsonObject


class Counter(Client):
    """Staff who sell, cancel and scan."""

    def __init__(self, server: Server) -> None:
        super().__init__(server, "counter", server.staff)

    async def cancel(self, order: str, **others: object) -> Answer:
        answer: Answer = (await self.ask("CancelOrder", input={"orderId": order, **others}))["cancelOrder"]
        return answer

    async def control(self, barcode: str, **others: object) -> Answer:
        answer: Answer = (await self.ask("ControlTicket", input={"barcode": barcode, **others}))["controlTicket"]
        return answer


async def codes(server: Server, number: int = 1) -> list[str]:
    office = BackOffice(server)
    return await office.codes(number, offerId=await office.offer_id("PROMOTYD"), status=["AVAILABLE"])


async def status(server: Server, code: str) -> str:
    [edge] = (await BackOffice(server).ask("Codes", filter={"code": code}))["codes"]["edges"]
    return str(edge["node"]["status"])


async def remaining(server: Server, code: str) -> int:
    data = await BackOffice(server).ask("BackOfficeOffers", first=100)
    edges = data["advantages"]["edges"] + data["promotionalCodes"]["edges"]
    return int(next(edge["node"]["remaining"] for edge in edges if edge["node"]["code"] == code))


async def update(shop: Shop, basket: str, **change: object) -> Answer:
    answer: Answer = (await shop.ask("UpdateBasket", input={"basketId": basket, **change}))["updateBasket"]
    return answer


async def cancel(shop: Shop, basket: str, **others: object) -> Answer:
    answer: Answer = (await shop.ask("CancelBasket", input={"basketId": basket, **others}))["cancelBasket"]
    return answer


async def execute(server: Server, statement: str) -> None:
    async with server.own.sessions.writing() as connection:
        await connection.execute(text(statement))


def total(answer: Answer) -> str:
    return str(answer["pricing"]["total"]["amount"])


def reasons(answer: Answer) -> list[str]:
    assert answer["__typename"] == "CodeRefused", answer
    return [refusal["code"] for refusal in answer["refusals"]]


# ── Changing ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_change_leaves_alone_what_it_does_not_name(server: Server) -> None:
    shop = Shop(server)
    [post] = [mode for mode in (await shop.ask("Season"))["deliveryModes"] if mode["code"] == "POST"]
    basket = await shop.basket(SEATS, deliveryModeId=post["id"])
    changed = await update(shop, basket["id"], lines=await shop.lines((*SEATS[:3], 1)))
    assert (total(basket), total(changed)) == ("166.50", "86.50")
    assert changed["pricing"]["deliveryFee"]["amount"] == "4.50"


async def test_null_clears(server: Server) -> None:
    shop = Shop(server)
    [post] = [mode for mode in (await shop.ask("Season"))["deliveryModes"] if mode["code"] == "POST"]
    basket = await shop.basket(SEATS, deliveryModeId=post["id"])
    changed = await update(shop, basket["id"], deliveryModeId=None)
    assert changed["pricing"]["deliveryFee"]["amount"] == "0.00"


async def test_a_change_that_would_cost_the_basket_its_code_is_refused_and_changes_nothing(server: Server) -> None:
    shop = Shop(server)
    [code] = await codes(server)
    basket = await shop.basket(SEATS)
    await shop.apply(basket["id"], code)
    assert reasons(await update(shop, basket["id"], lines=await shop.lines(OTHER_SEATS))) == ["NO_ELIGIBLE_TICKET"]
    shown = (await shop.ask("Basket", id=basket["id"]))["basket"]
    assert total(shown) == "122.00"
    assert await status(server, code) == "HELD"


async def test_a_change_that_is_wrong_names_every_problem(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    [line] = await shop.lines(SEATS)
    wrong = [{**line, "quantity": 0}, {**line, "seatCategoryId": None}]
    answer = await update(shop, basket["id"], lines=wrong)
    assert [problem["path"] for problem in answer["problems"]] == [["lines", "0", "quantity"], ["lines", "1"]]


async def test_a_basket_with_fewer_tickets_gives_back_their_quota(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(CONCERT)
    assert await remaining(server, "OPENING") == 197
    await update(shop, basket["id"], lines=await shop.lines((*CONCERT[:3], 1)))
    assert await remaining(server, "OPENING") == 199


async def test_a_basket_without_a_ticket_is_no_order(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    await update(shop, basket["id"], lines=[])
    answer = await shop.confirm(basket["id"])
    assert (answer["__typename"], answer["message"]) == ("Conflict", "This basket has no ticket: add one first.")


async def test_a_held_price_lasts_though_its_offer_is_suspended_since(server: Server) -> None:
    shop = Shop(server)
    held = await shop.basket(CONCERT)
    await change_offer(server.own.sessions, "OPENING", state="SUSPENDED")
    late = await shop.basket(CONCERT)
    assert (total(held), total(late)) == ("131.00", "146.00")
    more = await update(shop, held["id"], lines=await shop.lines((*CONCERT[:3], 4)))
    assert total(more) == "179.00"
    assert total(await shop.confirm(held["id"])) == "179.00"


# ── Ending without an order ──────────────────────────────────────────────────────────────────────


async def test_a_cancelled_basket_gives_back_its_code(server: Server, loaded_url: str) -> None:
    shop = Shop(server)
    [code] = await codes(server)
    basket = await shop.basket(SEATS)
    await shop.apply(basket["id"], code)
    assert (await cancel(shop, basket["id"]))["state"] == "CANCELLED"
    assert await status(server, code) == "AVAILABLE"
    assert await breaches(loaded_url) == []


@pytest.mark.parametrize("end", ["CancelBasket", "ConfirmBasket"])
async def test_a_basket_that_has_ended_is_not_changed_any_more(server: Server, end: str) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    await shop.ask(end, input={"basketId": basket["id"]})
    assert (await update(shop, basket["id"], useBalance=True))["__typename"] == "Conflict"
    assert (await cancel(shop, basket["id"]))["__typename"] == "Conflict"
    assert (await shop.confirm(basket["id"]))["__typename"] == "Conflict"


async def test_what_an_expired_basket_held_is_the_next_ones_at_once(server: Server, loaded_url: str) -> None:
    shop = Shop(server)
    [code] = await codes(server)
    await set_quota(server.own.sessions, "OPENING", 3)
    first = await shop.basket(CONCERT, SEATS)
    await shop.apply(first["id"], code)
    await expire_baskets(server.own.sessions)
    second = await shop.basket(CONCERT, SEATS)
    assert total(second) == total(first)
    assert (await shop.apply(second["id"], code))["__typename"] == "AdvantageCodeApplied"
    assert (await shop.ask("Basket", id=first["id"]))["basket"]["state"] == "EXPIRED"
    assert await breaches(loaded_url) == []


async def test_what_an_expired_basket_held_shows_as_free_at_once_and_everywhere(
    server: Server, loaded_url: str
) -> None:
    shop, office = Shop(server), BackOffice(server)
    [code] = await codes(server)
    basket = await shop.basket(SEATS, CONCERT)
    await shop.apply(basket["id"], code)
    assert (await remaining(server, "OPENING"), await status(server, code)) == (197, "HELD")
    await expire_baskets(server.own.sessions)
    assert await status(server, code) == "AVAILABLE"
    await expire_baskets(server.own.sessions)
    assert await remaining(server, "OPENING") == 200
    [dashboard] = (await office.ask("CodeDashboard", seasonId=await office.season_id())).values()
    assert dashboard["total"]["held"] == 0
    assert not await breaches(loaded_url)


async def test_an_expired_basket_is_no_order(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    await expire_baskets(server.own.sessions)
    answer = await shop.confirm(basket["id"])
    assert (answer["__typename"], "expired" in answer["message"]) == ("Conflict", True)


async def test_what_nobody_asks_for_is_swept(server: Server, loaded_url: str) -> None:
    shop = Shop(server)
    [code] = await codes(server)
    baskets = [await shop.basket(SEATS), await shop.basket(CONCERT)]
    await shop.apply(baskets[0]["id"], code)
    await expire_baskets(server.own.sessions)
    await Sweeper(server.own.sessions, server.own.transactions).sweep(NOW)
    assert await status(server, code) == "AVAILABLE"
    assert await breaches(loaded_url) == []


async def test_each_change_extends_a_basket(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    await execute(server, "UPDATE baskets SET expires_at = now() + interval '1 minute'")
    changed = await update(shop, basket["id"], useBalance=False)
    assert datetime.fromisoformat(changed["expiresAt"]) >= datetime.fromisoformat(basket["expiresAt"])


@pytest.mark.parametrize("maximum", [60, 25])
async def test_no_basket_lasts_longer_than_its_organisation_says(server: Server, maximum: int) -> None:
    shop = Shop(server)
    await execute(server, f"UPDATE organisations SET basket_maximum_minutes = {maximum}")
    await touch(server.own.sessions)
    basket = await shop.basket(SEATS)
    await execute(server, f"UPDATE baskets SET created_at = created_at - interval '{maximum - 5} minutes'")
    changed = await update(shop, basket["id"], useBalance=False)
    earlier = datetime.fromisoformat(basket["expiresAt"]) - datetime.fromisoformat(changed["expiresAt"])
    assert earlier == timedelta(minutes=10)


# ── Orders ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_cancelled_order_gives_everything_back(server: Server, loaded_url: str) -> None:
    shop = Shop(server, server.contact)
    [code] = await codes(server)
    await execute(server, "UPDATE offers SET campaign_id = NULL, state = 'CLOSED' WHERE code = 'REVIVAL'")
    basket = await shop.basket((*SEATS[:3], 1), CONCERT, useBalance=True)
    await shop.apply(basket["id"], code)
    await shop.apply(basket["id"], "MERCI10")
    order = await shop.confirm(basket["id"])
    used = order["pricing"]["balanceUsed"]["amount"]
    assert (await status(server, code), used) == ("USED", "161.00")
    cancelled = await Counter(server).cancel(order["id"], reason="changed their mind")
    assert (cancelled["state"], cancelled["number"]) == ("CANCELLED", order["number"])
    assert await status(server, code) == "AVAILABLE"
    assert await remaining(server, "OPENING") == 200
    again = await shop.basket((*SEATS[:3], 1), CONCERT, useBalance=True)
    await shop.apply(again["id"], code)
    applied = await shop.apply(again["id"], "MERCI10")
    assert applied["basket"]["pricing"] == order["pricing"]
    assert await breaches(loaded_url) == []


async def test_a_cancelled_order_keeps_its_code_where_the_offer_says_so(server: Server, loaded_url: str) -> None:
    shop = Shop(server)
    [code] = await codes(server)
    await change_offer(server.own.sessions, "PROMOTYD", returns_codes=False)
    basket = await shop.basket(SEATS)
    await shop.apply(basket["id"], code)
    await Counter(server).cancel((await shop.confirm(basket["id"]))["id"])
    assert await status(server, code) == "USED"
    assert await remaining(server, "PROMOTYD") == 1000
    assert await breaches(loaded_url) == []


async def test_an_order_is_cancelled_once(server: Server) -> None:
    shop = Shop(server, server.contact)
    order = await shop.confirm((await shop.basket(SEATS, useBalance=True))["id"])
    counter = Counter(server)
    assert (await counter.cancel(order["id"]))["__typename"] == "Order"
    assert (await counter.cancel(order["id"]))["__typename"] == "Conflict"
    [edge] = (await counter.ask("FindContacts", search="BLANDINE"))["contacts"]["edges"]
    assert edge["node"]["balance"]["amount"] == "175.00"


async def test_customers_do_not_cancel_their_orders_themselves(server: Server) -> None:
    order = await Shop(server).confirm((await Shop(server).basket(SEATS))["id"])
    answer = await Client(server, "counter", server.shopper).send("CancelOrder", input={"orderId": order["id"]})
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_balance_spent_meanwhile_is_told_and_nothing_is_ordered(server: Server) -> None:
    shop = Shop(server, server.contact)
    first, second = await shop.basket(SEATS, useBalance=True), await shop.basket(SEATS, useBalance=True)
    await shop.confirm(first["id"])
    told = await shop.confirm(second["id"])
    assert told["message"] == "The contact’s balance was spent meanwhile: read the basket again."
    renewed = await update(shop, second["id"], useBalance=True)
    assert (await shop.confirm(second["id"]))["pricing"] == renewed["pricing"]


async def test_each_unit_has_a_ticket_with_a_barcode_of_its_own(server: Server) -> None:
    order = await Shop(server).confirm((await Shop(server).basket(SEATS, CONCERT))["id"])
    barcodes = {ticket["barcode"] for ticket in order["tickets"]}
    assert (len(order["tickets"]), len(barcodes), {len(barcode) for barcode in barcodes}) == (5, 5, {20})


# ── Control ──────────────────────────────────────────────────────────────────────────────────────


async def test_the_second_scan_says_when_and_where_the_first_was(server: Server) -> None:
    order = await Shop(server).confirm((await Shop(server).basket(SEATS))["id"])
    counter, barcode = Counter(server), order["tickets"][0]["barcode"]
    scanned = await counter.control(barcode)
    again = await counter.control(barcode)
    at = datetime.fromisoformat(scanned["controlledAt"])
    assert again["__typename"] == "Conflict"
    assert "HALL" in again["message"]
    assert at.strftime("%M:%S") in again["message"]


async def test_a_ticket_of_a_cancelled_order_does_not_admit(server: Server) -> None:
    order = await Shop(server).confirm((await Shop(server).basket(SEATS))["id"])
    counter = Counter(server)
    await counter.cancel(order["id"])
    refused = await counter.control(order["tickets"][0]["barcode"])
    assert refused["message"] == "This ticket’s order is cancelled: it does not admit."


@pytest.mark.parametrize(
    "sent", ["{}\r\n", "\t{}", " {} ", "\ufeff{}\n", "\u200b{}\u00a0", "\x02{}\x03", "]C1{}\x1d\r"]
)
async def test_a_barcode_is_read_as_scanners_send_it(server: Server, sent: str) -> None:
    order = await Shop(server).confirm((await Shop(server).basket(SEATS))["id"])
    barcode = order["tickets"][0]["barcode"]
    scan = await Counter(server).control(sent.format(barcode.lower()))
    assert scan["__typename"] == "Ticket"


async def test_an_order_with_a_scanned_ticket_is_not_cancelled(server: Server) -> None:
    order = await Shop(server).confirm((await Shop(server).basket(SEATS))["id"])
    counter = Counter(server)
    await counter.control(order["tickets"][0]["barcode"])
    assert (await counter.cancel(order["id"]))["__typename"] == "Conflict"


@pytest.mark.parametrize("barcode", ["0" * 20, "", "é", "'; --"])
async def test_an_unknown_barcode_is_told_so(server: Server, barcode: str) -> None:
    assert (await Counter(server).control(barcode))["__typename"] == "NotFound"


# ── Once a key ───────────────────────────────────────────────────────────────────────────────────


async def test_a_refusal_under_a_key_stays_a_refusal(server: Server) -> None:
    shop = Shop(server)
    [code] = await codes(server)
    first, second = await shop.basket(SEATS), await shop.basket(SEATS)
    await shop.apply(first["id"], code)
    refused = await shop.apply(second["id"], code, idempotencyKey="a")
    await cancel(shop, first["id"])
    assert await shop.apply(second["id"], code, idempotencyKey="a") == refused
    assert (await shop.apply(second["id"], code, idempotencyKey="b"))["__typename"] == "AdvantageCodeApplied"


async def test_a_key_confirms_one_order(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    first = await shop.confirm(basket["id"], idempotencyKey="a")
    assert await shop.confirm(basket["id"], idempotencyKey="a") == first
    assert (await shop.confirm(basket["id"], idempotencyKey="b"))["__typename"] == "Conflict"


async def test_a_key_scans_a_ticket_once_and_says_the_same_again(server: Server) -> None:
    order = await Shop(server).confirm((await Shop(server).basket(SEATS))["id"])
    counter, barcode = Counter(server), order["tickets"][0]["barcode"]
    first = await counter.control(barcode, idempotencyKey="a")
    assert await counter.control(barcode, idempotencyKey="a") == first


async def test_a_key_that_comes_with_another_input_or_operation_is_a_conflict_that_says_so(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    await update(shop, basket["id"], useBalance=True, idempotencyKey="a")
    for answer in (
        await update(shop, basket["id"], useBalance=False, idempotencyKey="a"),
        await cancel(shop, basket["id"], idempotencyKey="a"),
    ):
        assert answer["__typename"] == "Conflict"
        assert "key" in answer["message"].lower()


async def test_two_callers_may_choose_the_same_key(server: Server) -> None:
    mine = await Shop(server).basket(SEATS, idempotencyKey="a")
    theirs = await Shop(server, server.contact).basket(SEATS, idempotencyKey="a")
    assert mine["id"] != theirs["id"]


@pytest.mark.parametrize(("length", "kind"), [(255, "Basket"), (256, "InvalidInput"), (0, "InvalidInput")])
async def test_a_key_has_up_to_255_characters(server: Server, length: int, kind: str) -> None:
    shop = Shop(server)
    wanted = {"lines": await shop.lines(SEATS), "idempotencyKey": "k" * length}
    assert (await shop.ask("CreateBasket", input=wanted))["createBasket"]["__typename"] == kind


# ── Audit ────────────────────────────────────────────────────────────────────────────────────────


async def test_what_staff_do_to_a_sale_leaves_an_entry_each(server: Server) -> None:
    staff, counter, office = Shop(server, server.staff), Counter(server), BackOffice(server)
    basket = await staff.basket(SEATS)
    await update(staff, basket["id"], useBalance=False)
    order = await staff.confirm(basket["id"])
    await counter.cancel(order["id"], reason="ill")
    await cancel(staff, (await staff.basket(SEATS))["id"])
    edges = (await office.ask("AuditLog"))["auditLog"]["edges"]
    entries = [edge["node"] for edge in edges if edge["node"]["actor"] == "staff:ada"]
    assert [entry["action"] for entry in reversed(entries)] == [
        "createBasket",
        "updateBasket",
        "confirmBasket",
        "cancelOrder",
        "createBasket",
        "cancelBasket",
    ]
    [cancelled] = [entry for entry in entries if entry["action"] == "cancelOrder"]
    assert (cancelled["subjectId"], json.loads(cancelled["details"])) == (order["id"], {"reason": "ill"})


async def test_a_refused_change_leaves_no_entry(server: Server) -> None:
    staff, office = Shop(server, server.staff), BackOffice(server)
    basket = await staff.basket(SEATS)
    await staff.apply(basket["id"], "no such code")
    edges = (await office.ask("AuditLog", subjectId=basket["id"]))["auditLog"]["edges"]
    assert [edge["node"]["action"] for edge in edges] == ["createBasket"]


async def test_what_a_key_did_once_leaves_one_entry(server: Server) -> None:
    order = await Shop(server).confirm((await Shop(server).basket(SEATS))["id"])
    for _ in range(3):
        await Counter(server).cancel(order["id"], idempotencyKey="a")
    edges = (await BackOffice(server).ask("AuditLog", subjectId=order["id"]))["auditLog"]["edges"]
    assert [edge["node"]["action"] for edge in edges] == ["cancelOrder"]


async def test_customers_leave_no_entries(server: Server) -> None:
    shop = Shop(server)
    order = await shop.confirm((await shop.basket(SEATS))["id"])
    entries = await BackOffice(server).ask("AuditLog", subjectId=order["id"])
    assert entries["auditLog"]["edges"] == []


async def test_the_audit_is_the_staffs(server: Server) -> None:
    answer = await Client(server, "back-office", server.contact).send("AuditLog")
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
