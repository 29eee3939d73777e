"""What one document may ask for: limits that take time linear in its length, kept with the parsed document.

Fragments are measured once each, however often they are spread, so that doubled spreads cost nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple, cast

from graphql.type import GraphQLCompositeType, GraphQLField, GraphQLOutputType
from graphql.validation import MaxIntrospectionDepthRule
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types.execution import ParseOptions

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_list_type,
    is_non_null_type,
    parse,
    specified_rules,
    validate,
)
from resolvers.runtime.connections import DEFAULT_FIRST, MOST_FIRST

MOST_CHARACTERS = 100_000
MOST_TOKENS = 2_000
MOST_DEPTH = 15
MOST_VALUES = 2_000_000
"""Fields to resolve, where a connection has as many nodes as ``first`` says and any other list has ten."""

_LIST_SIZE = 10
_MOST_SPREADS_IN_A_ROW = 50
_DOCUMENTS = 200
_PARSING: Final[dict[str, Any]] = {
    "max_lexical_tokens": MOST_TOKENS,
    "max_source_length": MOST_CHARACTERS,
    "max_comments": MOST_TOKENS,
}
_RULES = (*specified_rules, MaxIntrospectionDepthRule)


class Measure(NamedTuple):
    """How deep a selection goes, and how many values it asks for at most."""

    depth: int
    values: int


class UnnamedOperationError(CannotGetOperationTypeError):
    """Which of several operations is meant was not said; Strawberry would run the first."""

    def as_http_error_reason(self) -> str:
        return "The document has several operations: say which by `operationName`."


class Documents(SchemaExtension):
    """Parses, measures and validates each document once, and remembers the latest."""

    _document: "_Document | None" = None

    def on_parse(self) -> Iterator[None]:
        execution = self.execution_context
        # What fails here fails again in Strawberry's own parsing, which knows how to report it.
        execution.parse_options = cast("ParseOptions", _PARSING)
        with suppress(GraphQLError):
            self._document = _document(execution.schema._schema, execution.query or "")
            execution.graphql_document = self._document.parsed
            if self._document.has_several and execution._provided_operation_name is None:
                raise UnnamedOperationError(None)
        yield

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        if self._document is not None:
            execution.pre_execution_errors = list(
                self._document.errors or self._document.too_large(execution.variables)
            )
        yield


def operation_in(schema: GraphQLSchema, source: str, name: str | None) -> OperationDefinitionNode | None:
    """The operation that would be executed; None where that cannot be said, or the document cannot be read."""
    try:
        document = _document(schema, source)
    except GraphQLError:
        return None
    operations = [each for each in document.parsed.definitions if isinstance(each, OperationDefinitionNode)]
    named = [each for each in operations if name is None or (each.name is not None and each.name.value == name)]
    return named[0] if len(named) == 1 else None


class _Document:
    """A document, and what is known of it once somebody asked."""

    def __init__(self, schema: GraphQLSchema, source: str) -> None:
        self.parsed = parse(source, **_PARSING)
        self._schema = schema
        self.has_several = sum(isinstance(each, OperationDefinitionNode) for each in self.parsed.definitions) > 1

    @cached_property
    def errors(self) -> Sequence[GraphQLError]:
        """What is wrong with it whatever its variables. Its depth comes first: that bounds the work of the rules."""
        try:
            depth = self._worst.depth
        except _TooManySpreadsError:
            return [GraphQLError(f"Fragments may spread others {_MOST_SPREADS_IN_A_ROW} deep at most.")]
        if depth > MOST_DEPTH:
            return [GraphQLError(f"The document is {depth} fields deep; {MOST_DEPTH} is the most.")]
        return validate(self._schema, self.parsed, _RULES)

    def too_large(self, variables: Mapping[str, object] | None) -> Sequence[GraphQLError]:
        values = self._worst.values
        if values > MOST_VALUES:
            # Only now do the variables matter: with the page sizes really asked for, it may be little.
            values = measure(self._schema, self.parsed, variables or {}).values
        if values <= MOST_VALUES:
            return ()
        return [GraphQLError(f"This asks for up to {values} values; {MOST_VALUES} is the most. Ask for smaller pages.")]

    @cached_property
    def _worst(self) -> Measure:
        return measure(self._schema, self.parsed)


# By its text: graphql-core hashes a parsed document by walking through all of it, each time.
_document = lru_cache(_DOCUMENTS)(_Document)


def measure(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, object] | None = None) -> Measure:
    """The deepest and the largest operation of ``document``; without ``variables``, for pages as large as may be."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    worst = Measure(0, 0)
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            root = schema.get_root_type(operation.operation)
            ruler = _Ruler(schema, fragments, _page_sizes(operation, variables), {})
            depth, values = ruler.selection(operation.selection_set, root, 0)
            worst = Measure(max(worst.depth, depth), max(worst.values, values))
    return worst


