"""Subscriptions over graphql-transport-ws, as a client library sends them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import httpx
from gql import Client, GraphQLRequest
from gql.transport.websockets import WebsocketsTransport
from tests.conftest import Server
from tests.graphql.operations import OPERATIONS, BackOffice, Shop
from tests.wire import Json

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)
PATIENCE = 10


@asynccontextmanager
async def watching(server: Server, operation: str, **variables: Json) -> AsyncIterator[Json]:
    """The events of a subscription of the back office."""
    transport = WebsocketsTransport(
        url=server.websocket,
        init_payload={"Authorization": f"Bearer {server.staff}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    document = (OPERATIONS / "back-office.graphql").read_text(encoding="utf-8")
    async with Client(transport=transport) as session:
        request = GraphQLRequest(document, variable_values=variables, operation_name=operation)
        async with aclosing(session.subscribe(request)) as events:
            yield events


async def test_a_watcher_sees_at_once_what_an_order_did(server: Server) -> None:
    shop, office = Shop(server), BackOffice(server)
    offer = await office.offer_id("PROMOTYD")
    [code] = await office.codes(1, offerId=offer)
    async with asyncio.timeout(PATIENCE), watching(server, "RedemptionCounts", offerId=offer) as events:
        first = (await anext(events))["redemptionCounts"]["counts"]
        assert (first["generated"], first["available"], first["used"]) == (150, 150, 0)
        basket = await shop.basket(SEATS)
        await shop.apply(basket["id"], code)
        await shop.confirm(basket["id"])
        async for event in events:
            counts = event["redemptionCounts"]["counts"]
            assert counts["version"] > first["version"]
            if counts["used"]:
                break
    assert (counts["generated"], counts["available"], counts["held"], counts["used"]) == (150, 149, 0, 1)
    dashboard = (await office.ask("CodeDashboard", seasonId=await office.season_id()))["codeDashboard"]
    assert dashboard["total"] == counts


async def test_a_batch_is_watched_until_it_is_done(server: Server) -> None:
    office = BackOffice(server)
    wanted = {
        "offerId": await office.offer_id("PROMOTYD"),
        "contactId": await office.contact_id("SECUTIX"),
        "quantity": 25,
    }
    batch = (await office.ask("GenerateCodes", input=wanted))["generateCodes"]["id"]
    async with asyncio.timeout(PATIENCE), watching(server, "CodeBatchProgress", batchId=batch) as events:
        states = [event["codeBatchProgress"] async for event in events]
    assert (states[-1]["state"], states[-1]["generated"]) == ("DONE", 25)
    assert states[-1]["sentAt"] is not None
    csv = await server.client.get(httpx.URL(states[-1]["csvUrl"]).raw_path.decode())
    assert len(csv.text.strip().splitlines()) == 26
