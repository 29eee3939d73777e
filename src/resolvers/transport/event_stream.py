"""Server-sent events: the "distinct connections" of the GraphQL over Server-Sent Events protocol, on their own path.

A POST as for every operation, or a GET with the operation in the address, is answered by a stream of the same results
as a WebSocket would bring. On the common path a stream would surprise clients that merely list ``text/event-stream``.
Lines end with LF alone: urql, for one, looks for two of them between events.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import ExitStack, aclosing, suppress
from http import HTTPStatus
from typing import Any, Final, TypeVar
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from graphql import OperationType as Kind
from resolvers.runtime.context import Context
from resolvers.transport.http import GraphQLApp
from resolvers.transport.requests import Operation, Refused, encoded, in_address, posted, refusal
from resolvers.transport.subscriptions import Subscriber, failed, refused, result_body
from resolvers.transport.work import Overloaded, overloaded, retry_after

HEARTBEAT: Final = 25.0
"""Seconds of silence after which a comment is sent, for proxies that cut what is silent for a minute or half of one."""

_COMMENT: Final = b":\n\n"
_COMPLETE: Final = b"event: complete\ndata:\n\n"
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
_ALONE: Final = UUID(int=0)
_BY_GET: Final = (OperationType.QUERY, OperationType.SUBSCRIPTION)

T = TypeVar("T")


class EventStreams:
    """An ASGI application that executes what ``app`` would, and answers with events."""

    def __init__(self, app: GraphQLApp) -> None:
        self._app = app
        self._running: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except Refused as refused_request:
            answer = refusal(request, refused_request, "GET", "POST")
        except ClientDisconnect:
            return
        with suppress(ClientDisconnect):
            await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        by_get = request.method == "GET"
        if not by_get and request.method != "POST":
            raise Refused("Send operations by POST or GET.", HTTPStatus.METHOD_NOT_ALLOWED)
        operation = in_address(request) if by_get else await posted(request)
        allowed = _BY_GET if by_get else tuple(OperationType)
        events = self._events(operation, self._app.context(request), allowed)
        return StreamingResponse(events, headers=_HEADERS, media_type="text/event-stream")

    async def _events(
        self, operation: Operation, context: Context, allowed: tuple[OperationType, ...]
    ) -> AsyncGenerator[bytes, None]:
        outbox = _Outbox()
        with ExitStack() as leaving:
            try:
                stay = leaving.enter_context(self._app.lasting.stay(context.address, anonymous=False))
                if self._app.subscriptions.kind_of(operation) is Kind.SUBSCRIPTION:
                    stay.go_away = outbox.go_away
                    await self._subscribe(outbox, operation, context, allowed, leaving)
                else:
                    leaving.callback(self._started(self._answer_once(outbox, operation, context, allowed)).cancel)
            except Overloaded:
                self._app.work.refused()
                outbox.end(_too_much(context))
            async for event in outbox.events():
                yield event

    async def _subscribe(
        self,
        outbox: "_Outbox",
        operation: Operation,
        context: Context,
        allowed: tuple[OperationType, ...],
        leaving: ExitStack,
    ) -> None:
        """Has the outbox filled until ``leaving`` ends that. Raises Overloaded."""
        subscriptions, work = self._app.subscriptions, self._app.work
        work.subscriptions.take()
        leaving.callback(work.subscriptions.leave)
        leaving.callback(
            subscriptions.reauthentication.over(context, lambda failure: outbox.end(refused(failure, context.language)))
        )
        async with work.beginning:
            leave = await subscriptions.join(operation, context, outbox)
        leaving.callback(leave or self._started(self._fill(outbox, operation, context, allowed)).cancel)

    async def _answer_once(
        self, outbox: "_Outbox", operation: Operation, context: Context, allowed: tuple[OperationType, ...]
    ) -> None:
        """Holds the place until it is done, although the client may have left: what it began goes on."""
        try:
            outbox.end(await asyncio.shield(self._started(self._answered(operation, context, allowed))))
        except Overloaded:
            self._app.work.refused()
            outbox.end(_too_much(context))
        except Exception as error:  # noqa: BLE001 - the stream says that it is over
            outbox.end(failed(error, context.language))

    async def _answered(
        self, operation: Operation, context: Context, allowed: tuple[OperationType, ...]
    ) -> bytes | None:
        last = None
        async with self._app.work.lane(self._app.subscriptions.kind_of(operation)).place():
            async for result in self._results(operation, context, allowed):
                last = result
        return last

    async def _fill(
        self, outbox: "_Outbox", operation: Operation, context: Context, allowed: tuple[OperationType, ...]
    ) -> None:
        """With the results of an execution of its own, each when the one before is on its way."""
        try:
            async with aclosing(self._results(operation, context, allowed)) as results:
                async for result in results:
                    await outbox.put(result)
        except Exception as error:  # noqa: BLE001 - the stream says that it is over
            outbox.end(failed(error, context.language))
        else:
            outbox.end(None)

    async def _results(
        self, operation: Operation, context: Context, allowed: tuple[OperationType, ...]
    ) -> AsyncGenerator[bytes, None]:
        results = await self._app.schema.stream(
            operation.query,
            operation.variables,
            context_value=context,
            operation_name=operation.name,
            allowed_operation_types=allowed,
        )
        async with aclosing(results):
            async for result in results:
                if isinstance(result, ExecutionResult):
                    yield result_body(result)

    def _started(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


class _Outbox(Subscriber):
    """What is to be sent next, taken by ``events`` as fast as the client reads."""

    __slots__ = ("_ended", "_is_cut", "_last", "_taken", "_wake")

    def __init__(self) -> None:
        super().__init__()
        self._ended = False
        self._is_cut = False
        self._last: bytes | None = None
        self._wake = asyncio.Event()
        self._taken = asyncio.Event()

    async def events(self) -> AsyncGenerator[bytes, None]:
        """As they stand in the stream, until the end."""
        while True:
            while self._waiting:
                yield _next_event(self._next())
            self._taken.set()
            if self._ended:
                if self._last is not None:
                    yield _next_event(self._last)
                if not self._is_cut:
                    yield _COMPLETE
                return
            self._wake.clear()
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self._wake.wait()
            except TimeoutError:
                yield _COMMENT

    async def put(self, result: bytes) -> None:
        """Hands over a result; returns once the client's stream has taken it."""
        self._waiting[_ALONE] = result
        self._taken.clear()
        self._wake.set()
        await self._taken.wait()

    def end(self, result: bytes | None) -> None:
        self._ended = True
        self._last = result
        self._wake.set()

    async def go_away(self, _code: int, _reason: str) -> None:
        """The stream ends without being complete, so that its client connects again."""
        self._is_cut = True
        self.end(None)

    def _push(self, body: bytes) -> bool:
        return False

    def _wait(self) -> None:
        self._wake.set()


def _too_much(context: Context) -> bytes:
    return encoded({"errors": [overloaded(context.language, retry_after())]})


def _next_event(result: bytes) -> bytes:
    return b"event: next\ndata: %b\n\n" % result
