"""What stands in the way of an offer: in words for people, in values for programs, with when it is over."""

from datetime import timedelta
from typing import Final

import pytest
from tests.conftest import NOW, Server
from tests.graphql.offers.configuring import Form
from tests.graphql.operations import BackOffice, Shop
from tests.wire import Json

SEATS: Final = ("HELENE-1217", "CAT1", "FULL", 2)
REFUSED: Final = """
    code retryAfter required actual
    requiredValue { money { amount currency } number instant text }
    actualValue { money { amount currency } number instant text }
"""
APPLY: Final = f"""
    mutation ($input: ApplyAdvantageCodeInput!) {{
        applyAdvantageCode(input: $input) {{
            __typename ... on CodeRefused {{ retryAfter refusals {{ {REFUSED} }} }}
        }}
    }}
"""
PRICE: Final = (
    f"query ($input: BasketInput!) {{ priceBasket(input: $input) {{ codes {{ refusals {{ {REFUSED} }} }} }} }}"
)
ELIGIBLE: Final = f"""
    query ($codes: [String!]) {{
        eligibleOffers(codes: $codes, includeIneligible: true, first: 50) {{
            edges {{ node {{ offer {{ code }} refusals {{ {REFUSED} }} }} }}
        }}
    }}
"""


async def promotion(server: Server, **changes: Json) -> str:
    """A promotional code that runs, entered by SECRET; its code."""
    form = await Form.open(server)
    offer = await form.create_promotion(code="NEWPROMO", **changes)
    await form.add_code(offer["id"], "SECRET")
    answer = await form.take_to(offer["id"], "VALIDATED", "RUNNING")
    assert answer["__typename"] == "OfferStateChanged", answer
    return "SECRET"


async def applied(server: Server, code: str, token: str | None = None, **others: Json) -> Json:
    basket = (await Shop(server, token).basket(SEATS))["id"]
    answer = await server.ask(APPLY, {"input": {"basketId": basket, "code": code, **others}}, token=token)
    return answer["data"]["applyAdvantageCode"]


async def refusal(server: Server, code: str, token: str | None = None) -> Json:
    [refused] = (await applied(server, code, token))["refusals"]
    return refused


async def priced(server: Server, code: str, token: str) -> Json:
    shop = Shop(server)
    wanted: Json = {"lines": await shop.lines(SEATS), "codes": [code]}
    answer = await server.ask(PRICE, {"input": wanted}, token=token)
    [found] = answer["data"]["priceBasket"]["codes"][0]["refusals"]
    return found


async def test_a_minimum_that_is_not_reached_is_an_amount(server: Server) -> None:
    found = await refusal(server, await promotion(server, minimumBasket="500.00"))
    assert found["code"] == "MINIMUM_BASKET_NOT_REACHED"
    assert found["requiredValue"]["money"] == {"amount": "500.00", "currency": "EUR"}
    assert found["actualValue"]["money"]["amount"] == found["actual"]
    assert found["retryAfter"] is None


async def test_a_limit_is_a_number(server: Server) -> None:
    found = await refusal(server, await promotion(server, limits={"perOrder": 1}))
    assert found["code"] == "ORDER_LIMIT_EXCEEDED"
    assert (found["requiredValue"]["number"], found["actualValue"]["number"]) == (1, 2)
    assert (found["required"], found["actual"]) == ("1", "2")


async def test_an_offer_that_has_not_begun_says_when_and_in_how_many_seconds(server: Server) -> None:
    start = NOW + timedelta(minutes=10)
    refused = await applied(server, await promotion(server, validFrom=start.isoformat()))
    [found] = refused["refusals"]
    assert found["requiredValue"]["instant"] == start.isoformat()
    assert (found["retryAfter"], refused["retryAfter"]) == (600, 600)


async def test_an_offer_of_a_far_future_is_no_fault(server: Server) -> None:
    found = await refusal(server, await promotion(server, validFrom="8999-01-01T00:00:00Z"))
    assert found["retryAfter"] == 2**31 - 1


async def test_a_code_that_is_not_for_this_point_of_sale_answers_as_unknown(server: Server) -> None:
    form = await Form.open(server)
    code = await promotion(server, pointOfSaleIds=[form.ids["HALL"]])
    assert (await refusal(server, code))["code"] == "UNKNOWN_CODE"


async def test_waiting_does_not_help_where_something_else_stands_in_the_way_too(server: Server) -> None:
    start = NOW + timedelta(minutes=10)
    refused = await applied(server, await promotion(server, validFrom=start.isoformat(), limits={"perOrder": 1}))
    assert {each["code"]: each["retryAfter"] for each in refused["refusals"]} == {
        "NOT_STARTED": 600,
        "ORDER_LIMIT_EXCEEDED": None,
    }
    assert refused["retryAfter"] is None


async def test_a_code_that_another_basket_holds_says_in_how_many_seconds_it_is_free_at_the_latest(
    server: Server,
) -> None:
    [code] = await BackOffice(server).codes(1, offerId=await BackOffice(server).offer_id("PROMOTYD"))
    assert (await applied(server, code))["__typename"] == "AdvantageCodeApplied"
    refused = await applied(server, code)
    [found] = refused["refusals"]
    assert found["code"] == "CODE_HELD"
    assert found["actualValue"]["instant"] is not None
    assert refused["retryAfter"] == found["retryAfter"] is not None


async def test_who_waited_sends_the_same_key_again(server: Server) -> None:
    code = await promotion(server, validFrom=(NOW + timedelta(minutes=10)).isoformat())
    basket = (await Shop(server).basket(SEATS))["id"]
    wanted: Json = {"input": {"basketId": basket, "code": code, "idempotencyKey": "once"}}
    early = (await server.ask(APPLY, wanted))["data"]["applyAdvantageCode"]
    assert early["retryAfter"] == 600
    server.clock.now += timedelta(minutes=10)
    late = (await server.ask(APPLY, wanted))["data"]["applyAdvantageCode"]
    assert late["__typename"] == "AdvantageCodeApplied"


@pytest.mark.parametrize(
    ("restriction", "required", "actual"),
    [
        ({"indicator": {"indicator": "ASSIDUITY", "level": "CONSTANT"}}, "CONSTANT", "none"),
        ({"counterProfiles": ["CHIEF", "DESK"]}, "CHIEF, DESK", "none"),
    ],
)
async def test_levels_and_profiles_are_named_to_staff_alone(
    server: Server, restriction: Json, required: str, actual: str
) -> None:
    code = await promotion(server, restrictedTo=restriction)
    for token in (server.shopper, server.contact, server.partner):
        for told in (await refusal(server, code, token), await priced(server, code, token)):
            assert told["code"] == "NOT_TARGETED"
            found = [told["required"], told["actual"], told["requiredValue"], told["actualValue"]]
            assert found == [None, None, None, None], token
        assert required not in str(await server.ask(ELIGIBLE, {"codes": [code]}, token=token))
    answer = await server.ask(ELIGIBLE, {"codes": [code]}, token=server.staff, **{"Accept-Language": "en"})
    nodes = [edge["node"] for edge in answer["data"]["eligibleOffers"]["edges"]]
    [mine] = [node["refusals"] for node in nodes if node["offer"]["code"] == "NEWPROMO"]
    [told] = [each for each in mine if each["code"] == "NOT_TARGETED"]
    assert (told["required"], told["actual"]) == (required, actual)
    assert (told["requiredValue"]["text"], told["actualValue"]["text"]) == (required, actual)
