"""An offer once more, in its own season or another one; what a copy cannot have is told, and never left to chance."""

import asyncio

from tests.conftest import NOW, Server
from tests.graphql.offers.configuring import NAMES, Form, custom_codes, places
from tests.services.dataset.samples import example
from tests.wire import JsonObject

from services.dataset import Datasets

OWN = {"id", "code", "state", "version"}


async def with_next_season(server: Server) -> Form:
    """The example and a season after it, with a product in it."""
    season = {**example()["seasons"][0], "code": "2027-28"}
    season |= {"startsOn": "2027-09-01T00:00:00+02:00", "endsOn": "2028-07-15T23:59:59+02:00"}
    product = {**example()["products"][0], "code": "NEXT", "season": "2027-28"}
    product["performances"] = [
        {**product["performances"][0], "code": "NEXT-1", "startsAt": "2027-12-01T20:00:00+01:00"}
    ]
    document = {"organisation": example()["organisation"], "seasons": [season], "products": [product]}
    await Datasets(server.own.sessions).load(document, now=NOW)
    return await Form.open(server)


def configured(offer: JsonObject) -> JsonObject:
    return {name: value for name, value in offer.items() if name not in OWN}


async def test_a_copy_is_a_draft_that_is_configured_like_its_original(server: Server) -> None:
    form = await Form.open(server)
    for code in ("OPENING", "REGULARS", "REVIVAL", "PROMOTYD"):
        original = await form.configured(code)
        answer = await form.copy(original["id"], f"{code} 2")
        assert (answer["__typename"], answer["leftOut"]) == ("OfferStateChanged", [])
        copy = await form.configured(f"{code} 2")
        assert (copy["state"], copy["version"], copy["unfinished"]) == ("DRAFT", 1, [])
        assert configured(copy) == configured(original)


async def test_codes_are_not_copied_and_the_answer_says_so(server: Server) -> None:
    form = await Form.open(server)
    answer = await form.copy(await form.offer_id("STAFFTYD"))
    assert [problem["path"] for problem in answer["leftOut"]] == [["target", "accessCode"]]
    assert answer["offer"]["target"]["accessCode"] is None
    assert places(await form.take_to(answer["offer"]["id"], "VALIDATED")) == {"target.accessCode"}
    coupon = await form.copy(await form.offer_id("TENOFF"))
    assert [problem["path"] for problem in coupon["leftOut"]] == [["customCodes"]]
    assert custom_codes(coupon["offer"]) == []
    assert custom_codes(await form.configured("TENOFF"))[0]["code"] == "MERCI10"


async def test_an_offer_in_any_state_can_be_copied(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.offer_id("OPENING")
    for number, state in enumerate(("SUSPENDED", "CLOSED")):
        await form.take_to(offer, state)
        assert (await form.copy(offer, f"COPY {number}"))["offer"]["state"] == "DRAFT"


async def test_a_copy_for_another_season_leaves_out_what_is_of_the_originals(server: Server) -> None:
    form = await with_next_season(server)
    ids = form.ids
    limited = [{"productId": ids["ZINMAN"], "quota": 5}, {"seatCategoryId": ids["CAT1"], "perOrder": 2}]
    scope = {"performanceIds": [ids["ZINMAN-0119"]], "seatCategoryIds": [ids["CAT1"]]}
    original = await form.create(scope=scope, limits={"quota": 50, "elements": limited})
    answer = await form.copy(original["id"], seasonId=ids["2027-28"])
    copy = answer["offer"]
    assert (copy["season"]["code"], copy["scope"]["performances"]) == ("2027-28", [])
    assert [each["code"] for each in copy["scope"]["seatCategories"]] == ["CAT1"]
    assert (copy["limits"]["quota"], [each["element"]["code"] for each in copy["limits"]["elements"]]) == (50, ["CAT1"])
    told = {".".join(problem["path"]): problem["message"] for problem in answer["leftOut"]}
    assert set(told) == {"scope.performanceIds", "limits.elements"}
    assert "ZINMAN-0119" in told["scope.performanceIds"]
    assert "2027-28" in told["scope.performanceIds"]


async def test_a_copy_that_lost_its_scope_is_not_validated_for_everything_by_mistake(server: Server) -> None:
    form = await with_next_season(server)
    original = await form.create(scope={"productIds": [form.ids["ZINMAN"]]})
    copy = (await form.copy(original["id"], seasonId=form.ids["2027-28"]))["offer"]
    assert copy["unfinished"] == ["scope"]
    assert places(await form.take_to(copy["id"], "VALIDATED")) == {"scope"}
    again = (await form.copy(copy["id"], "THIRD"))["offer"]
    assert again["unfinished"] == ["scope"]
    assert (await form.update(copy["id"], publicName=NAMES))["unfinished"] == ["scope"]
    chosen = await form.update(copy["id"], scope={"productIds": [form.ids["NEXT"]]})
    assert chosen["unfinished"] == []
    assert (await form.take_to(copy["id"], "VALIDATED"))["offer"]["state"] == "VALIDATED"


async def test_what_cannot_be_copied_so_is_named(server: Server) -> None:
    form = await Form.open(server)
    opening, coupon = await form.offer_id("OPENING"), await form.offer_id("COUPON3")
    assert places(await form.copy(opening, "OPENING")) == {"code"}
    assert places(await form.copy(opening, " ")) == {"code"}
    assert places(await form.copy(coupon, "NEW", seasonId=form.ids["2026-27"])) == {"seasonId"}
    assert (await form.copy(form.ids["CAT1"]))["__typename"] in {"NotFound", "InvalidInput"}
    assert (await form.copy(opening, "NEW", seasonId=form.ids["CAT1"]))["__typename"] in {"NotFound", "InvalidInput"}


async def test_one_key_makes_one_copy_and_one_code_too(server: Server) -> None:
    form = await Form.open(server)
    opening = await form.offer_id("OPENING")
    answers = [await form.copy(opening, idempotencyKey="once") for _ in range(3)]
    assert len({answer["offer"]["id"] for answer in answers}) == 1
    raced = await asyncio.gather(*(form.copy(opening, "RACED") for _ in range(5)))
    assert sorted(answer["__typename"] for answer in raced) == ["InvalidInput"] * 4 + ["OfferStateChanged"]


async def test_only_staff_who_configure_may_copy(server: Server) -> None:
    opening = await Form(server).offer_id("OPENING")
    seller = await server.own.credentials.staff_token("theatre", ["SALES"], NOW.replace(hour=23), name="bob")
    for token in (server.shopper, server.contact, server.partner, seller):
        answer = await Form(server, token).send("CopyOffer", input={"offerId": opening, "code": "NEW"})
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
