"""The graphql-transport-ws protocol over a WebSocket, where whatever breaks it closes the connection with 4400."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from json import JSONDecodeError
from typing import Any, Final, TypeGuard, cast

import orjson
import structlog
from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import Operation as WebSocketOperation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ErrorMessage, Message, SubscribeMessage

from graphql import GraphQLFormattedError, OperationType
from resolvers.runtime.context import Context
from resolvers.runtime.error_masking import UNAUTHENTICATED
from resolvers.transport.lasting import Lasting, Stay
from resolvers.transport.requests import Operation
from resolvers.transport.subscriptions import Subscriber, Subscriptions, refused
from resolvers.transport.work import Lane, Overloaded, Work, overloaded, retry_after
from services.core.errors import Unauthenticated

STAY: Final = "sesame.stay"
"""A connection's extension that holds its ``resolvers.transport.lasting.Stay``."""

PUSH: Final = "sesame.push"
"""A connection's extension by which the server offers ``send``.

It sends a text message, given as a JSON object without the last brace in two parts, at once; or returns False.
"""

MOST_OPERATIONS_AT_ONCE: Final = 100
"""Of one connection."""

FORBIDDEN: Final = 4403
"""How the protocol closes a connection whose credentials do not hold: clients come again with new ones."""

_LAST_ANSWERS_SECONDS: Final = 5.0

_log = structlog.get_logger()


