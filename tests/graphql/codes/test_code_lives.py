"""The lives of codes over HTTP: each use is told for ever, and codes are found by what is known of them."""

from typing import Any

import pytest
from tests.back_door import expire_baskets
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Client, Shop
from tests.wire import Json

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)


class Desk(BackOffice):
    """Sells by codes, and follows them."""

    def __init__(self, server: Server, token: str | None = None) -> None:
        super().__init__(server, token)
        self.server = server
        self.shop = Shop(server)
        self.customer = Shop(server, server.contact)

    async def a_code(self) -> str:
        return (await self.codes(1, offerId=await self.offer_id("PROMOTYD"), status=["AVAILABLE"]))[0]

    async def hold(self, code: str, shop: Shop | None = None) -> str:
        shop = shop or self.shop
        basket = await shop.basket(SEATS)
        applied = await shop.apply(basket["id"], code)
        assert applied["__typename"] == "AdvantageCodeApplied", applied
        return str(basket["id"])

    async def sell(self, code: str, shop: Shop | None = None) -> Json:
        return await (shop or self.shop).confirm(await self.hold(code, shop))

    async def cancel(self, order: Json) -> None:
        data = await self._counter.ask("CancelOrder", input={"orderId": order["id"], "reason": "ill"})
        assert data["cancelOrder"]["__typename"] == "Order", data

    async def history(self, code: str, **others: Json) -> Json:
        return (await self.ask("CodeHistory", code=code, **others))["codeHistory"]

    async def code(self, code: str) -> Json:
        [edge] = (await self.ask("Codes", first=2, filter={"code": code}))["codes"]["edges"]
        return edge["node"]

    async def counts(self, offer: str) -> dict[str, int]:
        data = await self.ask("BackOfficeOffers", first=100)
        edges = data["advantages"]["edges"] + data["promotionalCodes"]["edges"]
        [counts] = [edge["node"]["counts"] for edge in edges if edge["node"]["code"] == offer]
        assert counts["generated"] == sum(counts[each] for each in ("available", "held", "used", "invalidated"))
        return {each: counts[each] for each in ("generated", "available", "held", "used", "invalidated")}

    async def custom(self, offer: str, code: str, **parts: Json) -> None:
        wanted = {"promotionalCodeId": await self.offer_id(offer), "code": code, **parts}
        data = await self.ask("AddCustomCode", input=wanted)
        assert data["addCustomCode"]["__typename"] == "PromotionalCode", data


@pytest.fixture
def desk(server: Server) -> Desk:
    return Desk(server)


def outline(uses: Any) -> list[tuple[bool, bool, str | None]]:
    return [(use["usedAt"] is not None, use["releasedAt"] is not None, use["releaseReason"]) for use in uses]


# ── Uses ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_cancelled_order_stays_in_the_history_of_its_code(desk: Desk) -> None:
    code = await desk.a_code()
    order = await desk.sell(code)
    [used] = await desk.history(code.lower().replace(" ", "-"))
    assert (used["code"], used["offer"]["code"], used["order"]["number"]) == (code, "PROMOTYD", order["number"])
    assert (used["tickets"], used["discount"]["amount"], used["releasedAt"]) == (1, "40.00", None)
    assert used["heldAt"] <= used["usedAt"]

    await desk.cancel(order)
    [released] = await desk.history(code)
    assert (released["usedAt"], released["order"]["state"]) == (used["usedAt"], "CANCELLED")
    assert (released["releaseReason"], released["releasedBy"]) == ("ORDER_CANCELLED", "staff:ada")
    assert (await desk.code(code))["status"] == "AVAILABLE"

    await desk.sell(code)
    assert outline(await desk.history(code)) == [(True, False, None), (True, True, "ORDER_CANCELLED")]


async def test_a_code_that_a_basket_has_is_told_at_once(desk: Desk) -> None:
    code = await desk.a_code()
    basket = await desk.hold(code)
    assert outline(await desk.history(code)) == [(False, False, None)]
    await desk.shop.ask("RemoveAdvantageCode", input={"basketId": basket, "code": code})
    assert outline(await desk.history(code)) == [(False, True, "TAKEN_OUT")]


