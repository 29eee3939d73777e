"""What a basket holds is honoured until it expires, whatever becomes of the offer, the price list or the fees."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from tests.back_door import change_offer, set_quota, touch
from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Client, Shop
from tests.ledger import breaches
from tests.wire import JsonObject

CONCERT = ("ZINMAN-0119", "CAT1", "FULL", 2)
SEATS = ("HELENE-1217", "CAT1", "FULL", 2)
MERCI = "MERCI10"


class Customer(Shop):
    """Somebody with a basket."""

    def __init__(self, server: Server, token: str | None = None) -> None:
        super().__init__(server, token)
        self.server = server

    async def update(self, basket: str, **change: object) -> JsonObject:
        answer: JsonObject = (await self.ask("UpdateBasket", input={"basketId": basket, **change}))["updateBasket"]
        return answer

    async def mode(self, code: str) -> str:
        return str(next(each["id"] for each in (await self.ask("Season"))["deliveryModes"] if each["code"] == code))

    async def shown(self, basket: str) -> JsonObject:
        answer: JsonObject = (await self.ask("Basket", id=basket))["basket"]
        return answer


async def execute(server: Server, statement: str) -> None:
    async with server.own.sessions.writing() as connection:
        await connection.execute(text(statement))
    await touch(server.own.sessions)


def total(answer: JsonObject) -> str:
    assert answer["__typename"] in {"Basket", "Order"}, answer
    return str(answer["pricing"]["total"]["amount"])


def reasons(basket: JsonObject, code: str) -> list[str]:
    [entered] = [each for each in basket["pricing"]["codes"] if each["code"] == code]
    return [refusal["code"] for refusal in entered["refusals"]]


async def a_single_use_code(server: Server) -> str:
    office = BackOffice(server)
    [code] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"), status=["AVAILABLE"])
    return code


OFFER_CHANGES = {
    "its validity passes": "valid_until = '2026-11-01T00:00:00Z'",
    "it is suspended": "state = 'SUSPENDED'",
    "it is closed": "state = 'CLOSED'",
    "its benefit shrinks": """benefit = '{"amountOff": 100}'""",
    "its sale end passes": "sale_end_tolerance = -600000",
    "it leaves the channel": "channel_ids = ARRAY(SELECT id FROM sales_channels WHERE code = 'COUNTER')",
    "it leaves the point of sale": "point_of_sale_ids = ARRAY(SELECT id FROM points_of_sale WHERE code = 'HALL')",
    "it takes one delivery mode": "delivery_mode_ids = ARRAY(SELECT id FROM delivery_modes WHERE code = 'PRINT')",
    "its scope moves": """scope = jsonb_build_object('products', (
        SELECT jsonb_agg(id) FROM products WHERE code = 'HELENE'))""",
    "its target moves": "target_type = 'SINGLE_USE_CODE', tickets_per_code = 1",
}


@pytest.mark.parametrize("change", OFFER_CHANGES.values(), ids=OFFER_CHANGES)
async def test_a_change_keeps_the_held_price_though(server: Server, change: str) -> None:
    shop = Customer(server)
    basket = await shop.basket(CONCERT)
    assert total(basket) == "88.00"
    await execute(server, f"UPDATE offers SET {change} WHERE code = 'OPENING'")
    changed = await shop.update(basket["id"], deliveryModeId=await shop.mode("POST"))
    assert total(changed) == "92.50"
    assert total(await shop.update(basket["id"], useBalance=True)) == "92.50"
    assert total(await shop.confirm(basket["id"])) == "92.50"


@pytest.mark.parametrize("column", ["per_order", "per_contact"])
async def test_a_change_keeps_the_held_price_though_a_limit_falls_below_it(server: Server, column: str) -> None:
    shop = Customer(server)
    basket = await shop.basket(CONCERT)
    await execute(
        server,
        f"UPDATE offer_limits SET {column} = 1 WHERE offer_id = (SELECT id FROM offers WHERE code = 'OPENING')",
    )
    assert total(await shop.update(basket["id"], useBalance=True)) == "88.00"
    assert total(await shop.confirm(basket["id"])) == "88.00"


async def test_a_new_price_list_does_not_raise_what_lies_in_a_basket(server: Server) -> None:
    shop = Customer(server)
    basket = await shop.basket(SEATS)
    assert total(basket) == "162.00"
    await execute(server, "UPDATE rates SET price = price + 1000")
    assert total(await shop.update(basket["id"], useBalance=True)) == "162.00"
    more = await shop.update(basket["id"], lines=await shop.lines((*SEATS[:3], 3)))
    assert total(more) == "252.00"


async def test_a_lower_price_of_today_wins(server: Server) -> None:
    shop = Customer(server)
    basket = await shop.basket(SEATS)
    await execute(server, "UPDATE rates SET price = price - 1000")
    assert total(await shop.update(basket["id"], useBalance=True)) == "142.00"


async def test_a_combination_that_is_no_longer_sold_stays_in_its_basket_and_is_not_sold_again(server: Server) -> None:
    shop = Customer(server)
    basket = await shop.basket(SEATS)
    wanted = await shop.lines((*SEATS[:3], 3))
    await execute(server, "DELETE FROM rates")
    assert total(await shop.update(basket["id"], deliveryModeId=await shop.mode("POST"))) == "166.50"
    more = await shop.update(basket["id"], lines=wanted)
    assert (more["__typename"], more["problems"][0]["path"]) == ("InvalidInput", ["lines", "0"])


async def test_a_fee_that_rises_is_not_asked_of_a_basket_that_has_it(server: Server) -> None:
    shop = Customer(server)
    basket = await shop.basket(SEATS)
    await execute(server, "UPDATE sales_channels SET processing_fee = 900")
    assert total(await shop.update(basket["id"], useBalance=True)) == "162.00"


async def test_a_level_that_is_lost_is_honoured_where_it_is_held(server: Server) -> None:
    shop = Customer(server, server.contact)
    basket = await shop.basket(("HELENE-1217", "CAT1", "REDUCED", 1))
    held = total(basket)
    await execute(server, "DELETE FROM contact_indicators")
    await execute(server, "DELETE FROM campaign_contacts")
    assert total(await shop.update(basket["id"], useBalance=False)) == held
    late = await shop.basket(("HELENE-1217", "CAT1", "REDUCED", 1))
    assert float(total(late)) > float(held)


async def test_a_campaign_that_ends_is_honoured_where_it_is_held(server: Server) -> None:
    shop = Customer(server, server.contact)
    basket = await shop.basket(SEATS)
    assert total(basket) == "122.00"
    await execute(server, "UPDATE campaigns SET ends_at = '2026-11-01T00:00:00Z'")
    assert total(await shop.update(basket["id"], useBalance=False)) == "122.00"


CODE_CHANGES = {
    "its validity passes": "UPDATE offers SET valid_until = '2026-11-01T00:00:00Z' WHERE code = 'TENOFF'",
    "its minimum rises": "UPDATE offers SET minimum_basket = 90000 WHERE code = 'TENOFF'",
    "it stands alone": "UPDATE offers SET combinable = false WHERE code = 'TENOFF'",
    "it is for subscribers": """UPDATE offers SET restriction = '{"newsletter": true}' WHERE code = 'TENOFF'""",
    "its code is switched off": "UPDATE codes SET status = 'SWITCHED_OFF' WHERE code = '0000000'",
}


@pytest.mark.parametrize("change", CODE_CHANGES.values(), ids=CODE_CHANGES)
async def test_a_change_keeps_the_discount_of_a_code_though(server: Server, change: str) -> None:
    shop = Customer(server)
    basket = await shop.basket(SEATS)
    applied = (await shop.apply(basket["id"], MERCI))["basket"]
    assert total({"__typename": "Basket", **applied}) == "152.00"
    if "codes SET" in change:
        change = change.replace("'0000000'", "(SELECT code FROM codes WHERE kind = 'CUSTOM' AND shown = 'MERCI10')")
    await execute(server, change)
    assert total(await shop.update(basket["id"], deliveryModeId=await shop.mode("POST"))) == "156.50"
    assert total(await shop.confirm(basket["id"])) == "156.50"


async def test_who_enters_a_code_never_pays_more_for_what_is_held(server: Server) -> None:
    shop = Customer(server)
    basket = await shop.basket(SEATS)
    [code] = [await a_single_use_code(server)]
    await shop.apply(basket["id"], code)
    await change_offer(server.own.sessions, "PROMOTYD", valid_until=NOW - timedelta(days=1))
    applied = await shop.apply(basket["id"], MERCI)
    assert applied["__typename"] == "AdvantageCodeApplied"
    assert applied["basket"]["pricing"]["total"]["amount"] == "112.00"


async def test_an_access_code_that_is_replaced_keeps_the_price_where_it_was_entered(server: Server) -> None:
    shop = Customer(server)
    basket = await shop.basket(("PASS", None, "FULL", 1))
    applied = await shop.apply(basket["id"], "TYD-STAFF")
    assert applied["basket"]["pricing"]["total"]["amount"] == "122.00"
    await execute(server, "UPDATE codes SET code = 'SOMETHINGELSE' WHERE kind = 'ACCESS'")
    assert total(await shop.update(basket["id"], deliveryModeId=await shop.mode("POST"))) == "126.50"
    late = await shop.basket(("PASS", None, "FULL", 1))
    assert (await shop.apply(late["id"], "TYD-STAFF"))["__typename"] == "CodeRefused"


async def test_a_held_offer_that_does_not_run_gives_no_further_ticket_and_fails_nobody(server: Server) -> None:
    shop = Customer(server)
    await set_quota(server.own.sessions, "OPENING", 4)
    first, second = await shop.basket(CONCERT), await shop.basket(CONCERT)
    await change_offer(server.own.sessions, "OPENING", state="SUSPENDED")
    more = await shop.update(first["id"], lines=await shop.lines((*CONCERT[:3], 3)))
    assert (total(more), total(await shop.confirm(second["id"]))) == ("136.00", "88.00")


async def test_a_further_ticket_gets_what_is_left_of_a_held_offer_that_runs(server: Server) -> None:
    shop = Customer(server)
    await set_quota(server.own.sessions, "OPENING", 3)
    basket = await shop.basket(CONCERT)
    assert total(await shop.update(basket["id"], lines=await shop.lines((*CONCERT[:3], 4)))) == "179.00"


async def test_a_basket_that_lost_its_code_is_told_so_and_is_changed_all_the_same(server: Server) -> None:
    shop = Customer(server)
    basket = await shop.basket(SEATS)
    code = await a_single_use_code(server)
    await shop.apply(basket["id"], code)
    invalidated = await BackOffice(server).ask("InvalidateCode", input={"code": code, "reason": "test"})
    assert "errors" not in invalidated
    changed = await shop.update(basket["id"], deliveryModeId=await shop.mode("POST"))
    assert (total(changed), reasons(changed, code)) == ("166.50", ["CODE_INVALIDATED"])


async def test_tickets_are_always_taken_out_and_the_code_comes_back_with_them(server: Server) -> None:
    shop = Customer(server)
    basket = await shop.basket(SEATS)
    await shop.apply(basket["id"], MERCI)
    fewer = await shop.update(basket["id"], lines=await shop.lines((*SEATS[:3], 1)))
    assert (total(fewer), reasons(fewer, MERCI)) == ("82.00", ["MINIMUM_BASKET_NOT_REACHED"])
    empty = await shop.update(basket["id"], lines=[])
    assert total(empty) == "0.00"
    again = await shop.update(basket["id"], lines=await shop.lines(SEATS))
    assert (total(again), reasons(again, MERCI)) == ("152.00", [])


async def test_who_signs_in_and_enters_a_code_is_judged_and_owns_the_basket(server: Server) -> None:
    anonymous, subscriber = Customer(server), Customer(server, server.contact)
    basket = await anonymous.basket(SEATS)
    applied = await subscriber.apply(basket["id"], "LETTRE")
    assert applied["__typename"] == "AdvantageCodeApplied"
    assert applied["basket"]["contact"]["name"] == "Blandine de Dainville"
    assert (await anonymous.shown(basket["id"])) is None


async def test_who_signs_in_and_confirms_owns_the_order(server: Server, loaded_url: str) -> None:
    anonymous, subscriber = Customer(server), Customer(server, server.contact)
    basket = await anonymous.basket(SEATS)
    order = await subscriber.confirm(basket["id"])
    assert total(order) == "122.00"
    assert (await subscriber.shown(basket["id"]))["contact"]["name"] == "Blandine de Dainville"
    assert not await breaches(loaded_url)


async def test_another_contact_is_not_given_what_was_somebody_s_own(server: Server) -> None:
    office = BackOffice(server)
    seller = Customer(server, server.staff)
    basket = await seller.basket(SEATS, contactId=await office.contact_id("BLANDINE"))
    assert total(basket) == "120.00"
    other = await seller.update(basket["id"], contactId=await office.contact_id("NOUVEAU"))
    assert total(other) == "160.00"


# ── Codes in several baskets, and new customers ──────────────────────────────────────────────────


async def test_a_code_that_another_basket_holds_says_until_when(server: Server) -> None:
    shop = Customer(server)
    code = await a_single_use_code(server)
    first, second = await shop.basket(SEATS), await shop.basket(SEATS)
    await shop.apply(first["id"], code)
    [refusal] = (await shop.apply(second["id"], code))["refusals"]
    until = datetime.fromisoformat((await shop.shown(first["id"]))["expiresAt"])
    assert (refusal["code"], refusal["basketId"]) == ("CODE_HELD", None)
    assert datetime.fromisoformat(refusal["actual"]) == until


async def test_who_holds_a_code_in_another_basket_is_told_in_which(server: Server) -> None:
    customer = Customer(server, server.contact)
    code = await a_single_use_code(server)
    seats = ("HELENE-1217", "CAT1", "FULL", 4)
    first, second = await customer.basket(seats), await customer.basket(seats)
    applied = await customer.apply(first["id"], code)
    assert applied["__typename"] == "AdvantageCodeApplied", applied
    [refusal] = (await customer.apply(second["id"], code))["refusals"]
    assert (refusal["code"], refusal["basketId"]) == ("CODE_HELD", first["id"])


async def test_a_basket_takes_fifty_codes_and_says_so_as_a_quote_does(server: Server) -> None:
    shop = Customer(server)
    basket = await shop.basket(SEATS)
    codes = ["NOSUCH"] * 51
    quoted = await shop.send("PriceBasket", input={"lines": await shop.lines(SEATS), "codes": codes})
    stored = [f"NOSUCH{number}" for number in range(50)]
    async with server.own.sessions.writing() as connection:
        await connection.execute(text("UPDATE baskets SET entered_codes = :codes"), {"codes": stored})
    refused = await shop.apply(basket["id"], MERCI)
    assert refused["__typename"] == "Conflict"
    assert refused["message"] in str(quoted)


async def test_an_offer_for_new_customers_is_not_for_those_who_have_ordered(server: Server) -> None:
    customer, counter = Customer(server, server.contact), Client(server, "counter", server.staff)
    await execute(server, """UPDATE offers SET restriction = '{"hasOrdered": false}' WHERE code = 'TENOFF'""")
    order = await customer.confirm((await customer.basket(SEATS))["id"])
    second = await customer.basket(SEATS)
    refused = await customer.apply(second["id"], MERCI)
    assert [refusal["code"] for refusal in refused["refusals"]] == ["NOT_TARGETED"]
    await counter.ask("CancelOrder", input={"orderId": order["id"], "reason": "test"})
    assert (await customer.apply(second["id"], MERCI))["__typename"] == "AdvantageCodeApplied"
