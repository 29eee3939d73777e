"""What an operation costs, known before anything of it is executed: from its document and its variables.

One is a value to resolve or to read. A connection has as many nodes as ``first`` or ``last`` says, any other list ten.
What an operation asks of the database or of pricing weighs more: each root field, and the inputs that have a
``Weight``. Whatever a fragment costs, it costs at every spread; it is measured once.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from graphql.type import (
    GraphQLCompositeType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLOutputType,
)

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_list_type,
    is_non_null_type,
)
from resolvers.runtime.connections import DEFAULT_FIRST, MOST_FIRST, SIZES

MOST_COST: Final = 500_000
"""The most that one operation may cost: about two seconds of one processor, in slices."""

MOST_TOLD: Final = 10**12
"""What costs more than this is told to cost this: JSON has no larger numbers that every client can read."""

ROOT_FIELD: Final = 5_000
"""The cost of a root field beside its values: it asks the database."""

INTROSPECTION: Final = 50_000
"""The same of ``__schema``, which shows all there is, to anybody."""

_ROOT_FIELDS: Final = {"__schema": INTROSPECTION, "__typename": 0}
_UNKNOWN_FIELD: Final = 100
_LIST_SIZE: Final = 10
_INTROSPECTED_LIST_SIZE: Final = 3
_MOST_SIZES: Final = 16


class Weight(NamedTuple):
    """What an input costs beside its values: ``each`` of it, and each ``unit`` of a number, of which ``most`` count."""

    each: int = 0
    unit: int = 0
    most: int = 0


Weights = Mapping[str, Weight]
"""By coordinate in the schema: ``BasketLineInput``, ``BasketInput.codes``, ``Query.eligibleOffers(codes:)``."""


class _Use(NamedTuple):
    """Where a variable is put: its name, and what is awaited there."""

    variable: str
    type: GraphQLInputType
    weight: Weight


@dataclass(slots=True)
class _Tally:
    """A cost that is known but for the values of the variables, which count as often as they are used."""

    known: int = 0
    uses: dict[_Use, int] = field(default_factory=dict)

    def add(self, other: "_Tally", times: int = 1) -> None:
        self.known += other.known * times
        for use, count in other.uses.items():
            self.uses[use] = self.uses.get(use, 0) + count * times


class OperationCost:
    """What one operation of a valid document costs with any variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        weights: Weights,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> None:
        self._schema = schema
        self._inputs = _Inputs(weights)
        self._operation = operation
        self._fragments = fragments
        self._defaults = {each.variable.name.value: each for each in operation.variable_definitions or ()}
        self._pages = _page_variables([operation, *fragments.values()])
        self._tallies: dict[tuple[int, ...], _Tally] = {}

    def with_variables(self, variables: Mapping[str, object]) -> int:
        """The cost, ``MOST_TOLD`` where it is more; takes time linear in the variables once the document is known."""
        sizes = tuple([self._page_size(name, variables) for name in self._pages])
        tally = self._tallies.get(sizes)
        if tally is None:
            if len(self._tallies) >= _MOST_SIZES:
                self._tallies.clear()
            tally = self._tallies[sizes] = self._measured(dict(zip(self._pages, sizes, strict=True)))
        cost = tally.known + sum(count * self._worth(use, variables) for use, count in tally.uses.items())
        return min(cost, MOST_TOLD)

    def _measured(self, page_sizes: Mapping[str, int]) -> _Tally:
        root = self._schema.get_root_type(self._operation.operation)
        return _Ruler(self._schema, self._inputs, self._fragments, page_sizes, root).selection(
            self._operation.selection_set, root
        )

    def _worth(self, use: _Use, variables: Mapping[str, object]) -> int:
        if use.variable in variables:
            return self._inputs.value(variables[use.variable], use.type, use.weight)
        definition = self._defaults.get(use.variable)
        default = definition.default_value if definition else None
        return 0 if default is None else self._inputs.literal(default, use.type, use.weight).known

    def _page_size(self, name: str, variables: Mapping[str, object]) -> int:
        """What the variable says of a page's size; 0 where it says nothing."""
        if name in variables:
            return _within_page(variables[name])
        definition = self._defaults.get(name)
        return _within_page(_number(definition.default_value) if definition else None)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What inputs cost, written into the document or sent as variables; what does not fit its type is refused later."""

    weights: Weights

    def of(self, coordinate: str) -> Weight:
        return self.weights.get(coordinate, Weight())

    def value(self, value: object, of_type: GraphQLInputType, weight: Weight) -> int:
        of_type = _nullable(of_type)
        if isinstance(of_type, GraphQLList):
            items = value if isinstance(value, list) else [value]
            return sum([self.value(item, of_type.of_type, weight) for item in items])
        if isinstance(of_type, GraphQLInputObjectType) and isinstance(value, dict):
            cost = 1 + weight.each + self.of(of_type.name).each
            for name, inner in value.items():
                known = of_type.fields.get(name)
                weight_of_field = self.of(f"{of_type.name}.{name}")
                cost += self.value(inner, known.type, weight_of_field) if known else _UNKNOWN_FIELD
            return cost
        return 1 + weight.each + _units(value, weight)

    def literal(self, node: ValueNode, of_type: GraphQLInputType, weight: Weight) -> _Tally:
        if isinstance(node, VariableNode):
            return _Tally(0, {_Use(node.name.value, of_type, weight): 1})
        of_type = _nullable(of_type)
        tally = _Tally()
        if isinstance(of_type, GraphQLList):
            for item in node.values if isinstance(node, ListValueNode) else (node,):
                tally.add(self.literal(item, of_type.of_type, weight))
        elif isinstance(of_type, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
            tally.known = 1 + weight.each + self.of(of_type.name).each
            for each in node.fields:
                name = each.name.value
                inner, weight_of_field = of_type.fields[name].type, self.of(f"{of_type.name}.{name}")
                tally.add(self.literal(each.value, inner, weight_of_field))
        else:
            tally.known = 1 + weight.each + _units(_number(node), weight)
        return tally


class _Ruler:
    """Measures selections for pages of these sizes."""

    def __init__(
        self,
        schema: GraphQLSchema,
        inputs: _Inputs,
        fragments: Mapping[str, FragmentDefinitionNode],
        page_sizes: Mapping[str, int],
        root: GraphQLCompositeType | None,
    ) -> None:
        self._schema = schema
        self._inputs = inputs
        self._fragments = fragments
        self._page_sizes = page_sizes
        self._root = root
        self._measured: dict[str, _Tally] = {}

    def selection(self, selection: SelectionSetNode, parent: GraphQLCompositeType | None) -> _Tally:
        tally = _Tally()
        for node in selection.selections:
            if isinstance(node, FieldNode):
                tally.add(self._field(node, parent))
            elif isinstance(node, FragmentSpreadNode):
                tally.add(self._fragment(node.name.value))
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = self._type_named(condition.name.value) if condition else parent
                tally.add(self.selection(node.selection_set, inner))
        return tally

    def _field(self, node: FieldNode, parent: GraphQLCompositeType | None) -> _Tally:
        definition = self._schema.get_field(parent, node.name.value) if parent else None
        if definition is None or parent is None:
            return _Tally(1)
        tally = _Tally(1 + (_ROOT_FIELDS.get(node.name.value, ROOT_FIELD) if parent is self._root else 0))
        for each in node.arguments or ():
            name = each.name.value
            weight = self._inputs.of(f"{parent.name}.{node.name.value}({name}:)")
            tally.add(self._inputs.literal(each.value, definition.args[name].type, weight))
        if node.selection_set is not None:
            inner = get_named_type(definition.type)
            below = self.selection(node.selection_set, inner if is_composite_type(inner) else None)
            tally.add(below, self._size(node, definition, parent))
        return tally

    def _fragment(self, name: str) -> _Tally:
        if name not in self._measured:
            definition = self._fragments[name]
            on = self._type_named(definition.type_condition.name.value)
            self._measured[name] = self.selection(definition.selection_set, on)
        return self._measured[name]

    def _type_named(self, name: str) -> GraphQLCompositeType | None:
        found = self._schema.get_type(name)
        return found if is_composite_type(found) else None

    def _size(self, node: FieldNode, definition: GraphQLField, parent: GraphQLCompositeType) -> int:
        """How many objects the field has: a page's size counts at the connection, so that its edges count once."""
        if "first" in definition.args:
            values = [each.value for each in node.arguments or () if each.name.value in SIZES]
            return max(map(self._page_size, values), default=0) or DEFAULT_FIRST
        if not _is_list(definition.type) or node.name.value == "edges":
            return 1
        if parent.name.startswith("__"):
            return len(self._schema.type_map) if node.name.value == "types" else _INTROSPECTED_LIST_SIZE
        return _LIST_SIZE

    def _page_size(self, value: ValueNode) -> int:
        if isinstance(value, VariableNode):
            return self._page_sizes[value.name.value]
        return _within_page(_number(value))


