"""Lists of the back office are searched, filtered, counted and paged through both ways; a shop's shows what it sells."""

from datetime import timedelta

import pytest
from tests.back_door import change_offer
from tests.conftest import NOW, Server
from tests.counting import counted
from tests.graphql.operations import Client, Shop
from tests.wire import Json


class Lists(Client):
    def __init__(self, server: Server) -> None:
        super().__init__(server, "lists", server.staff)

    async def found(self, **asked: Json) -> list[str]:
        offers = (await self.ask("FindOffers", **asked))["offers"]
        codes = [edge["node"]["code"] for edge in offers["edges"]]
        assert offers["totalCount"] == len(codes)
        return codes


@pytest.fixture
async def lists(server: Server) -> Lists:
    return Lists(server)


async def test_offers_are_found_by_a_part_of_their_code_or_name_without_regard_to_case_and_accents(
    lists: Lists,
) -> None:
    everything = await lists.found(first=100)
    assert {"OPENING", "COUPON3"} <= set(everything)
    assert await lists.found(search=" coupon3 ") == ["COUPON3"]
    edges = (await lists.ask("FindOffers", first=100, language="FR"))["offers"]["edges"]
    named = next(edge["node"] for edge in edges if "é" in edge["node"]["internalName"].lower())
    assert named["code"] in await lists.found(search=named["internalName"].upper().replace("É", "e"))
    assert await lists.found(search="nothing is called so") == []
    assert await lists.found(search="_") == []


async def test_offers_are_found_by_their_states(server: Server, lists: Lists) -> None:
    await change_offer(server.own.sessions, "OPENING", state="SUSPENDED")
    assert await lists.found(state="SUSPENDED", first=100) == ["OPENING"]
    assert "OPENING" not in await lists.found(states=["RUNNING", "DRAFT"], first=100)
    assert await lists.found(state="SUSPENDED", states=["RUNNING"]) == []


async def test_a_list_is_paged_through_backwards_as_forwards(lists: Lists) -> None:
    everything = await lists.found(first=100)
    forwards: list[str] = []
    cursor = None
    while True:
        page = (await lists.ask("FindOffers", first=3, after=cursor))["offers"]
        forwards += [edge["node"]["code"] for edge in page["edges"]]
        assert page["totalCount"] == len(everything)
        assert page["pageInfo"]["hasPreviousPage"] is (cursor is not None)
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert forwards == everything
    backwards: list[str] = []
    cursor = None
    while True:
        page = (await lists.ask("FindOffers", last=3, before=cursor))["offers"]
        backwards = [edge["node"]["code"] for edge in page["edges"]] + backwards
        assert page["pageInfo"]["hasNextPage"] is (cursor is not None)
        cursor = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            break
    assert backwards == everything


CONTACTS = """query ($first: Int, $after: String, $last: Int, $before: String, $search: String) {
    contacts(first: $first, after: $after, last: $last, before: $before, search: $search) {
        edges { cursor node { code } } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


async def test_contacts_in_the_database_are_paged_and_counted_the_same_way(server: Server) -> None:
    async def page(**asked: Json) -> Json:
        return (await server.ask(CONTACTS, asked, token=server.staff))["data"]["contacts"]

    everything = await page(first=100)
    codes = [edge["node"]["code"] for edge in everything["edges"]]
    assert everything["totalCount"] == len(codes) > 2
    last = await page(last=2)
    assert [edge["node"]["code"] for edge in last["edges"]] == codes[-2:]
    assert last["pageInfo"]["hasPreviousPage"]
    assert not last["pageInfo"]["hasNextPage"]
    before = await page(last=100, before=last["pageInfo"]["startCursor"])
    assert [edge["node"]["code"] for edge in before["edges"]] == codes[:-2]
    assert before["pageInfo"]["hasNextPage"]
    assert not before["pageInfo"]["hasPreviousPage"]
    between = await page(first=1, after=everything["edges"][0]["cursor"], before=everything["edges"][2]["cursor"])
    assert [edge["node"]["code"] for edge in between["edges"]] == codes[1:2]
    assert (await page(search=codes[0]))["totalCount"] == 1


async def test_first_and_last_do_not_go_together(server: Server) -> None:
    answer = await server.ask(CONTACTS, {"first": 1, "last": 1}, token=server.staff)
    assert answer["errors"][0]["extensions"]["problems"][0]["path"] == ["last"]


async def test_a_campaign_shows_its_target_and_the_offers_that_use_it(lists: Lists) -> None:
    [campaign, *_] = (await lists.ask("Campaigns"))["campaigns"]
    assert campaign["offers"]
    shown = (await lists.ask("CampaignTarget", id=campaign["id"], last=1))["node"]
    assert shown["contactCount"] == shown["contacts"]["totalCount"] > 0
    assert len(shown["contacts"]["edges"]) == 1
    everyone = (await lists.ask("CampaignTarget", id=campaign["id"], first=100))["node"]["contacts"]["edges"]
    assert len(everyone) == shown["contactCount"]
    assert everyone[-1] == shown["contacts"]["edges"][0]
    [offer] = [offer for offer in campaign["offers"] if offer["code"] == campaign["offers"][0]["code"]]
    back = (await lists.ask("FindOffers", search=offer["code"]))["offers"]["edges"]
    assert offer["id"] in {edge["node"]["id"] for edge in back}


async def test_targets_of_all_campaigns_cost_as_many_queries_as_of_one(server: Server) -> None:
    query = "{ campaigns { contactCount contacts(first: 2) { totalCount edges { node { code } } } } }"
    with counted(server.own.sessions) as statements:
        await server.ask(query, token=server.staff)
    assert len([each for each in statements if "campaign_contacts" in each]) == 2


async def listed(server: Server, token: str | None = None) -> set[str]:
    edges = (await Shop(server, token).ask("Offers"))["advantages"]["edges"]
    return {edge["node"]["code"] for edge in edges}


async def open_here(server: Server, token: str | None = None) -> set[str]:
    edges = (await Shop(server, token).ask("EligibleOffers", first=100))["eligibleOffers"]["edges"]
    return {edge["node"]["offer"]["code"] for edge in edges}


async def test_a_shop_lists_the_advantages_that_it_sells_now_as_it_is_told_which_are_open(server: Server) -> None:
    assert "OPENING" in await listed(server)
    for token in (server.shopper, server.contact):
        assert await listed(server, token) == await open_here(server, token)
    await change_offer(server.own.sessions, "OPENING", valid_until=NOW - timedelta(hours=1))
    assert "OPENING" not in await listed(server)
    assert await listed(server) == await open_here(server)
