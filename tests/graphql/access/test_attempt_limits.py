"""Codes cannot be found by trying, and nobody else pays for those who try."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest
from limits.aio.storage import memory
from structlog.testing import capture_logs
from tests.conftest import Server
from tests.graphql.operations import BackOffice, Shop
from tests.graphql.transport.streams import BOTH, Watch
from tests.redis_server import RedisServer, redis_server
from tests.wire import JsonObject

from services.access.attempt_limits import OF_BASKET, OF_CLIENT, PAUSE, AttemptLimits
from services.core.viewer import Audience, Viewer

ORGANISATION = uuid4()
SEATS = ("HELENE-1217", "CAT1", "FULL", 2)


class Clock:
    """Stands for the module ``time`` where attempts are counted."""

    def __init__(self) -> None:
        self.passed = 0.0

    def time(self) -> float:
        return 1e9 + self.passed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(memory, "time", clock)
    return clock


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
async def code(server: Server) -> str:
    office = BackOffice(server)
    [code] = await office.codes(1, offerId=await office.offer_id("PROMOTYD"))
    return code


async def reasons(shop: Shop, basket: str, code: str) -> list[str]:
    answer = await shop.apply(basket, code)
    return [refusal["code"] for refusal in answer.get("refusals", [])]


async def try_for(shop: Shop, basket: str) -> None:
    """As many unknown codes as one basket may."""
    for number in range(OF_BASKET.amount):
        assert await reasons(shop, basket, f"GUESS{number}") == ["UNKNOWN_CODE"]


async def price_with(shop: Shop, codes: list[str]) -> set[str]:
    """Why codes were refused by a basket that is kept nowhere."""
    pricing: JsonObject = await shop.price(SEATS, codes=codes)
    return {refusal["code"] for code in pricing["codes"] for refusal in code["refusals"]}


async def try_all(shop: Shop) -> None:
    """As many unknown codes as one client may."""
    for first in range(0, OF_CLIENT.amount, 10):
        assert await price_with(shop, [f"GUESS{first + number}" for number in range(10)]) == {"UNKNOWN_CODE"}


@pytest.fixture
def shop(server: Server) -> Shop:
    return Shop(server)


async def test_a_basket_that_tried_too_many_takes_not_even_a_good_code(shop: Shop, code: str) -> None:
    basket = (await shop.basket(SEATS))["id"]
    await try_for(shop, basket)
    assert await reasons(shop, basket, code) == ["TOO_MANY_ATTEMPTS"]


async def test_another_basket_takes_codes_meanwhile(shop: Shop, code: str) -> None:
    await try_for(shop, (await shop.basket(SEATS))["id"])
    assert await reasons(shop, (await shop.basket(SEATS))["id"], code) == []


async def test_ten_minutes_later_codes_may_be_tried_again(shop: Shop, clock: Clock, code: str) -> None:
    basket = (await shop.basket(SEATS))["id"]
    await try_for(shop, basket)
    clock.passed = OF_BASKET.get_expiry() + 1
    assert await reasons(shop, basket, code) == []


async def test_a_code_that_is_in_the_basket_stays(shop: Shop, code: str) -> None:
    basket = (await shop.basket(SEATS))["id"]
    assert await reasons(shop, basket, code) == []
    await try_for(shop, basket)
    lines = await shop.lines(SEATS, SEATS)
    changed = (await shop.ask("UpdateBasket", input={"basketId": basket, "lines": lines}))["updateBasket"]
    assert [applied["applied"] for applied in changed["pricing"]["codes"]] == [True]


async def test_good_codes_are_no_attempts(shop: Shop, code: str) -> None:
    wanted = {"lines": await shop.lines(SEATS), "codes": [code]}
    for _ in range(OF_CLIENT.amount + 1):
        pricing = (await shop.ask("PriceBasket", input=wanted))["priceBasket"]
        assert pricing["codes"][0]["applied"]


async def test_a_client_that_tried_too_many_gets_prices_without_codes(shop: Shop, code: str) -> None:
    await try_all(shop)
    pricing = await shop.price(SEATS, codes=[code])
    assert [refusal["code"] for refusal in pricing["codes"][0]["refusals"]] == ["TOO_MANY_ATTEMPTS"]
    assert pricing["codes"][0]["refusals"][0]["message"] == "Too many codes tried: wait a while before trying again."


async def test_a_client_that_tried_too_many_cannot_ask_what_a_code_opens(shop: Shop, code: str) -> None:
    await try_all(shop)
    [error] = (await shop.send("EligibleOffers", first=10, codes=[code]))["errors"]
    assert error["extensions"]["problems"][0]["path"] == ["codes", "0"]


@pytest.mark.parametrize("transport", BOTH)
async def test_a_client_is_the_same_by_every_way(server: Server, shop: Shop, code: str, transport: Watch) -> None:
    await try_all(shop)
    wanted = {"input": {"lines": await shop.lines(SEATS), "codes": [code]}}
    query = "query($input: BasketInput!) { priceBasket(input: $input) { codes { refusals { code } } } }"
    async with transport(server.address, server.shopper, {"query": query, "variables": wanted}) as results:
        answer = await anext(results)
    assert answer["data"]["priceBasket"]["codes"] == [{"refusals": [{"code": "TOO_MANY_ATTEMPTS"}]}]


async def test_who_asks_without_codes_is_answered_all_the_same(shop: Shop) -> None:
    await try_all(shop)
    assert "errors" not in await shop.send("EligibleOffers", first=10)


async def test_staff_may_try_as_many_as_they_like(server: Server, code: str) -> None:
    counter = Shop(server, server.staff)
    await try_all(counter)
    assert "TOO_MANY_ATTEMPTS" not in await price_with(counter, [code])


# ── Who is who ───────────────────────────────────────────────────────────────────────────────────


def caller(address: str, actor: str = "shopper:SHOP") -> Viewer:
    return Viewer(Audience.SHOPPER, ORGANISATION, "theatre", actor, address=address)


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        (caller("192.0.2.1"), False),
        (caller("192.0.2.2"), True),
        (caller("192.0.2.1", "contact:BLANDINE"), True),
    ],
    ids=["the same", "another address", "another caller"],
)
async def test_a_client_is_a_caller_at_an_address(other: Viewer, counts: bool) -> None:
    attempts = AttemptLimits()
    await attempts.failed(caller("192.0.2.1"), None, OF_CLIENT.amount)
    assert await attempts.are_spent(other, None) is not counts


async def test_all_addresses_of_one_subnet_are_one_client() -> None:
    attempts = AttemptLimits()
    await attempts.failed(caller("2001:db8::1"), None, OF_CLIENT.amount)
    assert await attempts.are_spent(caller("2001:db8::abcd:2"), None)
    assert not await attempts.are_spent(caller("2001:db8:0:1::1"), None)


async def test_customers_by_ipv4_are_not_one_client_where_the_server_listens_to_both() -> None:
    attempts = AttemptLimits()
    await attempts.failed(caller("::ffff:192.0.2.1"), None, OF_CLIENT.amount)
    assert await attempts.are_spent(caller("::ffff:192.0.2.1"), None)
    assert not await attempts.are_spent(caller("::ffff:192.0.2.2"), None)


@pytest.mark.processes
async def test_processes_that_share_redis_count_together(redis: RedisServer) -> None:
    here, there = AttemptLimits(redis.url), AttemptLimits(redis.url)
    await here.failed(caller("192.0.2.1"), None, OF_CLIENT.amount)
    assert await there.are_spent(caller("192.0.2.1"), None)


@pytest.mark.processes
async def test_without_redis_each_process_counts_by_itself(redis: RedisServer) -> None:
    attempts = AttemptLimits(redis.url)
    redis.kill()
    assert not await attempts.are_spent(caller("192.0.2.1"), None)
    await attempts.failed(caller("192.0.2.1"), None, OF_CLIENT.amount)
    assert await attempts.are_spent(caller("192.0.2.1"), None)


@pytest.mark.processes
async def test_nobody_waits_again_for_a_redis_that_hangs(redis: RedisServer) -> None:
    attempts = AttemptLimits(redis.url)
    redis.stop()
    with capture_logs() as logs:
        for _ in range(3):
            assert not await attempts.are_spent(caller("192.0.2.1"), None)
    assert len(logs) == 1


@pytest.mark.processes
async def test_a_redis_that_is_back_is_asked_again(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = AttemptLimits(redis.url), AttemptLimits(redis.url)
    redis.kill()
    assert not await here.are_spent(caller("192.0.2.1"), None)
    redis.start()
    await there.failed(caller("192.0.2.1"), None, OF_CLIENT.amount)
    assert not await here.are_spent(caller("192.0.2.1"), None)
    later = asyncio.get_running_loop().time() + PAUSE
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: later)
    assert await here.are_spent(caller("192.0.2.1"), None)
