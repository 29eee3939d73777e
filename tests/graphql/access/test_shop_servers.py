"""A shop's own server asks for all its customers: it says for whom, and no customer pays for another one."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
import websockets
from tests.back_door import organisation
from tests.conftest import NOW, SECRET, Server
from tests.graphql.operations import BackOffice, Shop
from tests.graphql.transport.streams import PROTOCOL
from tests.wire import Json

from services.access.attempt_counts import AttemptCounts
from services.access.attempt_limits import OF_ADDRESS
from services.access.credentials import Credentials
from services.access.shop_servers import named
from services.core.errors import NotFound

SEATS = ("HELENE-1217", "CAT1", "FULL", 2)
PRICE = "query($input: BasketInput!) { priceBasket(input: $input) { codes { refusals { code } } } }"


@pytest.fixture
async def key(server: Server) -> str:
    return await Credentials(server.own.sessions, SECRET).shop_server_key("theatre", NOW + timedelta(days=1))


@pytest.fixture
async def code(server: Server) -> str:
    office = BackOffice(server)
    [code] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"))
    return code


async def flood(server: Server, customer: str) -> None:
    """As many unknown codes of a customer, or from an address, as may be tried."""
    async with server.own.sessions.reading() as connection:
        theatre: UUID = await organisation(connection)
    counts = AttemptCounts(server.own.sessions)
    await counts.add({OF_ADDRESS.of(theatre, customer): OF_ADDRESS.most}, server.clock.now)


async def asked(server: Server, code: str, **headers: str) -> Json:
    lines = await Shop(server).lines(SEATS)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await server.ask(PRICE, {"input": {"lines": lines, "codes": [code]}}, **sent)


async def reasons(server: Server, code: str, **headers: str) -> list[str]:
    [found] = (await asked(server, code, **headers))["data"]["priceBasket"]["codes"]
    return [refusal["code"] for refusal in found["refusals"]]


@pytest.mark.parametrize("guesser", ["customer 17", "203.0.113.7", "2001:db8:1::/56"])
async def test_a_customer_who_guesses_through_a_shops_server_is_alone_in_paying_for_it(
    server: Server, key: str, code: str, guesser: str
) -> None:
    await flood(server, guesser)
    sent = guesser.removesuffix("/56") + "3" * guesser.endswith("/56")
    assert await reasons(server, code, Sesame_Server_Key=key, Sesame_Customer=sent) == ["TOO_MANY_ATTEMPTS"]
    assert await reasons(server, code, Sesame_Server_Key=key, Sesame_Customer="customer 18") == []
    assert await reasons(server, code) == []


async def test_what_a_customer_tries_through_a_shops_server_counts_as_theirs(server: Server, key: str) -> None:
    assert await reasons(server, "NOSUCH", Sesame_Server_Key=key, Sesame_Customer="customer 17") == ["UNKNOWN_CODE"]
    async with server.own.sessions.reading() as connection:
        theatre = await organisation(connection)
    theirs, server_s = OF_ADDRESS.of(theatre, "customer 17"), OF_ADDRESS.of(theatre, "127.0.0.1")
    found = await AttemptCounts(server.own.sessions).add({theirs: 0, server_s: 0}, NOW)
    assert (found[theirs].number, found[server_s].number) == (1, 0)


async def test_long_and_odd_names_are_customers_too(server: Server, key: str, code: str) -> None:
    long = "customer " * 20
    await flood(server, named(f"{long}1"))
    assert await reasons(server, code, Sesame_Server_Key=key, Sesame_Customer=f"{long}1") == ["TOO_MANY_ATTEMPTS"]
    assert await reasons(server, code, Sesame_Server_Key=key, Sesame_Customer=f"{long}2") == []
    assert named("\0\ud800").isalnum()


async def test_nobody_says_for_whom_they_ask_without_a_key(server: Server, code: str) -> None:
    await flood(server, "127.0.0.1")
    assert await reasons(server, code, Sesame_Customer="customer 18") == ["TOO_MANY_ATTEMPTS"]
    assert await reasons(server, code, Sesame_Customer="customer 18", Sesame_Server_Key="") == ["TOO_MANY_ATTEMPTS"]


async def test_a_key_without_a_customer_names_nobody(server: Server, key: str, code: str) -> None:
    await flood(server, "127.0.0.1")
    assert await reasons(server, code, Sesame_Server_Key=key, Sesame_Customer="") == ["TOO_MANY_ATTEMPTS"]


async def test_a_key_that_does_not_hold_is_refused(server: Server, key: str, code: str) -> None:
    forged = await Credentials(server.own.sessions, SECRET[::-1]).shop_server_key("theatre", NOW + timedelta(days=1))
    others = [forged, server.shopper, server.staff, "nonsense", "x" * 5_000]
    for wrong in others:
        answer = await asked(server, code, Sesame_Server_Key=wrong, Sesame_Customer="customer 18")
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED", wrong
    server.clock.now += timedelta(days=1, seconds=1)
    answer = await asked(server, code, Sesame_Server_Key=key, Sesame_Customer="customer 18")
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_key_of_another_organisation_is_refused(server: Server, code: str) -> None:
    credentials = Credentials(server.own.sessions, SECRET)
    other = credentials._shop_servers.issued("museum", NOW + timedelta(days=1))
    answer = await asked(server, code, Sesame_Server_Key=other, Sesame_Customer="customer 18")
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_key_opens_nothing_by_itself(server: Server, key: str) -> None:
    answer = await server.ask("{ viewer { audience } }", token=key)
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_keys_are_made_for_organisations_that_there_are(server: Server) -> None:
    with pytest.raises(NotFound):
        await Credentials(server.own.sessions, SECRET).shop_server_key("nowhere", NOW)


async def test_a_shops_server_says_for_whom_it_asks_as_its_socket_is_opened(
    server: Server, key: str, code: str
) -> None:
    await flood(server, "customer 17")
    wanted = {"query": PRICE, "variables": {"input": {"lines": await Shop(server).lines(SEATS), "codes": [code]}}}
    said = {"Sesame-Server-Key": key, "Sesame-Customer": "customer 17", "Authorization": f"Bearer {server.shopper}"}
    async with websockets.connect(server.websocket, subprotocols=[PROTOCOL]) as connection:
        await connection.send(json.dumps({"type": "connection_init", "payload": said}))
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": wanted}))
        messages = [json.loads(await connection.recv()) for _ in range(2)]
    assert messages[1]["payload"]["data"]["priceBasket"]["codes"] == [{"refusals": [{"code": "TOO_MANY_ATTEMPTS"}]}]
