"""Which offers are open to whom, and that nobody learns of one that is not theirs."""

import json
from datetime import timedelta
from importlib.resources import files
from itertools import product as combinations

import pytest
from sqlalchemy import delete, update
from tests.back_door import change_offer, expire_baskets, key_of, limit_offer, set_quota, touch
from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Client, Shop
from tests.wire import Json, JsonObject

from db.core import tables
from db.core.ids import new_id
from resolvers.runtime.ids import encode
from services.dataset import Datasets, read

OPENING_SEATS = ("ZINMAN-0119", "CAT1", "FULL")
HELENE = ("HELENE-1217", "CAT1", "FULL")
RESERVED = {"REGULARS", "REVIVAL", "STAFFTYD", "PROMOTYD", "COUPON3", "TENOFF", "TICKET2"}
ALL = {"OPENING", *RESERVED}
TOMORROW = NOW + timedelta(days=1)


async def eligible(server: Server, token: str | None = None, **asked: Json) -> dict[str, list[JsonObject]]:
    """The refusals of each offer of an answer, by its code."""
    answer = await Shop(server, token).ask("EligibleOffers", first=100, **asked)
    nodes = [edge["node"] for edge in answer["eligibleOffers"]["edges"]]
    assert all(node["eligible"] == (not node["refusals"]) for node in nodes)
    return {node["offer"]["code"]: node["refusals"] for node in nodes}


async def for_contact(server: Server, **asked: Json) -> dict[str, list[JsonObject]]:
    """The same for staff at the counter."""
    answer = await Client(server, "counter", server.staff).ask("ContactOffers", first=100, **asked)
    return {edge["node"]["offer"]["code"]: edge["node"]["refusals"] for edge in answer["eligibleOffers"]["edges"]}


async def problems(server: Server, token: str, **asked: Json) -> list[str]:
    """The paths of the problems of a question."""
    answer = await Shop(server, token).send("EligibleOffers", **asked)
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    return [".".join(problem["path"]) for problem in error["extensions"]["problems"]]


async def code_of(server: Server, offer: str) -> str:
    office = BackOffice(server)
    [code] = await office.codes(1, offerId=await office.offer_id(offer), status=["AVAILABLE"])
    return code


async def performance(server: Server, code: str) -> str:
    [line] = await Shop(server).lines((code, "CAT1", "FULL", 1))
    return str(line["performanceId"])


async def point_of_sale(server: Server, code: str) -> str:
    channels = (await Client(server, "counter", server.staff).ask("Counter"))["salesChannels"]
    [found] = [place["id"] for channel in channels for place in channel["pointsOfSale"] if place["code"] == code]
    return str(found)


async def cursors(server: Server) -> list[str]:
    """Of every offer, as staff get them."""
    document = "{ eligibleOffers(first: 100, includeIneligible: true) { edges { cursor } } }"
    answer = await server.ask(document, token=server.staff)
    return [edge["cursor"] for edge in answer["data"]["eligibleOffers"]["edges"]]


def codes(refusals: list[JsonObject]) -> list[str]:
    return [refusal["code"] for refusal in refusals]


async def found_another_organisation(server: Server, code: str) -> None:
    """With an access code like this for what the example gives for another one."""
    example = json.loads(files("sesame").joinpath("example.json").read_bytes())
    example["organisation"]["code"] = "elsewhere"
    del example["batches"]
    [staff] = [each for each in example["advantages"] if each["code"] == "STAFFTYD"]
    staff["target"]["accessCode"] = code
    await Datasets(server.own.sessions).load(read(json.dumps(example).encode()), now=NOW)


# ── Who sees what ────────────────────────────────────────────────────────────────────────────────


async def test_a_shopper_sees_the_public_offers_that_are_open(server: Server) -> None:
    assert await eligible(server) == {"OPENING": []}


async def test_a_shopper_is_told_why_a_public_offer_is_not_open(server: Server) -> None:
    asked = {"performanceId": await performance(server, "HELENE-1217")}
    assert await eligible(server, **asked) == {}
    found = await eligible(server, **asked, includeIneligible=True)
    assert {offer: codes(refusals) for offer, refusals in found.items()} == {"OPENING": ["NO_ELIGIBLE_TICKET"]}


