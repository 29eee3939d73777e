"""From the catalogue to an order, over HTTP, with the documents that clients send."""

import pytest
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Shop
from tests.wire import Json

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)


def amounts(pricing: Json) -> dict[str, str]:
    names = ("subtotal", "advantageDiscount", "promotionDiscount", "processingFee", "total", "amountDue")
    return {name: pricing[name]["amount"] for name in names}


async def single_use_codes(server: Server, count: int = 2) -> list[str]:
    office = BackOffice(server)
    return await office.codes(count, offerId=await office.offer_id("PROMOTYD"), status=["AVAILABLE"])


async def test_two_full_price_seats_cost_their_price_and_the_channels_fee(server: Server) -> None:
    pricing = await Shop(server).price(SEATS)
    assert amounts(pricing) == {
        "subtotal": "160.00",
        "advantageDiscount": "0.00",
        "promotionDiscount": "0.00",
        "processingFee": "2.00",
        "total": "162.00",
        "amountDue": "162.00",
    }


async def test_a_single_use_code_covers_one_ticket(server: Server) -> None:
    [code] = await single_use_codes(server, 1)
    pricing = await Shop(server).price(SEATS, codes=[code])
    assert pricing["advantageDiscount"]["amount"] == "40.00"
    assert [ticket["price"]["amount"] for ticket in pricing["lines"][0]["tickets"]] == ["40.00", "80.00"]


async def test_a_coupon_takes_its_share_of_what_the_code_left(server: Server) -> None:
    [code] = await single_use_codes(server, 1)
    pricing = await Shop(server).price(SEATS, codes=[code, "COUPON3%"])
    assert pricing["promotionDiscount"]["amount"] == "3.60"
    assert pricing["total"]["amount"] == "118.40"


async def test_a_contact_gets_the_offers_reserved_for_them(server: Server) -> None:
    seats = (*SEATS[:3], 3)
    pricing = await Shop(server, server.contact).price(seats)
    tickets = pricing["lines"][0]["tickets"]
    assert sorted((ticket["advantage"]["code"], ticket["price"]["amount"]) for ticket in tickets) == [
        ("REGULARS", "72.00"),
        ("REVIVAL", "60.00"),
        ("REVIVAL", "60.00"),
    ]


async def test_codes_are_entered_in_any_spelling(server: Server) -> None:
    [code] = await single_use_codes(server, 1)
    spelled = code.replace(" ", "-").lower().replace("0", "o").replace("1", "l")
    pricing = await Shop(server).price(SEATS, codes=[spelled])
    assert pricing["codes"][0]["applied"]


async def test_a_basket_with_a_code_becomes_an_order_at_the_price_that_it_showed(server: Server) -> None:
    shop = Shop(server)
    [code] = await single_use_codes(server, 1)
    basket = await shop.basket(SEATS)
    applied = await shop.apply(basket["id"], code)
    assert applied["offer"]["publicName"] == "TYD promo"
    assert applied["basket"]["pricing"]["total"]["amount"] == "122.00"
    order = await shop.confirm(basket["id"])
    assert order["pricing"] == applied["basket"]["pricing"]
    assert [ticket["price"]["amount"] for ticket in order["tickets"]] == ["40.00", "80.00"]
    assert (await shop.ask("Basket", id=basket["id"]))["basket"]["order"]["id"] == order["id"]
    assert (await shop.ask("Order", id=order["id"]))["order"]["number"] == order["number"]


async def test_a_used_code_is_refused_to_the_next_basket(server: Server) -> None:
    shop = Shop(server)
    [code] = await single_use_codes(server, 1)
    first, second = await shop.basket(SEATS), await shop.basket(SEATS)
    await shop.apply(first["id"], code)
    held = await shop.apply(second["id"], code)
    assert [refusal["code"] for refusal in held["refusals"]] == ["CODE_HELD"]
    await shop.confirm(first["id"])
    used = await shop.apply(second["id"], code)
    assert [refusal["code"] for refusal in used["refusals"]] == ["CODE_ALREADY_USED"]


async def test_a_code_taken_out_of_a_basket_is_free_for_the_next(server: Server) -> None:
    shop = Shop(server)
    [code] = await single_use_codes(server, 1)
    first, second = await shop.basket(SEATS), await shop.basket(SEATS)
    await shop.apply(first["id"], code)
    removed = await shop.ask("RemoveAdvantageCode", input={"basketId": first["id"], "code": code})
    assert removed["removeAdvantageCode"]["pricing"]["total"]["amount"] == "162.00"
    assert (await shop.apply(second["id"], code))["__typename"] == "AdvantageCodeApplied"


