"""Programs go by codes and values, people read sentences: a failure has both, whatever went wrong."""

from typing import Final

import pytest
from tests.conftest import Server
from tests.graphql.offers.configuring import Form
from tests.graphql.operations import Shop
from tests.wire import Json, JsonObject

from db.core.ids import new_id
from resolvers.runtime.ids import encode

SEATS: Final = ("HELENE-1217", "CAT1", "FULL", 2)
FAILED: Final = """
    __typename
    ... on Failure {
        failure: code message retryAfter
        ... on InvalidInput { problems { path code rule message english: message(language: EN) } }
        ... on NotFound { path }
        ... on Conflict { currentVersion state total { amount } }
    }
"""


async def failed(server: Server, operation: str, value: JsonObject, token: str | None = None) -> Json:
    kind = f"{operation[0].upper()}{operation[1:]}Input"
    document = f"mutation ($input: {kind}!) {{ {operation}(input: $input) {{ {FAILED} }} }}"
    answer = await server.ask(document, {"input": value}, token=token or server.staff)
    assert "errors" not in answer, answer
    return answer["data"][operation]


def rules(answer: Json) -> dict[str, str]:
    """The broken rules by path."""
    assert answer["__typename"] == "InvalidInput", answer
    assert all(problem["code"] == problem["rule"] for problem in answer["problems"])
    return {".".join(problem["path"]): problem["rule"] for problem in answer["problems"]}


async def test_each_problem_of_a_basket_names_the_rule_that_was_broken(server: Server) -> None:
    [line] = await Shop(server).lines(SEATS)
    lines = [
        {**line, "quantity": 0},
        {**line, "seatCategoryId": encode("SeatCategory", new_id())},
        {"audienceSubCategoryId": line["audienceSubCategoryId"]},
        {**line, "performanceId": "no id"},
    ]
    answer = await failed(server, "createBasket", {"lines": lines[:3]}, server.shopper)
    assert rules(answer) == {
        "lines.0.quantity": "OUT_OF_RANGE",
        "lines.1.seatCategoryId": "UNKNOWN_REFERENCE",
        "lines.2": "CHOOSE_ONE",
    }
    answer = await failed(server, "createBasket", {"lines": lines[3:]}, server.shopper)
    assert rules(answer) == {"lines.0.performanceId": "MALFORMED_ID"}


async def test_each_problem_of_an_offer_names_the_rule_that_was_broken(server: Server) -> None:
    form = await Form.open(server)
    wrong = form.advantage(
        code="x" * 101,
        picture="no address",
        internalName={"fr": " "},
        benefit={"percentOff": "0.00001"},
        limits={"quota": -1},
        validFrom="2026-12-02T00:00:00Z",
        validUntil="2026-12-01T00:00:00Z",
        channelIds=[encode("SalesChannel", new_id())],
    )
    found = rules(await failed(server, "createAdvantage", wrong))
    assert found["code"] == "TOO_LONG"
    assert found["picture"] == "MALFORMED"
    assert found["benefit.percentOff"] == "TOO_PRECISE"
    assert found["limits.quota"] == "OUT_OF_RANGE"
    assert found["validUntil"] == "CONTRADICTION"
    assert found["channelIds.0"] == "UNKNOWN_REFERENCE"


async def test_a_code_that_another_offer_has_is_taken(server: Server) -> None:
    form = await Form.open(server)
    assert rules(await failed(server, "createAdvantage", form.advantage(code="OPENING"))) == {"code": "TAKEN"}


async def test_a_problem_is_told_in_the_language_asked_for(server: Server) -> None:
    [line] = await Shop(server).lines(SEATS)
    answer = await failed(server, "createBasket", {"lines": [{**line, "quantity": 0}]}, server.shopper)
    [problem] = answer["problems"]
    assert problem["english"] == "Choose a quantity from 1 to 1,000."
    assert problem["message"] == "Choisissez une quantité de 1 à 1\N{NARROW NO-BREAK SPACE}000."


