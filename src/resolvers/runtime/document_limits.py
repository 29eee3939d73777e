"""What one document may ask for: limits that take time linear in its length, kept with the parsed document.

Fragments are measured once each, however often they are spread, so that doubled spreads cost nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import Any, Final, cast

from graphql.validation import MaxIntrospectionDepthRule, OverlappingFieldsCanBeMergedRule, ValidationContext
from graphql.validation.validate import ValidationAbortedError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types.execution import ParseOptions

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    specified_rules,
    validate,
)
from resolvers.runtime.document_cost import MOST_COST, OperationCost, Weights

MOST_CHARACTERS = 100_000
MOST_TOKENS = 2_000
MOST_DEPTH = 15
MOST_COMPARISONS = 5_000
"""Of fields that come together in an answer under one name: each with each of the others."""

MOST_ERRORS = 10
"""Of one document; whoever writes it mends the first ones first."""

_MOST_SPREADS_IN_A_ROW = 50
_DOCUMENTS = 200
_PARSING: Final[dict[str, Any]] = {
    "max_lexical_tokens": MOST_TOKENS,
    "max_source_length": MOST_CHARACTERS,
    "max_comments": MOST_TOKENS,
}


class UnnamedOperationError(CannotGetOperationTypeError):
    """Which of several operations is meant was not said; Strawberry would run the first."""

    def as_http_error_reason(self) -> str:
        return "The document has several operations: say which by `operationName`."


class CostExceededError(GraphQLError):
    """An operation costs more than one may."""

    def __init__(self, cost: int) -> None:
        super().__init__(
            f"This operation costs {cost}; {MOST_COST} is the most. Ask for smaller pages, for fewer root fields, "
            "or send fewer lines, tickets and codes at once.",
            extensions={"code": "COST_EXCEEDED", "cost": cost, "limit": MOST_COST},
        )


class TooManyAloneError(GraphQLError):
    """An operation has several mutations of a kind of which a document may have one."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"One mutation of baskets a document; this one has {len(names)}. Send one after the other.",
            extensions={"code": "TOO_MANY_MUTATIONS"},
        )


class Documents(SchemaExtension):
    """Parses, measures and validates each document once, and says in the answer what its operation costs."""

    def __init__(self, cache: "DocumentCache") -> None:
        self._cache = cache
        self._document: Document | None = None
        self._cost: int | None = None

    def on_parse(self) -> Iterator[None]:
        execution = self.execution_context
        # What fails here fails again in Strawberry's own parsing, which knows how to report it.
        execution.parse_options = cast("ParseOptions", _PARSING)
        with suppress(GraphQLError):
            self._document = self._cache.document(execution.schema._schema, execution.query or "")
            execution.graphql_document = self._document.parsed
            if self._document.has_several and execution._provided_operation_name is None:
                raise UnnamedOperationError(None)
        yield

    def on_validate(self) -> Iterator[None]:
        if self._document is not None:
            self.execution_context.pre_execution_errors = list(self._errors(self._document))
        yield

    def get_results(self) -> dict[str, Any]:
        execution = self.execution_context
        if self._cost is None or execution.operation_type.value == "subscription":
            return {}
        return {"cost": {"cost": self._cost, "limit": MOST_COST}}

    def _errors(self, document: "Document") -> Sequence[GraphQLError]:
        execution = self.execution_context
        if document.errors:
            return document.errors
        operation = document.operation(execution._provided_operation_name)
        if operation is None:
            return ()
        if too_many := document.too_many_alone(operation):
            return [TooManyAloneError(too_many)]
        self._cost = document.cost(operation, execution.variables or {})
        return [CostExceededError(self._cost)] if self._cost > MOST_COST else ()


class DocumentCache:
    """The latest documents, by their text: graphql-core hashes a parsed one by walking through all of it, each time.

    ``weights`` are those of inputs; of the mutations that stand ``alone``, an operation may have one.
    """

    def __init__(self, weights: Weights, alone: Collection[str]) -> None:
        self._weights = weights
        self._alone = frozenset(alone)
        self.document = lru_cache(_DOCUMENTS)(self._document)

    def operation(self, schema: GraphQLSchema, source: str, name: str | None) -> OperationDefinitionNode | None:
        """The operation that would be executed; None where that cannot be said, or the document cannot be read."""
        try:
            return self.document(schema, source).operation(name)
        except GraphQLError:
            return None

    def _document(self, schema: GraphQLSchema, source: str) -> "Document":
        return Document(schema, source, self._weights, self._alone)


