"""What an operation costs is known from its document and its variables, told, and bounded, before it is executed."""

import json
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest
from tests.conftest import Server
from tests.graphql.operations import OPERATIONS, Shop
from tests.wire import Json, JsonObject

from db.core.ids import new_id
from graphql import OperationDefinitionNode, parse, resolve_schema_coordinate
from resolvers.runtime.document_cost import MOST_COST, MOST_TOLD
from resolvers.runtime.document_limits import Document
from resolvers.runtime.ids import encode
from resolvers.schema import MUTATIONS_OF_BASKETS, WEIGHTS, schema
from services.baskets.basket_input import MAXIMUM_LINES, MAXIMUM_TICKETS


def cost(source: str, variables: JsonObject | None = None, name: str | None = None) -> int:
    document = Document(schema._schema, source, WEIGHTS, MUTATIONS_OF_BASKETS)
    assert not document.errors, document.errors
    operation = document.operation(name)
    assert operation is not None
    return document.cost(operation, variables or {})


def line(quantity: int = 1) -> JsonObject:
    return {
        "performanceId": encode("Performance", new_id()),
        "seatCategoryId": encode("SeatCategory", new_id()),
        "audienceSubCategoryId": encode("AudienceSubCategory", new_id()),
        "quantity": quantity,
    }


PRICE = "query ($input: BasketInput!) { priceBasket(input: $input) { total { amount } } }"
REALISTIC: JsonObject = {
    "first": 50,
    "byContact": True,
    "codes": ["MERCI10"] * 5,
    "includeOfferIds": ["x"] * 10,
    "input": {"lines": [line(4) for _ in range(20)], "codes": ["MERCI10"] * 5},
}


def operations() -> Iterator[tuple[Path, str]]:
    for path in sorted(OPERATIONS.glob("*.graphql")):
        for definition in parse(path.read_text(encoding="utf-8")).definitions:
            if isinstance(definition, OperationDefinitionNode) and definition.name:
                yield path, definition.name.value


@pytest.mark.parametrize(("path", "name"), [*operations()], ids=lambda value: getattr(value, "stem", value))
def test_what_screens_send_costs_less_than_half_of_what_it_may(path: Path, name: str) -> None:
    assert 0 < cost(path.read_text(encoding="utf-8"), REALISTIC, name) < MOST_COST / 2


