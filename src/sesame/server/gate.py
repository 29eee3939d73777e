"""Refuses what there is no place for before anything is done with it."""

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.runtime.language import negotiated
from resolvers.transport.requests import encoded
from resolvers.transport.work import RETRY_AFTER, Work, overloaded, retry_after
from services.core.texts import Language

PAUSE: Final = 0.05
"""Seconds before a refusal: a client that asks again at once would otherwise be refused ten times as often."""

_BODIES: Final[Mapping[tuple[Language, int], bytes]] = {
    (language, seconds): encoded({"errors": [overloaded(language, seconds)]})
    for language in Language
    for seconds in RETRY_AFTER
}
_HEADERS: Final = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Retry-After"),
]


class Gate:
    """An ASGI application before all others.

    A refused request costs a twentieth of one that is answered: nobody reads its document or asks who sends it, and it
    has no line of its own in the log.
    """

    def __init__(self, app: ASGIApp, work: Work) -> None:
        self._app = app
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._work.queries.is_full and _is_operation(scope):
            first = await receive()
            if self._work.mutations.is_full or _is_no_mutation(first):
                await self._refuse(scope, send)
                return
            receive = _again(first, receive)
        await self._app(scope, receive, send)

    async def _refuse(self, scope: Scope, send: Send) -> None:
        self._work.refused()
        await asyncio.sleep(PAUSE)
        await refuse(scope, send)


async def refuse(scope: Scope, send: Send) -> None:
    """Answers 503, with the error in the client's language."""
    language = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
    seconds = retry_after()
    body = _BODIES[negotiated(language.decode("latin-1")), seconds]
    own = [(b"retry-after", str(seconds).encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 503, "headers": [*_HEADERS, *own]})
    await send({"type": "http.response.body", "body": body})


def _is_operation(scope: Scope) -> bool:
    return (scope["type"], scope.get("method"), scope.get("path")) == ("http", "POST", "/graphql")


def _is_no_mutation(first: Message) -> bool:
    """Whether that can be said without reading the document."""
    return first["type"] == "http.request" and not first.get("more_body") and b"mutation" not in first.get("body", b"")


def _again(first: Message, receive: Receive) -> Receive:
    messages = [first]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received
