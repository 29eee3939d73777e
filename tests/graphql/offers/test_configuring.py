"""Configuring offers in the back office, over HTTP, with the documents that it sends."""

import asyncio

from sqlalchemy import text
from tests.conftest import NOW, Server
from tests.graphql.offers.configuring import NAMES, Form, custom_codes, places
from tests.graphql.operations import Shop
from tests.ledger import breaches
from tests.wire import Json, JsonObject

from db.core.ids import new_id
from resolvers.runtime.ids import encode
from services.pricing.facts.tickets import ProductFamily

CONCERT = ("ZINMAN-0119", "CAT1", "FULL", 1)


# ── What is made ─────────────────────────────────────────────────────────────────────────────────


async def test_all_that_is_configured_can_be_read_again(server: Server) -> None:
    form = await Form.open(server)
    ids = form.ids
    made = await form.create(
        target={"singleUseCode": {"ticketsPerCode": 2}},
        benefit={"rates": [{"seatCategoryId": ids["CAT1"], "audienceSubCategoryId": ids["FULL"], "price": "40.00"}]},
        scope={"performanceIds": [ids["ZINMAN-0119"]], "audienceSubCategoryIds": [ids["FULL"]]},
        limits={"quota": 100, "perOrder": 4, "elements": [{"seatCategoryId": ids["CAT1"], "perContact": 2}]},
        validFrom="2026-11-01T00:00:00+01:00",
        validUntil="2027-01-31T00:00:00+01:00",
        saleEnd={"toleranceMinutes": -30},
        channelIds=[ids["WEB"]],
        pointOfSaleIds=[ids["SHOP"]],
        deliveryModeIds=[ids["PRINT"]],
        picture="https://example.org/a.png",
        returnsCodes=False,
    )
    assert made["state"] == "DRAFT"
    assert made["target"] == {"__typename": "SingleUseTarget", "ticketsPerCode": 2}
    [price] = made["benefit"]["prices"]
    assert (price["seatCategory"]["code"], price["price"]["amount"]) == ("CAT1", "40.00")
    assert [each["code"] for each in made["scope"]["performances"]] == ["ZINMAN-0119"]
    limits = made["limits"]
    assert (limits["quota"], limits["perOrder"], limits["taken"], limits["remaining"]) == (100, 4, 0, 100)
    [element] = limits["elements"]
    assert (element["element"]["code"], element["perContact"]) == ("CAT1", 2)
    assert (made["validUntil"], made["saleEnd"]) == ("2027-01-31T00:00:00+01:00", {"toleranceMinutes": -30})
    assert (made["everyChannel"], [each["code"] for each in made["channels"]]) == (False, ["WEB"])
    assert [each["code"] for each in made["pointsOfSale"] + made["deliveryModes"]] == ["SHOP", "PRINT"]
    assert (made["picture"], made["returnsCodes"]) == ("https://example.org/a.png", False)
    assert made["publicNames"] == {**dict.fromkeys(("de", "es", "it")), **NAMES}
    assert await form.configured("NEW") == {name: made[name] for name in made if name != "__typename"}


async def test_a_promotional_code_keeps_to_whom_it_is_restricted(server: Server) -> None:
    form = await Form.open(server)
    made = await form.create_promotion(
        benefit={"amountOffPerTicket": "1.50"},
        minimumBasket="30.00",
        combinable=True,
        restrictedTo={
            "indicator": {"indicator": "ASSIDUITY", "level": "CONSTANT"},
            "newsletter": True,
            "contactIds": [await form.contact_id("BLANDINE")],
            "counterProfiles": ["HALL"],
        },
    )
    assert made["benefit"]["amount"]["amount"] == "1.50"
    assert (made["minimumBasket"]["amount"], made["combinable"], custom_codes(made)) == ("30.00", True, [])
    restriction = made["restrictedTo"]
    assert (restriction["indicator"]["level"], restriction["newsletter"], restriction["hasOrdered"]) == (
        "CONSTANT",
        True,
        None,
    )
    assert ([each["code"] for each in restriction["contacts"]], restriction["counterProfiles"]) == (
        ["BLANDINE"],
        ["HALL"],
    )


async def test_an_advantage_can_be_made_for_each_of_the_eleven_families(server: Server) -> None:
    form = await Form.open(server)
    made = [await form.create(family=family.value, code=family.value) for family in ProductFamily]
    assert [each["family"] for each in made] == list(ProductFamily)


async def test_each_of_the_five_targets_can_be_chosen(server: Server) -> None:
    form = await Form.open(server)
    targets = {
        "PublicTarget": {"public": True},
        "CampaignTarget": {"campaignId": form.ids["campaign REVIVAL"]},
        "IndicatorTarget": {"indicator": {"indicator": "ASSIDUITY", "level": "REGULAR"}},
        "PartnerTarget": {"accessCode": "Friends of the house"},
        "SingleUseTarget": {"singleUseCode": {"ticketsPerCode": None}},
    }
    made = [await form.create(target=target, code=kind) for kind, target in targets.items()]
    assert [each["target"]["__typename"] for each in made] == list(targets)