def _page_variables(definitions: Iterable[OperationDefinitionNode | FragmentDefinitionNode]) -> tuple[str, ...]:
    """The variables that say how large pages are."""
    found = {
        argument.value.name.value
        for definition in definitions
        for node in _fields(definition.selection_set)
        for argument in node.arguments or ()
        if argument.name.value in SIZES and isinstance(argument.value, VariableNode)
    }
    return tuple(sorted(found))


def _fields(selection: SelectionSetNode) -> Iterator[FieldNode]:
    left = [selection]
    while left:
        for node in left.pop().selections:
            if isinstance(node, FieldNode):
                yield node
            if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
                left.append(node.selection_set)


def _nullable(of_type: GraphQLInputType) -> GraphQLInputType:
    return of_type.of_type if isinstance(of_type, GraphQLNonNull) else of_type


def _units(value: object, weight: Weight) -> int:
    return weight.unit * max(0, min(value, weight.most)) if weight.unit and isinstance(value, int) else 0


def _number(literal: ValueNode | None) -> int | None:
    # No number that counts has more than ten digits, and Python refuses to read very long ones.
    return int(literal.value[:10]) if isinstance(literal, IntValueNode) else None


def _within_page(size: object) -> int:
    return max(1, min(size, MOST_FIRST)) if isinstance(size, int) else 0


def _is_list(of: GraphQLOutputType) -> bool:
    return is_list_type(of.of_type if is_non_null_type(of) else of)