async def test_who_changes_what_another_has_changed_is_told_the_version_it_has_now(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.create()
    changed = await form.update(offer["id"], expectedVersion=offer["version"], limits={"quota": 5})
    clash = await failed(server, "updateAdvantage", {"id": offer["id"], "expectedVersion": offer["version"]})
    assert (clash["failure"], clash["currentVersion"]) == ("VERSION_CLASH", changed["version"])


async def test_the_same_clash_is_told_again_under_its_key(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.create()
    await form.update(offer["id"], limits={"quota": 5})
    wanted: JsonObject = {"id": offer["id"], "expectedVersion": offer["version"], "idempotencyKey": "clash"}
    first = await failed(server, "updateAdvantage", wanted)
    assert await failed(server, "updateAdvantage", wanted) == first
    assert first["currentVersion"] == offer["version"] + 1


async def test_who_changes_what_a_running_offer_is_told_to_suspend_it_first(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.offer_id("OPENING")
    answer = await failed(server, "updateAdvantage", {"id": offer, "benefit": {"percentOff": "1"}})
    assert (answer["failure"], answer["state"]) == ("SUSPEND_FIRST", "RUNNING")


async def test_a_step_that_does_not_follow_names_the_state_of_now(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.create()
    answer = await failed(server, "changeOfferState", {"offerId": offer["id"], "state": "RUNNING"})
    assert (answer["failure"], answer["state"]) == ("STATE_DOES_NOT_ALLOW", "DRAFT")


@pytest.mark.parametrize(
    ("end", "told"),
    [("confirmBasket", ("BASKET_NOT_OPEN", "CONFIRMED")), ("cancelBasket", ("BASKET_NOT_OPEN", "CANCELLED"))],
)
async def test_a_basket_that_is_no_longer_open_says_what_it_is(server: Server, end: str, told: tuple[str, str]) -> None:
    basket = (await Shop(server).basket(SEATS))["id"]
    await failed(server, end, {"basketId": basket}, server.shopper)
    answer = await failed(server, "confirmBasket", {"basketId": basket, "idempotencyKey": "k"}, server.shopper)
    assert (answer["failure"], answer["state"]) == told
    again = await failed(server, "confirmBasket", {"basketId": basket, "idempotencyKey": "k"}, server.shopper)
    assert again == answer


async def test_an_expired_basket_says_so(server: Server) -> None:
    basket = (await Shop(server).basket(SEATS))["id"]
    async with server.own.sessions.writing() as connection:
        await connection.exec_driver_sql("UPDATE baskets SET expires_at = now() - interval '1 second'")
    answer = await failed(server, "confirmBasket", {"basketId": basket}, server.shopper)
    assert (answer["failure"], answer["state"], answer["retryAfter"]) == ("BASKET_EXPIRED", "EXPIRED", None)


async def test_an_empty_basket_is_no_order(server: Server) -> None:
    basket = (await Shop(server).basket())["id"]
    assert (await failed(server, "confirmBasket", {"basketId": basket}, server.shopper))["failure"] == "BASKET_EMPTY"


async def test_a_problem_of_a_query_names_its_rule_too(server: Server) -> None:
    shop = Shop(server)
    answer = await shop.send("PriceBasket", input={"lines": await shop.lines((*SEATS[:3], 0))})
    [problem] = answer["errors"][0]["extensions"]["problems"]
    assert (problem["path"], problem["code"]) == (["lines", "0", "quantity"], "OUT_OF_RANGE")


# ── Ids ──────────────────────────────────────────────────────────────────────────────────────────

NONE: Final = ("", "x", "UHJvZHVjdDox", "💥", encode("Season", new_id()))
"""No ids, and one of another kind."""
NAMED: Final[dict[str, tuple[str, str, JsonObject]]] = {
    "updateBasket": ("basketId", "Basket", {"lines": []}),
    "applyAdvantageCode": ("basketId", "Basket", {"code": "X"}),
    "removeAdvantageCode": ("basketId", "Basket", {"code": "X"}),
    "confirmBasket": ("basketId", "Basket", {}),
    "cancelBasket": ("basketId", "Basket", {}),
    "cancelOrder": ("orderId", "Order", {}),
    "updateAdvantage": ("offerId", "Advantage", {}),
    "updatePromotionalCode": ("offerId", "PromotionalCode", {}),
    "addCustomCode": ("offerId", "PromotionalCode", {"code": "X"}),
    "updateCustomCode": ("offerId", "PromotionalCode", {"code": "X"}),
    "changeOfferState": ("offerId", "Advantage", {"state": "RUNNING"}),
    "resendCodeBatch": ("batchId", "CodeBatch", {}),
}
"""Mutations, by the field that names what they are about, its kind, and what else they need."""
QUERIES: Final = {
    "node": "id",
    "basket": "id",
    "order": "id",
    "codeBatch": "id",
    "codeDashboard": "seasonId",
}


@pytest.mark.parametrize("operation", NAMED)
async def test_an_id_that_is_none_is_answered_like_one_that_nothing_has(server: Server, operation: str) -> None:
    field, kind, others = NAMED[operation]
    for wrong in (*NONE, encode(kind, new_id())):
        answer = await failed(server, operation, {**others, field: wrong})
        assert (answer["__typename"], answer["failure"], answer["path"]) == ("NotFound", "NOT_FOUND", [field]), wrong


async def test_codes_for_an_offer_or_contact_whose_id_is_none_are_not_found(server: Server) -> None:
    form = await Form.open(server)
    sound = {"offerId": await form.offer_id("PROMOTYD"), "contactId": await form.contact_id("TYD")}
    for operation, others in (("generateCodes", {"quantity": 1}), ("importCodes", {"codes": ["ABCDEF"]})):
        for field in sound:
            # Codes may be nobody's: an empty id names no contact.
            for wrong in NONE if field == "offerId" else NONE[1:]:
                answer = await failed(server, operation, {**sound, **others, field: wrong})
                assert (answer["__typename"], answer["path"]) == ("NotFound", [field])


@pytest.mark.parametrize("query", QUERIES)
async def test_a_query_names_the_argument_that_is_no_id(server: Server, query: str) -> None:
    field = QUERIES[query]
    shown = "{ total { version } }" if query == "codeDashboard" else "{ id }"
    for wrong in NONE[:4]:
        document = f"query ($id: ID!) {{ {query}({field}: $id) {shown} }}"
        [error] = (await server.ask(document, {"id": wrong}, token=server.staff))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        [problem] = error["extensions"]["problems"]
        assert (problem["path"], problem["code"]) == ([field], "MALFORMED_ID")


async def test_an_id_within_an_input_that_is_none_is_one_of_its_problems(server: Server) -> None:
    [line] = await Shop(server).lines(SEATS)
    for wrong in NONE:
        wanted: JsonObject = {
            "lines": [{**line, "performanceId": wrong}],
            "deliveryModeId": wrong,
            "advantageIds": [wrong],
        }
        answer = await failed(server, "createBasket", wanted, server.shopper)
        paths = ("lines.0.performanceId", "deliveryModeId", "advantageIds.0")
        assert rules(answer) == dict.fromkeys(paths, "MALFORMED_ID")