async def test_a_single_use_code_covers_one_ticket_unless_said_otherwise(server: Server) -> None:
    form = await Form.open(server)
    assert (await form.create(target={"singleUseCode": {}}))["target"]["ticketsPerCode"] == 1


async def test_an_offer_is_sold_once_it_runs(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    offer = (await form.create())["id"]
    assert (await shop.price(CONCERT))["advantageDiscount"]["amount"] == "5.00"
    await form.take_to(offer, "VALIDATED", "RUNNING")
    assert (await shop.price(CONCERT))["advantageDiscount"]["amount"] == "9.60"
    await form.take_to(offer, "SUSPENDED")
    assert (await shop.price(CONCERT))["advantageDiscount"]["amount"] == "5.00"


async def test_one_key_makes_one_offer(server: Server) -> None:
    form = await Form.open(server)
    first = await form.create(idempotencyKey="a")
    assert (await form.create(idempotencyKey="a"))["id"] == first["id"]
    assert (await form.create(idempotencyKey="a", code="OTHER"))["__typename"] == "Conflict"


async def test_each_change_leaves_an_audit_entry(server: Server) -> None:
    form = await Form.open(server)
    offer = (await form.create())["id"]
    await form.update(offer, limits={"quota": 5})
    await form.take_to(offer, "VALIDATED")
    log = (await form.ask("AuditLog", subjectId=offer))["auditLog"]["edges"]
    actions = [edge["node"]["action"] for edge in log]
    assert actions == ["changeOfferState", "updateAdvantage", "createAdvantage"]
    assert '"state":["DRAFT","VALIDATED"]' in log[0]["node"]["details"]


# ── What changes ─────────────────────────────────────────────────────────────────────────────────


async def test_what_is_left_out_stays_and_null_clears(server: Server) -> None:
    form = await Form.open(server)
    until = "2027-01-31T00:00:00+01:00"
    offer = (await form.create(limits={"quota": 5}, validUntil=until, saleEnd={"toleranceMinutes": 0}))["id"]
    changed = await form.update(offer, saleEnd=None, channelIds=[form.ids["WEB"]])
    assert (changed["saleEnd"], changed["validUntil"], changed["limits"]["quota"]) == (
        None,
        "2027-01-31T00:00:00+01:00",
        5,
    )
    cleared = await form.update(offer, limits=None, channelIds=None)
    assert (cleared["limits"]["quota"], cleared["everyChannel"]) == (None, True)


async def test_a_target_and_a_benefit_cannot_be_cleared(server: Server) -> None:
    form = await Form.open(server)
    offer = (await form.create())["id"]
    assert places(await form.update(offer, target=None, benefit=None, internalName=None)) == {
        "target",
        "benefit",
        "internalName",
    }


async def test_a_running_offer_changes_what_its_customers_were_not_promised(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.offer_id("OPENING")
    changed = await form.update(
        offer,
        publicName={"en": "Opening"},
        picture="https://example.org/b.png",
        validUntil="2027-05-01T00:00:00+02:00",
        limits={"quota": 300},
        channelIds=None,
        pointOfSaleIds=[form.ids["SHOP"]],
        deliveryModeIds=[form.ids["POST"]],
    )
    assert (changed["__typename"], changed["limits"]["quota"]) == ("Advantage", 300)


async def test_what_a_running_offer_promises_waits_until_it_is_suspended(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.offer_id("OPENING")
    promises: JsonObject = {
        "scope": {},
        "benefit": {"amountOff": "6.00"},
        "target": {"accessCode": "OPENING-SESAME"},
        "saleEnd": None,
        "returnsCodes": False,
    }
    for field, value in promises.items():
        refused = await form.update(offer, **{field: value})
        assert (refused["__typename"], field in refused["message"]) == ("Conflict", True)
    await form.take_to(offer, "SUSPENDED")
    assert (await form.update(offer, **promises))["__typename"] == "Advantage"


async def test_a_form_that_sends_everything_unchanged_suits_a_running_offer(server: Server) -> None:
    form = await Form.open(server)
    running = await form.configured("STAFFTYD")
    sent = {"target": {"accessCode": "TYD-STAFF"}, "benefit": {"fixedPrice": "120.00"}, "scope": {}}
    changed = await form.update(running["id"], **sent)
    assert changed["version"] == running["version"]


async def test_a_closed_offer_stays_as_it_is(server: Server) -> None:
    form = await Form.open(server)
    offer, coupon = await form.offer_id("OPENING"), await form.offer_id("COUPON3")
    for each in (offer, coupon):
        assert (await form.take_to(each, "SUSPENDED", "CLOSED"))["offer"]["state"] == "CLOSED"
    answers = [
        await form.update(offer, picture=None),
        await form.take_to(offer, "RUNNING"),
        await form.update_promotion(coupon, combinable=True),
        await form.add_code(coupon, "ANOTHER"),
        await form.update_code(coupon, "COUPON3%", active=False),
    ]
    assert {answer["__typename"] for answer in answers} == {"Conflict"}


async def test_baskets_that_hold_a_suspended_offer_keep_their_price(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    basket = await shop.basket(CONCERT)
    offer = await form.offer_id("OPENING")
    await form.take_to(offer, "SUSPENDED")
    await form.update(offer, benefit={"amountOff": "1.00"})
    assert (await shop.confirm(basket["id"]))["pricing"]["advantageDiscount"]["amount"] == "5.00"


# ── States ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_draft_can_only_be_validated_or_discarded(server: Server) -> None:
    form = await Form.open(server)
    offer = (await form.create())["id"]
    for state in ("DRAFT", "RUNNING", "SUSPENDED"):
        assert (await form.take_to(offer, state))["__typename"] == "Conflict"
    assert (await form.take_to(offer, "VALIDATED"))["offer"]["state"] == "VALIDATED"


async def test_what_never_ran_is_discarded_from_a_draft_and_once_it_is_validated(server: Server) -> None:
    form = await Form.open(server)
    incomplete = (await form.create(code="A", publicName={}))["id"]
    assert (await form.take_to(incomplete, "CLOSED"))["offer"]["state"] == "CLOSED"
    complete = (await form.create(code="B"))["id"]
    assert (await form.take_to(complete, "VALIDATED", "CLOSED"))["offer"]["state"] == "CLOSED"
    assert (await form.take_to(complete, "RUNNING"))["__typename"] == "Conflict"
    assert (await form.update(complete, publicName=NAMES))["__typename"] == "Conflict"


async def test_codes_made_for_an_offer_that_is_discarded_open_nothing(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    offer = (await form.create(target={"singleUseCode": {}}))["id"]
    wanted = {"offerId": offer, "contactId": await form.contact_id("TYD"), "codes": ["FRIENDS-OF-TYD"]}
    assert (await form.ask("ImportCodes", input=wanted))["importCodes"]["state"] == "DONE"
    await form.take_to(offer, "CLOSED")
    [code] = (await shop.price(CONCERT, codes=["FRIENDS-OF-TYD"]))["codes"]
    assert [refusal["code"] for refusal in code["refusals"]] == ["OFFER_NOT_RUNNING"]
    assert (await form.codes(5, code="FRIENDS-OF-TYD", status=["AVAILABLE"])) == ["FRIENDS-OF-TYD"]
    more = {**wanted, "codes": ["FRIENDS-TOO"]}
    assert (await form.ask("ImportCodes", input=more))["importCodes"]["__typename"] == "Conflict"


async def test_a_running_offer_is_suspended_before_it_is_closed(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.offer_id("OPENING")
    assert (await form.take_to(offer, "CLOSED"))["__typename"] == "Conflict"
    assert (await form.take_to(offer, "SUSPENDED", "RUNNING"))["offer"]["state"] == "RUNNING"


async def test_validation_lists_everything_that_is_missing(server: Server) -> None:
    form = await Form.open(server)
    ids = form.ids
    rates = [{"seatCategoryId": ids["CAT2"], "audienceSubCategoryId": ids["REDUCED"], "price": "10.00"}]
    offer = await form.create(
        publicName={},
        benefit={"rates": rates},
        validUntil="2026-11-22T00:00:00+01:00",
        channelIds=[ids["COUNTER"]],
        pointOfSaleIds=[ids["SHOP"]],
    )
    assert places(await form.take_to(offer["id"], "VALIDATED")) == {
        "publicName",
        "benefit",
        "validUntil",
        "pointOfSaleIds",
    }


async def test_a_promotional_code_needs_a_code_to_enter(server: Server) -> None:
    form = await Form.open(server)
    offer = (await form.create_promotion())["id"]
    assert places(await form.take_to(offer, "VALIDATED")) == {"customCodes"}
    await form.add_code(offer, "WELCOME")
    await form.update_code(offer, "WELCOME", active=False)
    assert places(await form.take_to(offer, "VALIDATED")) == {"customCodes"}
    await form.update_code(offer, "WELCOME", active=True)
    assert (await form.take_to(offer, "VALIDATED"))["offer"]["state"] == "VALIDATED"


async def test_an_advantage_on_what_is_not_sold_is_not_validated(server: Server) -> None:
    form = await Form.open(server)
    offer = (await form.create(family="VISIT"))["id"]
    assert places(await form.take_to(offer, "VALIDATED")) == {"scope"}


async def test_a_sale_that_has_ended_everywhere_is_not_validated(server: Server) -> None:
    form = await Form.open(server)
    offer = (await form.create(saleEnd={"toleranceMinutes": -500_000}))["id"]
    assert places(await form.take_to(offer, "VALIDATED")) == {"saleEnd"}


async def test_all_offers_of_the_example_could_be_validated_today(server: Server) -> None:
    form = await Form.open(server)
    data = await form.ask("BackOfficeOffers", first=100)
    for edge in data["advantages"]["edges"] + data["promotionalCodes"]["edges"]:
        answer = await form.take_to(edge["node"]["id"], "SUSPENDED", "RUNNING")
        assert answer["__typename"] == "OfferStateChanged", answer


async def test_a_validated_offer_does_not_lose_what_it_needs(server: Server) -> None:
    form = await Form.open(server)
    offer = (await form.create())["id"]
    await form.take_to(offer, "VALIDATED")
    assert places(await form.update(offer, publicName=None)) == {"publicName"}


# ── Quotas ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_quota_is_not_lowered_below_what_is_taken(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    await shop.basket((*CONCERT[:3], 4))
    offer = await form.offer_id("OPENING")
    refused = await form.update(
        offer, limits={"quota": 3, "elements": [{"seatCategoryId": form.ids["CAT1"], "quota": 2}]}
    )
    assert places(refused) == {"limits.quota", "limits.elements.0.quota"}
    assert all("4" in problem["message"] for problem in refused["problems"])
    lowered = await form.update(offer, limits={"quota": 4})
    assert (lowered["limits"]["taken"], lowered["limits"]["remaining"]) == (4, 0)
    assert (await shop.price(CONCERT))["advantageDiscount"]["amount"] == "0.00"


async def test_a_limit_that_is_new_starts_with_what_is_taken(server: Server) -> None:
    form, contact = await Form.open(server), Shop(server, server.contact)
    await contact.basket(("HELENE-1217", "CAT1", "FULL", 2))
    offer = await form.offer_id("REVIVAL")
    elements = [{"performanceId": form.ids["HELENE-1217"], "quota": 3, "perContact": 3}]
    changed = await form.update(offer, limits={"elements": elements})
    assert (changed["limits"]["elements"][0]["taken"], changed["limits"]["elements"][0]["remaining"]) == (2, 1)
    pricing = await contact.price(("HELENE-1217", "CAT1", "FULL", 3))
    advantages = [ticket["advantage"]["code"] for ticket in pricing["lines"][0]["tickets"]]
    assert sorted(advantages) == ["REGULARS", "REGULARS", "REVIVAL"]


async def test_a_quota_that_is_lowered_while_baskets_claim_it_is_never_passed(server: Server, loaded_url: str) -> None:
    form, shop = await Form.open(server), Shop(server)
    offer = await form.offer_id("OPENING")
    elements = [{"seatCategoryId": form.ids["CAT1"], "quota": 30}]

    async def lower() -> Json:
        await form.update(offer, limits={"quota": 60, "elements": elements})
        return await form.update(offer, limits={"quota": 25})

    lines = await shop.lines((*CONCERT[:3], 1))
    *_, lowered = await asyncio.gather(*(shop.ask("CreateBasket", input={"lines": lines}) for _ in range(50)), lower())
    limits = (await form.configured("OPENING"))["limits"]
    assert limits["taken"] <= limits["quota"]
    counts = (await form.ask("BackOfficeOffers", first=100))["advantages"]["edges"][0]["node"]["counts"]
    assert limits["taken"] == counts["ticketsHeld"]
    assert lowered["__typename"] == "Advantage" or places(lowered) == {"limits.quota"}
    assert await breaches(loaded_url) == []


# ── Two people ───────────────────────────────────────────────────────────────────────────────────


async def test_the_later_of_two_editors_is_told(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.create()
    first = await form.update(offer["id"], expectedVersion=offer["version"], limits={"quota": 5})
    second = await form.update(offer["id"], expectedVersion=offer["version"], picture="https://example.org/c.png")
    assert (first["__typename"], second["__typename"]) == ("Advantage", "Conflict")
    assert (await form.take_to(offer["id"], "VALIDATED", expectedVersion=1))["__typename"] == "Conflict"
    assert (await form.take_to(offer["id"], "VALIDATED", expectedVersion=2))["offer"]["version"] == 3


async def test_of_ten_editors_at_once_one_changes_what_all_have_read(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.create()
    answers = await asyncio.gather(
        *(
            form.update(offer["id"], expectedVersion=offer["version"], limits={"quota": quota})
            for quota in range(10, 20)
        )
    )
    assert sorted(answer["__typename"] for answer in answers) == ["Advantage"] + ["Conflict"] * 9


async def test_editors_of_different_fields_do_not_overwrite_each_other(server: Server) -> None:
    form = await Form.open(server)
    offer = (await form.create())["id"]
    await asyncio.gather(
        form.update(offer, limits={"quota": 5}),
        form.update(offer, picture="https://example.org/d.png"),
        form.update(offer, channelIds=[form.ids["WEB"]]),
        form.update(offer, saleEnd={"toleranceMinutes": 5}),
    )
    now = await form.configured("NEW")
    assert (now["version"], now["limits"]["quota"], now["picture"], now["everyChannel"], now["saleEnd"]) == (
        5,
        5,
        "https://example.org/d.png",
        False,
        {"toleranceMinutes": 5},
    )


async def test_of_ten_offers_with_one_code_at_once_one_is_made(server: Server) -> None:
    form = await Form.open(server)
    answers = await asyncio.gather(*(form.create() for _ in range(10)))
    made = [answer for answer in answers if answer["__typename"] == "Advantage"]
    assert len(made) == 1
    assert all(places(answer) == {"code"} for answer in answers if answer not in made)


# ── Chosen codes ─────────────────────────────────────────────────────────────────────────────────


async def test_an_access_code_can_be_exchanged_and_come_back(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    offer = await form.offer_id("STAFFTYD")
    await form.take_to(offer, "SUSPENDED")
    exchanged = await form.update(offer, target={"accessCode": "TYD-2027"})
    assert exchanged["target"]["accessCode"] == "TYD-2027"
    await form.take_to(offer, "RUNNING")
    lines = ("PASS", None, "FULL", 1)
    old, new = (await shop.price(lines, codes=["TYD-STAFF", "TYD-2027"]))["codes"]
    assert (old["applied"], new["applied"]) == (False, True)
    assert [refusal["code"] for refusal in old["refusals"]] == ["SWITCHED_OFF"]
    await form.take_to(offer, "SUSPENDED")
    assert (await form.update(offer, target={"accessCode": "tyd staff"}))["target"]["accessCode"] == "tyd staff"


async def test_an_invalidated_access_code_does_not_come_back(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.offer_id("STAFFTYD")
    await form.ask("InvalidateCode", input={"code": "TYD-STAFF", "reason": "leaked"})
    assert (await form.configured("STAFFTYD"))["target"]["accessCode"] is None
    await form.take_to(offer, "SUSPENDED")
    assert places(await form.take_to(offer, "RUNNING")) == {"target.accessCode"}
    assert "target.accessCode" in places(await form.update(offer, target={"accessCode": "TYD-STAFF"}))


async def test_a_custom_code_can_be_switched_off_and_on(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    coupon = await form.offer_id("COUPON3")
    for active in (False, True):
        changed = await form.update_code(coupon, "coupon 3%", active=active)
        assert [(each["code"], each["active"]) for each in custom_codes(changed)] == [("COUPON3%", active)]
        [code] = (await shop.price(CONCERT, codes=["COUPON3%"]))["codes"]
        assert code["applied"] is active


async def test_an_invalidated_custom_code_is_not_switched_on(server: Server) -> None:
    form = await Form.open(server)
    await form.ask("InvalidateCode", input={"code": "COUPON3%", "reason": "leaked"})
    answer = await form.update_code(await form.offer_id("COUPON3"), "COUPON3%", active=True)
    assert answer["__typename"] == "Conflict"


async def test_the_uses_of_a_code_are_limited_from_now_on_with_those_that_were(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    coupon = await form.offer_id("COUPON3")
    for _ in range(2):
        basket = await shop.basket(CONCERT)
        await shop.apply(basket["id"], "COUPON3%")
    refused = await form.update_code(coupon, "COUPON3%", maxUses=1)
    assert (places(refused), "2" in refused["problems"][0]["message"]) == ({"maxUses"}, True)
    [code] = custom_codes(await form.update_code(coupon, "COUPON3%", maxUses=2))
    assert (code["maxUses"], code["uses"]) == (2, 2)
    assert not (await shop.price(CONCERT, codes=["COUPON3%"]))["codes"][0]["applied"]
    assert (await shop.confirm(basket["id"]))["__typename"] == "Order"
    await form.update_code(coupon, "COUPON3%", maxUses=None)
    assert (await shop.price(CONCERT, codes=["COUPON3%"]))["codes"][0]["applied"]


async def test_a_custom_code_is_its_own_in_the_organisation(server: Server) -> None:
    form = await Form.open(server)
    coupon = await form.offer_id("COUPON3")
    [random] = await form.codes(1, offerId=await form.offer_id("PROMOTYD"))
    for taken in ("coupon3%", "MERCI-1O", "tyd staff", random):
        assert places(await form.add_code(coupon, taken)) == {"code"}
    assert places(await form.add_code(coupon, "\u041cERCI", maxUses=0)) == {"code", "maxUses"}
    assert custom_codes(await form.add_code(coupon, "MERCI11"))[1]["code"] == "MERCI11"


async def test_ten_thousand_custom_codes_are_not_one_answer(server: Server) -> None:
    form = await Form.open(server)
    coupon = await form.offer_id("COUPON3")
    async with server.own.sessions.writing() as connection:
        await connection.execute(
            text("""INSERT INTO codes (organisation_id, id, code, kind, status, offer_id)
                SELECT organisation_id, ('ffffffff-ffff-7fff-bfff-' || lpad(n::text, 12, '0'))::uuid, 'CH0SEN' || n, 'CUSTOM',
                    'AVAILABLE', offer_id FROM codes, generate_series(10000, 19999) n WHERE shown = 'COUPON3%'""")
        )
    page = (await form.ask("CustomCodes", id=coupon))["node"]["customCodes"]
    assert (len(page["edges"]), page["pageInfo"]["hasNextPage"]) == (20, True)
    found, after = [], None
    for _ in range(3):
        page = (await form.ask("CustomCodes", id=coupon, first=100, after=after))["node"]["customCodes"]
        found += [edge["node"]["code"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    assert found == ["COUPON3%", *(f"CH0SEN{number}" for number in range(10_000, 10_299))]


async def test_codes_of_others_may_be_chosen_and_entered_whatever_our_check_says(server: Server) -> None:
    form, shop = await Form.open(server), Shop(server)
    added = await form.add_code(await form.offer_id("COUPON3"), "1001234567890123")
    assert "1001234567890123" in [each["code"] for each in custom_codes(added)]
    staff = await form.offer_id("STAFFTYD")
    await form.take_to(staff, "SUSPENDED")
    changed = await form.update(staff, target={"accessCode": "COMITEENTREPRISE"})
    assert changed["target"]["accessCode"] == "COMITEENTREPRISE"
    await form.take_to(staff, "RUNNING")
    priced = await shop.price(CONCERT, codes=["1001 2345 6789 0123", "comite-entreprise", "1001234567890124"])
    assert priced["codes"][0]["applied"] is True
    assert [code["offer"] is not None for code in priced["codes"]] == [True, True, False]
    assert "typing error" in priced["codes"][2]["refusals"][0]["message"]


async def test_of_ten_offers_that_want_one_code_one_gets_it(server: Server) -> None:
    form = await Form.open(server)
    offers = [(await form.create_promotion(code=f"P{number}"))["id"] for number in range(5)]
    answers = await asyncio.gather(*(form.add_code(offer, "SAME") for offer in offers))
    assert sorted(answer["__typename"] for answer in answers) == ["InvalidInput"] * 4 + ["PromotionalCode"]


async def test_a_coupon_takes_chosen_and_random_codes_side_by_side(server: Server) -> None:
    """Without a structure the list goes to the address that is given; both kinds are in one basket, each takes its part."""
    form, shop = await Form.open(server), Shop(server)
    offer = (await form.create_promotion(combinable=True, benefit={"amountOff": "3.00"}))["id"]
    await form.add_code(offer, "CHOSEN")
    wanted = {"offerId": offer, "quantity": 5}
    assert places((await form.ask("GenerateCodes", input=wanted))["generateCodes"]) == {"destination"}
    wanted["destination"] = "flyers@example.org"
    batch = (await form.ask("GenerateCodes", input=wanted))["generateCodes"]
    assert (batch["__typename"], batch["contact"]["name"]) == ("CodeBatch", "Théâtre de la Ville")
    async with asyncio.timeout(30):
        while batch["state"] != "DONE":
            batch = (await form.ask("CodeBatch", id=batch["id"]))["codeBatch"]
    await form.add_code(offer, "CHOSEN TOO")
    assert (await form.take_to(offer, "VALIDATED", "RUNNING"))["offer"]["state"] == "RUNNING"
    [random] = await form.codes(1, batchId=batch["id"])
    basket = await shop.basket(CONCERT)
    for code in ("CHOSEN", random):
        assert (await shop.apply(basket["id"], code))["__typename"] == "AdvantageCodeApplied"
    pricing = (await shop.ask("Basket", id=basket["id"]))["basket"]["pricing"]
    assert [(code["applied"], code["discount"]["amount"]) for code in pricing["codes"]] == [(True, "3.00")] * 2
    assert (await shop.confirm(basket["id"]))["__typename"] == "Order"
    assert (await form.codes(1, batchId=batch["id"], status=["USED"])) == [random]
    assert [each["uses"] for each in custom_codes(await form.configured("NEW"))] == [1, 0]


async def test_codes_of_an_advantage_are_made_for_a_structure(server: Server) -> None:
    form = await Form.open(server)
    wanted = {"offerId": await form.offer_id("PROMOTYD"), "quantity": 5, "destination": "ada@example.org"}
    assert places((await form.ask("GenerateCodes", input=wanted))["generateCodes"]) == {"contactId"}


async def test_a_target_whose_codes_are_out_stays(server: Server) -> None:
    form = await Form.open(server)
    offer = await form.offer_id("PROMOTYD")
    await form.take_to(offer, "SUSPENDED")
    assert places(await form.update(offer, target={"public": True})) == {"target"}


# ── Bad input ────────────────────────────────────────────────────────────────────────────────────


async def test_a_percentage_out_of_range_is_named(server: Server) -> None:
    form = await Form.open(server)
    for percentage in ("0", "-5", "100.01", "12.34567", "12.50000"):
        assert places(await form.create(benefit={"percentOff": percentage})) == {"benefit.percentOff"}
        assert places(await form.create_promotion(benefit={"percentOff": percentage})) == {"benefit.percentOff"}


BAD: dict[str, tuple[JsonObject, set[str]]] = {
    "more decimals than the currency": ({"benefit": {"amountOff": "5.001"}}, {"benefit.amountOff"}),
    "an amount of nothing": ({"benefit": {"amountOff": "0.00"}}, {"benefit.amountOff"}),
    "a negative price": ({"benefit": {"fixedPrice": "-1.00"}}, {"benefit.fixedPrice"}),
    "no rates": ({"benefit": {"rates": []}}, {"benefit.rates"}),
    "an end before the beginning": (
        {"validFrom": "2027-02-01T00:00:00+01:00", "validUntil": "2027-01-01T00:00:00+01:00"},
        {"validUntil"},
    ),
    "the end of time": ({"validUntil": "9999-12-31T23:59:59-12:00"}, {"validUntil"}),
    "a code of nothing": ({"code": " "}, {"code"}),
    "a code that is too long": ({"code": "A" * 65}, {"code"}),
    "a code that cannot be printed": ({"code": "A\x00B"}, {"code"}),
    "a code that is taken": ({"code": "OPENING"}, {"code"}),
    "no internal name": ({"internalName": {}}, {"internalName"}),
    "a blank name": ({"publicName": {"fr": " ", "en": "A\x00"}}, {"publicName.fr", "publicName.en"}),
    "a picture from nowhere": ({"picture": "javascript:alert(1)"}, {"picture"}),
    "nobody": ({"target": {"public": False}}, {"target.public"}),
    "an indicator that is none": (
        {"target": {"indicator": {"indicator": "WEALTH", "level": "REGULAR"}}},
        {"target.indicator.indicator"},
    ),
    "a level that is none": (
        {"target": {"indicator": {"indicator": "ASSIDUITY", "level": "FRANTIC"}}},
        {"target.indicator.level"},
    ),
    "a code for no ticket": (
        {"target": {"singleUseCode": {"ticketsPerCode": 0}}},
        {"target.singleUseCode.ticketsPerCode"},
    ),
    "an access code that is taken": ({"target": {"accessCode": "tyd-staff"}}, {"target.accessCode"}),
    "an access code like a custom one": ({"target": {"accessCode": "MERCI 1O"}}, {"target.accessCode"}),
    "an access code that looks Latin": ({"target": {"accessCode": "\u041cERCI"}}, {"target.accessCode"}),
    "limits below nothing": (
        {"limits": {"quota": -1, "perOrder": 0, "perContact": 0}},
        {"limits.quota", "limits.perOrder", "limits.perContact"},
    ),
    "a limit on nothing": ({"limits": {"elements": [{"quota": 1}]}}, {"limits.elements.0"}),
    "an endless tolerance": ({"saleEnd": {"toleranceMinutes": 525_601}}, {"saleEnd.toleranceMinutes"}),
    "a broken id": ({"seasonId": "x", "channelIds": ["y"]}, {"seasonId", "channelIds.0"}),
    "an id of another organisation": (
        {"seasonId": encode("Season", new_id()), "deliveryModeIds": [encode("DeliveryMode", new_id())]},
        {"seasonId", "deliveryModeIds.0"},
    ),
}


async def test_a_wrong_value_is_named_by_its_path(server: Server) -> None:
    form = await Form.open(server)
    found = {name: places(await form.create(**change)) for name, (change, _) in BAD.items()}
    assert found == {name: where for name, (_, where) in BAD.items()}


async def test_a_scope_outside_the_family_is_named(server: Server) -> None:
    form = await Form.open(server)
    ids = form.ids
    answer = await form.create(
        scope={"productIds": [ids["HELENE"], ids["PASS"]]},
        limits={"elements": [{"productId": ids["PASS"], "quota": 1}, {"productId": ids["PASS"]}]},
    )
    assert places(answer) == {
        "scope.productIds.1",
        "limits.elements.0.productId",
        "limits.elements.1.productId",
        "limits.elements.1",
    }


async def test_a_rate_sub_table_names_what_the_organisation_has(server: Server) -> None:
    form = await Form.open(server)
    rate = {"seatCategoryId": form.ids["CAT1"], "audienceSubCategoryId": form.ids["FULL"], "price": "10.00"}
    stranger = {**rate, "seatCategoryId": encode("SeatCategory", new_id())}
    season = {**rate, "audienceSubCategoryId": form.ids["2026-27"]}
    answer = await form.create(benefit={"rates": [rate, rate, stranger, season, {**rate, "price": "1.234"}]})
    assert places(answer) == {
        "benefit.rates.1",
        "benefit.rates.2.seatCategoryId",
        "benefit.rates.3.audienceSubCategoryId",
        "benefit.rates.4.price",
        "benefit.rates.4",
    }


async def test_contacts_that_are_none_are_named(server: Server) -> None:
    form = await Form.open(server)
    restricted = {"contactIds": [encode("Contact", new_id())], "counterProfiles": [""]}
    assert places(await form.create_promotion(restrictedTo=restricted, minimumBasket="-1")) == {
        "restrictedTo.contactIds.0",
        "restrictedTo.counterProfiles.0",
        "minimumBasket",
    }


async def test_every_problem_is_told_at_once_and_nothing_is_saved(server: Server) -> None:
    form = await Form.open(server)
    answer = await form.create(
        code="OPENING",
        publicName={"fr": ""},
        target={"accessCode": "TYD-STAFF"},
        benefit={"percentOff": "-5"},
        scope={"performanceIds": ["nonsense"]},
        limits={"quota": -1},
        validFrom="2027-02-01T00:00:00+01:00",
        validUntil="2027-01-01T00:00:00+01:00",
        picture="nowhere",
    )
    assert places(answer) == {
        "code",
        "publicName.fr",
        "target.accessCode",
        "benefit.percentOff",
        "scope.performanceIds.0",
        "limits.quota",
        "validUntil",
        "picture",
    }
    log = (await form.ask("AuditLog"))["auditLog"]["edges"]
    assert "createAdvantage" not in {edge["node"]["action"] for edge in log}


async def test_a_refused_update_changes_nothing(server: Server) -> None:
    form = await Form.open(server)
    made = await form.create()
    await form.update(made["id"], picture="https://example.org/e.png", saleEnd={"toleranceMinutes": 10**6})
    assert (await form.configured("NEW"))["version"] == made["version"]


async def test_exactly_one_of_several_is_given(server: Server) -> None:
    form = await Form.open(server)
    wrong: tuple[tuple[str, JsonObject], ...] = (
        ("target", {"public": True, "accessCode": "X-Y-Z"}),
        ("target", {}),
        ("benefit", {"percentOff": "5", "amountOff": "5.00"}),
    )
    for field, value in wrong:
        [error] = (await form.send("CreateAdvantage", input=form.advantage(**{field: value})))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert [problem["path"] for problem in error["extensions"]["problems"]] == [[field]]


async def test_of_several_given_in_the_document_one_error_is_told(server: Server) -> None:
    document = (
        """mutation { updateAdvantage(input: {id: "x", target: {public: true, accessCode: "X"}}) { __typename } }"""
    )
    [error] = (await server.ask(document, token=server.staff))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["problems"][0]["path"]) == ("BAD_USER_INPUT", ["target"])


async def test_an_unknown_offer_is_not_found(server: Server) -> None:
    form = await Form.open(server)
    advantage, promotion = encode("Advantage", new_id()), encode("PromotionalCode", new_id())
    wrong_kind = await form.offer_id("COUPON3")
    assert (await form.update(advantage))["__typename"] == "NotFound"
    assert (await form.update_promotion(promotion))["path"] == ["id"]
    assert (await form.add_code(promotion, "HELLO"))["path"] == ["promotionalCodeId"]
    assert (await form.update_code(wrong_kind, "MERCI10"))["path"] == ["code"]
    assert (await form.take_to(promotion, "RUNNING"))["path"] == ["offerId"]
    assert (await form.update(wrong_kind))["path"] == ["id"]


# ── Who ──────────────────────────────────────────────────────────────────────────────────────────


async def test_only_staff_who_configure_may(server: Server) -> None:
    form = await Form.open(server)
    seller = await server.own.credentials.staff_token("theatre", ["SALES"], NOW.replace(hour=23), name="bob")
    for token in (server.shopper, server.contact, server.partner, seller):
        other = Form(server, token)
        for operation, wanted in (
            ("CreateAdvantage", form.advantage()),
            ("CreatePromotionalCode", form.promotion()),
            ("UpdateAdvantage", {"id": await form.offer_id("OPENING")}),
            ("UpdatePromotionalCode", {"id": await form.offer_id("COUPON3")}),
            ("AddCustomCode", {"promotionalCodeId": await form.offer_id("COUPON3"), "code": "HELLO"}),
            ("UpdateCustomCode", {"promotionalCodeId": await form.offer_id("COUPON3"), "code": "COUPON3%"}),
            ("ChangeOfferState", {"offerId": await form.offer_id("OPENING"), "state": "SUSPENDED"}),
        ):
            answer = await other.send(operation, input=wanted)
            assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", operation


async def test_customers_learn_no_codes_and_nothing_of_others(server: Server) -> None:
    """A shopper who has entered an access code and a custom code sees the offers that they opened."""
    document = """query($input: BasketInput!) { priceBasket(input: $input) {
        lines { tickets { advantage { internalNames { fr } limits { taken remaining }
            target { ... on PartnerTarget { accessCode } ... on IndicatorTarget { level indicator { code } } } } } }
        codes { offer { ... on PromotionalCode { customCodes { edges { node { code } } } restrictedTo { newsletter } } } }
    } }"""
    shop = Shop(server, server.contact)
    lines = await shop.lines(("PASS", None, "FULL", 1), ("HELENE-1217", "CAT2", "STUDENT", 1))
    wanted = {"input": {"lines": lines, "codes": ["TYD-STAFF", "LETTRE"]}}
    pricing = (await server.ask(document, wanted, token=server.contact))["data"]["priceBasket"]
    partner, regulars = (line["tickets"][0]["advantage"] for line in pricing["lines"])
    assert partner == {
        "internalNames": None,
        "limits": {"taken": None, "remaining": None},
        "target": {"accessCode": None},
    }
    assert regulars["target"] == {"level": None, "indicator": None}
    assert pricing["codes"][1]["offer"] == {"customCodes": None, "restrictedTo": None}
