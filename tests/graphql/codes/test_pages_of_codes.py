"""Lists of codes, batches, uses and orders go backwards as they go forwards, and say how many things they have."""

from collections.abc import Callable

import pytest
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Client, Shop
from tests.wire import Json

CONCERT = ("ZINMAN-0119", "CAT1", "FULL", 1)
PAGE = "edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"


@pytest.fixture
async def busy(server: Server) -> Server:
    """A theatre with three batches, and five orders of one contact that all used one custom code."""
    office, shop = BackOffice(server), Shop(server, server.contact)
    offer = await office.offer_id("PROMOTYD")
    for name in ("TYD", "SECUTIX"):
        order = {"offerId": offer, "contactId": await office.contact_id(name), "quantity": 3}
        assert (await office.ask("GenerateCodes", input=order))["generateCodes"]["__typename"] == "CodeBatch"
    for _ in range(5):
        basket = await shop.basket(CONCERT)
        assert (await shop.apply(basket["id"], "COUPON3%"))["__typename"] == "AdvantageCodeApplied"
        assert (await shop.confirm(basket["id"]))["__typename"] == "Order"
    return server


def contact_orders(arguments: str) -> str:
    return f'{{ contacts(search: "Blandine") {{ edges {{ node {{ orders({arguments}) {{ {PAGE} }} }} }} }} }}'


LISTS: dict[str, tuple[str, Callable[[str], str]]] = {
    "codes": ("staff", lambda arguments: f"{{ codes({arguments}) {{ {PAGE} }} }}"),
    "codes by part": ("staff", lambda arguments: f'{{ codes(filter: {{part: "COUP"}}, {arguments}) {{ {PAGE} }} }}'),
    "batches": ("staff", lambda arguments: f"{{ codeBatches({arguments}) {{ {PAGE} }} }}"),
    "uses": ("staff", lambda arguments: f'{{ codeUses(code: "coupon3%", {arguments}) {{ {PAGE} }} }}'),
    "orders": ("staff", lambda arguments: f"{{ orders({arguments}) {{ {PAGE} }} }}"),
    "orders by code": ("staff", lambda arguments: f'{{ orders(codeText: "coupon3%", {arguments}) {{ {PAGE} }} }}'),
    "a contact's orders": ("staff", contact_orders),
    "one's own orders": ("contact", lambda arguments: f"{{ viewer {{ orders({arguments}) {{ {PAGE} }} }} }}"),
}
"""Who asks, and how for one page."""


def page_of(data: Json) -> Json:
    """The one connection in an answer that has a count."""
    while "totalCount" not in data:
        data = next(iter(data.values())) if isinstance(data, dict) else data[0]
    return data


async def asked(server: Server, name: str, arguments: str) -> Json:
    token, query = LISTS[name]
    answer = await server.ask(query(arguments), token=getattr(server, token))
    assert "errors" not in answer, answer
    return page_of(answer["data"])


def ids(page: Json) -> list[str]:
    return [edge["node"]["id"] for edge in page["edges"]]


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_goes_backwards_as_it_goes_forwards(busy: Server, name: str) -> None:
    size, whole = 40 if name == "codes" else 2, await asked(busy, name, "first: 100")
    assert len(ids(whole)) == min(100, whole["totalCount"])
    end = await asked(busy, name, f"last: {size}")
    assert not end["pageInfo"]["hasNextPage"]
    found, page = ids(end), end
    while page["pageInfo"]["hasPreviousPage"]:
        page = await asked(busy, name, f'last: {size}, before: "{page["pageInfo"]["startCursor"]}"')
        assert page["pageInfo"]["hasNextPage"]
        assert page["totalCount"] == end["totalCount"]
        found = [*ids(page), *found]
    forwards, page = [], {"pageInfo": {"hasNextPage": True, "endCursor": None}}
    while page["pageInfo"]["hasNextPage"]:
        after = page["pageInfo"]["endCursor"]
        page = await asked(busy, name, f"first: {size + 1}" + (f', after: "{after}"' if after else ""))
        forwards += ids(page)
    assert found == forwards
    assert len(set(found)) == len(found) == end["totalCount"]
    assert found[: len(ids(whole))] == ids(whole)


@pytest.mark.parametrize("name", LISTS)
async def test_first_and_last_together_are_refused(busy: Server, name: str) -> None:
    token, query = LISTS[name]
    [error] = (await busy.ask(query("first: 1, last: 1"), token=getattr(busy, token)))["errors"]
    [problem] = error["extensions"]["problems"]
    assert problem["path"][-1] == "last"


async def test_a_partner_pages_through_its_own_alone(busy: Server) -> None:
    partner = Client(busy, "partner", busy.partner)
    own = (await partner.ask("PartnerCodes", first=100))["codes"]["edges"]
    token = busy.partner
    page = page_of((await busy.ask(f"{{ codes(last: 100) {{ {PAGE} }} }}", token=token))["data"])
    assert ids(page) == [edge["node"]["id"] for edge in own]
    assert page["totalCount"] == len(own) > 0
    uses = page_of((await busy.ask(f'{{ codeUses(code: "COUPON3%", last: 9) {{ {PAGE} }} }}', token=token))["data"])
    assert (ids(uses), uses["totalCount"]) == ([], 0)
