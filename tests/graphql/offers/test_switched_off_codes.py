"""A custom code that is switched off cannot be used at the moment; it is not invalidated."""

import pytest
from tests.conftest import Server
from tests.graphql.offers.configuring import Form, custom_codes
from tests.graphql.operations import Shop

CONCERT = ("ZINMAN-0119", "CAT1", "FULL", 1)
WORDS = {
    "fr": "pas utilisable pour le moment",
    "en": "cannot be used at the moment",
    "de": "kann zurzeit nicht eingelöst werden",
    "es": "no se puede usar en este momento",
    "it": "al momento non è utilizzabile",
}


async def switch(server: Server, *, active: bool) -> list[object]:
    form = await Form.open(server)
    changed = await form.update_code(await form.offer_id("COUPON3"), "COUPON3%", active=active)
    return [each["status"] for each in custom_codes(changed)]


async def test_switched_off_is_a_state_of_its_own(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    assert await switch(server, active=False) == ["SWITCHED_OFF"]
    [code] = (await shop.price(CONCERT, codes=["COUPON3%"]))["codes"]
    assert [refusal["code"] for refusal in code["refusals"]] == ["SWITCHED_OFF"]
    data = await form.ask(
        "Codes", first=9, filter={"offerId": await form.offer_id("COUPON3"), "status": ["SWITCHED_OFF"]}
    )
    [listed] = [edge["node"] for edge in data["codes"]["edges"]]
    assert (listed["code"], listed["status"]) == ("COUPON3%", "SWITCHED_OFF")
    assert (listed.get("invalidatedAt"), listed.get("invalidationReason")) == (None, None)
    assert await switch(server, active=True) == ["AVAILABLE"]
    assert (await shop.price(CONCERT, codes=["COUPON3%"]))["codes"][0]["applied"]


@pytest.mark.parametrize("language", WORDS)
async def test_who_enters_it_is_told_so_in_their_language(server: Server, language: str) -> None:
    await switch(server, active=False)
    shop = Shop(server)
    shop._language = language
    basket = await shop.basket(CONCERT)
    refused = await shop.apply(basket["id"], "COUPON3%")
    assert refused["__typename"] == "CodeRefused"
    assert WORDS[language] in refused["refusals"][0]["message"]


async def test_a_basket_that_holds_it_keeps_its_price(server: Server) -> None:
    shop = Shop(server)
    basket = await shop.basket(CONCERT)
    held = (await shop.apply(basket["id"], "COUPON3%"))["basket"]["pricing"]["total"]
    await switch(server, active=False)
    changed = (await shop.ask("UpdateBasket", input={"basketId": basket["id"], "useBalance": True}))["updateBasket"]
    assert (changed["pricing"]["total"], changed["pricing"]["codes"][0]["applied"]) == (held, True)
    assert (await shop.confirm(basket["id"]))["pricing"]["total"] == held


async def test_one_that_is_switched_off_can_be_invalidated_and_then_stays_so(server: Server) -> None:
    form = await Form.open(server)
    await switch(server, active=False)
    answer = await form.ask("InvalidateCode", input={"code": "COUPON3%", "reason": "leaked"})
    assert answer["invalidateCode"]["status"] == "INVALIDATED"
    assert await switch(server, active=False) == ["INVALIDATED"]
    coupon = await form.offer_id("COUPON3")
    assert (await form.update_code(coupon, "COUPON3%", active=True))["__typename"] == "Conflict"
