"""Whatever a client sends, the answer names what is wrong; nothing is done by half, and nothing is a fault."""

import pytest
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Shop
from tests.wire import Json

from db.core.ids import new_id
from resolvers.runtime.ids import encode

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)


def problems(answer: Json) -> dict[str, str]:
    """The problems of a refused query by path."""
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT", error
    return {".".join(problem["path"]): problem["message"] for problem in error["extensions"]["problems"]}


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "sesame.theatre.nokey", "é"])
async def test_a_broken_token_is_told_so(server: Server, token: str) -> None:
    headers = {b"Authorization": f"Bearer {token}".encode()}
    response = await server.client.post("/graphql", json={"query": "{ seasons { id } }"}, headers=headers)
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_missing_token_is_told_so(server: Server) -> None:
    response = await server.client.post("/graphql", json={"query": "{ seasons { id } }"})
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("quantity", [0, -1, 1001])
async def test_a_quantity_out_of_range_is_named(server: Server, quantity: int) -> None:
    shop = Shop(server)
    answer = await shop.send("PriceBasket", input={"lines": await shop.lines((*SEATS[:3], quantity))})
    assert list(problems(answer)) == ["lines.0.quantity"]


async def test_a_quantity_beyond_32_bits_is_named(server: Server) -> None:
    shop = Shop(server)
    answer = await shop.send("PriceBasket", input={"lines": await shop.lines((*SEATS[:3], 2**31))})
    assert list(problems(answer)) == ["lines.0.quantity"]


async def test_501_lines_are_too_many(server: Server) -> None:
    shop = Shop(server)
    answer = await shop.send("PriceBasket", input={"lines": await shop.lines((*SEATS[:3], 1)) * 501})
    assert "501" in problems(answer)["lines"]


async def test_a_combination_that_is_not_sold_names_its_line(server: Server) -> None:
    shop = Shop(server)
    [good, student] = await shop.lines(SEATS, ("ZINMAN-0119", "CAT1", "STUDENT", 1))
    wrong = {**good, "audienceSubCategoryId": student["audienceSubCategoryId"]}
    assert list(problems(await shop.send("PriceBasket", input={"lines": [good, wrong]}))) == ["lines.1"]


async def test_every_problem_is_told_at_once(server: Server) -> None:
    shop = Shop(server)
    [line] = await shop.lines(SEATS)
    wrong = {**line, "quantity": 0, "seatCategoryId": encode("SeatCategory", new_id())}
    neither = {"audienceSubCategoryId": line["audienceSubCategoryId"]}
    answer = await shop.send(
        "PriceBasket",
        input={"lines": [wrong, neither], "deliveryModeId": encode("DeliveryMode", new_id()), "codes": [""]},
    )
    assert set(problems(answer)) == {
        "lines.0.quantity",
        "lines.0.seatCategoryId",
        "lines.1",
        "deliveryModeId",
        "codes.0",
    }


@pytest.mark.parametrize("wrong", ["", "x", "UHJvZHVjdDox", "💥", "A" * 10_000])
async def test_a_malformed_id_is_named(server: Server, wrong: str) -> None:
    shop = Shop(server)
    [line] = await shop.lines(SEATS)
    answer = await shop.send("PriceBasket", input={"lines": [{**line, "performanceId": wrong}]})
    assert list(problems(answer)) == ["lines.0.performanceId"]


async def test_an_id_of_another_kind_is_named(server: Server) -> None:
    shop = Shop(server)
    [line] = await shop.lines(SEATS)
    answer = await shop.send("PriceBasket", input={"lines": [{**line, "performanceId": line["seatCategoryId"]}]})
    assert list(problems(answer)) == ["lines.0.performanceId"]


async def test_an_unknown_basket_is_not_found(server: Server) -> None:
    answer = await Shop(server).apply(encode("Basket", new_id()), "COUPON3%")
    assert answer["__typename"] == "NotFound"


async def test_an_unknown_id_is_no_node(server: Server) -> None:
    for kind in ("Basket", "Order", "Ticket", "Season", "Advantage", "Contact", "Nonsense"):
        assert (await BackOffice(server).ask("Anything", id=encode(kind, new_id())))["node"] is None


CODES = {
    "empty": "",
    "blank": "   ",
    "huge": "A" * 10_000,
    "a NUL": "ABC\0DEF",
    "a control character": "AB\x07C",
}


@pytest.mark.parametrize("code", CODES.values(), ids=CODES.keys())
async def test_what_cannot_be_a_code_is_refused_as_unknown(server: Server, code: str) -> None:
    shop = Shop(server)
    basket = await shop.basket(SEATS)
    answer = await shop.apply(basket["id"], code)
    assert [refusal["code"] for refusal in answer["refusals"]] == ["UNKNOWN_CODE"], answer


@pytest.mark.parametrize("code", CODES.values(), ids=CODES.keys())
async def test_what_cannot_be_a_code_is_a_problem_of_a_price(server: Server, code: str) -> None:
    shop = Shop(server)
    answer = await shop.send("PriceBasket", input={"lines": await shop.lines(SEATS), "codes": [code]})
    assert list(problems(answer)) == ["codes.0"]


async def test_a_lone_surrogate_is_no_json(server: Server) -> None:
    shop = Shop(server)
    for answer in (
        await shop.send("PriceBasket", input={"lines": [], "codes": ["ABC\ud800"]}),
        await shop.send("ApplyAdvantageCode", input={"basketId": "x", "code": "ABC\ud800"}),
    ):
        assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        assert "surrogate" in answer["errors"][0]["message"]


async def test_a_mistyped_code_says_so_without_a_look_up(server: Server) -> None:
    office = BackOffice(server)
    [code] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"))
    mistyped = ("0" if code[0] != "0" else "2") + code[1:]
    shop = Shop(server)
    pricing = await shop.price(SEATS, codes=[mistyped, "NOSUCHCODE"])
    [wrong, unknown] = [each["refusals"][0] for each in pricing["codes"]]
    assert wrong["code"] == unknown["code"] == "UNKNOWN_CODE"
    assert wrong["message"] != unknown["message"]


async def test_shoppers_cannot_read_what_is_the_staffs(server: Server) -> None:
    shopper = BackOffice(server, server.shopper)
    season = await BackOffice(server).season_id()
    offer = await BackOffice(server).offer_id("PROMOTYD")
    for operation, variables in (
        ("CodeDashboard", {"seasonId": season}),
        ("Codes", {}),
        ("GenerateCodes", {"input": {"offerId": offer, "contactId": encode("Contact", new_id()), "quantity": 1}}),
        ("InvalidateCode", {"input": {"code": "MERCI10", "reason": "because"}}),
    ):
        answer = await shopper.send(operation, **variables)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", answer


async def test_a_contacts_basket_is_hidden_from_other_callers(server: Server) -> None:
    basket = await Shop(server, server.contact).basket(SEATS)
    assert (await Shop(server).ask("Basket", id=basket["id"]))["basket"] is None


async def test_failures_speak_the_language_that_was_asked_for(server: Server) -> None:
    shop = Shop(server)
    basket = (await shop.basket(SEATS))["id"]
    messages = set()
    for language in ("FR", "EN", "DE", "ES", "IT"):
        data = await shop.ask("ApplyAdvantageCode", input={"basketId": basket, "code": "NOSUCH"}, language=language)
        messages.add(data["applyAdvantageCode"]["refusals"][0]["message"])
    assert len(messages) == 5
