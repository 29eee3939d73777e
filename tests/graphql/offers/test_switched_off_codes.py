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


async def test_it_is_found_by_its_state_wherever_codes_are_looked_for(server: Server) -> None:
    await switch(server, active=False)
    form = await Form.open(server)
    wanted = {"status": ["SWITCHED_OFF"]}
    for narrowed in ({}, {"offerId": await form.offer_id("COUPON3")}, {"code": "COUPON3%"}, {"part": "COUP"}):
        found = (await form.ask("Codes", filter={**wanted, **narrowed}))["codes"]["edges"]
        assert [edge["node"]["code"] for edge in found] == ["COUPON3%"], narrowed
        others = (await form.ask("Codes", first=100, filter={"status": ["INVALIDATED"], **narrowed}))["codes"]["edges"]
        assert others == [], narrowed
    assert (await form.ask("Codes", filter={**wanted, "part": "MERC"}))["codes"]["edges"] == []


async def test_it_counts_as_invalidated_while_it_is_off(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    basket = await shop.basket(CONCERT)
    assert (await shop.apply(basket["id"], "MERCI10"))["__typename"] == "CodeRefused"
    counted = []
    for active in (True, False, True):
        changed = await form.update_code(await form.offer_id("TENOFF"), "MERCI10", active=active)
        assert changed["__typename"] == "PromotionalCode"
        data = await form.ask("BackOfficeOffers", first=100)
        [counts] = [
            edge["node"]["counts"] for edge in data["promotionalCodes"]["edges"] if edge["node"]["code"] == "TENOFF"
        ]
        assert counts["generated"] == sum(counts[each] for each in ("available", "held", "used", "invalidated"))
        counted.append((counts["generated"], counts["available"], counts["invalidated"]))
    assert counted == [(100, 100, 0), (100, 0, 100), (100, 100, 0)]


IN_LISTS = {"FR": "désactivé", "EN": "switched off", "DE": "ausgeschaltet", "ES": "desactivado", "IT": "disattivato"}


@pytest.mark.parametrize("language", IN_LISTS)
async def test_lists_say_so_in_their_language(server: Server, language: str) -> None:
    await switch(server, active=False)
    form = await Form.open(server)
    data = await form.ask("CodesCsv", filter={"code": "COUPON3%"}, language=language)
    url = data["codesCsvUrl"].replace("http://127.0.0.1:8000", server.address)
    [_, line] = (await server.client.get(url)).content.decode("utf-8-sig").splitlines()
    assert line.split(";")[:2] == ["COUPON3%", IN_LISTS[language]]


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