class Adapter(ASGIWebSocketAdapter):
    """Reads and writes messages; a connection that is gone is no fault."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        while self.ws.application_state is WebSocketState.CONNECTED:
            message = await self.ws.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                raise NonTextMessageReceived
            try:
                yield self.view.decode_json(text)
            except JSONDecodeError as error:
                raise NonJsonMessageReceived from error

    async def send_json(self, message: Mapping[str, object]) -> None:
        await self.send_text(self.view.encode_json_string(message))

    async def send_text(self, text: str) -> None:
        """Waits while the client reads more slowly than this is sent. Raises WebSocketDisconnected."""
        if self.ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected
        try:
            await self.ws.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as error:
            # Starlette raises RuntimeError for what is sent once the connection was closed meanwhile.
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            # A close frame has room for 123 bytes of reason.
            await self.ws.close(code, reason.encode()[:120].decode(errors="ignore"))


class Handler(BaseGraphQLTransportWSHandler[Context, None]):
    """Looks at the shape of each message before Strawberry's handler takes it for granted.

    Subscriptions that several clients may share need no task of their own; all end when their credentials do.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        view = cast(Any, self.view)
        self._subscriptions: Subscriptions = view.subscriptions
        self._work: Work = view.work
        self._lasting: Lasting = view.lasting
        self._stay: Stay = cast(Adapter, self.websocket).ws.scope["extensions"][STAY]
        self._stay.go_away = self._go_away
        self._answering: set[asyncio.Task[None]] = set()
        self._is_known = False
        self._is_refused = False
        self._rest()
        self._leaving: dict[str, _Leaving] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def handle_message(self, message: Message) -> None:
        if _is_message(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("This is not a message of graphql-transport-ws.")

    async def send_message(self, message: Message) -> None:
        """What was refused for its credentials is the last that is answered."""
        await super().send_message(message)
        self._is_refused |= self.context.authorization is not None and _is_refusal(message)
        if self._is_refused and message["type"] in {"complete", "error"}:
            self._soon(self._go_away(FORBIDDEN, "Forbidden"))

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):
            _log.error("a WebSocket operation failed", exc_info=error)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        is_new = self.connection_acknowledged and message["id"] not in self.operations
        if is_new and len(self.operations) >= MOST_OPERATIONS_AT_ONCE:
            await self.send_message(self._too_much(message["id"]))
        else:
            await super().handle_subscribe(message)

    async def run_operation(self, operation: WebSocketOperation[Context, None]) -> None:
        self._stay.idle_since = None
        asked = Operation(operation.query, operation.variables, operation.operation_name)
        kind = self._subscriptions.kind_of(asked)
        try:
            if kind is OperationType.SUBSCRIPTION:
                await self._subscribe(operation, asked)
            else:
                await self._answer(operation, self._work.lane(kind))
        except Overloaded:
            await operation.send_operation_message(self._too_much(operation.id))

    async def _answer(self, operation: WebSocketOperation[Context, None], lane: Lane) -> None:
        """Holds the place until it is done, although the client may no longer want it: what it began goes on."""
        task = asyncio.create_task(self._execute(operation, lane))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            operation.completed = True
            raise

    async def _execute(self, operation: WebSocketOperation[Context, None], lane: Lane) -> None:
        async with lane.place():
            await self._know(self.context.fresh())
            await super().run_operation(operation)

    async def _subscribe(self, operation: WebSocketOperation[Context, None], asked: Operation) -> None:
        lane = self._work.subscriptions
        lane.take()
        subscriber = _Subscriber(self, operation)
        leaving = self._leaving[operation.id] = _Leaving(lane.leave, subscriber.close)
        context = self.context.fresh()
        async with self._work.beginning:
            failure = await self._failure(context)
            if failure is not None:
                self._refuse(operation, failure)
                return
            leave = await self._subscriptions.join(asked, context, subscriber)
            leaving.add(leave)
            await self._know(context)
        leaving.add(self._subscriptions.reauthentication.over(self.context, partial(self._refuse, operation)))
        if leave is None:
            try:
                await super().run_operation(operation)
            finally:
                leaving()

    def _too_much(self, operation_id: str) -> ErrorMessage:
        self._work.refused()
        return {
            "id": operation_id,
            "type": "error",
            "payload": [cast(Any, overloaded(self.context.language, retry_after()))],
        }

    async def _failure(self, context: Context) -> Unauthenticated | None:
        """Why the credentials that were shown no longer hold."""
        if context.authorization is not None:
            try:
                await context.viewer()
            except Unauthenticated as failure:
                return failure
            except Exception as error:  # noqa: BLE001 - it says nothing about credentials, and the operation asks again
                _log.warning("credentials were not looked at", reason=error)
        return None

    async def _know(self, context: Context) -> None:
        """Whoever has shown good credentials is no stranger."""
        if self._is_known:
            return
        try:
            await context.viewer()
        except Unauthenticated:
            return  # Told where the operation asks.
        except Exception as error:  # noqa: BLE001 - it says nothing about credentials, and operations ask again
            _log.warning("credentials were not looked at", reason=error)
            return
        self._is_known = True
        self._lasting.met(self._stay)

    async def cleanup_operation(self, operation_id: str) -> None:
        self._leave(operation_id)
        await super().cleanup_operation(operation_id)
        self._rest()

    def forget_id(self, id: str) -> None:  # noqa: A002 - Strawberry's name for it
        self._leave(id)
        super().forget_id(id)
        self._rest()

    def end(self, operation: WebSocketOperation[Context, None], result: bytes | None) -> None:
        """Says so, after a last result where there is one."""
        self._soon(self._end(operation, result))

    def _soon(self, step: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(step)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, operation: WebSocketOperation[Context, None], result: bytes | None) -> None:
        if self.operations.get(operation.id) is not operation or operation.task is None:
            return
        self._leave(operation.id)
        operation.task.cancel()
        with suppress(WebSocketDisconnected):
            if result is not None:
                message = _next_head(operation.id) + result + b"}"
                await cast(Adapter, self.websocket).send_text(message.decode())
            if self._is_refused:
                # What is not complete goes on when its client comes again with other credentials.
                await self._go_away(FORBIDDEN, "Forbidden")
            else:
                await operation.send_operation_message({"id": operation.id, "type": "complete"})

    def _rest(self) -> None:
        if not self.operations:
            self._stay.idle_since = asyncio.get_running_loop().time()

    async def _go_away(self, code: int, reason: str) -> None:
        """What is being answered is answered first; subscriptions are not complete, so that clients come again."""
        if self._answering:
            await asyncio.wait(self._answering, timeout=_LAST_ANSWERS_SECONDS)
        with suppress(WebSocketDisconnected, WebSocketDisconnect, RuntimeError):
            await self.websocket.close(code, reason)

    def _leave(self, operation_id: str) -> None:
        leaving = self._leaving.pop(operation_id, None)
        if leaving is not None:
            leaving()

    def _refuse(self, operation: WebSocketOperation[Context, None], failure: Unauthenticated) -> None:
        self._is_refused = True
        self.end(operation, refused(failure, self.context.language))