async def test_the_same_code_again_changes_nothing(server: Server) -> None:
    shop = Shop(server)
    [code] = await single_use_codes(server, 1)
    basket = await shop.basket(SEATS)
    first = await shop.apply(basket["id"], code)
    again = await shop.apply(basket["id"], code)
    assert again["basket"]["pricing"] == first["basket"]["pricing"]


async def test_one_key_makes_one_basket(server: Server) -> None:
    shop = Shop(server)
    first = await shop.basket(SEATS, idempotencyKey="a")
    again = await shop.basket(SEATS, idempotencyKey="a")
    assert again["id"] == first["id"]


async def test_a_key_with_another_input_is_a_conflict(server: Server) -> None:
    shop = Shop(server)
    await shop.basket(SEATS, idempotencyKey="a")
    other = {"lines": await shop.lines((*SEATS[:3], 1)), "idempotencyKey": "a"}
    assert (await shop.ask("CreateBasket", input=other))["createBasket"]["__typename"] == "Conflict"


async def test_the_dashboard_counts_one_order_of_150_codes(server: Server) -> None:
    shop, office = Shop(server), BackOffice(server)
    [code] = await single_use_codes(server, 1)
    basket = await shop.basket(SEATS)
    await shop.apply(basket["id"], code)
    await shop.confirm(basket["id"])
    dashboard = (await office.ask("CodeDashboard", seasonId=await office.season_id()))["codeDashboard"]
    [row], [subtotal], total = dashboard["rows"], dashboard["subtotals"], dashboard["total"]
    for counts in (row["counts"], subtotal["counts"], total):
        assert (counts["generated"], counts["available"], counts["held"], counts["used"]) == (150, 149, 0, 1)
        assert (counts["ticketsControlled"], counts["invalidated"]) == (0, 0)
    assert (row["contact"]["code"], row["offer"]["code"]) == ("SECUTIX", "PROMOTYD")
    assert (subtotal["contact"]["code"], subtotal["offer"]) == ("SECUTIX", None)


async def test_an_invalidated_code_leaves_its_basket_which_is_told(server: Server) -> None:
    shop, office = Shop(server), BackOffice(server)
    [code] = await single_use_codes(server, 1)
    basket = await shop.basket(SEATS)
    await shop.apply(basket["id"], code)
    invalidated = await office.ask("InvalidateCode", input={"code": code, "reason": "lost"})
    assert invalidated["invalidateCode"]["status"] == "INVALIDATED"
    shown = (await shop.ask("Basket", id=basket["id"]))["basket"]["pricing"]
    assert shown["total"]["amount"] == "162.00"
    assert [refusal["code"] for refusal in shown["codes"][0]["refusals"]] == ["CODE_INVALIDATED"]
    told = await shop.confirm(basket["id"])
    assert [refusal["code"] for refusal in told["refusals"]] == ["CODE_INVALIDATED"]
    assert (await shop.confirm(basket["id"]))["pricing"]["total"]["amount"] == "162.00"


async def test_a_staff_member_finds_what_a_code_became(server: Server) -> None:
    shop, office = Shop(server, server.contact), BackOffice(server)
    [code] = await single_use_codes(server, 1)
    basket = await shop.basket((*SEATS[:3], 3))
    await shop.apply(basket["id"], code)
    order = await shop.confirm(basket["id"])
    [edge] = (await office.ask("Codes", filter={"code": code.lower()}))["codes"]["edges"]
    assert (edge["node"]["status"], edge["node"]["order"]["number"]) == ("USED", order["number"])
    assert edge["node"]["usedBy"]["name"] == "Blandine de Dainville"


@pytest.mark.parametrize(
    "kind", ["Season", "Product", "Advantage", "PromotionalCode", "Contact", "CodeBatch", "AdvantageCode"]
)
async def test_everything_is_found_again_by_its_id(server: Server, kind: str) -> None:
    office = BackOffice(server)
    offer = await office.offer_id("PROMOTYD")
    code = (await office.ask("Codes", first=1, filter={"offerId": offer}))["codes"]["edges"][0]["node"]
    products = await Shop(server).ask("Products", first=1)
    ids = {
        "Season": await office.season_id(),
        "Product": products["products"]["edges"][0]["node"]["id"],
        "Advantage": await office.offer_id("PROMOTYD"),
        "PromotionalCode": await office.offer_id("TENOFF"),
        "Contact": await office.contact_id("TYD"),
        "CodeBatch": code["batch"]["id"],
        "AdvantageCode": code["id"],
    }
    assert (await office.ask("Anything", id=ids[kind]))["node"] == {"__typename": kind, "id": ids[kind]}
