"""The access code and the custom codes of an offer that is over are another one's; the old ones stay in history."""

import asyncio

from tests.conftest import Server
from tests.graphql.offers.configuring import Form, custom_codes, places
from tests.graphql.operations import Client, Shop
from tests.ledger import breaches

CONCERT = ("ZINMAN-0119", "CAT1", "FULL", 1)
PASS = ("PASS", None, "FULL", 1)


async def test_a_custom_code_of_a_closed_offer_opens_the_offer_that_has_it_next(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    new = (await form.create_promotion(benefit={"amountOff": "7.00"}))["id"]
    old = await form.offer_id("COUPON3")
    assert places(await form.add_code(new, "coupon 3%")) == {"code"}
    await form.take_to(old, "SUSPENDED")
    assert places(await form.add_code(new, "coupon 3%")) == {"code"}
    await form.take_to(old, "CLOSED")
    assert custom_codes(await form.add_code(new, "coupon 3%"))[0]["code"] == "coupon 3%"
    await form.take_to(new, "VALIDATED", "RUNNING")
    [code] = (await shop.price(CONCERT, codes=["COUPON3%"]))["codes"]
    assert (code["applied"], code["discount"]["amount"], code["offer"]["code"]) == (True, "7.00", "NEW")
    assert [each["code"] for each in custom_codes(await form.configured("COUPON3"))] == ["COUPON3%"]
    assert await form.codes(9, offerId=old) == ["COUPON3%"]


async def test_an_access_code_and_a_custom_code_can_become_one_anothers(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    staff, coupon = await form.offer_id("STAFFTYD"), await form.offer_id("COUPON3")
    target = {"accessCode": "TYD-STAFF"}
    assert places(await form.create(family="OPEN_PASS", target=target)) == {"target.accessCode"}
    await form.take_to(staff, "SUSPENDED", "CLOSED")
    await form.take_to(coupon, "SUSPENDED", "CLOSED")
    made = await form.create(family="OPEN_PASS", target={"accessCode": "COUPON3%"})
    await form.take_to(made["id"], "VALIDATED", "RUNNING")
    [code] = (await shop.price(PASS, codes=["COUPON3%"]))["codes"]
    assert (code["applied"], code["offer"]["code"]) == (True, "NEW")
    promotion = (await form.create_promotion(code="NEW"))["id"]
    assert custom_codes(await form.add_code(promotion, "TYD-STAFF"))[0]["code"] == "TYD-STAFF"


async def test_the_codes_of_a_discarded_draft_are_free(server: Server) -> None:
    form = await Form.open(server)
    first, second, third = [(await form.create_promotion(code=f"P{number}"))["id"] for number in range(3)]
    for offer, other in ((first, second), (second, third)):
        assert (await form.add_code(offer, "SUMMER"))["__typename"] == "PromotionalCode"
        assert places(await form.add_code(other, "SUMMER")) == {"code"}
        await form.take_to(offer, "CLOSED")
    assert (await form.add_code(third, "SUMMER"))["__typename"] == "PromotionalCode"


async def test_a_basket_that_holds_the_closed_offer_keeps_its_price_while_another_has_its_code(
    server: Server, loaded_url: str
) -> None:
    form, shop = await Form.open(server), Shop(server)
    basket = await shop.basket(CONCERT)
    held = (await shop.apply(basket["id"], "COUPON3%"))["basket"]["pricing"]
    await form.take_to(await form.offer_id("COUPON3"), "SUSPENDED", "CLOSED")
    new = (await form.create_promotion(benefit={"amountOff": "0.10"}))["id"]
    await form.add_code(new, "COUPON3%", maxUses=1)
    await form.take_to(new, "VALIDATED", "RUNNING")
    pricing = (await shop.ask("Basket", id=basket["id"]))["basket"]["pricing"]
    assert (pricing["total"], pricing["codes"][0]["offer"]["code"]) == (held["total"], "COUPON3")
    order = await shop.confirm(basket["id"], expectedTotal=held["total"]["amount"])
    assert (order["__typename"], order["pricing"]["total"]) == ("Order", held["total"])
    [code] = custom_codes(await form.configured("NEW"))
    assert code["uses"] == 0
    other = await shop.basket(CONCERT)
    applied = await shop.apply(other["id"], "COUPON3%")
    assert applied["basket"]["pricing"]["codes"][0]["offer"]["code"] == "NEW"
    assert await breaches(loaded_url) == []


async def test_of_ten_offers_that_want_the_code_of_a_closed_one_one_gets_it(server: Server) -> None:
    form = await Form.open(server)
    offers = [(await form.create_promotion(code=f"P{number}"))["id"] for number in range(6)]
    await form.take_to(await form.offer_id("COUPON3"), "SUSPENDED", "CLOSED")
    answers = await asyncio.gather(*(form.add_code(offer, "COUPON3%") for offer in offers))
    assert sorted(answer["__typename"] for answer in answers) == ["InvalidInput"] * 5 + ["PromotionalCode"]


async def test_customers_who_enter_a_code_while_it_changes_hands_find_one_offer_or_the_other(
    server: Server, loaded_url: str
) -> None:
    form, shop = await Form.open(server), Shop(server)
    new = (await form.create_promotion(benefit={"amountOff": "7.00"}))["id"]
    await form.add_code(new, "OTHER")
    await form.take_to(new, "VALIDATED", "RUNNING")
    await form.take_to(await form.offer_id("COUPON3"), "SUSPENDED", "CLOSED")
    baskets = [await shop.basket(CONCERT) for _ in range(8)]

    async def take_over() -> None:
        assert (await form.add_code(new, "COUPON3%"))["__typename"] == "PromotionalCode"

    answers = await asyncio.gather(*(shop.apply(basket["id"], "COUPON3%") for basket in baskets), take_over())
    for answer in answers[:-1]:
        if answer["__typename"] == "CodeRefused":
            assert [refusal["code"] for refusal in answer["refusals"]] == ["OFFER_NOT_RUNNING"]
        else:
            assert answer["basket"]["pricing"]["codes"][0]["offer"]["code"] == "NEW"
    assert await breaches(loaded_url) == []


async def sold(shop: Shop, code: str) -> str:
    """The id of an order that used the code."""
    basket = await shop.basket(CONCERT)
    assert (await shop.apply(basket["id"], code))["__typename"] == "AdvantageCodeApplied"
    order: str = (await shop.confirm(basket["id"]))["id"]
    return order


async def test_all_codes_that_ever_had_a_text_are_found_by_it(server: Server) -> None:
    form, shop, counter = await Form.open(server), Shop(server), Client(server, "counter", server.staff)
    first = await sold(shop, "COUPON3%")
    old = await form.offer_id("COUPON3")
    await form.take_to(old, "SUSPENDED", "CLOSED")
    new = (await form.create_promotion(benefit={"amountOff": "7.00"}))["id"]
    await form.add_code(new, "Coupon-3%")
    await form.take_to(new, "VALIDATED", "RUNNING")
    second = await sold(shop, "coupon 3%")

    found = (await form.ask("Codes", filter={"code": "COUPON 3%"}))["codes"]["edges"]
    offers = {edge["node"]["offer"]["code"]: edge["node"] for edge in found}
    assert set(offers) == {"COUPON3", "NEW"}
    alone = (await form.ask("Codes", filter={"code": "COUPON3%", "offerId": old}))["codes"]["edges"]
    assert [edge["node"]["id"] for edge in alone] == [offers["COUPON3"]["id"]]

    history = (await form.ask("CodeHistory", code="COUPON3%"))["codeHistory"]
    assert [(use["offer"]["code"], use["order"]["id"]) for use in history] == [("NEW", second), ("COUPON3", first)]
    assert [use["code"] for use in history] == ["Coupon-3%", "COUPON3%"]

    life = (await form.ask("CodeLife", code="COUPON3%"))["codeLife"]
    assert (life["code"]["id"], [code["id"] for code in life["codes"]]) == (
        offers["NEW"]["id"],
        [offers["NEW"]["id"], offers["COUPON3"]["id"]],
    )
    used = [(event["offer"]["code"], event["order"]["id"]) for event in life["events"] if event["kind"] == "USED"]
    assert used == [("NEW", second), ("COUPON3", first)]

    orders = (await counter.ask("Orders", codeText="coupon3%"))["orders"]
    assert [edge["node"]["id"] for edge in orders["edges"]] == [second, first]
    assert orders["totalCount"] == 2


async def test_a_part_of_a_text_is_no_text_that_a_code_had(server: Server) -> None:
    form = await Form.open(server)
    await form.take_to(await form.offer_id("COUPON3"), "SUSPENDED", "CLOSED")
    await form.add_code((await form.create_promotion(benefit={"amountOff": "7.00"}))["id"], "COUPON3%")
    for code in ("COUPON", "COUPON3", "UNKNOWN"):
        assert (await form.ask("Codes", filter={"code": code}))["codes"]["edges"] == []
        assert (await form.ask("CodeLife", code=code))["codeLife"] is None