async def test_a_shopper_sees_the_offers_that_their_codes_open(server: Server) -> None:
    entered = [await code_of(server, "PROMOTYD"), "coupon 3%", "tyd staff"]
    assert set(await eligible(server, codes=entered)) == {"OPENING", "PROMOTYD", "COUPON3", "STAFFTYD"}


async def test_a_shopper_is_told_why_their_code_does_not_open(server: Server) -> None:
    code = await code_of(server, "PROMOTYD")
    shop = Shop(server)
    await shop.apply((await shop.basket((*HELENE, 1)))["id"], code)
    assert set(await eligible(server, codes=[code])) == {"OPENING"}
    found = await eligible(server, codes=[code, "LETTRE"], includeIneligible=True)
    assert codes(found["PROMOTYD"]) == ["CODE_HELD"]
    assert codes(found["TICKET2"]) == ["NOT_TARGETED"]


async def test_a_contact_sees_the_offers_reserved_for_them(server: Server) -> None:
    assert set(await eligible(server, server.contact)) == {"OPENING", "REGULARS", "REVIVAL"}
    asked: JsonObject = {"performanceId": await performance(server, "ZINMAN-0119"), "includeIneligible": True}
    found = await eligible(server, server.contact, **asked)
    assert {offer: codes(refusals) for offer, refusals in found.items()} == {
        "OPENING": [],
        "REGULARS": [],
        "REVIVAL": ["NO_ELIGIBLE_TICKET"],
    }


async def test_a_contact_who_leaves_the_target_sees_its_offer_no_more(server: Server) -> None:
    async with server.own.sessions.writing() as connection:
        await connection.execute(delete(tables.campaign_contacts))
        await connection.execute(update(tables.contact_indicators).values(level="CONSTANT"))
    assert set(await eligible(server, server.contact, includeIneligible=True)) == {"OPENING"}


async def test_a_campaign_that_is_over_hides_its_offer_whatever_the_instant_asked_about(server: Server) -> None:
    async with server.own.sessions.writing() as connection:
        await connection.execute(update(tables.campaigns).values(ends_at=tables.campaigns.c.starts_at))
    await touch(server.own.sessions)
    asked = {"at": "2026-09-01T00:00:00+02:00", "includeIneligible": True}
    assert set(await eligible(server, server.contact, **asked)) == {"OPENING", "REGULARS"}


async def test_another_contact_sees_none_of_them(server: Server) -> None:
    token = await server.own.credentials.contact_token("theatre", "NOUVEAU", "SHOP", TOMORROW)
    assert set(await eligible(server, token, includeIneligible=True)) == {"OPENING"}


async def test_a_partner_sees_the_offers_of_its_own_codes(server: Server) -> None:
    secutix = await server.own.credentials.partner_key("theatre", "SECUTIX", "SHOP")
    found = await eligible(server, secutix, includeIneligible=True)
    assert {offer: codes(refusals) for offer, refusals in found.items()} == {
        "OPENING": [],
        "PROMOTYD": ["NOT_TARGETED"],
    }
    assert set(await eligible(server, secutix, codes=[await code_of(server, "PROMOTYD")])) == {"OPENING", "PROMOTYD"}


async def test_a_partner_without_codes_sees_the_public_offers_only(server: Server) -> None:
    found = await eligible(server, server.partner, includeIneligible=True)
    assert {offer: codes(refusals) for offer, refusals in found.items()} == {"OPENING": ["WRONG_CHANNEL"]}


async def test_staff_see_every_offer_in_every_state_and_why_it_is_not_open(server: Server) -> None:
    await change_offer(server.own.sessions, "REGULARS", state="DRAFT")
    found = await for_contact(server, includeIneligible=True)
    assert set(found) == ALL
    assert set(codes(found["REGULARS"])) == {"OFFER_NOT_RUNNING", "NOT_TARGETED"}
    assert set(codes(found["PROMOTYD"])) == {"WRONG_CHANNEL", "NOT_TARGETED"}


