"""Every problem is named by its path from the argument that the client wrote, whatever part of whatever input it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pytest
from tests.conftest import Server
from tests.graphql.access.classes import SCHEMA
from tests.graphql.operations import BackOffice
from tests.wire import Json, JsonObject

from db.core.ids import new_id
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
    is_required_argument,
    is_required_input_field,
)
from resolvers.runtime.ids import encode

WRONG: Final[Json] = {"no": "such"}
"""What no scalar and no enum is."""

ODD: Final[dict[str, list[Json]]] = {
    "String": ["\x07", "", "x" * 5_000],
    "Int": [-5, 2_000_000_000],
    "Decimal": ["-1", "1e5", "0.00001"],
    "DateTime": ["1850-01-01T00:00:00Z"],
}
"""What their scalars are, and hardly any rule lets through."""

GOOD: Final[dict[str, Json]] = {
    "String": "x",
    "Int": 1,
    "Boolean": True,
    "Decimal": "1",
    "DateTime": "2026-12-01T00:00:00Z",
}
EXISTING: Final[dict[str, str]] = {}
"""An id of some kinds: of what does not exist only that is told. The example has the same in each test."""

KINDS: Final = {
    "ChannelIds": "SalesChannel",
    "BatchId": "CodeBatch",
    "OfferId": "Advantage",
    "IncludeOfferIds": "Advantage",
    "SubjectId": "Advantage",
}


@dataclass(frozen=True)
class Leaf:
    """A scalar somewhere in the arguments of a root field, and the path that must name it."""

    root: str
    field: str
    path: tuple[str, ...]
    scalar: str

    @property
    def told(self) -> list[str]:
        return list(self.path[1:] if len(self.path) > 1 and self.path[0] == "input" else self.path)

    @property
    def definition(self) -> GraphQLField:
        kind = SCHEMA.query_type if self.root == "query" else SCHEMA.mutation_type
        assert kind is not None
        field: GraphQLField = kind.fields[self.field]
        return field

    def arguments(self, value: Json) -> dict[str, Json]:
        """Arguments that are good but for what may be unknown, with the value at the leaf."""
        return {
            name: _sample(argument.type, name, self.path[1:] if name == self.path[0] else None, value, self.field)
            for name, argument in self.definition.args.items()
            if name == self.path[0] or is_required_argument(argument)
        }


def leaves() -> Iterator[Leaf]:
    for root, kind in (("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type)):
        assert kind is not None
        for name, field in kind.fields.items():
            for argument, definition in field.args.items():
                for path, scalar in _leaves(definition.type):
                    yield Leaf(root, name, (argument, *path), scalar)


def _leaves(of: GraphQLInputType) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(of, GraphQLNonNull):
        yield from _leaves(of.of_type)
    elif isinstance(of, GraphQLList):
        # A good one before it, so that the position is one that could be mistaken.
        yield from ((("1", *path), scalar) for path, scalar in _leaves(of.of_type))
    elif isinstance(of, GraphQLInputObjectType):
        for name, field in of.fields.items():
            yield from (((name, *path), scalar) for path, scalar in _leaves(field.type))
    else:
        yield (), get_named_type(of).name


def _sample(of: GraphQLInputType, name: str, path: Sequence[str] | None, value: Json, field: str) -> Json:
    """A value of a type: with ``value`` at ``path`` where that is given, else as little as can be."""
    if isinstance(of, GraphQLNonNull):
        return _sample(of.of_type, name, path, value, field)
    if path is not None and not path:
        return value
    if isinstance(of, GraphQLList):
        good = _sample(of.of_type, name, None, value, field)
        return [good] if path is None else [good, _sample(of.of_type, name, path[1:], value, field)]
    if isinstance(of, GraphQLInputObjectType):
        wanted = {each for each, inner in of.fields.items() if is_required_input_field(inner)}
        if path is not None:
            wanted = {path[0]} if of.is_one_of else wanted | {path[0]}
        elif of.is_one_of:
            wanted = {next(iter(of.fields))}
        # An offer goes by either of two names.
        wanted |= {"offerId"} if "offerId" in of.fields and not {"id", "promotionalCodeId"} & wanted else set()
        # A text without a language is none.
        wanted |= {"fr"} if of.name == "LocalizedTextInput" else set()
        return {
            each: _sample(of.fields[each].type, each, path[1:] if path and each == path[0] else None, value, field)
            for each in of.fields
            if each in wanted
        }
    named = get_named_type(of)
    if isinstance(named, GraphQLEnumType):
        return next(iter(named.values))
    return GOOD[named.name] if named.name != "ID" else EXISTING.get(kind := _kind(name, field), encode(kind, new_id()))


def _kind(name: str, field: str) -> str:
    """The kind of thing that an id names, by the name of where it stands."""
    if name == "offerId" and field.endswith(("PromotionalCode", "CustomCode")):
        return "PromotionalCode"
    of = name if name not in {"id", "ids"} else f"{field.removeprefix('update')}Id"
    of = of[:1].upper() + of[1:]
    return KINDS.get(of) or of.removesuffix("s").removesuffix("Id")


def document(leaf: Leaf, arguments: str, variables: str) -> str:
    kind = get_named_type(leaf.definition.type)
    selection = "{ __typename }" if is_composite_type(kind) else ""
    if isinstance(kind, GraphQLUnionType):
        of = {member.name for member in kind.types}
        parts = {"InvalidInput": "problems { path }", "NotFound": "path"}
        selection = f"{{ __typename {' '.join(f'... on {n} {{ {p} }}' for n, p in parts.items() if n in of)} }}"
    return f"{leaf.root} Walk{variables} {{ {leaf.field}{arguments} {selection} }}"


def by_variables(leaf: Leaf, value: Json) -> tuple[str, dict[str, Json]]:
    """Each argument in a variable of another name."""
    given = leaf.arguments(value)
    types: dict[str, GraphQLArgument] = leaf.definition.args
    declared = ", ".join(f"$of_{name}: {types[name].type}" for name in given)
    put = ", ".join(f"{name}: $of_{name}" for name in given)
    return document(leaf, f"({put})", f"({declared})"), {f"of_{name}": each for name, each in given.items()}


def by_literal(leaf: Leaf, value: Json) -> str:
    given = leaf.arguments(value)
    types: dict[str, GraphQLArgument] = leaf.definition.args
    put = ", ".join(f"{name}: {_literal(each, types[name].type)}" for name, each in given.items())
    return document(leaf, f"({put})", "")


def by_inner_variable(leaf: Leaf, value: Json) -> tuple[str, dict[str, Json]]:
    """The leaf alone in a variable, all around it in the document."""
    given = leaf.arguments("$of_the_leaf")
    types: dict[str, GraphQLArgument] = leaf.definition.args
    put = ", ".join(f"{name}: {_literal(each, types[name].type)}" for name, each in given.items())
    put = put.replace('"$of_the_leaf"', "$of_the_leaf").replace("$of_the_leaf", "$x")
    return document(leaf, f"({put})", f"($x: {leaf.scalar}!)"), {"x": value}


def _literal(value: Json, of: GraphQLInputType) -> str:
    if isinstance(of, GraphQLNonNull):
        return _literal(value, of.of_type)
    if isinstance(value, list) and isinstance(of, GraphQLList):
        return f"[{', '.join(_literal(each, of.of_type) for each in value)}]"
    if isinstance(value, dict):
        fields = of.fields if isinstance(of, GraphQLInputObjectType) else {}
        inner = (f"{name}: {_literal(each, fields[name].type) if fields else 1}" for name, each in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(get_named_type(of), GraphQLEnumType):
        return str(value)
    return str(value).lower() if isinstance(value, bool | int) else f'"{value}"'


def paths(answer: Json) -> list[list[str]]:
    """Of all problems in an answer, expected failures and top-level errors alike."""
    found = [
        problem["path"] for error in answer.get("errors", ()) for problem in error["extensions"].get("problems", ())
    ]
    for each in (answer.get("data") or {}).values():
        if isinstance(each, dict):
            found += [problem["path"] for problem in each.get("problems", ())]
            found += [each["path"]] if "path" in each else []
    return found


def resolves(path: Sequence[str], field: GraphQLField) -> bool:
    """Whether something in the field's arguments has this path."""
    names = [*path]
    if names[0] not in field.args:
        names = ["input", *names]
    if names[0] not in field.args:
        return False
    of = field.args[names[0]].type
    for name in names[1:]:
        of = of.of_type if isinstance(of, GraphQLNonNull) else of
        if isinstance(of, GraphQLList) and name.isdecimal():
            of = of.of_type
        elif isinstance(of, GraphQLInputObjectType) and name in of.fields:
            of = of.fields[name].type
        else:
            return False
    return True


