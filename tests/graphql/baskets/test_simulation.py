"""Trying offers on baskets before they are put into operation."""

from datetime import datetime, timedelta

import pytest
from tests.back_door import change_offer
from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Shop
from tests.wire import Json, JsonObject

from db.core.ids import new_id
from resolvers.runtime.ids import encode
from services.core.viewer import StaffRole

SEATS = ("HELENE-1217", "CAT1", "FULL", 3)
OPENING_SEATS = ("ZINMAN-0119", "CAT1", "FULL", 2)
AFTER_SALE_END = "2027-01-19T19:30:01+01:00"
END = datetime.fromisoformat("2026-12-01T00:00:00+01:00")


async def tried(server: Server, *offers: str, seats: tuple[str, str, str, int] = SEATS, **asked: Json) -> Json:
    """The price of a basket at the online shop for staff who try these offers."""
    office = BackOffice(server)
    asked_of_basket: JsonObject = {
        name: asked.pop(name) for name in ("contactId", "codes", "deliveryModeId") if name in asked
    }
    point = (await server.ask("{ viewer { pointOfSale { id } } }"))["data"]["viewer"]["pointOfSale"]["id"]
    basket = {"lines": await Shop(server).lines(seats), "pointOfSaleId": point, **asked_of_basket}
    included = [await office.offer_id(offer) for offer in offers]
    return (await office.ask("TryBasket", input=basket, includeOfferIds=included, **asked))["priceBasket"]


async def refusals(server: Server, *offers: str, **asked: Json) -> dict[str, list[str]]:
    """Why each offer is not open to staff who try these ones."""
    office = BackOffice(server)
    included = [await office.offer_id(offer) for offer in offers]
    answer = await office.ask("TryOffers", includeOfferIds=included, **asked)
    nodes = [edge["node"] for edge in answer["eligibleOffers"]["edges"]]
    return {node["offer"]["code"]: [refusal["code"] for refusal in node["refusals"]] for node in nodes}


def advantages(pricing: Json) -> list[str | None]:
    tickets = pricing["lines"][0]["tickets"]
    return [ticket["advantage"] and ticket["advantage"]["code"] for ticket in tickets]


@pytest.mark.parametrize("state", ["DRAFT", "VALIDATED", "SUSPENDED", "CLOSED"])
async def test_an_offer_that_does_not_run_yet_is_tried_on_a_basket(server: Server, state: str) -> None:
    await change_offer(server.own.sessions, "OPENING", state=state)
    assert advantages(await tried(server, seats=OPENING_SEATS)) == [None, None]
    assert advantages(await tried(server, "OPENING", seats=OPENING_SEATS)) == ["OPENING", "OPENING"]


async def test_a_trial_changes_nothing(server: Server) -> None:
    await change_offer(server.own.sessions, "OPENING", state="VALIDATED")
    await tried(server, "OPENING", seats=OPENING_SEATS)
    assert advantages(await Shop(server).price(OPENING_SEATS)) == [None, None]
    document = "query Q($id: ID!) { node(id: $id) { ... on Advantage { state quota remaining } } }"
    offer = {"id": await BackOffice(server).offer_id("OPENING")}
    answer = await server.ask(document, offer, token=server.staff)
    assert answer["data"]["node"] == {"state": "VALIDATED", "quota": 200, "remaining": 200}


async def test_a_basket_is_priced_at_another_instant(server: Server) -> None:
    await change_offer(server.own.sessions, "OPENING", state="VALIDATED")
    late = await tried(server, "OPENING", seats=OPENING_SEATS, at=AFTER_SALE_END)
    assert advantages(late) == [None, None]
    assert late["total"]["amount"] == "98.00"


async def test_an_offer_for_a_campaign_is_tried_for_one_of_its_contacts(server: Server) -> None:
    await change_offer(server.own.sessions, "REVIVAL", state="VALIDATED")
    await change_offer(server.own.sessions, "REGULARS", state="SUSPENDED")
    blandine = await BackOffice(server).contact_id("BLANDINE")
    assert advantages(await tried(server, "REVIVAL", contactId=blandine)) == ["REVIVAL", "REVIVAL", None]
    nouveau = await BackOffice(server).contact_id("NOUVEAU")
    assert advantages(await tried(server, "REVIVAL", contactId=nouveau)) == [None, None, None]


async def test_a_trial_counts_what_the_contact_has_of_its_share_already(server: Server) -> None:
    """REGULARS has six tickets for each contact."""
    await change_offer(server.own.sessions, "REVIVAL", state="SUSPENDED")
    await Shop(server, server.contact).basket((*SEATS[:3], 5))
    await change_offer(server.own.sessions, "REGULARS", state="SUSPENDED")
    blandine = await BackOffice(server).contact_id("BLANDINE")
    pricing = await tried(server, "REGULARS", contactId=blandine)
    assert sorted(map(str, advantages(pricing))) == ["None", "None", "REGULARS"]
    assert (await refusals(server, "REGULARS", contactId=blandine))["REGULARS"] == []


async def test_an_offer_that_needs_a_code_is_tried_as_if_one_was_entered(server: Server) -> None:
    await change_offer(server.own.sessions, "PROMOTYD", state="VALIDATED")
    pricing = await tried(server, "PROMOTYD")
    assert advantages(pricing) == ["PROMOTYD", None, None]
    [code] = pricing["codes"]
    assert (code["code"], code["applied"], code["discount"]["amount"]) == ("PROMOTYD", True, "40.00")


