"""The API explains itself: everything in the schema has a description, none is left over, and none says nothing."""

import re
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import pytest
import strawberry
from tests.conftest import Server

from graphql import GraphQLObjectType, GraphQLSchema, build_schema, get_introspection_query
from resolvers.runtime.connections import Connection, connection_in_memory, window
from resolvers.runtime.descriptions import DESCRIPTIONS, ITSELF, Coordinate, Descriptions, describe, described
from resolvers.runtime.enums import Language
from resolvers.runtime.errors import NotFound
from resolvers.runtime.execution import build_schema as executable
from resolvers.runtime.ids import Node, encode
from resolvers.schema import schema

BUILT: Final[GraphQLSchema] = schema._schema
SDL: Final = Path(__file__).parents[3] / "schema" / "schema.graphql"
LONGEST: Final = 300
"""Of what is no operation: a paragraph that fits beside a name in any tool."""

EMPTY: Final = frozenset({"a", "an", "the", "its", "of", "this", "that", "is", "it", "whether", "to", "for"})
"""Words that say nothing by themselves."""


def said(shown: GraphQLSchema) -> dict[str, str]:
    """What a schema says, by where it says it."""
    return {str(place): each.description or "" for place, _, each in described(shown)}


@pytest.mark.parametrize("shown", [BUILT, build_schema(SDL.read_text(encoding="utf-8"))], ids=["built", "exported"])
def test_everything_in_the_schema_has_a_description(shown: GraphQLSchema) -> None:
    everything = said(shown)
    assert len(everything) > 1_000
    assert [place for place, words in everything.items() if not words.strip()] == []


def test_the_files_have_no_words_that_nothing_needs() -> None:
    used: set[Coordinate] = set()
    for place, interfaces, each in described(BUILT):
        used.update(pattern for pattern in DESCRIPTIONS.patterns if pattern.matches(place))
        entry = DESCRIPTIONS.of(place, interfaces)
        if entry is not None and each.description == DESCRIPTIONS.words(entry):
            used.add(entry)
    assert sorted(map(str, (DESCRIPTIONS.exact.keys() | DESCRIPTIONS.patterns.keys()) - used)) == []


def test_a_description_says_more_than_the_name() -> None:
    def says_nothing(place: Coordinate, words: str) -> bool:
        name = place.type if place.member == ITSELF else place.member
        known = {each.lower() for each in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
        return set(re.findall(r"[a-z]+", words.lower())) <= known | EMPTY

    assert says_nothing(Coordinate("Basket", "expiresAt"), "The expires at of the basket") is False
    assert says_nothing(Coordinate("Basket", "expiresAt"), "Expires at.") is True
    empty = [str(place) for place, _, each in described(BUILT) if says_nothing(place, each.description or "")]
    assert empty == []


def test_a_description_is_short_and_tidy() -> None:
    ours = {place: words for place, words in said(BUILT).items() if not place.startswith("@")}
    long = {place for place, words in ours.items() if len(words) > LONGEST}
    assert {place for place in long if not place.startswith(("Query.", "Mutation."))} == set()
    assert [place for place, words in ours.items() if words != words.strip() or "  " in words] == []


def test_what_is_alike_is_said_alike_and_in_one_place() -> None:
    keys = [each.description for place, _, each in described(BUILT) if place.member == "idempotencyKey"]
    assert len(keys) > 15
    assert len(set(keys)) == 1
    nodes = [kind for kind in BUILT.type_map.values() if isinstance(kind, GraphQLObjectType) and "id" in kind.fields]
    assert len({kind.fields["id"].description for kind in nodes if BUILT.get_type("Node") in kind.interfaces}) == 1


# ── What is new ──────────────────────────────────────────────────────────────────────────────────


@strawberry.type
class Plant(Node):
    height: int


@strawberry.input
class WaterInput:
    idempotency_key: str | None = None


WaterResult = Annotated[Plant | NotFound, strawberry.union("WaterResult")]


@strawberry.type
class Query:
    @strawberry.field
    def plants(
        self,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        language: Language | None = None,
    ) -> Connection[Plant]:
        page = window(first, after, UUID, last=last, before=before)
        return connection_in_memory((), page, lambda row: row, lambda row: row)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def water(self, input: WaterInput) -> WaterResult:  # noqa: A002
        return Plant(id=encode("Plant", UUID(int=1)), height=len(input.idempotency_key or ""))


def test_a_new_list_and_a_new_mutation_have_their_words_by_themselves() -> None:
    found = said(executable(Query, Mutation)._schema)
    words = {"first": "20 where neither", "after": "right after it", "last": "backwards", "before": "right before it"}
    assert {name for name, part in words.items() if part not in found[f"Query.plants({name}:)"]} == set()
    assert "Accept-Language" in found["Query.plants(language:)"]
    assert "IDEMPOTENCY_KEY_REUSED" in found["WaterInput.idempotencyKey"]
    assert "in one object" in found["Mutation.water(input:)"]
    assert "`node`" in found["Plant.id"]
    assert "`Failure`" in found["WaterResult"]
    assert found["Plant.height"] == ""


# ── Which words win ──────────────────────────────────────────────────────────────────────────────


def test_own_words_win_then_those_of_the_type_of_its_interfaces_and_of_the_pattern_that_says_most() -> None:
    shown = build_schema(
        'interface A { x: Int } type B implements A { "own" x: Int y: Int } type C implements A { x: Int }'
    )
    files = Descriptions.made(
        {
            Coordinate("A", "x"): "the interface's",
            Coordinate("B", "x"): "unheard",
            Coordinate("B", "y"): "the type's",
            Coordinate("*", "s*"): "any",
            Coordinate("*", "sel*"): "a type",
        }
    )
    used = describe(shown, files)
    assert (files.exact.keys() | files.patterns.keys()) - used == {
        Coordinate("B", "x"),
        Coordinate("*", "s*"),
    }
    wanted = {"A": "a type", "A.x": "the interface's", "B.x": "own", "B.y": "the type's", "C.x": "the interface's"}
    assert wanted.items() <= said(shown).items()


# ── Who reads it ─────────────────────────────────────────────────────────────────────────────────


async def test_the_whole_reference_is_answered_to_anybody(server: Server) -> None:
    query = get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    response = await server.client.post("/graphql", json={"query": query})
    answer = response.json()
    assert "errors" not in answer
    types = {each["name"]: each for each in answer["data"]["__schema"]["types"]}
    fields = {each["name"]: each["description"] for each in types["Basket"]["fields"]}
    assert fields["expiresAt"] == said(BUILT)["Basket.expiresAt"]
