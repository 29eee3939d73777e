"""What does not exist and is asked for counts too: ids, barcodes, credentials, links."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs
from tests.back_door import organisation
from tests.conftest import NOW, Server
from tests.graphql.operations import Shop
from tests.wire import Json

from db.core import tables
from resolvers.runtime.ids import encode
from services.access.attempt_counts import AttemptCounts, Limit
from services.access.flood_alarm import ALARM
from services.access.misses import OF_BARCODES, OF_CREDENTIALS, OF_IDS, OF_LINKS

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)
NODE = "query($id: ID!) { node(id: $id) { id } }"
BASKET = "query($id: ID!) { basket(id: $id) { id } }"
CONTROL = """mutation($input: ControlTicketInput!) { controlTicket(input: $input) {
    __typename ... on Ticket { barcode } ... on Failure { message retryAfter } } }"""
CANCEL = """mutation($input: CancelBasketInput!) { cancelBasket(input: $input) {
    __typename ... on Failure { retryAfter } } }"""
CONTACT, STAFF = "contact:BLANDINE", "staff:ada"


def made_up(kind: str) -> str:
    return encode(kind, uuid4())


async def all_but_one(server: Server, limit: Limit, *whom: object) -> None:
    """As many misses as may be, less one."""
    await AttemptCounts(server.own.sessions).add({limit.of(*whom): limit.most - 1}, server.clock.now)


async def theatre(server: Server) -> UUID:
    async with server.own.sessions.reading() as connection:
        return await organisation(connection)


def code_of(answer: Json) -> Json:
    [error] = answer["errors"]
    return error["extensions"]["code"]


@pytest.mark.parametrize(
    ("document", "kind"),
    [(NODE, "Order"), (NODE, "Ticket"), (NODE, "Season"), (BASKET, "Basket")],
)
async def test_ids_that_nothing_has_are_answered_up_to_a_limit(server: Server, document: str, kind: str) -> None:
    await all_but_one(server, OF_IDS, await theatre(server), CONTACT)
    answer = await server.ask(document, {"id": made_up(kind)}, token=server.contact)
    assert "errors" not in answer
    refused = await server.ask(document, {"id": made_up(kind)}, token=server.contact)
    assert code_of(refused) == "TOO_MANY_ATTEMPTS"
    assert refused["errors"][0]["extensions"]["retryAfter"] == 600


async def test_who_guessed_too_many_ids_opens_not_even_their_own(server: Server) -> None:
    shop = Shop(server, server.contact)
    basket = (await shop.basket(SEATS))["id"]
    await all_but_one(server, OF_IDS, await theatre(server), CONTACT)
    for _ in range(2):
        await server.ask(NODE, {"id": made_up("Order")}, token=server.contact)
    assert code_of(await server.ask(BASKET, {"id": basket}, token=server.contact)) == "TOO_MANY_ATTEMPTS"
    server.clock.now += OF_IDS.window
    assert "errors" not in await server.ask(BASKET, {"id": basket}, token=server.contact)


async def test_a_mutation_of_what_does_not_exist_is_a_guess_as_well(server: Server) -> None:
    await all_but_one(server, OF_IDS, await theatre(server), CONTACT)
    types = []
    for _ in range(2):
        wanted = {"input": {"basketId": made_up("Basket")}}
        answer = await server.ask(CANCEL, wanted, token=server.contact)
        types.append(answer["data"]["cancelBasket"])
    assert types == [{"__typename": "NotFound", "retryAfter": None}, {"__typename": "Conflict", "retryAfter": 600}]


async def test_shoppers_at_an_address_where_ids_are_guessed_keep_their_baskets(server: Server) -> None:
    shop = Shop(server)
    basket = (await shop.basket(SEATS))["id"]
    await all_but_one(server, OF_IDS, await theatre(server), "127.0.0.1")
    answers = [await server.ask(NODE, {"id": made_up("Basket")}) for _ in range(3)]
    assert ["errors" in answer for answer in answers] == [False, True, True]
    assert (await server.ask(BASKET, {"id": basket}))["data"]["basket"] == {"id": basket}
    elsewhere = await server.ask(NODE, {"id": made_up("Basket")}, **{"X-Forwarded-For": "192.0.2.1"})
    assert "errors" not in elsewhere


async def test_an_id_of_another_kind_or_none_is_no_guess(server: Server) -> None:
    await all_but_one(server, OF_IDS, await theatre(server), CONTACT)
    for wrong in ("nonsense", made_up("Order"), made_up("Order")):
        assert code_of(await server.ask(BASKET, {"id": wrong}, token=server.contact)) == "BAD_USER_INPUT"


async def test_barcodes_that_no_ticket_has_are_refused_at_last(server: Server) -> None:
    shop = Shop(server)
    order = await shop.confirm((await shop.basket(SEATS))["id"])
    good = order["tickets"][0]["barcode"]
    await all_but_one(server, OF_BARCODES, await theatre(server), STAFF)

    async def scan(barcode: str) -> Json:
        answer = await server.ask(CONTROL, {"input": {"barcode": barcode}}, token=server.staff)
        return answer["data"]["controlTicket"]["__typename"]

    assert [await scan("A" * 20), await scan("B" * 20)] == ["NotFound", "Conflict"]
    assert await scan(good) == "Conflict", "nothing is looked up for a while"
    assert "errors" not in await server.ask(NODE, {"id": made_up("Order")}, token=server.staff), "the rest goes on"
    server.clock.now += OF_BARCODES.window
    assert await scan(good) == "Ticket"


async def test_made_up_credentials_are_counted_and_good_ones_go_on(server: Server) -> None:
    await all_but_one(server, OF_CREDENTIALS, "127.0.0.1")
    key = f"sesame.theatre.{'x' * 43}"
    told = [await server.ask("{ viewer { audience } }", token=token) for token in (key, key, "no.token.atall")]
    assert [code_of(answer) for answer in told] == ["UNAUTHENTICATED"] * 3
    assert [answer["errors"][0]["extensions"].get("retryAfter") for answer in told] == [None, 600, 600]
    for good in (server.shopper, server.partner):
        assert "errors" not in await server.ask("{ seasons { id } }", token=good)


async def test_a_token_that_has_expired_is_no_guess(server: Server) -> None:
    server.clock.now += timedelta(days=1)
    await all_but_one(server, OF_CREDENTIALS, "127.0.0.1")
    for _ in range(3):
        answer = await server.ask("{ viewer { audience } }", token=server.contact)
        assert code_of(answer) == "UNAUTHENTICATED"
        assert "retryAfter" not in answer["errors"][0]["extensions"]


async def test_made_up_links_are_counted_and_good_ones_open(server: Server) -> None:
    await all_but_one(server, OF_LINKS, "127.0.0.1")
    path = f"/batches/{uuid4()}.csv?token=AAAA"
    answers = [await server.client.get(path) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403, 429, 429]
    assert answers[1].headers["retry-after"] == "600"
    async with server.own.sessions.reading() as connection:
        batch = (await connection.execute(select(tables.batches))).first()
    assert batch is not None
    url = server.own.links.to_batch(batch.organisation_id, batch.id, NOW)
    assert (await server.client.get(url[url.index("/batches") :])).status_code == 200


async def test_a_flood_of_made_up_ids_rings(server: Server) -> None:
    with capture_logs() as logs:
        for _ in range(ALARM + 3):
            await server.ask(NODE, {"id": made_up("Order")})
    assert [line["what"] for line in logs if line["event"] == "flood of failed tries"] == ["ids"]
