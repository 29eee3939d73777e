"""The documents of the screens hand the language on, to all that has one, however deep in fragments it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from tests.conftest import Server
from tests.graphql.operations import OPERATIONS, BackOffice, Client

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    get_named_type,
    is_composite_type,
    parse,
    print_ast,
    validate,
    visit,
)
from resolvers.schema import schema

SCHEMA: Final[GraphQLSchema] = schema._schema
DOCUMENTS: Final = {path.stem: parse(path.read_text(encoding="utf-8")) for path in sorted(OPERATIONS.glob("*.graphql"))}


@dataclass(frozen=True)
class Walk:
    """Through an operation and the fragments that it spreads."""

    document: DocumentNode

    def localised(self, operation: OperationDefinitionNode) -> Iterator[tuple[str, FieldNode]]:
        """The fields under an operation that take a language, each with where it stands."""
        root = SCHEMA.get_root_type(operation.operation)
        assert root is not None
        yield from self._under(operation.selection_set, root, ())

    def _under(
        self, selection: SelectionSetNode, of: GraphQLCompositeType, way: tuple[str, ...]
    ) -> Iterator[tuple[str, FieldNode]]:
        for node in selection.selections:
            if isinstance(node, FieldNode):
                field = SCHEMA.get_field(of, node.name.value)
                assert field is not None
                here = (*way, node.name.value)
                if "language" in field.args:
                    yield ".".join(here), node
                kind = get_named_type(field.type)
                if node.selection_set is not None and is_composite_type(kind):
                    yield from self._under(node.selection_set, kind, here)
            elif isinstance(node, InlineFragmentNode):
                yield from self._within(node, way, of)
            elif isinstance(node, FragmentSpreadNode):
                yield from self._within(self._fragment(node.name.value), way, of)

    def _within(
        self, part: InlineFragmentNode | FragmentDefinitionNode, way: tuple[str, ...], of: GraphQLCompositeType
    ) -> Iterator[tuple[str, FieldNode]]:
        named = SCHEMA.get_type(part.type_condition.name.value) if part.type_condition else of
        assert is_composite_type(named)
        yield from self._under(part.selection_set, named, way)

    def _fragment(self, name: str) -> FragmentDefinitionNode:
        return next(
            each
            for each in self.document.definitions
            if isinstance(each, FragmentDefinitionNode) and each.name.value == name
        )


def operations() -> Iterator[tuple[str, OperationDefinitionNode]]:
    for screen, document in DOCUMENTS.items():
        for each in document.definitions:
            if isinstance(each, OperationDefinitionNode):
                yield screen, each


def test_there_are_operations_with_something_to_translate() -> None:
    told = {path for screen, each in operations() for path, _ in Walk(DOCUMENTS[screen]).localised(each)}
    assert "products.edges.node.prices.seatCategory.name" in told
    assert len(told) > 50


@pytest.mark.parametrize(
    ("screen", "operation"),
    [pytest.param(screen, each, id=f"{screen}-{each.name.value}") for screen, each in operations() if each.name],
)
def test_the_language_reaches_all_that_has_one(screen: str, operation: OperationDefinitionNode) -> None:
    for path, field in Walk(DOCUMENTS[screen]).localised(operation):
        handed = {each.name.value: each.value for each in field.arguments or ()}
        value = handed.get("language")
        assert isinstance(value, VariableNode), path
        assert value.name.value == "language", path


async def test_a_shop_in_english_has_its_tariffs_in_english_whatever_the_browser_says(server: Server) -> None:
    shop = Client(server, "shop", server.shopper, "fr")
    products = (await shop.ask("Products", first=100, language="EN"))["products"]["edges"]
    names = {
        price["audienceSubCategory"]["name"]
        for each in products
        for performance in each["node"]["performances"]["edges"]
        for price in performance["node"]["prices"]
    }
    assert "Full price" in names
    assert "Plein tarif" not in names


async def test_a_failure_is_told_in_the_language_of_the_screen(server: Server) -> None:
    office = BackOffice(server)
    said = {
        language: (await office.ask("InvalidateCode", input={"code": "NOPE", "reason": "x"}, language=language))[
            "invalidateCode"
        ]["message"]
        for language in ("FR", "EN", "DE", "ES", "IT")
    }
    assert len(set(said.values())) == 5, said


def selections(document: DocumentNode) -> Iterator[tuple[GraphQLCompositeType, SelectionSetNode]]:
    """Each selection in a document, with the type that it is of."""
    types = TypeInfo(SCHEMA)
    found: list[tuple[GraphQLCompositeType, SelectionSetNode]] = []

    class Selections(Visitor):
        def enter_selection_set(self, node: SelectionSetNode, *_: object) -> None:
            of = types.get_parent_type()
            assert of is not None
            found.append((of, node))

    visit(document, TypeInfoVisitor(types, Selections()))
    return iter(found)


@pytest.mark.parametrize("screen", DOCUMENTS)
def test_a_screen_branches_on_codes_and_shows_words(screen: str) -> None:
    """Whoever asks for the words of a failure, or of a problem with an input, asks for its code as well."""
    for of, selection in selections(DOCUMENTS[screen]):
        asked = {each.name.value for each in selection.selections if isinstance(each, FieldNode)}
        wants_code = {"Failure": "message", "InputProblem": "path"}.get(of.name)
        if wants_code in asked:
            assert asked >= {"code", "message"}, (of.name, print_ast(selection))


@pytest.mark.parametrize("screen", DOCUMENTS)
def test_every_document_holds_against_the_schema(screen: str) -> None:
    assert validate(SCHEMA, DOCUMENTS[screen]) == []


def test_screens_ask_for_failures_and_for_problems() -> None:
    told = {of.name for document in DOCUMENTS.values() for of, _ in selections(document)}
    assert told >= {"Failure", "InputProblem"}
