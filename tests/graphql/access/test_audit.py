"""The audit log is read by people: names in place of ids, amounts with their currency, by whom, what and when."""

from datetime import timedelta

from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Client, Shop
from tests.wire import Json, JsonObject


class AuditLog(Client):
    def __init__(self, server: Server) -> None:
        super().__init__(server, "lists", server.staff)

    async def entries(self, **asked: Json) -> list[JsonObject]:
        log = (await self.ask("AuditEntries", language="EN", **asked))["auditLog"]
        assert log["totalCount"] == len(log["edges"])
        return [edge["node"] for edge in log["edges"]]


async def discounted(server: Server) -> str:
    """The id of a new advantage of which the benefit was changed."""
    office = BackOffice(server)
    names = {"internalName": {"en": "Five off"}, "publicName": {"en": "Five off"}}
    made = await office.ask(
        "CreateAdvantage",
        input={
            **names,
            "code": "FIVE",
            "seasonId": await office.season_id(),
            "family": "EVENT",
            "target": {"public": True},
            "benefit": {"amountOff": "5"},
        },
    )
    offer: str = made["createAdvantage"]["id"]
    await office.ask("UpdateAdvantage", input={"id": offer, "benefit": {"amountOff": "7.50"}})
    return offer


async def test_an_entry_says_names_and_amounts(server: Server) -> None:
    offer = await discounted(server)
    updated, created = await AuditLog(server).entries(offerId=offer)
    assert (updated["actorName"], updated["action"], updated["subjectType"]) == ("ada", "updateAdvantage", "Advantage")
    assert updated["subjectName"] == "FIVE (Five off)"
    facts = {fact["name"]: fact for fact in updated["facts"]}
    assert facts["benefit"] == {"name": "benefit", "before": "amountOff: 5.00 EUR", "after": "amountOff: 7.50 EUR"}
    told = {fact["name"]: fact["after"] for fact in created["facts"]}
    assert told["internalName"] == "en: Five off"
    assert "(" in told["seasonId"], "a season by its code and name"


async def test_a_batch_is_told_with_the_names_of_its_offer_and_contact(server: Server) -> None:
    office = BackOffice(server)
    order = {"offerId": await office.offer_id("PROMOTYD"), "contactId": await office.contact_id("TYD"), "quantity": 3}
    await office.ask("GenerateCodes", input=order)
    entry = (await AuditLog(server).entries(actions=["generateCodes"], actor="ADA"))[0]
    told = {fact["name"]: fact["after"] for fact in entry["facts"]}
    assert told["offer"].startswith("PROMOTYD (")
    assert told["contact"].startswith("TYD (")
    assert told["quantity"] == "3"


async def test_entries_are_found_by_actor_action_and_time_and_paged_both_ways(server: Server) -> None:
    offer = await discounted(server)
    log = AuditLog(server)
    assert [each["action"] for each in await log.entries(actions=["createAdvantage"], actor="ada")] == [
        "createAdvantage"
    ]
    assert await log.entries(actions=["createAdvantage"], actor="somebody else") == []
    [first] = await log.entries(actions=["createAdvantage"])
    assert await log.entries(offerId=offer, until=first["createdAt"]) == []
    assert len(await log.entries(**{"offerId": offer, "from": (NOW - timedelta(days=9_000)).isoformat()})) == 2
    oldest = (await log.ask("AuditEntries", offerId=offer, last=1))["auditLog"]
    assert [edge["node"]["action"] for edge in oldest["edges"]] == ["createAdvantage"]
    assert oldest["pageInfo"]["hasPreviousPage"]
    newer = (await log.ask("AuditEntries", offerId=offer, last=1, before=oldest["pageInfo"]["startCursor"]))["auditLog"]
    assert [edge["node"]["action"] for edge in newer["edges"]] == ["updateAdvantage"]
    assert newer["pageInfo"] | {"startCursor": None, "endCursor": None} == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


async def test_each_subject_is_named_so_that_people_know_it(server: Server) -> None:
    office, shop, counter = BackOffice(server), Shop(server, server.contact), Client(server, "counter", server.staff)
    batch = {"offerId": await office.offer_id("PROMOTYD"), "contactId": await office.contact_id("TYD"), "quantity": 1}
    await office.ask("GenerateCodes", input=batch)
    [code, *_] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"))
    await office.ask("InvalidateCode", input={"code": code, "reason": "lost"})
    basket = await shop.basket(("ZINMAN-0119", "CAT1", "FULL", 2))
    order = await shop.confirm(basket["id"])
    first, second = order["tickets"]
    await counter.ask("ControlTicket", input={"barcode": first["barcode"]})
    wanted = {"orderId": order["id"], "ticketIds": [second["id"]], "reason": "ill"}
    assert (await counter.ask("CancelTickets", input=wanted))["cancelTickets"]["__typename"] == "Order"

    log = AuditLog(server)
    named = {each["action"]: each for each in reversed(await log.entries(first=100))}
    assert named["invalidateCode"]["subjectName"] == code
    assert named["controlTicket"]["subjectName"] == first["barcode"]
    assert named["cancelTickets"]["subjectName"] == order["number"]
    told = {fact["name"]: fact["after"] for fact in named["cancelTickets"]["facts"]}
    assert second["barcode"] in told.values()
    made = named["generateCodes"]["subjectName"].split(", ")
    assert made[:2] == ["PROMOTYD (Promo TYD)", "TYD (TYD)"]
    assert made[2].startswith(str(NOW.year))
    assert made[2].endswith(("+01:00", "+02:00"))
    assert all(each["subjectName"] for each in named.values()), named


async def test_two_cancelled_tickets_are_a_list_and_no_change(server: Server) -> None:
    shop, counter = Shop(server, server.contact), Client(server, "counter", server.staff)
    order = await shop.confirm((await shop.basket(("ZINMAN-0119", "CAT1", "FULL", 3)))["id"])
    two = order["tickets"][:2]
    wanted = {"orderId": order["id"], "ticketIds": [ticket["id"] for ticket in two], "reason": "ill"}
    assert (await counter.ask("CancelTickets", input=wanted))["cancelTickets"]["__typename"] == "Order"
    [entry, *_] = await AuditLog(server).entries(first=100)
    [told] = [fact for fact in entry["facts"] if fact["name"] == "tickets"]
    assert (told["before"], set(told["after"].split(", "))) == (None, {ticket["barcode"] for ticket in two})


async def test_baskets_that_staff_change_for_somebody_are_named(server: Server) -> None:
    shop, staff = Shop(server, server.contact), Shop(server, server.staff)
    seats = ("ZINMAN-0119", "CAT1", "FULL", 1)
    left, sold = await shop.basket(seats), await shop.basket(seats)
    assert (await staff.ask("CancelBasket", input={"basketId": left["id"]}))["cancelBasket"]["__typename"] == "Basket"
    changed = await staff.ask("UpdateBasket", input={"basketId": sold["id"], "useBalance": True})
    assert changed["updateBasket"]["__typename"] == "Basket"
    order = await staff.confirm(sold["id"])
    named = {each["subjectId"]: each["subjectName"] for each in await AuditLog(server).entries(first=100)}
    contact, place, at = named[left["id"]].split(", ")
    assert (contact, place) == ("BLANDINE (Blandine de Dainville)", "SHOP (Online shop)")
    assert at.startswith(str(NOW.year))
    assert named[sold["id"]] == order["number"]


async def test_only_staff_to_whom_the_records_are_open_read_it(server: Server) -> None:
    for token in (server.shopper, server.contact, server.partner):
        answer = await server.ask("{ auditLog { totalCount } }", token=token)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
