"""Subscriptions executed once for all who ask alike: the same document, variables, language and rights.

Ten thousand watchers of fifty offers cost fifty executions a change. What is sent to each is up to the transport.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

import orjson
import structlog
from strawberry.types import ExecutionResult

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, OperationType
from resolvers.runtime.context import Context
from resolvers.runtime.error_masking import INTERNAL, UNAVAILABLE, codes, masked, told
from resolvers.runtime.execution import Schema
from resolvers.transport.reauthentication import Reauthentication
from resolvers.transport.requests import Operation, encoded
from services.core.errors import Unauthenticated
from services.core.texts import Language
from services.core.viewer import Viewer

SHARED: Final = frozenset({"redemptionCounts"})
"""Subscriptions whose resolver feeds those who share it (``resolvers.runtime.context.Feed``)."""

_AT_A_STRETCH: Final = 500
_AFTER_FAILURE: Final = 1.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Message:
    """The newest of ``subject``, as JSON; one that came with a fault may be followed by another of its version."""

    subject: UUID
    version: int
    reading: int
    body: bytes
    faulty: bool


class Subscriber(ABC):
    """A client that shares an execution. A slow one keeps nobody waiting: of each subject it holds the newest only."""

    __slots__ = ("_waiting", "since")

    def __init__(self) -> None:
        self.since: int | None = 0
        """The first reading that is new enough, because it was made after this client had come; None: not known yet."""
        self._waiting: dict[UUID, bytes] = {}

    def tell(self, subject: UUID, body: bytes) -> None:
        """Sends it, or keeps it in the place of what still waits of the subject."""
        if not self._push(body):
            self._waiting[subject] = body
            self._wait()

    def _next(self) -> bytes:
        return self._waiting.pop(next(iter(self._waiting)))

    @abstractmethod
    def end(self, result: bytes | None) -> None:
        """Nothing more comes, but for a last result where there is one."""

    @abstractmethod
    def _push(self, body: bytes) -> bool:
        """Sends it at once, where that is possible and nothing waits."""

    @abstractmethod
    def _wait(self) -> None:
        """Sees to it that what waits is sent, one ``_next`` after the other, as fast as the client reads."""


class Subscriptions:
    """The subscriptions of one process: equal ones of viewers with the same rights share one execution."""

    def __init__(self, schema: Schema) -> None:
        self.reauthentication = Reauthentication()
        self._schema = schema
        self._groups: dict[_Key, _Group] = {}

    def kind_of(self, operation: Operation) -> OperationType | None:
        """None where the document cannot be read, or does not say which of its operations is meant."""
        definition = self._definition(operation)
        return None if definition is None else definition.operation

    async def join(self, operation: Operation, context: Context, subscriber: Subscriber) -> Callable[[], None] | None:
        """Tells ``subscriber`` the whole truth at once, then each change; returns how to leave.

        None where the operation is not one to share, or whoever asks is refused: its own execution says why.
        """
        definition = self._definition(operation)
        if definition is None or not _is_shared(definition):
            return None
        try:
            variables = orjson.dumps(operation.variables or {}, option=orjson.OPT_SORT_KEYS)
            viewer = await context.viewer()
        except Exception:  # noqa: BLE001 - whatever it is, it comes up again
            return None
        rights = replace(viewer, actor="", catalogue_version=None)
        key = _Key(operation.query, variables, operation.name, context.language, rights)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key, self._schema, operation, context.shared_by(rights))
            group.task.add_done_callback(partial(self._forget, group))
        group.join(subscriber)
        return partial(self._leave, group, subscriber)

    def _leave(self, group: "_Group", subscriber: Subscriber) -> None:
        if group.leave(subscriber):
            group.task.cancel()
            self._forget(group)

    def _forget(self, group: "_Group", _: object = None) -> None:
        if self._groups.get(group.key) is group:
            del self._groups[group.key]

    def _definition(self, operation: Operation) -> OperationDefinitionNode | None:
        return self._schema.documents.operation(self._schema._schema, operation.query, operation.name)


class _Key(NamedTuple):
    query: str
    variables: bytes
    name: str | None
    language: Language
    rights: Viewer


class _Group:
    """One execution, and who shares it."""

    def __init__(self, key: _Key, schema: Schema, operation: Operation, context: Context) -> None:
        self.key = key
        self._schema = schema
        self._operation = operation
        self._context = context
        self._members: dict[Subscriber, None] = {}
        self._late: list[Subscriber] = []
        # Of each subject, the newest version told, and the last reading of it: who wants no later one has had it.
        self._told: dict[UUID, tuple[int, int]] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self.task = asyncio.create_task(self._run())

    def join(self, subscriber: Subscriber) -> None:
        """Who comes late has everything come once more, and takes only what was read after that."""
        self._members[subscriber] = None
        if self._context.feed.refresh is not None:
            subscriber.since = None
            self._late.append(subscriber)
            self._refresh()

    def leave(self, subscriber: Subscriber) -> bool:
        """Takes a subscriber away; whether that was the last of its execution."""
        self._members.pop(subscriber, None)
        return not self._members

    async def _run(self) -> None:
        last = None
        try:
            last = await self._tell_results()
        except Exception as error:  # noqa: BLE001 - clients are told that it is over, and ask again
            last = failed(error, self._context.language)
        finally:
            if self._refreshing is not None:
                self._refreshing.cancel()
        for member in tuple(self._members):
            member.end(last)

    async def _tell_results(self) -> bytes | None:
        """The result without data that ended it, if one did."""
        operation, feed = self._operation, self._context.feed
        results = await self._schema.stream(
            operation.query, operation.variables, context_value=self._context, operation_name=operation.name
        )
        async with aclosing(results):
            async for result in results:
                if result.data is None or feed.subject is None:
                    return result_body(result)
                faulty = not codes(result.errors).isdisjoint({INTERNAL, UNAVAILABLE})
                await self._tell(Message(feed.subject, feed.version, feed.reading, result_body(result), faulty))
                if faulty:
                    asyncio.get_running_loop().call_later(_AFTER_FAILURE, self._refresh)
        return None

    async def _tell(self, message: Message) -> None:
        """Passes on what is newer than all before, or what was read after a client had come."""
        subject, reading, body = message.subject, message.reading, message.body
        version, told = self._told.get(subject, (-1, -1))
        if message.version < version:
            return
        if message.version > version:
            told = -1
        members = self._members
        for place, member in enumerate(tuple(members), 1):
            since = member.since
            if since is not None and told < since <= reading and member in members:
                member.tell(subject, body)
            if place % _AT_A_STRETCH == 0:
                await asyncio.sleep(0)
        if not message.faulty:
            self._told[subject] = message.version, reading

    def _refresh(self) -> None:
        if not self.task.done() and (self._refreshing is None or self._refreshing.done()):
            self._refreshing = asyncio.create_task(self._refresh_for_late())

    async def _refresh_for_late(self) -> None:
        """Once for all who came while the one before was under way."""
        refresh = self._context.feed.refresh
        while refresh is not None:
            late, self._late = self._late, []
            try:
                since = await refresh()
            except Exception as error:  # noqa: BLE001 - they wait until it succeeds
                _log.warning("counts could not be read for a new watcher", reason=error)
                self._late = late + self._late
                await asyncio.sleep(_AFTER_FAILURE)
                continue
            for member in late:
                member.since = since
            if not self._late:
                return


def result_body(result: ExecutionResult) -> bytes:
    """The result as JSON on one line."""
    answer: dict[str, object] = {"data": result.data}
    if result.errors:
        answer["errors"] = [error.formatted for error in result.errors]
    if result.extensions:
        answer["extensions"] = result.extensions
    return encoded(answer)


def failed(fault: Exception, language: Language) -> bytes:
    """The last result of an operation that a fault has ended."""
    said, extensions = masked(fault, language)
    return encoded({"data": None, "errors": [{"message": said, "extensions": extensions}]})


def refused(failure: Unauthenticated, language: Language) -> bytes:
    """The last result of a subscription whose credentials are no longer good."""
    errors = told([GraphQLError(str(failure), original_error=failure)], None, language)
    return encoded({"data": None, "errors": [error.formatted for error in errors]})


def _is_shared(definition: OperationDefinitionNode) -> bool:
    fields = definition.selection_set.selections
    return (
        definition.operation is OperationType.SUBSCRIPTION
        and len(fields) == 1
        and isinstance(fields[0], FieldNode)
        and fields[0].name.value in SHARED
    )
