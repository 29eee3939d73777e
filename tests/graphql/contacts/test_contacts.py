"""What is known of a contact, and by whom."""

import pytest
from tests.conftest import Server
from tests.graphql.operations import Client, Shop
from tests.wire import Json

SEATS = ("HELENE-1217", "CAT1", "FULL", 1)
_OWN = "{ viewer { contact { code newsletter hasOrdered indicators { indicator level name(language: EN) } } } }"
_OTHERS = "query ($id: ID!) { node(id: $id) { ... on Contact { newsletter hasOrdered indicators { level } } } }"


async def known(server: Server, code: str) -> Json:
    data = await Client(server, "counter", server.staff).ask("FindContacts", search=code, language="EN")
    return next(edge["node"] for edge in data["contacts"]["edges"] if edge["node"]["code"] == code)


async def test_staff_read_levels_newsletter_and_whether_somebody_has_ordered(server: Server) -> None:
    blandine, nouveau = await known(server, "BLANDINE"), await known(server, "NOUVEAU")
    assert blandine["indicators"] == [{"indicator": "ASSIDUITY", "level": "REGULAR", "name": "Assiduity"}]
    assert (blandine["newsletter"], blandine["hasOrdered"]) == (True, False)
    assert (nouveau["indicators"], nouveau["newsletter"], nouveau["hasOrdered"]) == ([], False, False)


async def test_who_has_an_order_that_is_not_cancelled_has_ordered(server: Server) -> None:
    shop = Shop(server, server.contact)
    order = await shop.confirm((await shop.basket(SEATS))["id"])
    assert (await known(server, "BLANDINE"))["hasOrdered"]
    await Client(server, "counter", server.staff).ask("CancelOrder", input={"orderId": order["number"]})
    found = await known(server, "BLANDINE")
    assert not found["hasOrdered"]
    assert [edge["node"]["state"] for edge in found["orders"]["edges"]] == ["CANCELLED"]


async def test_contacts_read_of_themselves_what_staff_read_of_them(server: Server) -> None:
    own = (await server.ask(_OWN, token=server.contact))["data"]["viewer"]["contact"]
    assert own == {
        "code": "BLANDINE",
        "newsletter": True,
        "hasOrdered": False,
        "indicators": [{"indicator": "ASSIDUITY", "level": "REGULAR", "name": "Assiduity"}],
    }


@pytest.mark.parametrize("audience", ["contact", "partner", "shopper"])
async def test_nobody_else_reads_anything_of_a_contact(server: Server, audience: str) -> None:
    nouveau = (await known(server, "NOUVEAU"))["id"]
    answer = await server.ask(_OTHERS, {"id": nouveau}, token=getattr(server, audience))
    assert answer["data"] == {"node": None}