async def test_a_coupon_is_tried_as_if_its_code_was_entered(server: Server) -> None:
    await change_offer(server.own.sessions, "TENOFF", state="DRAFT")
    pricing = await tried(server, "TENOFF")
    assert pricing["promotionDiscount"]["amount"] == "10.00"
    assert [code["offer"]["state"] for code in pricing["codes"]] == ["DRAFT"]


async def test_a_tried_coupon_says_why_it_does_not_apply(server: Server) -> None:
    pricing = await tried(server, "TENOFF", seats=(*OPENING_SEATS[:3], 1))
    [code] = pricing["codes"]
    [refusal] = code["refusals"]
    assert (refusal["code"], refusal["required"], refusal["actual"]) == (
        "MINIMUM_BASKET_NOT_REACHED",
        "100.00",
        "43.00",
    )


async def test_a_code_that_was_entered_stands_for_its_tried_offer(server: Server) -> None:
    await change_offer(server.own.sessions, "PROMOTYD", state="VALIDATED")
    office = BackOffice(server)
    codes = await office.codes(2, offerId=await office.offer_id("PROMOTYD"))
    pricing = await tried(server, "PROMOTYD", codes=codes)
    assert [code["code"] for code in pricing["codes"]] == codes
    assert advantages(pricing) == ["PROMOTYD", "PROMOTYD", None]


async def test_a_tried_offer_is_open_where_nothing_else_stands_in_its_way(server: Server) -> None:
    for offer in ("PROMOTYD", "STAFFTYD", "COUPON3"):
        await change_offer(server.own.sessions, offer, state="VALIDATED")
    before = await refusals(server)
    assert before["COUPON3"] == ["NOT_TARGETED", "OFFER_NOT_RUNNING"]
    after = await refusals(server, "PROMOTYD", "STAFFTYD", "COUPON3")
    assert after["COUPON3"] == []
    assert set(after["PROMOTYD"]) == set(after["STAFFTYD"]) == {"WRONG_CHANNEL"}


async def test_staff_ask_what_is_open_at_another_instant(server: Server) -> None:
    await change_offer(server.own.sessions, "OPENING", valid_until=END)
    assert (await refusals(server))["OPENING"] == []
    assert (await refusals(server, at="2026-12-01T00:00:01+01:00"))["OPENING"] == ["EXPIRED"]


async def test_the_ends_of_time_are_instants_too(server: Server) -> None:
    await change_offer(server.own.sessions, "OPENING", valid_until=END)
    for at, refused in (("9999-12-31T23:59:59Z", ["EXPIRED"]), ("0001-01-01T00:00:00+14:00", [])):
        assert (await refusals(server, at=at))["OPENING"] == refused


@pytest.mark.parametrize("audience", ["shopper", "contact", "partner"])
@pytest.mark.parametrize("supposed", [{"at": AFTER_SALE_END}, {"includeOfferIds": True}])
async def test_customers_and_partners_may_not_try_a_price(server: Server, audience: str, supposed: JsonObject) -> None:
    office = BackOffice(server, getattr(server, audience))
    basket = {"lines": await Shop(server).lines(SEATS)}
    if "includeOfferIds" in supposed:
        supposed = {"includeOfferIds": [await BackOffice(server).offer_id("OPENING")]}
    [error] = (await office.send("TryBasket", input=basket, **supposed))["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["message"] == "Only staff with one of these roles may try offers and dates: catalogue, sales, reading."


@pytest.mark.parametrize("audience", ["shopper", "contact", "partner"])
async def test_whether_an_offer_exists_is_not_told_to_who_may_not_try_it(server: Server, audience: str) -> None:
    office = BackOffice(server, getattr(server, audience))
    known, unknown = await BackOffice(server).offer_id("STAFFTYD"), encode("Advantage", new_id())
    answers = [await office.send("TryOffers", includeOfferIds=[each]) for each in (known, unknown)]
    assert answers[0] == answers[1]
    assert answers[0]["errors"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("role", list(StaffRole))
async def test_staff_who_configure_sell_or_read_may_try_offers(server: Server, role: StaffRole) -> None:
    token = await server.own.credentials.staff_token("theatre", [role], NOW + timedelta(days=1), point_of_sale="HALL")
    offer = await BackOffice(server).offer_id("OPENING")
    answer = await BackOffice(server, token).send("TryOffers", includeOfferIds=[offer])
    allowed = role in {StaffRole.CATALOGUE, StaffRole.SALES, StaffRole.VIEWER}
    assert ("errors" not in answer) is allowed


async def test_unknown_offers_are_named_with_the_basket_s_other_problems(server: Server) -> None:
    [line] = await Shop(server).lines(SEATS)
    basket = {"lines": [{**line, "quantity": 0}]}
    unknown = [await BackOffice(server).offer_id("OPENING"), encode("Advantage", new_id())]
    [error] = (await BackOffice(server).send("TryBasket", input=basket, includeOfferIds=unknown))["errors"]
    paths = {".".join(problem["path"]) for problem in error["extensions"]["problems"]}
    assert paths == {"includeOfferIds.1", "lines.0.quantity"}


async def test_no_more_than_fifty_offers_are_tried_at_once(server: Server) -> None:
    offers = [await BackOffice(server).offer_id("OPENING")] * 51
    [error] = (await BackOffice(server).send("TryOffers", includeOfferIds=offers))["errors"]
    assert error["extensions"]["problems"][0]["path"] == ["includeOfferIds"]
