"""GraphQL over HTTP and WebSocket as an ASGI application.

Over HTTP, a POST of one operation as ``application/json``, answered as the GraphQL-over-HTTP specification says; over
WebSocket, graphql-transport-ws. No GET, no batches, no page to try queries on: that would load scripts from elsewhere.
Whatever a client sends, it gets an answer in JSON that says what is wrong, and never a status of 500 for it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import orjson
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UnsetType

from graphql import GraphQLFormattedError
from resolvers.runtime.context import Clock, Context, Services
from resolvers.runtime.error_masking import RETRY_AFTER, UNAVAILABLE, codes, masked
from resolvers.runtime.execution import TIMED_OUT, Schema
from resolvers.transport.lasting import Lasting, LastingLimits
from resolvers.transport.requests import (
    MOST_BYTES,
    Operation,
    Refused,
    encoded,
    knows_specification,
    posted,
    refusal,
    response,
)
from resolvers.transport.subscriptions import Subscriptions
from resolvers.transport.websocket import STAY, Adapter, Handler
from resolvers.transport.work import Overloaded, Work, WorkLimits, overloaded, retry_after
from services.core.errors import Unauthenticated, is_outage

_OVER_POST: Final = (OperationType.QUERY, OperationType.MUTATION)
PATH: Final = "/graphql"
STREAM_PATH: Final = "/graphql/stream"
_SUBSCRIBE_THERE: Final = f"Subscriptions go over a WebSocket at {PATH}, or as an event stream from {STREAM_PATH}."
_CONNECTION_INIT_WITHIN: Final = timedelta(seconds=10)


class GraphQLApp(GraphQL[Context, None]):
    """Answers whatever path it is mounted on; ``clock`` tells the time of each operation.

    ``work`` says how much is done at once, ``lasting`` how many WebSockets and event streams there may be.
    """

    websocket_adapter_class = Adapter
    graphql_transport_ws_handler_class = Handler

    def __init__(
        self,
        schema: Schema,
        services: Services,
        clock: Clock,
        work: Work | None = None,
        lasting: Lasting | None = None,
    ) -> None:
        # Any origin may connect: a token says who asks, never a cookie that a browser adds by itself.
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=_CONNECTION_INIT_WITHIN,
            max_subscriptions_per_connection=None,
            allowed_origins=("*",),
        )
        self.subscriptions = Subscriptions(schema)
        self.work = work or Work(WorkLimits())
        self.lasting = lasting or Lasting(LastingLimits())
        self._services = services
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._meet(scope, receive, send)
            return
        try:
            answer = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return
        await answer(scope, receive, send)

    async def _meet(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        try:
            with self.lasting.stay(client[0] if client else "") as stay:
                scope.setdefault("extensions", {})[STAY] = stay
                await super().__call__(scope, receive, send)
        except Overloaded:
            self.work.refused()
            websocket = WebSocket(scope, receive, send)
            await websocket.send_denial_response(_too_much(websocket, self.context(websocket)))

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        """Lets in who shows no credentials, or good ones. Raises ConnectionRejectionError for others."""
        if context.authorization is not None:
            try:
                await context.fresh().viewer()
            except Unauthenticated:
                raise ConnectionRejectionError from None
            except Exception as error:
                # A database that is away says nothing about credentials: operations ask again.
                if not is_outage(error):
                    raise
        return UnsetType()

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        return self.context(request)

    def context(self, request: Request | WebSocket) -> Context:
        """Of the operation that the request sends."""
        address = request.client.host if request.client else ""
        return Context(self._services, self._clock, request.headers, address)

    async def result_of(
        self, operation: Operation, context: Context, allowed: tuple[OperationType, ...]
    ) -> ExecutionResult:
        """The result of a query or a mutation, once it is its turn. Raises Overloaded."""
        async with self.work.lane(self.subscriptions.kind_of(operation)).place():
            return await self.schema.execute(
                operation.query,
                operation.variables,
                context_value=context,
                operation_name=operation.name,
                allowed_operation_types=allowed,
            )

    def decode_json(self, data: str | bytes) -> object:
        if len(data) > MOST_BYTES:
            raise json.JSONDecodeError("too large", "", 0)
        return orjson.loads(data)

    def encode_json(self, data: object) -> str:
        # Text: bytes would make binary frames on a WebSocket.
        return encoded(data).decode()

    async def _answer(self, request: Request) -> Response:
        context = self.context(request)
        try:
            operation = await posted(request)
            return _result(request, await self.result_of(operation, context, _OVER_POST))
        except Overloaded:
            self.work.refused()
            return _too_much(request, context)
        except Refused as refused:
            return refusal(request, refused, "POST")
        except CannotGetOperationTypeError as error:
            return refusal(request, Refused(error.as_http_error_reason()))
        except InvalidOperationTypeError:
            return refusal(request, Refused(_SUBSCRIBE_THERE))
        except ClientDisconnect:
            raise
        except Exception as fault:  # noqa: BLE001 - the last place where a fault can be masked
            return _faulty(request, fault, context)


def _too_much(request: HTTPConnection, context: Context) -> Response:
    seconds = retry_after()
    return _come_back(request, {"errors": [overloaded(context.language, seconds)]}, seconds)


def _result(request: Request, result: ExecutionResult) -> Response:
    errors = [error.formatted for error in result.errors or ()]
    answer: dict[str, object] = {"errors": errors} if errors else {}
    if result.extensions:
        answer["extensions"] = result.extensions
    if result.data is None and errors and not any("path" in error for error in errors):
        # Not executed to its end: no data, and a status of its own where the client knows the specification.
        return response(request, answer, _status(errors) if knows_specification(request) else HTTPStatus.OK)
    answer["data"] = result.data
    if UNAVAILABLE in codes(result.errors):
        # Whatever was answered beside it: proxies and clients come back by the status.
        return _come_back(request, answer, RETRY_AFTER)
    return response(request, answer, HTTPStatus.OK)


def _faulty(request: HTTPConnection, fault: Exception, context: Context) -> Response:
    said, extensions = masked(fault, context.language)
    answer = {"errors": [{"message": said, "extensions": extensions}]}
    if extensions["code"] == UNAVAILABLE:
        return _come_back(request, answer, RETRY_AFTER)
    return response(request, answer, HTTPStatus.INTERNAL_SERVER_ERROR)


def _come_back(request: HTTPConnection, answer: Mapping[str, object], seconds: int) -> Response:
    answered = response(request, answer, HTTPStatus.SERVICE_UNAVAILABLE)
    answered.headers["retry-after"] = str(seconds)
    return answered


def _status(errors: Sequence[GraphQLFormattedError]) -> HTTPStatus:
    timed_out = any(error.get("extensions", {}).get("code") == TIMED_OUT for error in errors)
    return HTTPStatus.SERVICE_UNAVAILABLE if timed_out else HTTPStatus.BAD_REQUEST
