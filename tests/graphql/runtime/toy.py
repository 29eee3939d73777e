"""A schema that is only as large as the tests of the kernel need, served over real HTTP and WebSocket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Annotated, cast
from uuid import UUID

import strawberry
import uvicorn
from sqlalchemy.exc import TimeoutError as PoolExhausted

from resolvers.runtime.connections import Connection, connection_in_memory, window
from resolvers.runtime.context import Context, Info, Services
from resolvers.runtime.enums import Language
from resolvers.runtime.errors import CodeRefused, Conflict, InvalidInput, NotFound
from resolvers.runtime.execution import build_schema
from resolvers.runtime.ids import Node, decode, encode
from resolvers.runtime.scalars import Money, money
from resolvers.transport.http import GraphQLApp
from services.core import errors
from services.core.texts import text
from services.core.viewer import Audience, Viewer
from services.pricing.facts import refusals as refusal_facts

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEYS = [UUID(int=number) for number in range(1, 6)]


@dataclass
class Probe:
    """What the resolvers did, and what they wait for."""

    asked: list[str] = field(default_factory=list)
    batches: list[list[UUID]] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def viewer(self, authorization: str | None, now: datetime) -> Viewer:
        self.asked.append(f"viewer {authorization}")
        if authorization is None:
            raise errors.Unauthenticated(text("unauthenticated"))
        return Viewer(Audience.SHOPPER, KEYS[0], "theatre", authorization)

    async def seen_by(self, viewer: Viewer) -> object:
        self.asked.append("catalogue")
        nothing: dict[UUID, object] = {}
        place = SimpleNamespace(name={"fr": "Guichet", "en": "Box office"})
        return SimpleNamespace(
            organisation=SimpleNamespace(currency="EUR", timezone="Europe/Paris"),
            sales_channels=nothing,
            points_of_sale={KEYS[0]: place},
            delivery_modes=nothing,
            counter_profiles=nothing,
        )


def probe_of(context: Context) -> Probe:
    return cast(Probe, context.services.credentials)


async def doubled(context: Context, keys: Sequence[UUID]) -> Mapping[UUID, int]:
    probe_of(context).batches.append(list(keys))
    await asyncio.sleep(0)
    return {key: key.int * 2 for key in keys if key != KEYS[4]}


@strawberry.type
class Thing(Node):
    code: str
    key: strawberry.Private[UUID]

    @strawberry.field
    def price(self) -> Money:
        return money(8000, "EUR")

    @strawberry.field
    def broken(self) -> str:
        raise RuntimeError("the password is hunter2")

    @strawberry.field
    async def doubled(self, info: Info) -> int | None:
        return await info.context.load(doubled, self.key)

    @strawberry.field
    def things(self) -> "list[Thing]":
        return [self]

    @classmethod
    def of(cls, key: UUID) -> "Thing":
        return cls(id=encode("Thing", key), code=f"T{key.int}", key=key)


@strawberry.input
class LineInput:
    quantity: int = 1


@strawberry.input
class BasketInput:
    lines: list[LineInput]
    price: Decimal | None = None
    at: datetime | None = None
    language: Language | None = None


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "hello"

    @strawberry.field
    def echo(self, said: str) -> str:
        return said

    @strawberry.field
    def surrogate(self) -> str:
        return "\ud800"

    @strawberry.field
    def language(self, info: Info) -> Language:
        return info.context.language

    @strawberry.field
    async def who(self, info: Info) -> str:
        return (await info.context.viewer()).actor

    @strawberry.field
    async def currency(self, info: Info) -> str:
        return (await info.context.catalogue()).organisation.currency

    @strawberry.field
    def things(self, first: int | None = None, after: str | None = None) -> Connection[Thing]:
        return connection_in_memory(KEYS, window(first, after, UUID), Thing.of, lambda key: key)

    @strawberry.field
    def thing(self, id: strawberry.ID) -> Thing:  # noqa: A002
        return Thing.of(decode(id, "Thing", path=("id",)))

    @strawberry.field
    def missing(self) -> Thing:
        raise errors.NotFound(("seasonId",))

    @strawberry.field
    def forbidden(self) -> Thing:
        raise errors.Forbidden(text("forbidden"))

    @strawberry.field
    def fault(self) -> str:
        raise RuntimeError("the password is hunter2")

    @strawberry.field
    def away(self) -> str | None:
        raise FAILURES["away"]

    @strawberry.field
    def too_large(self) -> int:
        return 2**40

    @strawberry.field
    def price(self, input: BasketInput) -> str:  # noqa: A002
        return f"{[line.quantity for line in input.lines]} {input.price} {input.at}"

    @strawberry.field
    async def late(self, info: Info, key: int) -> str:
        """Waits for a load that a broken sibling cancels, unless it is shielded."""
        return str(await info.context.load(doubled, KEYS[key]))


SaveResult = Annotated[Thing | InvalidInput | NotFound | Conflict, strawberry.union("SaveResult")]
ApplyResult = Annotated[Thing | CodeRefused | NotFound | Conflict, strawberry.union("ApplyResult")]

FAILURES: dict[str, Exception] = {
    "invalid": errors.InvalidInput([errors.Problem(("lines", "0", "quantity"), text("malformed_id"))]),
    "missing": errors.NotFound(("basketId",)),
    "conflict": errors.Conflict(text("too_busy"), retry_after=5),
    "forbidden": errors.Forbidden(text("forbidden")),
    "fault": RuntimeError("the password is hunter2"),
    "away": PoolExhausted("QueuePool limit of size 1 overflow 0 reached"),
    "refused": errors.CodeRefused(
        [
            refusal_facts.Refusal(refusal_facts.RefusalCode.UNKNOWN_CODE, detail="mistyped"),
            refusal_facts.Refusal(
                refusal_facts.RefusalCode.MINIMUM_BASKET_NOT_REACHED,
                refusal_facts.Amount(2000),
                refusal_facts.Amount(1990),
            ),
            refusal_facts.Refusal(
                refusal_facts.RefusalCode.ORDER_LIMIT_EXCEEDED, refusal_facts.Tickets(4), refusal_facts.Tickets(5)
            ),
            refusal_facts.Refusal(refusal_facts.RefusalCode.NOT_STARTED, refusal_facts.Instant(NOW)),
            refusal_facts.Refusal(
                refusal_facts.RefusalCode.WRONG_CHANNEL, refusal_facts.Things((KEYS[0],)), refusal_facts.Things(())
            ),
        ]
    ),
}


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def save(self, id: strawberry.ID, failure: str | None = None) -> SaveResult:  # noqa: A002
        key = decode(id, "Thing", path=("id",))
        if failure is not None:
            raise FAILURES[failure]
        return Thing.of(key)

    @strawberry.mutation
    async def apply(self, id: strawberry.ID, failure: str | None = None) -> ApplyResult:  # noqa: A002
        key = decode(id, "Thing", path=("id",))
        if failure is not None:
            raise FAILURES[failure]
        return Thing.of(key)

    @strawberry.mutation
    async def slow(self, info: Info) -> str:
        probe = probe_of(info.context)
        probe.started.set()
        await probe.release.wait()
        probe.finished.set()
        return "done"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, info: Info, to: int) -> AsyncGenerator[int, None]:
        for number in range(to):
            info.context.renew()
            yield number

    @strawberry.subscription
    async def lost(self) -> AsyncGenerator[int, None]:
        yield 1
        raise FAILURES["away"]

    @strawberry.subscription
    async def whose(self, info: Info) -> AsyncGenerator[str, None]:
        yield (await info.context.viewer()).actor


def services(probe: Probe) -> Services:
    return cast(Services, SimpleNamespace(credentials=probe, catalogues=probe))


def context(probe: Probe, **headers: str) -> Context:
    return Context(services(probe), lambda: NOW, headers)


SCHEMA = build_schema(Query, Mutation, Subscription)


@asynccontextmanager
async def serving(probe: Probe) -> AsyncIterator[str]:
    """The toy on a free port; yields host and port."""
    config = uvicorn.Config(
        GraphQLApp(SCHEMA, services(probe), lambda: NOW), port=0, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
