"""The whole path with one single connection: nothing that holds it may wait for another one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import httpx
import pytest
from gql import Client, GraphQLRequest
from gql.transport.websockets import WebsocketsTransport
from tests.conftest import Server
from tests.graphql.operations import OPERATIONS, BackOffice, Shop
from tests.graphql.operations import Client as Screen
from tests.ledger import connect
from tests.wire import Json

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)
BUYERS = 6

Change = Callable[[], Awaitable[None]]


@pytest.fixture
def pool_size() -> int:
    return 1


@pytest.fixture
async def change(loaded_url: str) -> AsyncIterator[Change]:
    """Lets somebody elsewhere change the catalogue: the next who needs it has to read it anew."""
    connection = await connect(loaded_url)

    async def moved() -> None:
        await connection.execute("UPDATE organisations SET catalogue_version = catalogue_version + 1")

    yield moved
    await connection.close()


async def test_a_sale_from_its_basket_to_its_cancellation(server: Server, change: Change) -> None:
    shop, office, counter = Shop(server), BackOffice(server), Screen(server, "counter", server.staff)
    [code] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"), status=["AVAILABLE"])
    lines = await shop.lines((*SEATS[:3], 3))
    basket = await shop.basket(SEATS)
    await change()
    assert (await shop.apply(basket["id"], code))["__typename"] == "AdvantageCodeApplied"
    await change()
    updated = await shop.ask("UpdateBasket", input={"basketId": basket["id"], "lines": lines})
    assert updated["updateBasket"]["__typename"] == "Basket"
    await change()
    assert (await shop.ask("Basket", id=basket["id"]))["basket"]["state"] == "OPEN"
    await change()
    order = await shop.confirm(basket["id"])
    scanned = await counter.ask("ControlTicket", input={"barcode": order["tickets"][0]["barcode"]})
    assert scanned["controlTicket"]["__typename"] == "Ticket"
    other = await shop.confirm((await shop.basket(SEATS))["id"])
    await change()
    cancelled = await counter.ask("CancelOrder", input={"orderId": other["id"]})
    assert cancelled["cancelOrder"]["__typename"] == "Order"
    dashboard = await office.ask("CodeDashboard", seasonId=await office.season_id())
    assert dashboard["codeDashboard"]["total"]["used"] == 1


async def test_codes_are_made_by_the_worker_and_counted_live(server: Server) -> None:
    office = BackOffice(server)
    offer, contact = await office.offer_id("PROMOTYD"), await office.contact_id("SECUTIX")
    transport = WebsocketsTransport(
        url=server.websocket,
        init_payload={"Authorization": f"Bearer {server.staff}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    document = (OPERATIONS / "back-office.graphql").read_text(encoding="utf-8")
    request = GraphQLRequest(document, variable_values={"offerId": offer}, operation_name="RedemptionCounts")
    async with (
        asyncio.timeout(60),
        Client(transport=transport) as session,
        aclosing(session.subscribe(request)) as events,
    ):
        before = (await anext(events))["redemptionCounts"]["counts"]["generated"]
        wanted = {"offerId": offer, "contactId": contact, "quantity": 60_000}
        batch = (await office.ask("GenerateCodes", input=wanted))["generateCodes"]["id"]
        async for event in events:
            if event["redemptionCounts"]["counts"]["generated"] == before + 60_000:
                break
        assert (await office.ask("CodeBatch", id=batch))["codeBatch"]["generated"] == 60_000


async def test_many_buyers_while_the_catalogue_moves_are_all_served(server: Server, change: Change) -> None:
    """Each sale finds another version of the catalogue than the last."""
    server.client.timeout = httpx.Timeout(60)
    lines = await Shop(server).lines(SEATS)
    selling = True

    async def buy(shop: Shop) -> list[Json]:
        answers = []
        for _ in range(2):
            basket = (await shop.ask("CreateBasket", input={"lines": lines}))["createBasket"]
            answers.append(await shop.confirm(basket["id"]))
        return answers

    async def keep_changing() -> None:
        while selling:
            await change()
            await asyncio.sleep(0.1)

    changing = asyncio.create_task(keep_changing())
    try:
        async with asyncio.timeout(60):
            sold = await asyncio.gather(*(buy(Shop(server)) for _ in range(BUYERS)))
    finally:
        selling = False
        await changing
    assert {answer["__typename"] for answers in sold for answer in answers} == {"Order"}
