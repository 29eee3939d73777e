"""Scalars and enums as they are written: what is already as it should be costs a look at its type."""

from collections.abc import Callable
from typing import Any, Final

from strawberry.schema.schema_converter import CustomGraphQLEnumType

from graphql import GraphQLBoolean, GraphQLID, GraphQLInt, GraphQLLeafType, GraphQLString
from resolvers.runtime.slices import SlicedExecution

Leaf = Callable[[SlicedExecution, Any], Any]
"""Writes a value that is not null; raises what graphql-core would."""

_AS_THEY_ARE: Final = {GraphQLString.name: str, GraphQLID.name: str, GraphQLBoolean.name: bool}
_MOST_INT: Final = 2**31


def as_it_is(of: GraphQLLeafType) -> type | None:
    """The class of which every value is written as it is."""
    return _AS_THEY_ARE.get(of.name)


def leaf(of: GraphQLLeafType) -> Leaf:
    """How values of a scalar or an enum are written."""
    if of.name == GraphQLInt.name:
        return _int(of)
    if isinstance(of, CustomGraphQLEnumType):
        return _enum(of)
    plain = as_it_is(of)

    def written(executor: SlicedExecution, value: Any) -> Any:
        return value if type(value) is plain else executor.complete_leaf_value(of, value)

    return written


def _int(of: GraphQLLeafType) -> Leaf:
    def written(executor: SlicedExecution, value: Any) -> Any:
        if type(value) is int and -_MOST_INT <= value < _MOST_INT:
            return value
        return executor.complete_leaf_value(of, value)

    return written


def _enum(of: CustomGraphQLEnumType) -> Leaf:
    kind: Any = of.wrapped_cls
    names = {member: of.coerce_output_value(member) for member in kind.__members__.values()}

    def written(executor: SlicedExecution, value: Any) -> Any:
        return names[value] if type(value) is kind else executor.complete_leaf_value(of, value)

    return written