class _TooManySpreadsError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Ruler:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    page_sizes: Mapping[str, object]
    measured: dict[str, Measure]

    def selection(self, selection: SelectionSetNode, parent: GraphQLCompositeType | None, spreads: int) -> Measure:
        depth, values, deeper, more = 0, 0, 0, 0
        for node in selection.selections:
            if isinstance(node, FieldNode):
                deeper, more = self.field(node, parent, spreads)
            elif isinstance(node, FragmentSpreadNode):
                deeper, more = self.fragment(node.name.value, spreads + 1)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = self.type_named(condition.name.value) if condition else parent
                deeper, more = self.selection(node.selection_set, inner, spreads)
            depth, values = max(depth, deeper), values + more
        return Measure(depth, values)

    def field(self, node: FieldNode, parent: GraphQLCompositeType | None, spreads: int) -> Measure:
        definition = self.schema.get_field(parent, node.name.value) if parent else None
        if definition is None or node.selection_set is None:
            return Measure(1, 1)
        inner = get_named_type(definition.type)
        depth, values = self.selection(node.selection_set, inner if is_composite_type(inner) else None, spreads)
        # Introspection nests deeper than data does, and has a rule of its own.
        depth = 0 if node.name.value in {"__schema", "__type"} else depth
        return Measure(depth + 1, 1 + self.size(node, definition) * values)

    def fragment(self, name: str, spreads: int) -> Measure:
        if spreads > _MOST_SPREADS_IN_A_ROW:
            raise _TooManySpreadsError
        if name not in self.measured:
            # A fragment inside itself counts as nothing: validation refuses it.
            self.measured[name] = Measure(0, 0)
            definition = self.fragments.get(name)
            if definition is not None:
                on = self.type_named(definition.type_condition.name.value)
                self.measured[name] = self.selection(definition.selection_set, on, spreads)
        return self.measured[name]

    def type_named(self, name: str) -> GraphQLCompositeType | None:
        found = self.schema.get_type(name)
        return found if is_composite_type(found) else None

    def size(self, node: FieldNode, definition: GraphQLField) -> int:
        """How many objects the field has: a page's size counts at the connection, so that its edges count once."""
        if "first" in definition.args:
            value = next((each.value for each in node.arguments or () if each.name.value == "first"), None)
            if isinstance(value, VariableNode):
                return _within_page(self.page_sizes.get(value.name.value, MOST_FIRST))
            return _within_page(_number(value))
        return _LIST_SIZE if _is_list(definition.type) and node.name.value != "edges" else 1


def _page_sizes(operation: OperationDefinitionNode, variables: Mapping[str, object] | None) -> Mapping[str, object]:
    """The values of variables, or their defaults; none that could be left out where the variables are unknown."""
    if variables is None:
        return {}
    defaults = {each.variable.name.value: _number(each.default_value) for each in operation.variable_definitions or ()}
    return {**defaults, **variables}


def _number(literal: ValueNode | None) -> int | None:
    # No page is as large as a number of ten digits, and Python refuses to read very long ones.
    return int(literal.value[:10]) if isinstance(literal, IntValueNode) else None


def _within_page(size: object) -> int:
    return max(1, min(size, MOST_FIRST)) if isinstance(size, int) else DEFAULT_FIRST


def _is_list(of: GraphQLOutputType) -> bool:
    return is_list_type(of.of_type if is_non_null_type(of) else of)