async def test_staff_see_what_is_open_to_a_contact(server: Server) -> None:
    blandine = await BackOffice(server).contact_id("BLANDINE")
    assert set(await for_contact(server, contactId=blandine)) == {"OPENING", "REGULARS", "REVIVAL"}
    assert set(await for_contact(server)) == {"OPENING"}


async def test_staff_may_ask_about_another_point_of_sale(server: Server) -> None:
    asked = {"pointOfSaleId": await point_of_sale(server, "TYD"), "includeIneligible": True}
    found = await for_contact(server, **asked, codes=["TYD-STAFF"])
    assert codes(found["STAFFTYD"]) == []
    assert codes(found["OPENING"]) == ["WRONG_CHANNEL"]


async def test_where_no_point_of_sale_is_known_none_is_asked_about(server: Server) -> None:
    token = await server.own.credentials.staff_token("theatre", ["VIEWER"], TOMORROW)
    assert set(await eligible(server, token, codes=["TYD-STAFF"])) == {"OPENING", "STAFFTYD"}


# ── What nobody may learn ────────────────────────────────────────────────────────────────────────


async def test_codes_that_open_nothing_here_answer_alike(server: Server) -> None:
    """An unknown one, one with a typing error, another organisation's, and those not meant for this point of sale."""
    await found_another_organisation(server, code="ELSEWHERE")
    token = await server.own.credentials.shopper_token("theatre", "TYD")
    wrong_place = await code_of(server, "PROMOTYD")
    mistyped = wrong_place[:-1] + ("0" if wrong_place[-1] != "0" else "2")
    answers = [
        await Shop(server, token).send("EligibleOffers", codes=[code], includeIneligible=True)
        for code in ("NOSUCHCODE", wrong_place, mistyped, "MERCI10", "ELSEWHERE")
    ]
    assert all(answer == answers[0] for answer in answers)
    assert "errors" not in answers[0]


async def test_no_question_shows_a_shopper_an_offer_that_is_not_theirs(server: Server) -> None:
    shop = Shop(server)
    [line] = await shop.lines((*HELENE, 1))
    modes = (await shop.ask("Season"))["deliveryModes"]
    choices = {
        "performanceId": [None, line["performanceId"]],
        "deliveryModeId": [None, modes[0]["id"]],
        "at": [None, "2026-09-02T00:00:00+02:00", "2027-12-01T00:00:00+01:00", "9999-12-31T23:59:59Z"],
        "includeIneligible": [False, True],
    }
    for values in combinations(*choices.values()):
        asked = dict(zip(choices, values, strict=True))
        assert set(await eligible(server, **asked)) <= {"OPENING"}, asked


async def test_no_cursor_shows_a_shopper_an_offer_that_is_not_theirs(server: Server) -> None:
    for cursor in await cursors(server):
        page = await Shop(server).ask("EligibleOffers", after=cursor, includeIneligible=True)
        assert {edge["node"]["offer"]["code"] for edge in page["eligibleOffers"]["edges"]} <= {"OPENING"}


@pytest.mark.parametrize("state", ["DRAFT", "VALIDATED", "SUSPENDED", "CLOSED"])
async def test_a_public_offer_that_does_not_run_is_shown_to_nobody_but_staff(server: Server, state: str) -> None:
    await change_offer(server.own.sessions, "OPENING", state=state)
    for token in (server.shopper, server.contact, server.partner):
        assert "OPENING" not in await eligible(server, token, includeIneligible=True)
    assert codes((await for_contact(server, includeIneligible=True))["OPENING"]) == ["OFFER_NOT_RUNNING"]