class Document:
    """A document, and what is known of it once somebody asked. Raises GraphQLError where it cannot be read."""

    def __init__(self, schema: GraphQLSchema, source: str, weights: Weights, alone: frozenset[str]) -> None:
        self.parsed = parse(source, **_PARSING)
        self._schema = schema
        self._weights = weights
        self._alone = alone
        definitions = self.parsed.definitions
        self._operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
        self._fragments = {each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)}
        self._costs: dict[str | None, OperationCost] = {}

    @property
    def has_several(self) -> bool:
        return len(self._operations) > 1

    @cached_property
    def errors(self) -> Sequence[GraphQLError]:
        """What is wrong with it whatever its variables. Its depth comes first: that bounds the work of the rules."""
        try:
            depth = _Depths(self._fragments).deepest(self._operations)
        except _TooManySpreadsError:
            return [GraphQLError(f"Fragments may spread others {_MOST_SPREADS_IN_A_ROW} deep at most.")]
        if depth > MOST_DEPTH:
            return [GraphQLError(f"The document is {depth} fields deep; {MOST_DEPTH} is the most.")]
        return validate(self._schema, self.parsed, _RULES, max_errors=MOST_ERRORS)

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation of this name, or the only one."""
        named = [each for each in self._operations if name is None or (each.name and each.name.value == name)]
        return named[0] if len(named) == 1 else None

    def cost(self, operation: OperationDefinitionNode, variables: Mapping[str, object]) -> int:
        """What an operation of this document, which must be without errors, costs with these variables."""
        name = operation.name.value if operation.name else None
        if name not in self._costs:
            self._costs[name] = OperationCost(self._schema, self._weights, operation, self._fragments)
        return self._costs[name].with_variables(variables)

    def too_many_alone(self, operation: OperationDefinitionNode) -> Sequence[str]:
        """The names in the answer of the mutations that would have to stand alone, where they are several."""
        if operation.operation is not OperationType.MUTATION:
            return ()
        found: dict[str, None] = {}
        left, seen = [operation.selection_set], set[str]()
        while left:
            for node in left.pop().selections:
                if isinstance(node, FieldNode):
                    if node.name.value in self._alone:
                        found[(node.alias or node.name).value] = None
                elif isinstance(node, InlineFragmentNode):
                    left.append(node.selection_set)
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                    seen.add(node.name.value)
                    left.append(self._fragments[node.name.value].selection_set)
        return tuple(found) if len(found) > 1 else ()


class _FieldsCanBeMerged(OverlappingFieldsCanBeMergedRule):
    """graphql-core's rule, which takes time quadratic in the repetitions of a field, with a budget of our own."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = MOST_COMPARISONS

    def enter_selection_set(self, *arguments: Any) -> None:
        try:
            super().enter_selection_set(*arguments)
        except ValidationAbortedError as error:
            if self.rule_context.remaining_complexity_budget < 0:
                raise ValidationAbortedError("The document asks for the same fields too often.") from error
            raise


_RULES = (
    *(each for each in specified_rules if each is not OverlappingFieldsCanBeMergedRule),
    MaxIntrospectionDepthRule,
    _FieldsCanBeMerged,
)


class _TooManySpreadsError(Exception):
    pass


class _Depths:
    """How many fields deep selections are, each fragment looked at once."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, int] = {}

    def deepest(self, operations: Sequence[OperationDefinitionNode]) -> int:
        return max((self._of(operation.selection_set, 0) for operation in operations), default=0)

    def _of(self, selection: SelectionSetNode, spreads: int) -> int:
        deepest = 0
        for node in selection.selections:
            depth = 1
            if isinstance(node, FragmentSpreadNode):
                depth = self._of_fragment(node.name.value, spreads + 1)
            elif isinstance(node, InlineFragmentNode):
                depth = self._of(node.selection_set, spreads)
            # Introspection nests deeper than data does, and has a rule of its own.
            elif isinstance(node, FieldNode) and node.selection_set and node.name.value not in {"__schema", "__type"}:
                depth += self._of(node.selection_set, spreads)
            deepest = max(deepest, depth)
        return deepest

    def _of_fragment(self, name: str, spreads: int) -> int:
        if spreads > _MOST_SPREADS_IN_A_ROW:
            raise _TooManySpreadsError
        if name not in self._known:
            # A fragment inside itself counts as nothing: validation refuses it.
            self._known[name] = 0
            if definition := self._fragments.get(name):
                self._known[name] = self._of(definition.selection_set, spreads)
        return self._known[name]
