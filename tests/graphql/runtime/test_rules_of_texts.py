"""Whoever writes a text wrongly is told in which way: not at all, too much, or what nobody can read."""

import pytest
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Client

from db.core.ids import new_id
from resolvers.runtime.ids import encode

UNREADABLE = "a\x07b"


@pytest.mark.parametrize(
    ("reason", "code"), [("", "MISSING"), ("   ", "MISSING"), ("x" * 501, "TOO_LONG"), (UNREADABLE, "MALFORMED")]
)
async def test_a_reason_for_an_invalidation(server: Server, reason: str, code: str) -> None:
    said = await BackOffice(server).ask("InvalidateCode", input={"code": "COUPON3%", "reason": reason})
    [problem] = said["invalidateCode"]["problems"]
    assert (problem["path"], problem["code"]) == (["reason"], code)


@pytest.mark.parametrize(("reason", "code"), [("x" * 501, "TOO_LONG"), (UNREADABLE, "MALFORMED")])
async def test_a_reason_for_a_cancellation(server: Server, reason: str, code: str) -> None:
    wanted = {"orderId": encode("Order", new_id()), "reason": reason}
    said = await Client(server, "counter", server.staff).ask("CancelOrder", input=wanted)
    [problem] = said["cancelOrder"]["problems"]
    assert (problem["path"], problem["code"]) == (["reason"], code)


@pytest.mark.parametrize(("remark", "code"), [("x" * 2_001, "TOO_LONG"), (UNREADABLE, "MALFORMED")])
async def test_a_remark(server: Server, remark: str, code: str) -> None:
    office = BackOffice(server)
    order = {"offerId": await office.offer_id("PROMOTYD"), "contactId": await office.contact_id("TYD"), "quantity": 1}
    said = await office.ask("GenerateCodes", input={**order, "remark": remark})
    [problem] = said["generateCodes"]["problems"]
    assert (problem["path"], problem["code"]) == (["remark"], code)


@pytest.mark.parametrize("field", ["contacts", "orders", "advantages", "offers"])
@pytest.mark.parametrize(("part", "code"), [("x" * 201, "TOO_LONG"), (UNREADABLE, "MALFORMED")])
async def test_a_search(server: Server, field: str, part: str, code: str) -> None:
    query = f"query Q($part: String) {{ {field}(search: $part) {{ totalCount }} }}"
    [error] = (await server.ask(query, {"part": part}, token=server.staff))["errors"]
    [problem] = error["extensions"]["problems"]
    assert (problem["path"], problem["code"]) == (["search"], code)