async def test_a_cancelled_basket_is_told(desk: Desk) -> None:
    code = await desk.a_code()
    await desk.shop.ask("CancelBasket", input={"basketId": await desk.hold(code)})
    assert outline(await desk.history(code)) == [(False, True, "BASKET_CANCELLED")]


async def test_a_coupon_that_no_longer_qualifies_is_told_with_its_discount(desk: Desk) -> None:
    basket = await desk.hold("MERCI10")
    lines = await desk.shop.lines((*SEATS[:3], 1))
    await desk.shop.ask("UpdateBasket", input={"basketId": basket, "lines": lines})
    [use] = await desk.history("MERCI10")
    assert (use["tickets"], use["discount"]["amount"]) == (2, "10.00")
    assert use["releaseReason"] == "NO_LONGER_APPLIES"


async def test_an_access_code_is_followed_too(desk: Desk) -> None:
    basket = await desk.shop.basket(("PASS", None, "FULL", 2))
    assert (await desk.shop.apply(basket["id"], "tyd-staff"))["__typename"] == "AdvantageCodeApplied"
    await desk.shop.confirm(basket["id"])
    [use] = await desk.history("TYD-STAFF")
    assert (use["tickets"], use["discount"]["amount"], use["offer"]["code"]) == (2, "60.00", "STAFFTYD")
    code = await desk.code("TYD-STAFF")
    assert (code["kind"], code["status"], code["uses"], code["maxUses"]) == ("ACCESS", "AVAILABLE", 1, None)


async def test_all_uses_of_a_custom_code_are_told_the_newest_first(desk: Desk) -> None:
    orders = [await desk.sell("MERCI10") for _ in range(3)]
    await desk.cancel(orders[1])
    found = await desk.history("merci10")
    assert [use["order"]["number"] for use in found] == [order["number"] for order in reversed(orders)]
    assert [use["releaseReason"] for use in found] == [None, "ORDER_CANCELLED", None]
    [newest] = await desk.history("MERCI10", first=1)
    older = await desk.history("MERCI10", before=newest["id"])
    assert [newest, *older] == found


async def test_a_code_that_there_is_not_has_no_history(desk: Desk) -> None:
    assert await desk.history("NO-SUCH-CODE") == []
    assert (await desk.ask("CodeLife", code="NO-SUCH-CODE"))["codeLife"] is None


async def test_a_partner_hears_of_its_own_codes_alone(server: Server, desk: Desk) -> None:
    code = await desk.a_code()
    await desk.cancel(await desk.sell(code))
    stranger = Client(server, "partner", server.partner)
    assert (await stranger.ask("PartnerCodeHistory", code=code))["codeHistory"] == []
    key = await server.own.credentials.partner_key("theatre", "SECUTIX", "TYD")
    owner = Client(server, "partner", key)
    [use] = (await owner.ask("PartnerCodeHistory", code=code))["codeHistory"]
    assert use["releaseReason"] == "ORDER_CANCELLED"
    asked = await server.ask(
        "query($code: String!) { codeHistory(code: $code) { releasedBy } }", {"code": code}, token=key
    )
    assert asked["data"]["codeHistory"] == [{"releasedBy": None}]


