"""GraphQL over HTTP and WebSocket as an ASGI application.

Over HTTP, a POST of one operation as ``application/json``, answered as the GraphQL-over-HTTP specification says; over
WebSocket, graphql-transport-ws. No GET, no batches, no page to try queries on: that would load scripts from elsewhere.
Whatever a client sends, it gets an answer in JSON that says what is wrong, and never a status of 500 for it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from resolvers.context import Clock, Context, Services
from resolvers.execution import Schema
from resolvers.faults import masked
from resolvers.websocket import Adapter, Handler

MOST_BYTES: Final = 1_000_000
"""Of a request's body, and of a WebSocket message."""

_JSON: Final = "application/json"
_RESPONSE_JSON: Final = "application/graphql-response+json"
_OVER_POST: Final = (OperationType.QUERY, OperationType.MUTATION)
_CONNECTION_INIT_WITHIN: Final = timedelta(seconds=10)
_MOST_OPERATIONS_AT_ONCE: Final = 100


class GraphQLApp(GraphQL[Context, None]):
    """Answers whatever path it is mounted on; ``clock`` tells the time of each operation."""

    websocket_adapter_class = Adapter
    graphql_transport_ws_handler_class = Handler

    def __init__(self, schema: Schema, services: Services, clock: Clock) -> None:
        # Any origin may connect: a token says who asks, never a cookie that a browser adds by itself.
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=_CONNECTION_INIT_WITHIN,
            max_subscriptions_per_connection=_MOST_OPERATIONS_AT_ONCE,
            allowed_origins=("*",),
        )
        self._services = services
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        try:
            response = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        return Context(self._services, self._clock, request.headers)

    def decode_json(self, data: str | bytes) -> object:
        if len(data) > MOST_BYTES:
            raise json.JSONDecodeError("too large", "", 0)
        return orjson.loads(data)

    def encode_json(self, data: object) -> str:
        # Text: bytes would make binary frames on a WebSocket.
        return _encoded(data).decode()

    async def _answer(self, request: Request) -> Response:
        context = Context(self._services, self._clock, request.headers)
        try:
            operation = _operation(await _body(request))
            result = await self.schema.execute(
                operation.query,
                operation.variables,
                context_value=context,
                operation_name=operation.name,
                allowed_operation_types=_OVER_POST,
            )
            return _result(request, result)
        except _RefusedError as refused:
            return _refusal(request, refused.status, refused.said)
        except CannotGetOperationTypeError as error:
            return _refusal(request, HTTPStatus.BAD_REQUEST, error.as_http_error_reason())
        except InvalidOperationTypeError:
            return _refusal(request, HTTPStatus.BAD_REQUEST, "Subscriptions go over a WebSocket, not over HTTP.")
        except ClientDisconnect:
            raise
        except Exception as fault:  # noqa: BLE001 - the last place where a fault can be masked
            said, extensions = masked(fault, context.language)
            answer = {"errors": [{"message": said, "extensions": extensions}]}
            return _response(request, answer, HTTPStatus.INTERNAL_SERVER_ERROR)


class _RefusedError(Exception):
    """A request that is none; ``said`` tells the client what is wrong with it."""

    def __init__(self, said: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(said)
        self.said = said
        self.status = status


@dataclass(frozen=True, slots=True)
class _Operation:
    query: str
    variables: dict[str, Any] | None
    name: str | None


async def _body(request: Request) -> bytes:
    if request.method != "POST":
        raise _RefusedError("Send operations by POST.", HTTPStatus.METHOD_NOT_ALLOWED)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        raise _RefusedError(f"Send operations as {_JSON}.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise _RefusedError(f"The body is larger than {MOST_BYTES} bytes.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return bytes(body)


def _operation(body: bytes) -> _Operation:
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _RefusedError(f"The body is not JSON in UTF-8: {error}.") from error
    if isinstance(sent, list):
        raise _RefusedError("Send one operation a request: batches are not taken.")
    if not isinstance(sent, dict):
        raise _RefusedError('The body must be a JSON object with a "query".')
    query, variables, name = sent.get("query"), sent.get("variables"), sent.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise _RefusedError('"query" must be a GraphQL document.')
    if not isinstance(variables, dict | None):
        raise _RefusedError('"variables" must be an object or null.')
    if not isinstance(name, str | None):
        raise _RefusedError('"operationName" must be a string or null.')
    if not isinstance(sent.get("extensions"), dict | None):
        raise _RefusedError('"extensions" must be an object or null.')
    return _Operation(query, variables, name)


def _result(request: Request, result: ExecutionResult) -> Response:
    errors = [error.formatted for error in result.errors or ()]
    if result.data is None and errors and not any("path" in error for error in errors):
        # Not executed at all: no data, and a status of its own where the client knows the specification.
        status = HTTPStatus.BAD_REQUEST if _knows_specification(request) else HTTPStatus.OK
        return _response(request, {"errors": errors}, status)
    answer: dict[str, object] = {"errors": errors} if errors else {}
    return _response(request, {**answer, "data": result.data}, HTTPStatus.OK)


def _refusal(request: Request, status: HTTPStatus, said: str) -> Response:
    response = _response(request, {"errors": [{"message": said, "extensions": {"code": "BAD_REQUEST"}}]}, status)
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["allow"] = "POST"
    return response


def _response(request: Request, answer: Mapping[str, object], status: HTTPStatus) -> Response:
    media_type = _RESPONSE_JSON if _knows_specification(request) else _JSON
    return Response(_encoded(answer), status, media_type=media_type)


def _knows_specification(request: Request) -> bool:
    return _RESPONSE_JSON in request.headers.get("accept", "").lower()


def _encoded(data: object) -> bytes:
    try:
        return orjson.dumps(data)
    except TypeError:
        # A lone surrogate: orjson refuses what JSON can write as an escape.
        return json.dumps(data).encode()
