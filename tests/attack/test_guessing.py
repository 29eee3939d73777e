"""Guessing at codes by every way at once: many processes, many fields of a request, many requests at the same moment."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle

import httpx
import pytest
from tests.gala import Gala, build
from tests.redis_server import redis_server
from tests.servers import two_processes
from tests.wire import Json, JsonObject

from services.access.attempt_limits import OF_ADDRESS, OF_BASKET, OF_CUSTOMER
from services.core.viewer import CODES_OF_OPERATION

pytestmark = pytest.mark.processes

ALIASES, CODES = 20, 50
APPLY = """mutation($input: ApplyAdvantageCodeInput!) { applyAdvantageCode(input: $input) {
    __typename ... on CodeRefused { refusals { code } } } }"""
CREATE = "mutation($input: CreateBasketInput!) { createBasket(input: $input) { ... on Basket { id } } }"
PRICED = "{ codes { code applied refusals { code } } }"


class Attacker:
    """Sends each request to the other process than the last."""

    def __init__(self, gala: Gala, clients: list[httpx.AsyncClient]) -> None:
        self.gala = gala
        self.headers: dict[str, str] = {}
        self._turn = cycle(clients)

    async def ask(self, token: str, document: str, **variables: Json) -> Json:
        body = {"query": document, "variables": variables}
        headers = {"Authorization": f"Bearer {token}", **self.headers}
        answer = await next(self._turn).post("/graphql", json=body, headers=headers)
        told = answer.json()
        assert "errors" not in told, told
        return told["data"]

    async def apply(self, token: str, basket: str, code: str) -> str:
        """What became of it: the reason why not, or the type of the answer."""
        told = (await self.ask(token, APPLY, input={"basketId": basket, "code": code}))["applyAdvantageCode"]
        return str(told["refusals"][0]["code"] if "refusals" in told else told["__typename"])

    async def basket(self, token: str) -> str:
        made = await self.ask(token, CREATE, input={"lines": [self.gala.line("BY-CODE")]})
        return str(made["createBasket"]["id"])

    async def price(self, token: str, wanted: list[list[str]]) -> Counter[str]:
        """Why codes were refused, of as many baskets as there are lists of codes, in one request."""
        inputs: JsonObject = {
            f"i{each}": {"lines": [self.gala.line("BY-CODE")], "codes": codes} for each, codes in enumerate(wanted)
        }
        parameters = ", ".join(f"${name}: BasketInput!" for name in inputs)
        fields = " ".join(f"{name}: priceBasket(input: ${name}) {PRICED}" for name in inputs)
        told = await self.ask(token, f"query({parameters}) {{ {fields} }}", **inputs)
        found = [code for pricing in told.values() for code in pricing["codes"]]
        return Counter("applied" if code["applied"] else code["refusals"][0]["code"] for code in found)


@pytest.fixture(params=["postgresql", "redis"])
def counted_in(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if request.param == "postgresql":
        yield {}
        return
    with redis_server() as server:
        yield {"REDIS_URL": server.url}


@asynccontextmanager
async def attacking(url: str, **settings: str) -> AsyncIterator[Attacker]:
    gala = await build(url)
    with two_processes(url, **settings) as addresses:
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(httpx.AsyncClient(base_url=each, timeout=60)) for each in addresses
            ]
            yield Attacker(gala, clients)


@pytest.fixture
async def attacker(database_url: str, counted_in: dict[str, str]) -> AsyncIterator[Attacker]:
    async with attacking(database_url, **counted_in) as attacker:
        yield attacker


def guesses(request: int) -> list[list[str]]:
    return [[f"GUESS{request}X{alias}X{each}" for each in range(CODES)] for alias in range(ALIASES)]


async def test_two_processes_share_every_limit_at_the_same_moment(attacker: Attacker) -> None:
    gala = attacker.gala
    customer, neighbour, *_ = gala.customers

    # One by each process, which has the catalogue then.
    basket, _ = [await attacker.basket(gala.shopper) for _ in range(2)]
    tries = (attacker.apply(gala.shopper, basket, f"GUESS{each}") for each in range(2 * OF_BASKET.most))
    told = Counter(await asyncio.gather(*tries))
    assert told == {"UNKNOWN_CODE": OF_BASKET.most, "TOO_MANY_ATTEMPTS": OF_BASKET.most}
    for _ in range(2):
        assert await attacker.apply(gala.shopper, basket, gala.codes[0]) == "TOO_MANY_ATTEMPTS"

    priced = await asyncio.gather(*(attacker.price(customer, guesses(each)) for each in range(2)))
    told = sum(priced, Counter[str]())
    assert told == {"UNKNOWN_CODE": OF_CUSTOMER.most, "TOO_MANY_ATTEMPTS": 2 * ALIASES * CODES - OF_CUSTOMER.most}
    for _ in range(2):
        assert await attacker.price(customer, [[gala.codes[0]]]) == {"TOO_MANY_ATTEMPTS": 1}

    told = await attacker.price(gala.shopper, guesses(9))
    assert told["UNKNOWN_CODE"] == CODES_OF_OPERATION

    # All of this came from one address.
    assert await attacker.price(neighbour, [[gala.codes[0]]]) == {"applied": 1}
    assert await attacker.price(gala.shopper, [[gala.codes[0]]]) == {"applied": 1}
    other = await attacker.basket(gala.shopper)
    assert await attacker.apply(gala.shopper, other, gala.codes[0]) == "AdvantageCodeApplied"


async def test_an_address_that_the_client_makes_up_is_not_believed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "192.0.2.7")
    async with attacking(database_url) as attacker:
        told: Counter[str] = Counter()
        for request in range(OF_ADDRESS.most // CODES_OF_OPERATION + 1):
            attacker.headers = {"X-Forwarded-For": f"198.51.100.{request}"}
            told += await attacker.price(attacker.gala.shopper, guesses(request)[:2])
    assert told == {"UNKNOWN_CODE": OF_ADDRESS.most, "TOO_MANY_ATTEMPTS": CODES_OF_OPERATION}