def test_a_full_basket_may_be_priced_and_two_may_not() -> None:
    full = {"input": {"lines": [line(MAXIMUM_TICKETS // MAXIMUM_LINES) for _ in range(MAXIMUM_LINES)]}}
    once = cost(PRICE, full)
    assert once < MOST_COST
    aliases = " ".join(f"a{number}: priceBasket(input: $input) {{ total {{ amount }} }}" for number in range(2))
    assert cost(f"query ($input: BasketInput!) {{ {aliases} }}", full) == 2 * once > MOST_COST


def test_every_weight_and_every_mutation_stands_in_the_schema() -> None:
    for coordinate in [*WEIGHTS, *(f"Mutation.{name}" for name in MUTATIONS_OF_BASKETS)]:
        assert resolve_schema_coordinate(schema._schema, coordinate) is not None, coordinate


# ── However inputs are written ───────────────────────────────────────────────────────────────────


LITERAL = '{ audienceSubCategoryId: "x", quantity: 7 }'
VALUE = {"audienceSubCategoryId": "x", "quantity": 7}
DOCUMENTS: dict[str, tuple[str, JsonObject]] = {
    "all in the document": (f"{{ priceBasket(input: {{ lines: [{LITERAL}, {LITERAL}] }}) {{ FIELD }} }}", {}),
    "all in a variable": (
        "query ($input: BasketInput!) { priceBasket(input: $input) { FIELD } }",
        {"input": {"lines": [VALUE, VALUE]}},
    ),
    "lists in a variable": (
        "query ($lines: [BasketLineInput!]!) { priceBasket(input: { lines: $lines }) { FIELD } }",
        {"lines": [VALUE, VALUE]},
    ),
    "one line twice": (
        "query ($line: BasketLineInput!) { priceBasket(input: { lines: [$line, $line] }) { FIELD } }",
        {"line": VALUE},
    ),
    "numbers in a variable": (
        'query ($n: Int!) { priceBasket(input: { lines: [{ audienceSubCategoryId: "x", quantity: $n },'
        ' { audienceSubCategoryId: "x", quantity: $n }] }) { FIELD } }',
        {"n": 7},
    ),
    "a default": (
        f"query ($lines: [BasketLineInput!]! = [{LITERAL}, {LITERAL}]) {{ priceBasket(input: {{ lines: $lines }}) {{ FIELD }} }}",
        {},
    ),
    "in a fragment": (
        "query ($input: BasketInput!) { ...F } fragment F on Query { priceBasket(input: $input) { FIELD } }",
        {"input": {"lines": [VALUE, VALUE]}},
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_same_input_costs_the_same_wherever_it_stands(name: str) -> None:
    document, variables = DOCUMENTS[name]
    expected = cost(DOCUMENTS["all in the document"][0].replace("FIELD", "total { amount }"))
    assert cost(document.replace("FIELD", "total { amount }"), variables) == expected


def test_one_line_where_a_list_is_awaited_is_a_list_of_one() -> None:
    assert cost(PRICE, {"input": {"lines": VALUE}}) == cost(PRICE, {"input": {"lines": [VALUE]}})
    literal = f"{{ priceBasket(input: {{ lines: {LITERAL} }}) {{ total {{ amount }} }} }}"
    assert cost(literal) == cost(PRICE, {"input": {"lines": [VALUE]}})


def test_lines_tickets_and_codes_cost() -> None:
    least = cost(PRICE, {"input": {"lines": [VALUE], "codes": []}})
    assert cost(PRICE, {"input": {"lines": [VALUE, VALUE], "codes": []}}) - least >= WEIGHTS["BasketLineInput"].each
    more = {"input": {"lines": [{**VALUE, "quantity": 8}], "codes": []}}
    assert cost(PRICE, more) - least == WEIGHTS["BasketLineInput.quantity"].unit
    coded: JsonObject = {"input": {"lines": [VALUE], "codes": ["A", "B"]}}
    assert cost(PRICE, coded) - least == 2 * WEIGHTS["BasketInput.codes"].each + 2
    offers = "query ($codes: [String!]) { eligibleOffers(codes: $codes) { edges { cursor } } }"
    assert cost(offers, {"codes": ["A", "B"]}) - cost(offers) == 2 * WEIGHTS["Query.eligibleOffers(codes:)"].each + 2


def test_ids_in_lists_count() -> None:
    offers = "query ($ids: [ID!]) { eligibleOffers(includeOfferIds: $ids) { edges { cursor } } }"
    assert cost(offers, {"ids": ["x"] * 1_000}) - cost(offers) == 1_000


@pytest.mark.parametrize("wrong", [None, 1, "x", [], {}, [[VALUE]], [None], [1], {"lines": {"lines": []}}, 2**70])
def test_what_does_not_fit_costs_something_and_breaks_nothing(wrong: Json) -> None:
    assert cost(PRICE, {"input": wrong}) > 0
    assert cost(PRICE, {"input": {"lines": wrong}}) > 0
    assert cost(PRICE, {"input": {"lines": [{"quantity": wrong}]}}) > 0


def test_a_quantity_beyond_what_a_basket_holds_costs_no_more_than_the_most() -> None:
    most = cost(PRICE, {"input": {"lines": [{**VALUE, "quantity": MAXIMUM_TICKETS}]}})
    assert cost(PRICE, {"input": {"lines": [{**VALUE, "quantity": 2**70}]}}) == most


# ── However fields are asked for ─────────────────────────────────────────────────────────────────


def test_aliases_and_root_fields_cost_as_often_as_they_stand() -> None:
    once = cost("{ seasons { id } }")
    assert cost("{ a: seasons { id } b: seasons { id } c: seasons { id } }") == 3 * once
    assert (
        cost("{ ...F ...G } fragment F on Query { a: seasons { id } ...G } fragment G on Query { b: seasons { id } }")
        == 3 * once
    )


def test_pages_count_as_large_as_they_are_asked_for() -> None:
    query = "query ($n: Int) { products(first: $n) { edges { node { id } } } }"
    small, large = cost(query, {"n": 10}), cost(query, {"n": 100})
    assert large - small == 90 * 3
    assert cost(query) + 1 == cost(query, {"n": None}) == cost(query, {"n": 20})
    assert cost(query, {"n": 10**9}) == large


def test_doubled_spreads_take_no_time_and_cost_what_they_cost() -> None:
    doubled = "{ ...F0 } " + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(45))
    before = process_time()
    assert cost(f"{doubled} fragment F45 on Query {{ seasons {{ id }} }}") == MOST_TOLD
    assert process_time() - before < 1


def test_only_the_operation_that_is_meant_is_counted() -> None:
    both = "query A { seasons { id } } query B { seasons { id } indicators { code } }"
    assert cost(both, name="A") == cost("{ seasons { id } }")


def test_introspection_costs_as_much_as_the_schema_is_large() -> None:
    types = "__schema { types { name fields { name args { name } } } }"
    assert cost(f"{{ {types} }}") > 1_000
    assert cost(f"{{ {types} a: {types} }}") == 2 * cost(f"{{ {types} }}")


# ── What clients are told ────────────────────────────────────────────────────────────────────────


async def test_every_answer_says_what_it_cost_and_what_it_may(server: Server) -> None:
    answer = await server.ask("{ seasons { id } }")
    assert answer["extensions"] == {"cost": {"cost": cost("{ seasons { id } }"), "limit": MOST_COST}}


async def test_what_costs_too_much_is_refused_with_both_numbers_before_it_is_executed(server: Server) -> None:
    aliases = " ".join(f"a{number}: seasons {{ id }}" for number in range(110))
    response = await server.client.post(
        "/graphql",
        json={"query": f"{{ {aliases} }}"},
        headers={"Accept": "application/graphql-response+json"},
    )
    assert response.status_code == 400
    [error] = response.json()["errors"]
    asked = cost(f"{{ {aliases} }}")
    assert error["extensions"] == {"code": "COST_EXCEEDED", "cost": asked, "limit": MOST_COST}
    assert str(asked) in error["message"]
    assert str(MOST_COST) in error["message"]
    assert response.json()["extensions"] == {"cost": {"cost": asked, "limit": MOST_COST}}
    assert "data" not in response.json()


async def test_500_lines_are_priced(server: Server) -> None:
    shop = Shop(server)
    [one] = await shop.lines(("HELENE-1217", "CAT1", "FULL", 2))
    answer = await shop.send("PriceBasket", input={"lines": [one] * MAXIMUM_LINES})
    assert len(answer["data"]["priceBasket"]["lines"]) == MAXIMUM_LINES
    assert answer["extensions"]["cost"]["cost"] < MOST_COST


BASKETS = {
    "aliases": "mutation ($i: CreateBasketInput!) { "
    + " ".join(f"a{n}: createBasket(input: $i) {{ __typename }}" for n in range(2))
    + " }",
    "a fragment": "mutation ($i: CreateBasketInput!) { ...F a: createBasket(input: $i) { __typename } } "
    "fragment F on Mutation { ... { b: createBasket(input: $i) { __typename } } }",
    "two kinds": "mutation ($i: CreateBasketInput!) { createBasket(input: $i) { __typename } "
    'cancelBasket(input: { basketId: "x" }) { __typename } }',
    "a skipped one": "mutation ($i: CreateBasketInput!) { a: createBasket(input: $i) { __typename } "
    "b: createBasket(input: $i) @skip(if: true) { __typename } }",
}


@pytest.mark.parametrize("name", BASKETS)
async def test_a_document_has_one_mutation_of_baskets(server: Server, name: str) -> None:
    shop = Shop(server)
    made = {"i": {"lines": await shop.lines(("HELENE-1217", "CAT1", "FULL", 1))}}
    answer = await server.ask(BASKETS[name], made)
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "TOO_MANY_MUTATIONS"
    assert "2" in error["message"]
    assert "data" not in answer


async def test_of_very_many_problems_the_first_fifty_are_listed_and_all_are_counted(server: Server) -> None:
    shop = Shop(server)
    answer = await shop.send("PriceBasket", input={"lines": [line() for _ in range(MAXIMUM_LINES)]})
    [error] = answer["errors"]
    assert len(error["extensions"]["problems"]) == 50
    assert error["extensions"]["problemCount"] == 3 * MAXIMUM_LINES
    made = await server.ask(
        "mutation ($i: CreateBasketInput!) { createBasket(input: $i) "
        "{ ... on InvalidInput { problems { path } problemCount } } }",
        {"i": {"lines": [line() for _ in range(MAXIMUM_LINES)]}},
    )
    assert len(made["data"]["createBasket"]["problems"]) == 50
    assert made["data"]["createBasket"]["problemCount"] == 3 * MAXIMUM_LINES


async def test_of_too_many_lines_none_is_looked_at(server: Server) -> None:
    shop = Shop(server)
    answer = await shop.send("PriceBasket", input={"lines": [{"audienceSubCategoryId": "wrong"}] * 800})
    [error] = answer["errors"]
    assert [problem["path"] for problem in error["extensions"]["problems"]] == [["lines"]]


async def test_nine_thousand_bad_lines_get_a_short_answer(server: Server) -> None:
    request = {"query": PRICE, "variables": {"input": {"lines": [{"audienceSubCategoryId": "x"}] * 9_000}}}
    response = await server.client.post(
        "/graphql", content=json.dumps(request), headers={"Content-Type": "application/json"}
    )
    assert response.json()["errors"][0]["extensions"]["code"] == "COST_EXCEEDED"
    assert len(response.content) < 1_000
