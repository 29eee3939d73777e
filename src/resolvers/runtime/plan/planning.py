"""Plans: what of an operation can be known before it is asked for, kept with the latest documents.

A plan is made of what graphql-core knows of an operation, and of the values of those variables alone that include or
skip something. What it does not know, such as directives of other kinds, it leaves to graphql-core.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from graphql.execution.collect_fields import FragmentDetails, collect_fields
from strawberry.schema.schema_converter import GraphQLCoreConverter

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)
from resolvers.runtime.plan.fields import Selection
from resolvers.runtime.plan.inputs import Conversions
from resolvers.runtime.plan.running import Run

_PLANS: Final = 400
"""Operations whose plans are kept: the documents that are kept have about as many."""

_MOST_VARIANTS: Final = 16
"""Of one operation, by the values of the variables that include or skip something."""

_CONDITIONS: Final = frozenset({"include", "skip"})


class Plans:
    """The plans of the latest operations."""

    def __init__(self) -> None:
        self._conversions: Conversions | None = None
        self._plans: OrderedDict[int, Plan] = OrderedDict()

    def of(self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDetails]) -> "Plan":
        # By identity: graphql-core hashes a node by walking through all of it. The plan keeps its operation alive.
        plan = self._plans.get(id(operation))
        if plan is None:
            plan = self._plans[id(operation)] = Plan(operation, fragments)
            if len(self._plans) > _PLANS:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(id(operation))
        return plan

    def conversions(self, converter: GraphQLCoreConverter) -> Conversions:
        """Those that all plans of the schema share."""
        if self._conversions is None:
            self._conversions = Conversions(converter)
        return self._conversions


class Plan:
    """The plan of one operation, in as many variants as its variables ask for."""

    def __init__(self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDetails]) -> None:
        self._operation = operation
        self._conditions = _conditions(operation, fragments)
        self._roots: dict[tuple[Any, ...], Selection | None] = {}

    def root(self, run: Run, conversions: Conversions) -> Selection | None:
        """The root fields of the operation that is run; None where graphql-core has to execute it."""
        if self._conditions is None:
            return None
        coerced = run.executor.variable_values.coerced
        values = tuple([coerced.get(name) for name in self._conditions])
        if not all(isinstance(value, bool) for value in values):
            return None
        if values not in self._roots:
            if len(self._roots) >= _MOST_VARIANTS:
                self._roots.clear()
            self._roots[values] = self._planned(run, conversions)
        return self._roots[values]

    def _planned(self, run: Run, conversions: Conversions) -> Selection | None:
        executor = run.executor
        root = executor.schema.get_root_type(self._operation.operation)
        if root is None:
            return None
        collected = collect_fields(
            executor.schema,
            executor.fragments,
            executor.variable_values,
            root,
            self._operation,
            executor.hide_suggestions,
        )
        return Selection(collected.grouped_field_set, root, run, conversions)


def _conditions(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDetails]) -> tuple[str, ...] | None:
    """The variables that include or skip something; None where there is what plans do not know."""
    if operation.directives or any(each.variable_signatures for each in fragments.values()):
        return None
    found: dict[str, None] = {}
    for node in _selections(operation, fragments):
        if not isinstance(node, FieldNode | InlineFragmentNode | FragmentSpreadNode):
            return None
        for directive in node.directives or ():
            if directive.name.value not in _CONDITIONS:
                return None
            value = directive.arguments[0].value if directive.arguments else None
            if isinstance(value, VariableNode):
                found[value.name.value] = None
            elif not isinstance(value, BooleanValueNode):
                return None
    return tuple(found)


def _selections(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDetails]) -> Iterator[Node]:
    """All that an operation selects, each fragment once."""
    seen: set[str] = set()
    left: list[SelectionSetNode] = [operation.selection_set]
    while left:
        for node in left.pop().selections:
            yield node
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in fragments and name not in seen:
                    seen.add(name)
                    left.append(fragments[name].definition.selection_set)
            elif isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
                left.append(node.selection_set)