@pytest.mark.parametrize("audience", ["shopper", "contact", "partner"])
async def test_only_staff_may_name_another_contact(server: Server, audience: str) -> None:
    token = getattr(server, audience)
    known, unknown = await BackOffice(server).contact_id("SECUTIX"), encode("Contact", new_id())
    document = "query Q($id: ID) { eligibleOffers(contactId: $id) { edges { node { eligible } } } }"
    answers = [await server.ask(document, {"id": each}, token=token) for each in (known, unknown)]
    assert answers[0] == answers[1]
    assert answers[0]["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_only_staff_may_name_another_point_of_sale(server: Server) -> None:
    document = "query Q($id: ID) { eligibleOffers(pointOfSaleId: $id) { edges { node { eligible } } } }"
    answer = await server.ask(document, {"id": await point_of_sale(server, "HALL")})
    assert answer["errors"][0]["extensions"]["problems"][0]["path"] == ["pointOfSaleId"]


# ── Exactness ────────────────────────────────────────────────────────────────────────────────────


async def test_a_quota_that_baskets_hold_is_exhausted_until_they_expire(server: Server) -> None:
    await set_quota(server.own.sessions, "OPENING", 4)
    asked: JsonObject = {"performanceId": await performance(server, "ZINMAN-0119"), "includeIneligible": True}
    await Shop(server).basket((*OPENING_SEATS, 4))
    [refusal] = (await eligible(server, **asked))["OPENING"]
    assert (refusal["code"], refusal["required"], refusal["actual"]) == ("QUOTA_EXHAUSTED", "0", "1")
    await expire_baskets(server.own.sessions)
    answer = await Shop(server).ask("EligibleOffers", **asked)
    [node] = [edge["node"] for edge in answer["eligibleOffers"]["edges"]]
    assert (node["eligible"], node["offer"]["remaining"]) == (True, 4)


async def test_a_contacts_share_is_counted(server: Server) -> None:
    """REGULARS has six tickets for each contact, REVIVAL two an order at a better price."""
    shop = Shop(server, server.contact)
    await shop.basket((*HELENE, 8))
    found = await eligible(server, server.contact, includeIneligible=True)
    assert codes(found["REGULARS"]) == ["CONTACT_LIMIT_EXCEEDED"]
    assert found["REVIVAL"] == []


@pytest.mark.parametrize(("seat", "open_"), [("CAT1", False), ("CAT2", True)])
async def test_a_limit_of_one_element_closes_the_offer_for_that_element(
    server: Server, seat: str, *, open_: bool
) -> None:
    shop = Shop(server)
    [line] = await shop.lines((*OPENING_SEATS, 1))
    async with server.own.sessions.reading() as connection:
        element = await key_of(connection, tables.seat_categories, seat)
    await limit_offer(server.own.sessions, "OPENING", element_id=element, element_kind="SEAT_CATEGORY", quota=0)
    found = await eligible(server, performanceId=line["performanceId"])
    assert ("OPENING" in found) is open_


async def test_what_is_open_is_what_a_basket_gets(server: Server) -> None:
    asked = {"performanceId": await performance(server, "HELENE-1217")}
    open_ = set(await eligible(server, server.contact, **asked))
    pricing = await Shop(server, server.contact).price((*HELENE, 3))
    assert {ticket["advantage"]["code"] for ticket in pricing["lines"][0]["tickets"]} == open_


async def test_the_sale_end_is_asked_at_the_instant(server: Server) -> None:
    """OPENING is sold until an hour before its performance."""
    asked: JsonObject = {"performanceId": await performance(server, "ZINMAN-0119"), "includeIneligible": True}
    assert (await eligible(server, **asked, at="2027-01-19T19:30:00+01:00"))["OPENING"] == []
    [refusal] = (await eligible(server, **asked, at="2027-01-19T19:30:01+01:00"))["OPENING"]
    assert (refusal["code"], refusal["required"]) == ("SALE_CLOSED", "2027-01-19T19:30:00+01:00")


@pytest.mark.parametrize(("mode", "open_"), [("PRINT", True), ("POST", False), (None, True)])
async def test_a_delivery_mode_counts_where_it_is_named(server: Server, mode: str | None, *, open_: bool) -> None:
    modes = {each["code"]: each["id"] for each in (await Shop(server).ask("Season"))["deliveryModes"]}
    async with server.own.sessions.reading() as connection:
        printed = await key_of(connection, tables.delivery_modes, "PRINT")
    await change_offer(server.own.sessions, "OPENING", delivery_mode_ids=[printed])
    found = await eligible(server, deliveryModeId=modes.get(mode or ""), includeIneligible=True)
    assert (found["OPENING"] == []) is open_


async def test_an_offer_open_for_a_product_is_open_for_one_of_its_performances(server: Server) -> None:
    answer = await Shop(server).ask("Products", first=100)
    products = {edge["node"]["code"]: edge["node"]["id"] for edge in answer["products"]["edges"]}
    assert set(await eligible(server, productId=products["ZINMAN"])) == {"OPENING"}
    assert set(await eligible(server, productId=products["HELENE"])) == set()
    assert set(await eligible(server, productId=products["PASS"], codes=["TYD-STAFF"])) == {"STAFFTYD"}


# ── Pages, languages, bad input ──────────────────────────────────────────────────────────────────


async def test_pages_follow_one_another_without_a_gap(server: Server) -> None:
    document = """query Page($after: String) { eligibleOffers(first: 3, after: $after, includeIneligible: true) {
        edges { cursor } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
    seen: list[str] = []
    after = None
    while True:
        page = (await server.ask(document, {"after": after}, token=server.staff))["data"]["eligibleOffers"]
        seen += [edge["cursor"] for edge in page["edges"]]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == await cursors(server)
    assert len(seen) == len(ALL)


async def test_a_page_is_filled_with_open_offers(server: Server) -> None:
    document = "{ eligibleOffers(first: 2) { edges { node { offer { code } } } pageInfo { hasNextPage } } }"
    page = (await server.ask(document, token=server.contact))["data"]["eligibleOffers"]
    assert [edge["node"]["offer"]["code"] for edge in page["edges"]] == ["OPENING", "REGULARS"]
    assert page["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("FR", "Aucun billet"),
        ("EN", "No ticket"),
        ("DE", "Kein Ticket"),
        ("ES", "Ninguna entrada"),
        ("IT", "Nessun biglietto"),
    ],
)
async def test_refusals_are_told_in_the_language_asked_for(server: Server, language: str, message: str) -> None:
    asked: JsonObject = {"performanceId": await performance(server, "HELENE-1217"), "includeIneligible": True}
    [refusal] = (await eligible(server, **asked, language=language))["OPENING"]
    assert refusal["message"].startswith(message)


async def test_things_are_named_in_french_where_they_lack_the_language(server: Server) -> None:
    async with server.own.sessions.writing() as connection:
        await connection.execute(update(tables.sales_channels).values(name={"fr": "Filière"}))
    await touch(server.own.sessions)
    [refusal] = (await eligible(server, server.partner, includeIneligible=True, language="DE"))["OPENING"]
    assert (refusal["required"], refusal["actual"]) == ("Filière, Filière", "Filière")


@pytest.mark.parametrize("first", [0, -1, 101])
async def test_a_page_size_out_of_range_is_named(server: Server, first: int) -> None:
    assert await problems(server, server.shopper, first=first) == ["first"]


async def test_every_problem_is_told_at_once(server: Server) -> None:
    asked = {
        "performanceId": encode("Performance", new_id()),
        "productId": encode("Product", new_id()),
        "deliveryModeId": encode("DeliveryMode", new_id()),
        "codes": ["COUPON3%", ""],
    }
    assert sorted(await problems(server, server.shopper, **asked)) == ["codes.1", *sorted(set(asked) - {"codes"})]


async def test_a_performance_of_another_product_is_named(server: Server) -> None:
    answer = await Shop(server).ask("Products", first=100)
    [zinman] = [edge["node"]["id"] for edge in answer["products"]["edges"] if edge["node"]["code"] == "ZINMAN"]
    asked = {"productId": zinman, "performanceId": await performance(server, "HELENE-1217")}
    assert await problems(server, server.shopper, **asked) == ["performanceId"]


async def test_staff_are_told_of_an_unknown_contact(server: Server) -> None:
    answer = await Client(server, "counter", server.staff).send("ContactOffers", contactId=encode("Contact", new_id()))
    [problem] = answer["errors"][0]["extensions"]["problems"]
    assert problem["path"] == ["contactId"]
