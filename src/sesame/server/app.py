"""The application that uvicorn's server processes run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp

from db.core import server
from db.core.sessions import Sessions
from resolvers.runtime.context import Clock
from resolvers.schema import schema
from resolvers.transport import downloads
from resolvers.transport.event_stream import EventStreams
from resolvers.transport.http import GraphQLApp
from services.codes.batch_csv import CodeLists
from sesame import logs
from sesame.composition import House, build_services, house
from sesame.privacy import keep_private
from sesame.processes import leave_with_parent
from sesame.server.garbage import short_collections
from sesame.settings import Settings

_HEALTH_SECONDS: Final = 2

ANY_ORIGIN: Final = Middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["GET", "POST"],
    allow_headers=["Authorization", "Content-Type", "Accept-Language", "X-Request-ID"],
    expose_headers=["X-Request-ID"],
    max_age=86_400,
)
"""Pages of any origin may ask: a token says who does, never a cookie that a browser adds by itself."""

_log = structlog.get_logger("sesame.server.app")


def create() -> ASGIApp:
    """The application of one server process, by the settings in its environment."""
    keep_private()
    settings = Settings.read()
    logs.configure(settings.log_level)
    leave_with_parent()

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        async with house(settings) as own:
            own.live.listen()
            application.router.routes.extend(routes(own, lambda: datetime.now(UTC)))
            with short_collections():
                yield

    return logs.RequestLog(Starlette(lifespan=lifespan, middleware=[ANY_ORIGIN]))


def routes(own: House, clock: Clock) -> list[BaseRoute]:
    """Every path that a server answers."""
    services = build_services(own)
    graphql = GraphQLApp(schema, services, clock)
    return [
        Route("/graphql", graphql),
        WebSocketRoute("/graphql", graphql),
        Route("/graphql/stream", EventStreams(graphql)),
        Route("/health", _health(own.sessions)),
        *downloads.routes(CodeLists(own.sessions), services.tracking_lists, own.links, clock),
    ]


def _health(sessions: Sessions) -> Callable[[Request], Awaitable[JSONResponse]]:
    """Whether this process can answer: it reaches its database, within the time that a load balancer waits."""

    async def health(_: Request) -> JSONResponse:
        try:
            async with asyncio.timeout(_HEALTH_SECONDS), sessions.reading() as session:
                await server.reach(session)
        except (OSError, TimeoutError, SQLAlchemyError) as error:
            _log.warning("not healthy", reason=str(error))
            return JSONResponse({"status": "no database"}, status_code=503)
        return JSONResponse({"status": "ok"})

    return health
