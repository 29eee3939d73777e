"""Codes in bulk over HTTP: taken in, mailed again, downloaded, invalidated, and how many tickets they brought in."""

import csv
from io import StringIO

import pytest
from sqlalchemy import update
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Client, Shop
from tests.wire import Json, JsonObject

from db.core import tables


@pytest.fixture
def office(server: Server) -> BackOffice:
    return BackOffice(server)


async def wanted(office: BackOffice, **others: Json) -> JsonObject:
    return {"offerId": await office.offer_id("PROMOTYD"), "contactId": await office.contact_id("SECUTIX"), **others}


async def taken_in(office: BackOffice, *codes: str) -> Json:
    return (await office.ask("ImportCodes", input=await wanted(office, codes=codes)))["importCodes"]


async def rows(server: Server, url: str) -> list[list[str]]:
    response = await server.client.get(url)
    assert response.status_code == 200
    return list(csv.reader(StringIO(response.content.decode("utf-8-sig"), newline=""), delimiter=";"))


async def test_imported_codes_work_in_a_basket(server: Server, office: BackOffice) -> None:
    batch = await taken_in(office, "Club 2026-000417", "Club 2026-000418")
    shop = Shop(server)
    basket = await shop.basket(("HELENE-1217", "CAT1", "FULL", 1))
    assert (batch["__typename"], batch["state"], batch["generated"]) == ("CodeBatch", "DONE", 2)
    assert (await shop.apply(basket["id"], "CLUB2026-000418"))["__typename"] == "AdvantageCodeApplied"


async def test_problems_with_imported_codes_name_their_lines(office: BackOffice) -> None:
    answer = await taken_in(office, "Club 2026-000417", "ab", "COUPON3%", "club2026000417")
    assert answer["__typename"] == "InvalidInput"
    assert [(each["path"], each["message"]) for each in answer["problems"]] == [
        (["codes", "1"], "A code has at least 3 characters, spaces and dashes aside."),
        (["codes", "2"], "The code COUPON3% exists already."),
        (["codes", "3"], "Line 4: club2026000417 reads like Club 2026-000417 on line 1."),
    ]


async def test_ten_thousand_codes_fit_into_a_request(office: BackOffice) -> None:
    batch = await taken_in(office, *(f"Club 2026-{number:09}-{'X' * 40}" for number in range(10_000)))
    assert batch["generated"] == 10_000


async def test_guessable_codes_are_refused_by_telling_how_many_are_possible(office: BackOffice) -> None:
    answer = await taken_in(office, *(f"CLUB-{number:03}" for number in range(1_000)))
    assert "only 1,000 are possible, and 1,000 of them would be good" in answer["problems"][0]["message"]


async def test_the_list_of_a_batch_is_mailed_again(office: BackOffice) -> None:
    batch = await taken_in(office, "Club 2026-000417")
    wanted = {"batchId": batch["id"], "destination": "club@example.org"}
    again = (await office.ask("ResendCodeBatch", input=wanted))["resendCodeBatch"]
    assert (again["__typename"], again["destination"]) == ("CodeBatch", "club@example.org")
    assert again["state"] in {"SENDING", "DONE"}


async def test_the_filtered_list_is_downloaded(server: Server, office: BackOffice) -> None:
    batch = await taken_in(office, "Club 2026-000417", "Club 2026-000418")
    data = await office.ask("CodesCsv", filter={"batchId": batch["id"]}, language="FR")
    found = await rows(server, data["codesCsvUrl"].replace("http://127.0.0.1:8000", server.address))
    assert [row[0] for row in found] == ["Code", "Club 2026-000417", "Club 2026-000418"]


async def test_a_partner_downloads_its_own_codes(server: Server, office: BackOffice) -> None:
    await taken_in(office, "Club 2026-000417")
    partner = Client(server, "partner", server.partner)
    data = await partner.ask("PartnerCodesCsv", language="EN")
    assert len(await rows(server, data["codesCsvUrl"].replace("http://127.0.0.1:8000", server.address))) == 1


