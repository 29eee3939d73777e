"""One client tries to stop a server process by single requests; another one goes on as if nothing were.

Each request is sent alone, several times, while a second client asks for something small again and again.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from statistics import median
from time import perf_counter
from typing import TypeVar

import httpx
import pytest
from pydantic import SecretStr
from tests.conftest import SECRET, Databases
from tests.graphql.transport.streams import Watch, event_stream, socket
from tests.servers import two_processes
from tests.wire import Json, JsonObject

from resolvers.runtime.document_cost import MOST_COST
from sesame.composition import house
from sesame.settings import Settings

T = TypeVar("T")

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.processes]

LARGEST_REFUSAL = 2_000
"""Bytes of an answer that refuses a request."""

PATIENCE = 0.75
"""Seconds that somebody else's small query may take longer at the median, whatever is sent beside it."""

UNDISTURBED, DISTURBED = 20, 10
"""Times that it is sent alone, and beside an attack: what other processes of the machine take is nobody's fault here."""


@dataclass
class Target:
    """A server process, a shopper's token for it, and a line that it sells."""

    address: str
    shopper: str
    line: JsonObject
    taken: list[float] = field(default_factory=list)

    async def post(self, operation: Json, token: str | None) -> httpx.Response:
        headers = {"Accept": "application/graphql-response+json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with httpx.AsyncClient(base_url=self.address, timeout=60) as client:
            return await client.post("/graphql", json=operation, headers=headers)

    async def attacked(self, attack: Callable[[], Awaitable[T]]) -> T:
        """The last answer to an attack that goes on while another client asks for the seasons: its median stays low."""
        self.taken.clear()
        probing = asyncio.create_task(self._probe())
        while len(self.taken) < UNDISTURBED:  # noqa: ASYNC110 - what is measured is not to be disturbed
            await asyncio.sleep(0.01)
        usual = median(self.taken)
        self.taken.clear()
        try:
            answer = await attack()
            while len(self.taken) < DISTURBED:
                answer = await attack()
        finally:
            probing.cancel()
        assert median(self.taken) < 3 * usual + PATIENCE, (usual, self.taken)
        return answer

    async def _probe(self) -> None:
        headers = {"Authorization": f"Bearer {self.shopper}"}
        async with httpx.AsyncClient(base_url=self.address, headers=headers, timeout=60) as client:
            while True:
                before = perf_counter()
                answer = await client.post("/graphql", json={"query": "{ seasons { id } }"})
                assert "errors" not in answer.json()
                self.taken.append(perf_counter() - before)
                await asyncio.sleep(0.002)


@pytest.fixture(scope="module")
async def target(example_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    async with example_databases.copy_of("example") as url:
        folder = tmp_path_factory.mktemp("own")
        settings = Settings(database_url=SecretStr(url), secret_key=SecretStr(SECRET), data_dir=folder)
        async with house(settings) as own:
            token = await own.credentials.shopper_token("theatre", "SHOP")
        with two_processes(url) as (address, _):
            made = Target(address, token, {})
            made.line.update(await _line(made))
            yield made


async def _line(target: Target) -> JsonObject:
    query = (
        "{ products(first: 100) { edges { node { performances(first: 1) { edges { node { id startsAt "
        "prices { seatCategory { id } audienceSubCategory { id } } } } } } } } }"
    )
    answer = (await target.post({"query": query}, target.shopper)).json()
    performances = [
        edge["node"] for each in answer["data"]["products"]["edges"] for edge in each["node"]["performances"]["edges"]
    ]
    last = max((each for each in performances if each["prices"]), key=lambda each: str(each["startsAt"]))
    price = last["prices"][0]
    return {
        "performanceId": last["id"],
        "seatCategoryId": price["seatCategory"] and price["seatCategory"]["id"],
        "audienceSubCategoryId": price["audienceSubCategory"]["id"],
    }


PRICED = "priceBasket(input: $input) { total { amount } }"
MADE = "createBasket(input: $input) { __typename }"


def aliases(many: int, what: str) -> str:
    return " ".join(f"a{number}: {what}" for number in range(many))


def lines(target: Target, many: int) -> JsonObject:
    return {"input": {"lines": [{**target.line, "quantity": 2}] * many}}


def doubled(levels: int, kind: str, what: str) -> str:
    """Fragments, each of which spreads the next one twice."""
    spreads = " ".join(f"fragment F{n} on {kind} {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels))
    return f"{{ ...F0 }} {spreads} fragment F{levels} on {kind} {{ {what} }}"


PRICING = "query ($input: BasketInput!)"
MAKING = "mutation ($input: CreateBasketInput!)"
REQUESTS: dict[str, tuple[str, str, int]] = {
    "130 baskets of 500 lines": (f"{PRICING} {{ {aliases(130, PRICED)} }}", "COST_EXCEEDED", 500),
    "125 baskets by a fragment": (
        f"{PRICING} {{ ...F }} fragment F on Query {{ {aliases(125, PRICED)} }}",
        "COST_EXCEEDED",
        500,
    ),
    "one basket by doubled fragments": (f"{PRICING} {doubled(12, 'Query', PRICED)}", "COST_EXCEEDED", 500),
    "9,000 lines": (f"{PRICING} {{ {PRICED} }}", "COST_EXCEEDED", 9_000 // 3),
    "125 baskets made": (f"{MAKING} {{ {aliases(125, MADE)} }}", "TOO_MANY_MUTATIONS", 1),
    "125 baskets made by a fragment": (
        f"{MAKING} {{ ...F }} fragment F on Mutation {{ {aliases(125, MADE)} }}",
        "TOO_MANY_MUTATIONS",
        1,
    ),
    "baskets made by doubled fragments": (
        f"{MAKING} {doubled(12, 'Mutation', aliases(2, MADE))}",
        "TOO_MANY_MUTATIONS",
        1,
    ),
    "a list of 400 baskets' lines in one variable": (
        "query ($input: BasketInput!) { priceBasket(input: $input) { total { amount } } "
        + aliases(60, "eligibleOffers(first: 100) { edges { node { offer { channels { pointsOfSale { id } } } } } }")
        + " }",
        "COST_EXCEEDED",
        400,
    ),
}


@pytest.fixture
def requests(target: Target) -> Callable[[str], tuple[JsonObject, str]]:
    """A request by its name, and the code that refuses it."""

    def request(name: str) -> tuple[JsonObject, str]:
        query, code, many = REQUESTS[name]
        return {"query": query, "variables": lines(target, many)}, code

    return request


async def test_no_request_keeps_others_waiting_and_each_is_refused(
    target: Target, requests: Callable[[str], tuple[JsonObject, str]]
) -> None:
    for name in REQUESTS:
        operation, code = requests(name)
        response = await target.attacked(partial(target.post, operation, target.shopper))
        assert response.status_code == 400, name
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == code, name
        assert len(response.content) < LARGEST_REFUSAL, name
        if code == "COST_EXCEEDED":
            assert error["extensions"]["limit"] == MOST_COST < error["extensions"]["cost"]


async def first(way: Watch, target: Target, operation: JsonObject) -> Json:
    """What one of the other ways in brings first."""
    async with way(target.address, target.shopper, operation) as results:
        return await anext(results)


async def test_the_other_ways_in_refuse_the_same(
    target: Target, requests: Callable[[str], tuple[JsonObject, str]]
) -> None:
    for name in ("130 baskets of 500 lines", "125 baskets made"):
        operation, code = requests(name)
        for way in (event_stream, socket):
            answer = await target.attacked(partial(first, way, target, operation))
            assert [error["extensions"]["code"] for error in answer["errors"]] == [code], name
    operation, code = requests("130 baskets of 500 lines")
    few = {"query": operation["query"], "variables": json.dumps(lines(target, 60))}
    headers = {"Authorization": f"Bearer {target.shopper}"}
    async with httpx.AsyncClient(base_url=target.address, headers=headers, timeout=60) as client:
        response = await target.attacked(partial(client.get, "/graphql/stream", params=few))
    assert code in response.text
    batch = await target.post([operation] * 3, target.shopper)
    assert batch.status_code == 400
    assert batch.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


ANONYMOUS = {
    "7 kB of one field": "{ " + "seasons { id } " * 480 + "}",
    "fields that repeat below": "{ seasons { " + "id " * 1_900 + "} }",
    "fragments that repeat": "{ " + "...F " * 300 + "} fragment F on Query { " + "seasons { id } " * 200 + "}",
    "fragments against each other": "{ "
    + " ".join(f"...F{n}" for n in range(110))
    + " } "
    + " ".join(f"fragment F{n} on Query {{ seasons {{ id code }} }}" for n in range(110)),
    "unknown fields": "{ " + " ".join(f"{'advantageOfSomething' * 4}{n}" for n in range(1_100)) + " }",
    "unknown arguments": "{ seasons(" + " ".join(f"argument{n}: 1" for n in range(480)) + ") { id } }",
    "unused variables": "query (" + " ".join(f"$v{n}: BasketInput" for n in range(480)) + ") { seasons { id } }",
    "many operations": " ".join(f"query Q{n} {{ ...F }}" for n in range(300))
    + " fragment F on Query { seasons { id } }",
    "directives": "{ seasons " + "@skip(if: false) " * 280 + "{ id } }",
    "introspection by aliases": "{ " + aliases(30, "__schema { types { fields { args { name } } } }") + " }",
    "a cycle": "{ ...A } fragment A on Query { ...B ...B } fragment B on Query { ...A ...A }",
    "nested lists": "{ eligibleOffers(codes: " + "[" * 190 + "]" * 190 + ") { edges { cursor } } }",
    "nested objects": "{ priceBasket(input: " + "{ lines: " * 95 + "1" + " }" * 95 + ") { total { amount } } }",
}


async def test_no_document_without_a_token_keeps_others_waiting(target: Target) -> None:
    turn = count()
    for name, query in ANONYMOUS.items():

        async def sent(query: str = query) -> httpx.Response:
            # Each of its own, so that none is remembered.
            return await target.post({"query": f"{query} # {next(turn)}"}, None)

        response = await target.attacked(sent)
        assert response.status_code == 400, (name, response.text[:300])
        assert response.json()["errors"], name
        assert len(response.content) < 10 * LARGEST_REFUSAL, name
        assert "INTERNAL" not in response.text, name


async def test_variables_of_hostile_shapes_are_refused(target: Target) -> None:
    query = "query ($input: BasketInput!) { priceBasket(input: $input) { total { amount } } }"
    deep: Json = 1
    for _ in range(400):
        deep = [deep]
    wrong: list[Json] = [
        {"lines": deep},
        {"lines": [{"quantity": 10**300}] * 900},
        {"lines": [{}] * 2_000},
        {"lines": [], "codes": [["x"]] * 2_000},
        {f"unknown{number}": number for number in range(20_000)},
    ]
    for shape in wrong:
        operation = {"query": query, "variables": {"input": shape}}
        response = await target.attacked(partial(target.post, operation, target.shopper))
        assert response.status_code == 400, response.text[:300]
        assert len(response.content) < 100 * LARGEST_REFUSAL
        assert "INTERNAL" not in response.text


async def test_a_full_basket_is_priced_while_others_go_on(target: Target) -> None:
    priced = "priceBasket(input: $input) { lines { tickets { price { amount } fullPrice { amount } } } }"
    operation = {"query": f"{PRICING} {{ {priced} }}", "variables": lines(target, 500)}
    response = await target.attacked(partial(target.post, operation, target.shopper))
    assert len(response.json()["data"]["priceBasket"]["lines"]) == 500, response.text[:500]