LEAVES: Final = tuple(leaves())


@pytest.fixture(autouse=True)
async def _existing(server: Server) -> None:
    """Drafts, of which everything may be changed."""
    names = {"internalName": {"fr": "x"}, "publicName": {"fr": "x"}, "benefit": {"percentOff": "5"}, "code": "WALK"}
    season = await BackOffice(server).season_id()
    of_kind: dict[str, JsonObject] = {
        "Advantage": {"seasonId": season, "family": "EVENT", "target": {"public": True}},
        "PromotionalCode": {},
    }
    for kind, own in of_kind.items():
        query = f"mutation ($of: Create{kind}Input!) {{ made: create{kind}(input: $of) {{ ... on {kind} {{ id }} }} }}"
        answer = await server.ask(query, {"of": {**names, **own}}, token=server.staff)
        EXISTING[kind] = answer["data"]["made"]["id"]


def test_the_walk_finds_what_is_nested_and_in_lists() -> None:
    found = {(leaf.field, *leaf.path) for leaf in LEAVES}
    assert ("invalidateCodes", "input", "selection", "filter", "seasonId") in found
    assert ("createAdvantage", "input", "limits", "elements", "1", "productId") in found
    assert ("priceBasket", "input", "lines", "1", "quantity") in found
    assert len(found) > 200


