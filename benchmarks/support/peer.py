"""The peer of the HTTP benchmarks: as little as Starlette can do to answer the same bytes."""

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def create() -> Starlette:
    body = Path(os.environ["PEER_ANSWER"]).read_bytes()

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(body, media_type="application/json")

    async def health(request: Request) -> Response:
        return Response()

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"]), Route("/health", health)])