async def test_a_shopper_hears_of_no_code(server: Server) -> None:
    answer = await server.ask('{ codeHistory(code: "MERCI10") { heldAt } }')
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_codes_life_tells_all_that_happened_to_it(server: Server, desk: Desk) -> None:
    code = await desk.a_code()
    order = await desk.sell(code)
    barcode = next(ticket["barcode"] for ticket in order["tickets"] if ticket["advantage"])
    await desk._counter.ask("ControlTicket", input={"barcode": barcode})
    life = (await desk.ask("CodeLife", code=code))["codeLife"]
    kinds = [event["kind"] for event in life["events"]]
    assert set(kinds) >= {"GENERATED", "HELD", "USED", "TICKET_CONTROLLED"}
    assert kinds.index("TICKET_CONTROLLED") < kinds.index("USED") <= kinds.index("HELD")
    assert life["uses"][0]["ticketsControlled"] == life["code"]["ticketsControlled"] == 1
    other = await desk.a_code()
    await desk.ask("InvalidateCode", input={"code": other, "reason": "stolen"})
    [lost] = [
        event
        for event in (await desk.ask("CodeLife", code=other))["codeLife"]["events"]
        if event["kind"] == "INVALIDATED"
    ]
    assert (lost["by"], lost["reason"]) == ("staff:ada", "stolen")


# ── Custom codes are followed like random ones ───────────────────────────────────────────────────


async def test_a_custom_code_counts_as_many_codes_as_orders_may_use_it(desk: Desk) -> None:
    await desk.custom("COUPON3", "THREE-TIMES", maxUses=3)
    before = await desk.counts("COUPON3")
    order = await desk.sell("THREE-TIMES")
    await desk.hold("THREE-TIMES")
    found = await desk.counts("COUPON3")
    assert found == {**before, "available": before["available"] - 2, "held": 1, "used": 1}
    code = await desk.code("THREE-TIMES")
    assert (code["status"], code["uses"], code["usesHeld"], code["maxUses"]) == ("AVAILABLE", 1, 1, 3)
    assert code["order"]["number"] == order["number"]
    await desk.cancel(order)
    assert await desk.counts("COUPON3") == {**before, "available": before["available"] - 1, "held": 1}


async def test_a_code_without_a_maximum_has_always_one_more_use(desk: Desk) -> None:
    before = await desk.counts("COUPON3")
    order = await desk.sell("COUPON3%")
    await desk.hold("COUPON3%")
    assert await desk.counts("COUPON3") == {**before, "generated": before["generated"] + 2, "held": 1, "used": 1}
    code = await desk.code("COUPON3%")
    assert (code["status"], code["uses"], code["usesHeld"], code["maxUses"]) == ("AVAILABLE", 1, 1, None)
    await desk.cancel(order)
    assert await desk.counts("COUPON3") == {**before, "generated": before["generated"] + 1, "held": 1}


async def test_what_one_code_of_an_offer_gives_back_and_another_takes_at_once_is_counted_apart(desk: Desk) -> None:
    await desk.custom("COUPON3", "TEN-TIMES", maxUses=10)
    before = await desk.counts("COUPON3")
    await desk.hold("COUPON3%")
    # The next claim ends it, because it takes of the same limit.
    await expire_baskets(desk.server.own.sessions)
    await desk.hold("TEN-TIMES")
    assert await desk.counts("COUPON3") == {**before, "available": before["available"] - 1, "held": 1}


async def test_a_custom_code_is_held_and_used_once_as_many_as_may_do(desk: Desk) -> None:
    await desk.custom("COUPON3", "JUST-ONCE", maxUses=1)
    basket = await desk.hold("JUST-ONCE")
    assert (await desk.code("JUST-ONCE"))["status"] == "HELD"
    assert await desk.codes(9, status=["HELD"]) == ["JUST-ONCE"]
    await desk.shop.confirm(basket)
    assert (await desk.code("JUST-ONCE"))["status"] == "USED"
    assert await desk.codes(9, status=["USED"]) == ["JUST-ONCE"]
    assert "JUST-ONCE" not in await desk.codes(100, offerId=await desk.offer_id("COUPON3"), status=["AVAILABLE"])


async def test_the_life_of_an_access_code_that_was_replaced_says_so(desk: Desk) -> None:
    offer = await desk.offer_id("STAFFTYD")
    await desk.ask("ChangeOfferState", input={"offerId": offer, "state": "SUSPENDED"})
    await desk.ask("UpdateAdvantage", input={"offerId": offer, "target": {"accessCode": "TYD-STAFF-2027"}})
    life = (await desk.ask("CodeLife", code="TYD-STAFF"))["codeLife"]
    assert life["code"]["status"] == "SWITCHED_OFF"
    [off] = [event for event in life["events"] if event["kind"] == "SWITCHED_OFF"]
    assert off["by"] == "staff:ada"


