"""A schema as this API executes it: its limits, its answers to failures, and mutations that nothing cuts short."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any

import strawberry
import structlog
from strawberry.extensions import FieldExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import ExecutionContext
from strawberry.types.base import StrawberryObjectDefinition, get_object_definition
from strawberry.types.graphql import OperationType

from graphql import GraphQLError, GraphQLInputObjectType
from resolvers.runtime.context import Context
from resolvers.runtime.document_limits import Documents
from resolvers.runtime.error_masking import told
from resolvers.runtime.errors import HANDLERS
from resolvers.runtime.language import DEFAULT_LANGUAGE
from resolvers.runtime.scalars import SCALARS
from services.core.sent import Sent

_log = structlog.get_logger()


class Uninterrupted(FieldExtension):
    """Lets a mutation finish whatever happens to the request: a lost connection must not leave an effect half told."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        task = asyncio.ensure_future(next_(source, info, **kwargs))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a mutation failed after its client had left", exc_info=error)


class Schema(strawberry.Schema):
    """Strawberry's schema, with errors turned into what clients may see wherever they come up."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        context = execution_context.context if execution_context else None
        document = execution_context.graphql_document if execution_context else None
        language = context.language if isinstance(context, Context) else DEFAULT_LANGUAGE
        # The list is the result's own: changed in place, it reaches every transport.
        errors[:] = told(errors, document, language)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> Any:
        """What was sent is known to whoever logs meanwhile, so that none of it is written."""
        with structlog.contextvars.bound_contextvars(sent=Sent(variable_values, query)):
            return await super().execute(
                query,
                variable_values,
                context_value,
                root_value,
                operation_name,
                allowed_operation_types,
                operation_extensions,
            )

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> AsyncGenerator[Any, None]:
        """A connection has one context, its operations are asked at different times and by their own loaders."""
        context = context_value.fresh() if isinstance(context_value, Context) else context_value
        # For good: the task is this operation's own.
        structlog.contextvars.bind_contextvars(sent=Sent(variable_values, query))
        return await super().stream(
            query,
            variable_values,
            context,
            root_value,
            operation_name,
            operation_extensions,
            allowed_operation_types,
        )


def build_schema(
    query: type, mutation: type | None = None, subscription: type | None = None, types: Iterable[type] = ()
) -> Schema:
    """The executable schema of these root types. ``types`` are those that only an interface leads to."""
    if mutation is not None:
        _let_finish(mutation)
    schema = Schema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        types=types,
        extensions=[Documents],
        exception_handlers=HANDLERS,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    _say_one_of(schema)
    return schema


def _say_one_of(schema: Schema) -> None:
    """Lets graphql-core itself see to @oneOf: Strawberry's own check knows no path, and introspection says nothing."""
    for each in schema._schema.type_map.values():
        if isinstance(each, GraphQLInputObjectType):
            definition = each.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
            each.is_one_of = isinstance(definition, StrawberryObjectDefinition) and definition.is_one_of


def _let_finish(mutation: type) -> None:
    definition = get_object_definition(mutation, strict=True)
    for field in definition.fields:
        if not any(isinstance(extension, Uninterrupted) for extension in field.extensions):
            field.extensions.append(Uninterrupted())