async def test_what_no_scalar_is_is_named_from_the_argument_on_however_it_was_sent(server: Server) -> None:
    for leaf in LEAVES:
        sent = [by_variables(leaf, WRONG), (by_literal(leaf, WRONG), {}), by_inner_variable(leaf, WRONG)]
        for query, variables in sent:
            answer = await server.ask(query, variables, token=server.staff)
            assert paths(answer) == [leaf.told], (query, answer)


async def test_a_malformed_id_is_named_from_the_argument_on(server: Server) -> None:
    for leaf in LEAVES:
        if leaf.scalar == "ID":
            query, variables = by_variables(leaf, "nonsense")
            answer = await server.ask(query, variables, token=server.staff)
            if leaf.field != "node" or answer.get("errors"):
                assert leaf.told in paths(answer), (query, variables, answer)


async def test_whatever_a_rule_refuses_has_a_path_that_the_input_has(server: Server) -> None:
    for leaf in LEAVES:
        for odd in ODD.get(leaf.scalar, ()):
            query, variables = by_variables(leaf, odd)
            answer = await server.ask(query, variables, token=server.staff)
            for path in paths(answer):
                assert resolves(path, leaf.definition), (query, odd, path)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
async def test_an_unusable_idempotency_key_is_an_invalid_input_wherever_there_is_one(server: Server, key: str) -> None:
    keyed = [leaf for leaf in LEAVES if leaf.path == ("input", "idempotencyKey")]
    assert len(keyed) > 10
    for leaf in keyed:
        query, variables = by_variables(leaf, key)
        answer = await server.ask(query, variables, token=server.staff)
        assert answer["data"], (leaf, answer)
        assert answer["data"][leaf.field]["__typename"] == "InvalidInput", (leaf, answer)
        assert ["idempotencyKey"] in paths(answer), (leaf, answer)


async def test_a_field_that_is_missing_or_unknown_is_named_however_it_was_sent(server: Server) -> None:
    query = "query ($of: CodeFilter) { codes(filter: $of) { __typename } }"
    assert paths(await server.ask(query, {"of": {"nope": 1}}, token=server.staff)) == [["filter", "nope"]]
    assert paths(await server.ask("{ codes(filter: { nope: 1 }) { __typename } }", token=server.staff)) == [
        ["filter", "nope"]
    ]
    query = "mutation ($of: InvalidateCodeInput!) { invalidateCode(input: $of) { __typename } }"
    assert paths(await server.ask(query, {"of": {"code": "X"}}, token=server.staff)) == [["reason"]]
    query = 'mutation { invalidateCode(input: { code: "X" }) { __typename } }'
    assert paths(await server.ask(query, token=server.staff)) == [["reason"]]


async def test_a_variable_of_the_same_name_in_another_operation_is_not_mistaken_for_this_one(server: Server) -> None:
    query = """
        query Other($x: String) { contacts(search: $x) { __typename } }
        query This($x: [CodeStatus!]) { ...Codes }
        fragment Codes on Query { codes(filter: { status: $x }) { __typename } }
    """
    request = {"query": query, "operationName": "This", "variables": {"x": ["USED", "NOPE"]}}
    headers = {"Authorization": f"Bearer {server.staff}"}
    answer = (await server.client.post("/graphql", json=request, headers=headers)).json()
    assert paths(answer) == [["filter", "status", "1"]]


async def test_variables_that_do_not_go_together_are_named_by_their_argument(server: Server) -> None:
    query = """mutation ($batch: ID) {
        invalidateCodes(input: { selection: { batchId: $batch }, reason: "x" }) { __typename } }"""
    assert paths(await server.ask(query, {"batch": None}, token=server.staff)) == [["selection"]]