@pytest.mark.parametrize("sought", ["part", "invalidatedBy", "invalidationReason"])
async def test_what_nobody_can_read_is_not_looked_for(desk: Desk, sought: str) -> None:
    [error] = (await desk.send("Codes", first=1, filter={sought: "abcd\0"}))["errors"]
    assert [each["path"] for each in error["extensions"]["problems"]] == [["filter", sought]]


async def test_codes_are_found_by_an_order_number_as_it_is_copied(desk: Desk) -> None:
    code = await desk.a_code()
    number = (await desk.sell(code))["number"]
    assert await desk.codes(9, orderNumber=f" {number[:4]} {number[4:]}\u200b") == [code]
    assert await desk.codes(9, orderNumber="no number") == []


async def test_what_a_code_that_is_off_has_left_counts_as_invalidated(desk: Desk) -> None:
    await desk.custom("COUPON3", "OFF-AND-ON", maxUses=5)
    before = await desk.counts("COUPON3")
    held = await desk.hold("OFF-AND-ON")
    named = {"promotionalCodeId": await desk.offer_id("COUPON3"), "code": "OFF-AND-ON"}
    await desk.ask("UpdateCustomCode", input={**named, "active": False})
    off = await desk.counts("COUPON3")
    assert off == {**before, "available": before["available"] - 5, "held": 1, "invalidated": 4}
    await desk.shop.ask("CancelBasket", input={"basketId": held})
    assert (await desk.counts("COUPON3"))["invalidated"] == 5
    await desk.ask("UpdateCustomCode", input={**named, "active": True, "maxUses": 7})
    more = {"generated": before["generated"] + 2, "available": before["available"] + 2}
    assert await desk.counts("COUPON3") == {**before, **more}
    await desk.ask("UpdateCustomCode", input={**named, "maxUses": None})
    fewer = {"generated": before["generated"] - 4, "available": before["available"] - 4}
    assert await desk.counts("COUPON3") == {**before, **fewer}


async def test_the_dashboard_has_a_row_for_custom_codes_in_use(desk: Desk) -> None:
    await desk.sell("COUPON3%")
    dashboard = (await desk.ask("CodeDashboard", seasonId=await desk.season_id()))["codeDashboard"]
    [row] = [row for row in dashboard["rows"] if row["offer"]["code"] == "COUPON3"]
    assert (row["contact"], row["counts"]["used"]) == (None, 1)
    assert dashboard["total"]["used"] == 1


# ── Look-ups ─────────────────────────────────────────────────────────────────────────────────────


async def test_codes_are_found_by_a_part_of_them(desk: Desk) -> None:
    code = await desk.a_code()
    assert code in await desk.codes(9, part=code[5:14].lower())
    assert code in await desk.codes(9, part=code.replace(" ", "")[6:11], offerId=await desk.offer_id("PROMOTYD"))
    assert await desk.codes(9, part="upon3") == ["COUPON3%"]


async def test_a_part_has_four_characters(server: Server) -> None:
    asked = '{ codes(filter: { part: "A-B C" }) { edges { node { code } } } }'
    answer = await server.ask(asked, token=server.staff)
    [problem] = answer["errors"][0]["extensions"]["problems"]
    assert problem["path"] == ["filter", "part"]


async def test_codes_are_found_by_who_bought_with_them_and_by_order(desk: Desk) -> None:
    code, other = await desk.a_code(), "MERCI10"
    order = await desk.sell(code, desk.customer)
    await desk.sell(other, desk.customer)
    await desk.sell("COUPON3%")
    assert set(await desk.codes(9, buyerId=await desk.contact_id("BLANDINE"))) == {code, other}
    assert await desk.codes(9, orderNumber=order["number"]) == [code]
    assert await desk.codes(9, orderNumber=str(int(order["number"]))) == [code]
    await desk.cancel(order)
    assert await desk.codes(9, orderNumber=order["number"]) == [code]