class _Leaving:
    """What there is to do when a subscription is over, done once."""

    __slots__ = ("_steps",)

    def __init__(self, *steps: Callable[[], None] | None) -> None:
        self._steps: tuple[Callable[[], None] | None, ...] | None = steps

    def add(self, step: Callable[[], None] | None) -> None:
        """More to do then; at once, where it is over already."""
        if self._steps is None:
            _do([step])
        else:
            self._steps = (*self._steps, step)

    def __call__(self) -> None:
        steps, self._steps = self._steps, None
        _do(steps or ())


def _do(steps: Iterable[Callable[[], None] | None]) -> None:
    for step in steps:
        if step is not None:
            step()


class _Subscriber(Subscriber):
    """Sends at once where the server offers ``sesame.push``, a synchronous way past its queues; else by a task."""

    __slots__ = ("_draining", "_handler", "_head", "_operation", "_push_now")

    def __init__(self, handler: Handler, operation: WebSocketOperation[Context, None]) -> None:
        super().__init__()
        self._handler = handler
        self._operation = operation
        self._head = _next_head(operation.id)
        extensions = cast(Adapter, handler.websocket).ws.scope.get("extensions") or {}
        self._push_now: Callable[[bytes, bytes], bool] | None = extensions.get(PUSH, {}).get("send")
        self._draining: asyncio.Task[None] | None = None

    def end(self, result: bytes | None) -> None:
        self._handler.end(self._operation, result)

    def close(self) -> None:
        self._waiting.clear()
        if self._draining is not None:
            self._draining.cancel()

    def _push(self, body: bytes) -> bool:
        if self._push_now is None or self._draining is not None:
            return False
        return self._push_now(self._head, body)

    def _wait(self) -> None:
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._waiting:
                message = self._head + self._next() + b"}"
                await cast(Adapter, self._handler.websocket).send_text(message.decode())
        except WebSocketDisconnected:
            pass
        finally:
            self._draining = None


def _next_head(operation_id: str) -> bytes:
    """The message that brings a result, up to the result, which stands in it as it is, and a last brace."""
    return b'{"id":%b,"type":"next","payload":' % orjson.dumps(operation_id)


def _is_refusal(message: Message) -> bool:
    errors: Sequence[GraphQLFormattedError] = ()
    if message["type"] == "next":
        errors = message["payload"].get("errors", ())
    elif message["type"] == "error":
        errors = message["payload"]
    return any(error.get("extensions", {}).get("code") == UNAUTHENTICATED for error in errors)


def _is_message(message: object) -> TypeGuard[Message]:
    match message:
        case {"type": "connection_init" | "ping" | "pong", **rest}:
            return isinstance(rest.get("payload"), dict | None)
        case {"type": "complete", "id": str()}:
            return True
        case {"type": "subscribe", "id": str(), "payload": {"query": str()} as payload}:
            return _is_operation(payload)
    return False


def _is_operation(payload: Mapping[str, Any]) -> bool:
    variables, name = payload.get("variables"), payload.get("operationName")
    return isinstance(variables, dict | None) and isinstance(name, str | None)
