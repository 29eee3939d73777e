"""An operation as an HTTP request sends it, and the answers to what is none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

MOST_BYTES: Final = 1_000_000
"""Of a request's body, and of a WebSocket message."""

_JSON: Final = "application/json"
_RESPONSE_JSON: Final = "application/graphql-response+json"


@dataclass(frozen=True, slots=True)
class Operation:
    """A document, its variables, and which of its operations is meant."""

    query: str
    variables: dict[str, Any] | None
    name: str | None


class Refused(Exception):  # noqa: N818 - an answer
    """A request that is none; ``said`` tells the client what is wrong with it."""

    def __init__(self, said: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(said)
        self.said = said
        self.status = status


async def posted(request: Request) -> Operation:
    """The operation in the body. Raises Refused."""
    if request.method != "POST":
        raise Refused("Send operations by POST.", HTTPStatus.METHOD_NOT_ALLOWED)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        raise Refused(f"Send operations as {_JSON}.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Refused(f"The body is larger than {MOST_BYTES} bytes.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return _operation(_parsed(bytes(body), "The body"))


def in_address(request: Request) -> Operation:
    """The operation in the parameters of the address, ``variables`` and ``extensions`` as JSON. Raises Refused."""
    sent: dict[str, object] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if name in sent:
            sent[name] = _parsed(str(sent[name]).encode(errors="surrogatepass"), f'"{name}"')
    return _operation(sent)


def response(request: HTTPConnection, answer: Mapping[str, object], status: HTTPStatus) -> Response:
    media_type = _RESPONSE_JSON if knows_specification(request) else _JSON
    return Response(encoded(answer), status, media_type=media_type)


def refusal(request: Request, refused: Refused, *allowed: str) -> Response:
    """``allowed`` are the methods of the path."""
    answer = response(
        request, {"errors": [{"message": refused.said, "extensions": {"code": "BAD_REQUEST"}}]}, refused.status
    )
    if refused.status is HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["allow"] = ", ".join(allowed)
    return answer


def knows_specification(request: HTTPConnection) -> bool:
    """Whether the client asks for answers as the GraphQL-over-HTTP specification has them."""
    return _RESPONSE_JSON in request.headers.get("accept", "").lower()


def encoded(data: object) -> bytes:
    """An answer as JSON on one line, in UTF-8."""
    try:
        return orjson.dumps(data)
    except TypeError:
        # A lone surrogate: orjson refuses what JSON can write as an escape.
        return json.dumps(data).encode()


def _parsed(sent: bytes, what: str) -> object:
    try:
        return orjson.loads(sent)
    except orjson.JSONDecodeError as error:
        raise Refused(f"{what} is not JSON in UTF-8: {error}.") from error


def _operation(sent: object) -> Operation:
    if isinstance(sent, list):
        raise Refused("Send one operation a request: batches are not taken.")
    if not isinstance(sent, dict):
        raise Refused('The body must be a JSON object with a "query".')
    query, variables, name = sent.get("query"), sent.get("variables"), sent.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise Refused('"query" must be a GraphQL document.')
    if not isinstance(variables, dict | None):
        raise Refused('"variables" must be an object or null.')
    if not isinstance(name, str | None):
        raise Refused('"operationName" must be a string or null.')
    if not isinstance(sent.get("extensions"), dict | None):
        raise Refused('"extensions" must be an object or null.')
    return Operation(query, variables, name)
