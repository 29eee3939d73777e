"""What resolvers are told of where they are called: put together where one of them asks, for each call anew."""

from typing import Any

from graphql.pyutils import Path

from graphql import FieldNode, GraphQLObjectType, GraphQLOutputType, GraphQLSchema, OperationDefinitionNode
from resolvers.runtime.plan.asked import AskedField
from resolvers.runtime.plan.places import Place
from resolvers.runtime.plan.running import Run


class PlannedInfo:
    """Says all that graphql-core's ``GraphQLResolveInfo`` says, under the same names."""

    __slots__ = ("_field", "_place", "_run")

    def __init__(self, run: Run, field: AskedField, place: Place) -> None:
        self._run = run
        self._field = field
        self._place = place

    @property
    def field_name(self) -> str:
        return self._field.name

    @property
    def field_nodes(self) -> list[FieldNode]:
        return list(self._field.nodes)

    @property
    def return_type(self) -> GraphQLOutputType:
        return self._field.definition.type

    @property
    def parent_type(self) -> GraphQLObjectType:
        return self._field.parent

    @property
    def path(self) -> Path:
        return self._place.path()

    @property
    def schema(self) -> GraphQLSchema:
        return self._run.executor.schema

    @property
    def fragments(self) -> dict[str, Any]:
        return self._run.executor.fragment_definitions

    @property
    def root_value(self) -> Any:
        return self._run.executor.root_value

    @property
    def operation(self) -> OperationDefinitionNode:
        return self._run.executor.operation

    @property
    def variable_values(self) -> dict[str, Any]:
        return self._run.executor.variable_values.coerced

    @property
    def context(self) -> Any:
        return self._run.executor.context_value

    @property
    def is_awaitable(self) -> Any:
        return self._run.executor.is_awaitable

    @property
    def abort_signal(self) -> None:
        return None

    @property
    def async_helpers(self) -> Any:
        return self._run.executor.async_helpers

    @property
    def operation_extensions(self) -> Any:
        return self._run.executor.operation_extensions
