"""The application that uvicorn's server processes run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp

from resolvers.runtime.context import Clock
from resolvers.schema import schema
from resolvers.transport import downloads
from resolvers.transport.event_stream import EventStreams
from resolvers.transport.http import PATH, STREAM_PATH, GraphQLApp
from services.codes.batch_csv import CodeLists
from sesame import logs
from sesame.composition import House, build_services, house
from sesame.privacy import keep_private
from sesame.processes import leave_with_parent
from sesame.server.edge import Edge
from sesame.server.garbage import short_collections
from sesame.server.gate import Gate
from sesame.server.readiness import Readiness, looks
from sesame.settings import Settings

ANY_ORIGIN: Final = Middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["GET", "POST"],
    allow_headers=["Authorization", "Content-Type", "Accept-Language", "X-Request-ID"],
    expose_headers=["X-Request-ID", "Retry-After"],
    max_age=86_400,
)
"""Pages of any origin may ask: a token says who does, never a cookie that a browser adds by itself."""


def create(edge: Edge | None = None) -> ASGIApp:
    """The application of one server process, by the settings in its environment."""
    keep_private()
    settings = Settings.read()
    logs.configure(settings.log_level, settings.secrets())
    leave_with_parent()
    schema.is_planned = settings.executor == "plan"
    own_edge = edge or Edge(settings)

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        async with house(settings) as own:
            own.live.listen()
            readiness = _readiness(own, own_edge)
            looking = asyncio.create_task(readiness.run())
            application.router.routes.extend(routes(own, lambda: datetime.now(UTC), own_edge, readiness))
            with short_collections():
                yield
            looking.cancel()

    return Gate(logs.RequestLog(Starlette(lifespan=lifespan, middleware=[ANY_ORIGIN])), own_edge.work)


def routes(own: House, clock: Clock, edge: Edge | None = None, readiness: Readiness | None = None) -> list[BaseRoute]:
    """Every path that a server answers."""
    services = build_services(own)
    if edge is None:
        edge = Edge(Settings())
    graphql = GraphQLApp(schema, services, clock, edge.work, edge.lasting)
    return [
        Route(PATH, graphql),
        WebSocketRoute(PATH, graphql),
        Route(STREAM_PATH, EventStreams(graphql)),
        *(readiness or _readiness(own, edge)).routes(),
        *downloads.routes(CodeLists(own.sessions), services.tracking_lists, own.links, clock, own.misses),
    ]


def _readiness(own: House, edge: Edge) -> Readiness:
    return Readiness(looks(own.sessions, own.queue_seconds), lambda: edge.is_leaving)
