"""Lists of codes over HTTP: what people paste is read, and what a list shows can be entered and taken in again."""

import csv
from io import StringIO

import httpx
import pytest
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Shop
from tests.wire import Json

SEATS = ("HELENE-1217", "CAT1", "FULL", 1)
IMPORT = """mutation($input: ImportCodesInput!) { importCodes(input: $input) { __typename
    ... on CodeBatch { id quantity skipped csvUrl xlsxUrl }
    ... on InvalidInput { problems { path message } } } }"""


class Lists(BackOffice):
    """Takes lists in."""

    async def take_in(self, *lines: str, **others: Json) -> Json:
        offer, contact = await self.offer_id("PROMOTYD"), await self.contact_id("SECUTIX")
        wanted = {"offerId": offer, "contactId": contact, "codes": list(lines), **others}
        answer = await self._server.ask(
            IMPORT, {"input": wanted}, token=self._server.staff, **{"Accept-Language": "en"}
        )
        assert "errors" not in answer, answer
        return answer["data"]["importCodes"]

    async def shown(self, batch: str) -> list[str]:
        return await self.codes(100, batchId=batch)

    async def rows(self, url: str) -> list[list[str]]:
        response = await self._server.client.get(httpx.URL(url).raw_path.decode())
        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        return list(csv.reader(StringIO(response.content.decode("utf-8-sig"), newline=""), delimiter=";"))


@pytest.fixture
def lists(server: Server) -> Lists:
    return Lists(server)


async def test_only_the_codes_of_a_list_are_taken_in(lists: Lists) -> None:
    batch = await lists.take_in(
        "\ufeffCode;Valable jusqu’au",
        "# pour le club",
        "ABC123;2027-01-01",
        ",,,,",
        "",
        '"DEF456";"x;y"',
        "GHI\u2011789;\r\n",
    )
    assert (batch["quantity"], await lists.shown(batch["id"])) == (3, ["ABC123", "DEF456", "GHI-789"])


async def test_a_hundred_codes_of_a_partner_are_taken_in_and_entered(server: Server, lists: Lists) -> None:
    codes = [f"1001{(number * 7_919_999_983) % 10**12:012}" for number in range(1, 51)]
    codes += [f"{(number * 0x9E3779B97F4A7C15) % 2**64:016x}" for number in range(1, 51)]
    batch = await lists.take_in(*codes)
    assert (batch["quantity"], await lists.shown(batch["id"])) == (100, codes)
    shop = Shop(server)
    for code in (codes[3], codes[77].upper()):
        basket = await shop.basket(SEATS)
        assert (await shop.apply(basket["id"], code))["__typename"] == "AdvantageCodeApplied"


async def test_a_code_is_entered_as_its_list_shows_it(server: Server, lists: Lists) -> None:
    batch = await lists.take_in("-5OFF", "=A1+B2", "@home", '"#SUMMER"', "GRUẞ-26", "00012345")
    cells = [row[0] for row in (await lists.rows(batch["csvUrl"]))[1:]]
    assert cells == ["'-5OFF", "'=A1+B2", "'@home", "#SUMMER", "GRUẞ-26", "00012345"]
    shop = Shop(server)
    for cell in [*cells[:4], "gruss26", "Gruß 26\u200b"[:7], "00012345"]:
        priced = await shop.price(SEATS, codes=[cell])
        assert priced["codes"][0]["applied"], cell


async def test_a_list_of_ours_is_all_known_when_it_is_taken_in_again(lists: Lists) -> None:
    batch = await lists.take_in("-5OFF", "=A1+B2", '"#SUMMER"', '"A;B"')
    path = httpx.URL(batch["csvUrl"]).raw_path.decode()
    text = (await lists._server.client.get(path)).content.decode("utf-8")
    answer = await lists.take_in(*text.split("\r\n"))
    assert [(each["path"], each["message"]) for each in answer["problems"]] == [
        (["codes", "1"], "The code -5OFF exists already."),
        (["codes", "2"], "The code =A1+B2 exists already."),
        (["codes", "3"], "The code #SUMMER exists already."),
        (["codes", "4"], "The code A;B exists already."),
    ]


async def test_duplicates_are_left_out_on_request_and_reported(lists: Lists) -> None:
    await lists.take_in("KNOWN-1")
    batch = await lists.take_in("KNOWN-1", "NEW-1", "new 1", onDuplicate="SKIP")
    assert (batch["quantity"], batch["skipped"], await lists.shown(batch["id"])) == (1, 2, ["NEW-1"])


async def test_a_list_is_offered_as_a_workbook_beside_the_csv(server: Server, lists: Lists) -> None:
    batch = await lists.take_in("00012345", "12-05-26")
    response = await server.client.get(httpx.URL(batch["xlsxUrl"]).raw_path.decode())
    assert (response.status_code, response.content[:2]) == (200, b"PK")
    url = (await server.ask("{ codesXlsxUrl }", token=server.staff))["data"]["codesXlsxUrl"]
    assert (await server.client.get(httpx.URL(url).raw_path.decode())).content[:2] == b"PK"
