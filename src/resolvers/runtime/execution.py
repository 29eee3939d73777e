"""A schema as this API executes it: its limits, its answers to failures, and mutations that nothing cuts short."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import strawberry
import structlog
from strawberry.extensions import FieldExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.schema_directives import OneOf
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.base import StrawberryObjectDefinition, get_object_definition
from strawberry.types.graphql import OperationType

from graphql import GraphQLError, GraphQLInputObjectType, GraphQLOneOfDirective
from resolvers.runtime.context import Context
from resolvers.runtime.descriptions import DESCRIPTIONS, describe
from resolvers.runtime.document_cost import Weight
from resolvers.runtime.document_limits import DocumentCache, Documents
from resolvers.runtime.error_masking import told
from resolvers.runtime.errors import HANDLERS
from resolvers.runtime.language import DEFAULT_LANGUAGE
from resolvers.runtime.plan.execution import PlannedExecution
from resolvers.runtime.plan.planning import Plans
from resolvers.runtime.scalars import SCALARS
from services.core.pacing import Pacer
from services.core.sent import Sent
from services.core.texts import text

MOST_SECONDS: Final = 30.0
"""For which a query or mutation is waited for, and an answer to it made."""

TIMED_OUT: Final = "TIMED_OUT"

_NO_WEIGHTS: Final[Mapping[str, Weight]] = MappingProxyType({})
_log = structlog.get_logger()

# The SDL has Strawberry's own @oneOf, which does not say what it means.
vars(OneOf)["__strawberry_directive__"].description = GraphQLOneOfDirective.description


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
    """Strawberry's schema, with errors turned into what clients may see wherever they come up.

    A query or mutation that is not answered in ``most_seconds`` is given up; what a mutation has begun goes to its end.
    """

    documents: DocumentCache
    plans: Plans
    is_planned: bool = True
    """Whether operations are executed by their plans where they have one, or all of them by graphql-core."""
    pacer: Pacer
    most_seconds: float

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        # What was sent is known to whoever logs meanwhile, so that none of it is written.
        with structlog.contextvars.bound_contextvars(sent=Sent(variable_values, query)):
            try:
                async with asyncio.timeout(self.most_seconds):
                    return await super().execute(
                        query,
                        variable_values,
                        context_value,
                        root_value,
                        operation_name,
                        allowed_operation_types,
                        operation_extensions,
                    )
            except TimeoutError:
                return self._timed_out(context_value)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        context = execution_context.context if execution_context else None
        document = execution_context.graphql_document if execution_context else None
        language = context.language if isinstance(context, Context) else DEFAULT_LANGUAGE
        # The list is the result's own: changed in place, it reaches every transport.
        errors[:] = told(errors, document, language)

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
        results = await super().stream(
            query,
            variable_values,
            context,
            root_value,
            operation_name,
            operation_extensions,
            allowed_operation_types,
        )
        operation = self.documents.operation(self._schema, query or "", operation_name)
        lasts = operation is not None and operation.operation.value == "subscription"
        return results if lasts else self._in_time(results, context)

    async def _in_time(self, results: AsyncGenerator[Any, None], context: object) -> AsyncGenerator[Any, None]:
        async with aclosing(results):
            while True:
                try:
                    async with asyncio.timeout(self.most_seconds):
                        result = await anext(results)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    yield self._timed_out(context)
                    return
                yield result

    def _timed_out(self, context: object) -> ExecutionResult:
        language = context.language if isinstance(context, Context) else DEFAULT_LANGUAGE
        _log.warning("an operation took too long", seconds=self.most_seconds)
        said = text("timed_out", seconds=round(self.most_seconds)).in_language(language)
        return ExecutionResult(data=None, errors=[GraphQLError(said, extensions={"code": TIMED_OUT})])


def build_schema(
    query: type,
    mutation: type | None = None,
    subscription: type | None = None,
    types: Iterable[type] = (),
    *,
    weights: Mapping[str, Weight] = _NO_WEIGHTS,
    alone: Collection[str] = (),
    most_seconds: float = MOST_SECONDS,
) -> Schema:
    """The executable schema of these root types. ``types`` are those that only an interface leads to.

    ``weights`` are those of inputs, by their coordinates; of the mutations that stand ``alone`` an operation has one.
    """
    if mutation is not None:
        _let_finish(mutation)
    documents = DocumentCache(weights, alone)
    schema = Schema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        types=types,
        extensions=[partial(Documents, documents)],
        execution_context_class=PlannedExecution,
        exception_handlers=HANDLERS,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    schema.documents, schema.plans = documents, Plans()
    schema.pacer, schema.most_seconds = Pacer(), most_seconds
    _say_one_of(schema)
    describe(schema._schema, DESCRIPTIONS)
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