async def test_a_batch_is_invalidated_after_a_dry_run(office: BackOffice) -> None:
    batch = await taken_in(office, "Club 2026-000417", "Club 2026-000418")
    selection = {"selection": {"batchId": batch["id"]}, "reason": "stolen"}
    dry = (await office.ask("InvalidateCodes", input={**selection, "dryRun": True}))["invalidateCodes"]
    done = (await office.ask("InvalidateCodes", input=selection))["invalidateCodes"]
    assert dry == {**done, "dryRun": True}
    assert (done["invalidated"], done["used"], done["alreadyInvalidated"], done["unknown"]) == (2, 0, 0, [])
    data = await office.ask("Codes", filter={"batchId": batch["id"]})
    assert {edge["node"]["status"] for edge in data["codes"]["edges"]} == {"INVALIDATED"}


async def test_a_basket_is_told_that_it_lost_its_code(server: Server, office: BackOffice) -> None:
    await taken_in(office, "Club 2026-000417")
    shop = Shop(server)
    basket = await shop.basket(("HELENE-1217", "CAT1", "FULL", 1))
    await shop.apply(basket["id"], "Club 2026-000417")
    listed = {"selection": {"codes": ["club 2026 000417"]}, "reason": "stolen"}
    outcome = (await office.ask("InvalidateCodes", input=listed))["invalidateCodes"]
    refused = await shop.confirm(basket["id"])
    assert (outcome["invalidated"], outcome["held"]) == (1, 1)
    assert (refused["__typename"], refused["refusals"][0]["code"]) == ("CodeRefused", "CODE_INVALIDATED")


async def test_a_selection_is_one_thing(office: BackOffice) -> None:
    both = {"selection": {"codes": ["A"], "filter": {}}, "reason": "stolen"}
    assert "errors" in await office.send("InvalidateCodes", input=both)


async def test_each_code_counts_its_own_scanned_tickets(server: Server, office: BackOffice) -> None:
    """Two codes of one advantage and one of a promotional code in one order, three of its tickets scanned."""
    async with server.own.sessions.writing() as connection:
        await connection.execute(
            update(tables.offers).where(tables.offers.c.code == "PROMOTYD").values(tickets_per_code=1)
        )
    first, second = await office.codes(2, offerId=await office.offer_id("PROMOTYD"))
    shop = Shop(server)
    basket = await shop.basket(("HELENE-1217", "CAT1", "FULL", 4))
    for code in (first, second, "MERCI10"):
        assert (await shop.apply(basket["id"], code))["__typename"] == "AdvantageCodeApplied"
    order = await shop.confirm(basket["id"])
    counter = Client(server, "counter", server.staff)
    with_code = [ticket for ticket in order["tickets"] if ticket["advantage"]]
    without = [ticket for ticket in order["tickets"] if not ticket["advantage"]]
    assert (len(with_code), len(without)) == (2, 2)
    for ticket in (with_code[0], *without):
        scanned = await counter.ask("ControlTicket", input={"barcode": ticket["barcode"]})
        assert scanned["controlTicket"]["__typename"] == "Ticket"
    controlled = {}
    for code in (first, second, "MERCI10"):
        data = await office.ask("Codes", filter={"code": code})
        controlled[code] = data["codes"]["edges"][0]["node"]["ticketsControlled"]
    assert sorted((controlled[first], controlled[second])) == [0, 1]
    assert controlled["MERCI10"] == 3


@pytest.mark.parametrize("filtered", ["offerId", "contactId", "batchId"])
async def test_filtered_pages_follow_on_each_other(office: BackOffice, filtered: str) -> None:
    batch = await taken_in(office, *(f"Club 2026-{number:09}" for number in range(50)))
    by = {**await wanted(office), "batchId": batch["id"]}
    after, seen = None, []
    while True:
        page = (await office.ask("Codes", filter={filtered: by[filtered]}, first=40, after=after))["codes"]
        seen += [edge["node"]["code"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert len(seen) == len(set(seen)) == (50 if filtered == "batchId" else 200)