async def test_a_partner_does_not_find_codes_by_who_bought_with_them(server: Server, desk: Desk) -> None:
    order = await desk.sell(await desk.a_code(), desk.customer)
    partner = Client(server, "partner", await server.own.credentials.partner_key("theatre", "SECUTIX", "TYD"))
    for wanted in ({"buyerId": await desk.contact_id("BLANDINE")}, {"orderNumber": order["number"]}):
        assert (await partner.ask("PartnerCodes", first=9, filter=wanted))["codes"]["edges"] == []


async def test_codes_are_found_by_their_invalidation(desk: Desk) -> None:
    codes = await desk.codes(2, offerId=await desk.offer_id("PROMOTYD"), status=["AVAILABLE"])
    for code, reason in zip(codes, ("Lost in the post", "stolen"), strict=True):
        await desk.ask("InvalidateCode", input={"code": code, "reason": reason})
    assert set(await desk.codes(9, invalidatedBy="Ada")) == set(codes)
    assert await desk.codes(9, invalidationReason="POST") == [codes[0]]
    assert set(await desk.codes(9, invalidatedFrom="2000-01-01T00:00:00Z")) == set(codes)
    assert await desk.codes(9, invalidatedUntil="2000-01-01T00:00:00Z") == []
    assert await desk.codes(9, invalidatedBy="somebody else") == []


# ── Batches ──────────────────────────────────────────────────────────────────────────────────────


async def batches(client: Client, operation: str = "CodeBatches", **wanted: Json) -> list[Json]:
    data = await client.ask(operation, **wanted)
    return [edge["node"] for edge in data["codeBatches"]["edges"]]


async def test_batches_are_listed_the_newest_first_with_who_asked_and_why(server: Server, desk: Desk) -> None:
    made = []
    for remark in ("Works council", "Reprint"):
        wanted: dict[str, Json] = {
            "offerId": await desk.offer_id("PROMOTYD"),
            "contactId": await desk.contact_id("TYD"),
            "quantity": 2,
            "documentType": "NO_EMAIL",
            "language": "DE",
            "remark": remark,
        }
        made.append((await desk.ask("GenerateCodes", input=wanted))["generateCodes"]["id"])
    newest, older, *first = await batches(desk)
    assert [newest["id"], older["id"]] == made[::-1]
    assert (newest["remark"], newest["language"], newest["documentType"]) == ("Reprint", "DE", "NO_EMAIL")
    assert newest["createdBy"] == "staff:ada"
    assert len(first) == 1
    assert [batch["id"] for batch in await batches(desk, contactId=await desk.contact_id("TYD"))] == made[::-1]
    assert [batch["id"] for batch in await batches(desk, search="WORKS")] == made[:1]
    assert await batches(desk, offerId=await desk.offer_id("COUPON3")) == []
    assert len(await batches(desk, seasonId=await desk.season_id(), first=1)) == 1
    assert await batches(desk, until="2000-01-01T00:00:00Z") == []
    assert await batches(desk, state="FAILED") == []
    partner = Client(server, "partner", server.partner)
    assert {batch["id"] for batch in await batches(partner, "PartnerBatches")} == set(made)


async def test_pages_of_batches_go_on_where_the_last_one_ended(desk: Desk) -> None:
    wanted = {"offerId": await desk.offer_id("PROMOTYD"), "contactId": await desk.contact_id("TYD"), "quantity": 1}
    for _ in range(2):
        await desk.ask("GenerateCodes", input={**wanted, "documentType": "NO_EMAIL"})
    everything = [batch["id"] for batch in await batches(desk)]
    seen, after = [], None
    while True:
        page = (await desk.ask("CodeBatches", first=1, after=after))["codeBatches"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == everything
