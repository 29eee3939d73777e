"""The arguments of a field, as its document and the variables of an operation give them."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from graphql.execution.values import VariableValues, get_argument_values

from graphql import FieldNode, GraphQLError, GraphQLField, VariableNode, is_non_null_type
from resolvers.runtime.slices import SlicedExecution

Arguments = Callable[[SlicedExecution], dict[str, Any]]
"""Makes those of one operation. Raises GraphQLError where they are at fault."""

_NO_VARIABLES: Final = VariableValues({}, {})
_UNCHANGING: Final = (str, int, float, Decimal, date, timedelta, UUID, Enum, type(None))


def arguments(definition: GraphQLField, node: FieldNode) -> Arguments:
    """How a field's arguments are made: those that the document alone decides are made here."""
    if not definition.args:
        return _none
    if not any(_has_variable(argument.value) for argument in node.arguments or ()):
        return _constant(definition, node)
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    from_variables = []
    for name, argument in definition.args.items():
        value = given.get(name)
        if not isinstance(value, VariableNode):
            return _coerced(definition, node)
        from_variables.append((argument.out_name or name, value.name.value, is_non_null_type(argument.type)))
    return _from_variables(from_variables, _coerced(definition, node))


def _none(_: SlicedExecution) -> dict[str, Any]:
    return {}


def _coerced(definition: GraphQLField, node: FieldNode) -> Arguments:
    """As graphql-core makes them, each time."""

    def made(executor: SlicedExecution) -> dict[str, Any]:
        return get_argument_values(definition, node, executor.variable_values, None, executor.hide_suggestions)

    return made


def _constant(definition: GraphQLField, node: FieldNode) -> Arguments:
    try:
        values = get_argument_values(definition, node, _NO_VARIABLES)
    except GraphQLError:
        return _coerced(definition, node)
    # What a resolver could change is made for each operation.
    if not all(isinstance(value, _UNCHANGING) for value in values.values()):
        return _coerced(definition, node)
    return lambda _: values


def _from_variables(of: list[tuple[str, str, bool]], otherwise: Arguments) -> Arguments:
    """Variables as they were coerced, where each has a value that may stand there."""

    def made(executor: SlicedExecution) -> dict[str, Any]:
        coerced = executor.variable_values.coerced
        values = {}
        for name, variable, is_required in of:
            value = coerced.get(variable)
            if value is None and (is_required or variable not in coerced):
                return otherwise(executor)
            values[name] = value
        return values

    return made


def _has_variable(node: Any) -> bool:
    if isinstance(node, VariableNode):
        return True
    inner = getattr(node, "values", None) or [field.value for field in getattr(node, "fields", None) or ()]
    return any(map(_has_variable, inner))
