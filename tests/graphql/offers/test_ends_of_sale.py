"""Promotional codes have a sale end as advantages have, and performances one of their own."""

import pytest
from tests.conftest import NOW, Server
from tests.graphql.offers.configuring import Form, places
from tests.graphql.operations import Client, Shop
from tests.services.dataset.samples import changed, example
from tests.wire import JsonObject

from services.dataset import Datasets

CONCERT = ("ZINMAN-0119", "CAT1", "FULL", 1)
SEATS = ("HELENE-1217", "CAT1", "FULL", 1)
PASS = ("PASS", None, "FULL", 1)
FOUR_WEEKS = -4 * 7 * 24 * 60
"""Before the seats in December that is over, before the concert in January not yet."""


async def load(server: Server, *changes: tuple[str, object]) -> None:
    await Datasets(server.own.sessions).load(changed(*changes), now=NOW)


def refusals(pricing: JsonObject) -> list[str]:
    return [refusal["code"] for code in pricing["codes"] for refusal in code["refusals"]]


# ── Of promotional codes ─────────────────────────────────────────────────────────────────────────


async def test_a_promotional_code_is_sold_until_its_sale_end(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    coupon = await form.offer_id("COUPON3")
    running = await form.update_promotion(coupon, saleEnd={"toleranceMinutes": FOUR_WEEKS})
    assert running["__typename"] == "Conflict"
    await form.take_to(coupon, "SUSPENDED")
    changed_offer = await form.update_promotion(coupon, saleEnd={"toleranceMinutes": FOUR_WEEKS})
    assert changed_offer["saleEnd"] == {"toleranceMinutes": FOUR_WEEKS}
    await form.take_to(coupon, "RUNNING")
    late = await shop.price(SEATS, codes=["COUPON3%"])
    assert refusals(late) == ["SALE_CLOSED"]
    assert late["codes"][0]["refusals"][0]["required"] == "2026-11-19T20:00:00+01:00"
    both = await shop.price(SEATS, CONCERT, codes=["COUPON3%"])
    shares = [line["tickets"][0]["promotionShare"]["amount"] for line in both["lines"]]
    assert (shares[0], both["codes"][0]["applied"]) == ("0.00", True)
    assert shares[1] == both["codes"][0]["discount"]["amount"] != "0.00"
    assert (await shop.price(PASS, codes=["COUPON3%"]))["codes"][0]["applied"]
    await form.take_to(coupon, "SUSPENDED")
    cleared = await form.update_promotion(coupon, saleEnd=None)
    assert cleared["saleEnd"] is None
    await form.take_to(coupon, "RUNNING")
    assert (await shop.price(SEATS, codes=["COUPON3%"]))["codes"][0]["applied"]


async def test_a_new_promotional_code_and_a_data_file_have_a_sale_end(server: Server) -> None:
    form = await Form.open(server)
    made = await form.create_promotion(saleEnd={"toleranceMinutes": -30})
    assert made["saleEnd"] == {"toleranceMinutes": -30}
    assert places(await form.create_promotion(code="B", saleEnd={"toleranceMinutes": 525_601})) == {
        "saleEnd.toleranceMinutes"
    }
    await load(server, ("promotionalCodes.0.saleEnd", {"toleranceMinutes": FOUR_WEEKS}))
    assert (await form.configured("COUPON3"))["saleEnd"] == {"toleranceMinutes": FOUR_WEEKS}
    assert refusals(await Shop(server).price(SEATS, codes=["COUPON3%"])) == ["SALE_CLOSED"]


async def test_what_is_open_knows_the_sale_end_of_a_promotional_code(server: Server) -> None:
    shop = Shop(server)
    await load(server, ("promotionalCodes.0.saleEnd", {"toleranceMinutes": FOUR_WEEKS}))
    for asked, found in ((SEATS, ["SALE_CLOSED"]), (CONCERT, [])):
        [line] = await shop.lines(asked)
        data = await shop.ask(
            "EligibleOffers",
            performanceId=line["performanceId"],
            codes=["COUPON3%"],
            includeIneligible=True,
            first=50,
        )
        [coupon] = [
            each["node"] for each in data["eligibleOffers"]["edges"] if each["node"]["offer"]["code"] == "COUPON3"
        ]
        assert [refusal["code"] for refusal in coupon["refusals"]] == found


async def test_tickets_that_hold_a_promotional_code_keep_it_past_its_sale_end(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    held = (await shop.apply(basket["id"], "COUPON3%"))["basket"]["pricing"]["total"]
    await load(server, ("promotionalCodes.0.saleEnd", {"toleranceMinutes": FOUR_WEEKS}))
    assert (await shop.ask("Basket", id=basket["id"]))["basket"]["pricing"]["total"] == held
    assert (await shop.confirm(basket["id"]))["pricing"]["total"] == held


# ── Of performances ──────────────────────────────────────────────────────────────────────────────


OVER = ("products.0.performances.0.saleEndsAt", "2026-11-23T11:59:59+01:00")
OPEN = ("products.0.performances.0.saleEndsAt", "2026-11-23T12:00:00+01:00")
STARTED = ("products.0.performances.0.startsAt", "2026-11-23T11:00:00+01:00")


async def refused_lines(shop: Shop, *wanted: tuple[str, str | None, str, int]) -> list[list[str]]:
    answer = await shop.ask("CreateBasket", input={"lines": await shop.lines(*wanted)})
    assert answer["createBasket"]["__typename"] == "InvalidInput", answer
    return [problem["path"] for problem in answer["createBasket"]["problems"]]


async def test_after_its_end_of_sale_a_performance_is_not_sold_and_the_line_is_named(server: Server) -> None:
    shop = Shop(server)
    await load(server, OPEN)
    assert (await shop.price(CONCERT, SEATS))["subtotal"]["amount"] == "128.00"
    await load(server, OVER)
    assert await refused_lines(shop, CONCERT, SEATS) == [["lines", "1"]]
    answer = await shop.send("PriceBasket", input={"lines": await shop.lines(CONCERT, SEATS)})
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    [problem] = error["extensions"]["problems"]
    assert (problem["path"][-2:], "sale" in problem["message"]) == (["lines", "1"], True)


async def test_without_one_of_its_own_it_ends_with_the_start(server: Server) -> None:
    await load(server, STARTED)
    assert await refused_lines(Shop(server), SEATS) == [["lines", "0"]]
    await load(server, STARTED, ("products.0.performances.0.saleEndsAt", "2026-11-23T13:00:00+01:00"))
    assert (await Shop(server).price(SEATS))["subtotal"]["amount"] == "80.00"


async def test_staff_with_sales_sell_it_still_and_no_other_staff(server: Server) -> None:
    await load(server, OVER)
    [line] = await Shop(server).lines(SEATS)
    wanted = {"lines": [line]}
    for roles, sold in ((["SALES"], True), (["VIEWER", "CATALOGUE", "CODES"], False)):
        token = await server.own.credentials.staff_token(
            "theatre", roles, NOW.replace(hour=23), point_of_sale="HALL", name="bob"
        )
        answer = await Client(server, "shop", token).send("PriceBasket", input=wanted)
        assert ("errors" not in answer) is sold
    basket = (await Client(server, "shop", server.staff).ask("CreateBasket", input=wanted))["createBasket"]
    assert basket["__typename"] == "Basket"


async def test_partners_and_contacts_do_not_buy_it(server: Server) -> None:
    await load(server, OVER)
    for token in (server.contact, server.partner):
        assert await refused_lines(Shop(server, token), SEATS) == [["lines", "0"]]


async def test_tickets_that_lie_in_a_basket_are_honoured(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS, CONCERT)
    held = basket["pricing"]["total"]
    await load(server, OVER)
    assert (await shop.ask("Basket", id=basket["id"]))["basket"]["pricing"]["total"] == held
    key = basket["id"]
    assert (await shop.apply(key, "COUPON3%"))["__typename"] == "AdvantageCodeApplied"
    more = await shop.lines(("HELENE-1217", "CAT1", "FULL", 2), CONCERT)
    refused = (await shop.ask("UpdateBasket", input={"basketId": key, "lines": more}))["updateBasket"]
    assert [problem["path"] for problem in refused["problems"]] == [["lines", "0"]]
    fewer = await shop.lines(SEATS)
    kept = (await shop.ask("UpdateBasket", input={"basketId": key, "lines": fewer}))["updateBasket"]
    assert kept["__typename"] == "Basket"
    assert (await shop.confirm(key))["__typename"] == "Order"


@pytest.mark.parametrize("named", ["performanceId", "productId"])
async def test_no_offer_is_open_for_what_is_not_sold_any_more(server: Server, named: str) -> None:
    other = ("products.0.performances.1.saleEndsAt", "2026-11-20T12:00:00+01:00")
    shop = Shop(server)
    products = (await shop.ask("Products", first=100))["products"]["edges"]
    [helene] = [edge["node"] for edge in products if edge["node"]["code"] == "HELENE"]
    asked = {
        "performanceId": helene["performances"]["edges"][0]["node"]["id"],
        "productId": helene["id"],
    }[named]
    await load(server, OVER, other)
    form = Client(server, "shop", server.contact)
    data = await form.ask("EligibleOffers", **{named: asked}, includeIneligible=True, first=50)
    offers = [edge["node"] for edge in data["eligibleOffers"]["edges"]]
    assert offers
    for each in offers:
        found = {refusal["code"]: refusal["required"] for refusal in each["refusals"]}
        assert found["SALE_CLOSED"] == "2026-11-23T11:59:59+01:00"
    open_ones = (await form.ask("EligibleOffers", **{named: asked}, first=50))["eligibleOffers"]["edges"]
    assert open_ones == []


async def test_the_catalogue_says_when_the_sale_ends(server: Server) -> None:
    await load(server, OVER)
    products = (await Shop(server).ask("Products", first=100))["products"]["edges"]
    [helene] = [edge["node"] for edge in products if edge["node"]["code"] == "HELENE"]
    ends = {edge["node"]["code"]: edge["node"]["saleEndsAt"] for edge in helene["performances"]["edges"]}
    assert ends["HELENE-1217"] == "2026-11-23T11:59:59+01:00"
    assert ends["HELENE-1218"] == "2026-12-18T20:00:00+01:00"


async def test_an_end_of_sale_that_is_no_instant_is_named(server: Server) -> None:
    document = example()
    document["products"][0]["performances"][0]["saleEndsAt"] = "tomorrow"
    with pytest.raises(Exception, match="invalid_input"):
        await Datasets(server.own.sessions).load(document, now=NOW)
