"""One PostgreSQL for the whole run, and databases on it that each test has for itself.

A run may be several processes (``pytest -n 3``). The first, which starts the others, makes a folder that all of them
share, with PostgreSQL in it and the files by which they wait for each other.
"""

import asyncio
import fcntl
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from socket import IPPROTO_TCP, socket
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
import structlog
import uvicorn
from pydantic import SecretStr
from sqlalchemy.engine import make_url
from starlette.applications import Starlette
from starlette.types import ASGIApp
from tests.memory import memory
from tests.one_session import guard_sessions
from tests.wire import NO_TLS, Json, JsonObject

from db.core.sessions import Sessions
from db.migrations.migrate import upgrade
from services.codes.batches import BatchState
from services.codes.download_links import DownloadLinks
from services.codes.generation import Generation
from services.core.mail import FolderMailer
from services.core.transactions import Transactions
from services.core.viewer import StaffRole
from services.dataset import Datasets, read
from sesame.composition import House, house
from sesame.postgres.embedded import running
from sesame.server.app import routes
from sesame.server.edge import Edge
from sesame.settings import Settings
from sesame.worker.jobs import Worker

NOW = datetime.fromisoformat("2026-11-23T12:00:00+01:00")
ALLOCATIONS = 10_000
"""Of containers that are kept, after which the youngest are looked through: tests make many and keep few."""

SECRET = "a secret of thirty-two characters"


# A run that is ended must not leave its PostgreSQL behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)


class Run:
    """What all processes of a run share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def making(self, template: str) -> Iterator[None]:
        """Keeps apart the processes that want to make the same template."""
        with (self.folder / f"{template}.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


RUN = pytest.StashKey[Run]()


def pytest_configure(config: pytest.Config) -> None:
    guard_sessions()
    _log_plainly()
    own = ExitStack()
    config.add_cleanup(own.close)
    folder = getattr(config, "workerinput", {}).get("folder")
    if folder is None:
        folder = own.enter_context(TemporaryDirectory(prefix="sesame-tests-", dir=memory()))
        if config.getoption("numprocesses", None):
            # Held by who starts the others, so that it is stopped even where they are killed.
            own.enter_context(running(Path(folder)))
    config.stash[RUN] = Run(Path(folder))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a process that is about to be started where all of them meet."""
    node.workerinput["folder"] = str(node.config.stash[RUN].folder)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, or processes would stand idle at the end."""
    items.sort(key=lambda item: item.get_closest_marker("processes") is None)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Modules, tests and schemas stay until the end: full collections need not go through them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, 20, 20)


def _log_plainly() -> None:
    """Without the local variables of each frame, which take seconds to set where a test has something fail."""
    processors = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors[:-1], plain])


class Databases:
    """Makes and drops databases of the test server."""

    def __init__(self, url: str, run: Run) -> None:
        self._url = make_url(url)
        self._run = run

    def url(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    @asynccontextmanager
    async def copy_of(self, template: str) -> AsyncIterator[str]:
        """The URL of a copy that is dropped at the end."""
        name = f"test_{uuid4().hex}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield self.url(name)
        finally:
            await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def ensure(self, template: str, base: str, fill: Callable[[str], Awaitable[None]]) -> None:
        """Makes a template out of another and fills it, unless a process of the run did so already."""
        with self._run.making(template):
            if await self._exists(template):
                return
            draft = f"{template}_draft"
            await self.execute(f"CREATE DATABASE {draft} TEMPLATE {base}")
            await fill(self.url(draft))
            await self.execute(f"ALTER DATABASE {draft} RENAME TO {template}")

    async def execute(self, *statements: str) -> None:
        async with self._connected() as connection:
            for statement in statements:
                await connection.execute(statement)

    async def _exists(self, name: str) -> bool:
        async with self._connected() as connection:
            found = await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name)
            return bool(found)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(host=str(self._url.query["host"]), user="postgres", database="postgres")
        try:
            yield connection
        finally:
            await connection.close()


@dataclass
class Clock:
    """Tells an instant that a test sets."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Server:
    """A server on a database of its own with the example's data, its clock at ``NOW``, with a queue worker."""

    address: str
    clock: Clock
    own: House
    client: httpx.AsyncClient
    shopper: str
    contact: str
    partner: str
    staff: str

    @property
    def websocket(self) -> str:
        return self.address.replace("http://", "ws://") + "/graphql"

    async def ask(
        self, document: str, variables: JsonObject | None = None, *, token: str | None = None, **headers: str
    ) -> Json:
        """What the server answers to an operation; to the shopper where no other token is given."""
        bearer = {"Authorization": f"Bearer {token or self.shopper}", **headers}
        request = {"query": document, "variables": variables}
        return (await self.client.post("/graphql", json=request, headers=bearer)).json()


@pytest.fixture
def now() -> datetime:
    """The instant at which tests take place: a Monday in the example's season."""
    return NOW


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> Iterator[str]:
    with running(pytestconfig.stash[RUN].folder) as url:
        yield url


@pytest.fixture(scope="session")
async def databases(postgres_url: str, pytestconfig: pytest.Config) -> Databases:
    """With the template ``migrated``, which has all tables and no data."""
    databases = Databases(postgres_url, pytestconfig.stash[RUN])

    async def fill(url: str) -> None:
        await databases.execute(
            "ALTER SYSTEM SET fsync = off",
            "ALTER SYSTEM SET full_page_writes = off",
            # A template that is being vacuumed keeps its copies waiting.
            "ALTER SYSTEM SET autovacuum = off",
            "SELECT pg_reload_conf()",
        )
        await upgrade(url)

    await databases.ensure("migrated", "template1", fill)
    return databases


@pytest.fixture(scope="session")
async def example_databases(databases: Databases) -> Databases:
    """With the template ``example``, which holds the example's data, its codes made."""
    await databases.ensure("example", "migrated", _load_example)
    return databases


async def _load_example(url: str) -> None:
    sessions = Sessions(url, pool_size=1)
    loaded = await Datasets(sessions).load(read(files("sesame").joinpath("example.json").read_bytes()), now=NOW)
    transactions = Transactions(sessions, lambda _organisation, _subjects: None)
    generation = Generation(
        sessions, transactions, DownloadLinks(SECRET, "http://test"), FolderMailer(Path("/nowhere"))
    )
    for batch in loaded.made:
        while await generation.advance(loaded.organisation_id, batch, NOW) is not BatchState.DONE:
            pass
    await sessions.close()


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """The URL of a migrated database without data."""
    async with databases.copy_of("migrated") as url:
        yield url


@pytest.fixture
async def loaded_url(example_databases: Databases) -> AsyncIterator[str]:
    """The URL of a database with the example's data."""
    async with example_databases.copy_of("example") as url:
        yield url


@pytest.fixture
async def sessions(database_url: str) -> AsyncIterator[Sessions]:
    """Sessions on a migrated database without data."""
    sessions = Sessions(database_url)
    yield sessions
    await sessions.close()


@pytest.fixture
async def loaded(loaded_url: str) -> AsyncIterator[Sessions]:
    """Sessions on a database with the example's data."""
    sessions = Sessions(loaded_url)
    yield sessions
    await sessions.close()


@pytest.fixture
def pool_size() -> int:
    """Connections of the server; a test that wants another number has a fixture of this name."""
    return 10


@pytest.fixture
async def server(loaded_url: str, tmp_path: Path, pool_size: int) -> AsyncIterator[Server]:
    settings = Settings(
        database_url=SecretStr(loaded_url),
        secret_key=SecretStr(SECRET),
        data_dir=tmp_path,
        pool_size=pool_size,
        # The example's own jobs are as old as this run of the tests.
        queue_seconds=86_400,
        queries_at_once=1000,
        mutations_at_once=1000,
    )
    clock = Clock()
    async with (
        house(settings) as own,
        _listening(Starlette(routes=routes(own, clock, Edge(settings)))) as address,
        _working(own, settings, clock),
        httpx.AsyncClient(base_url=address, verify=NO_TLS) as client,
    ):
        own.live.listen()
        until = NOW + timedelta(hours=12)
        issue = own.credentials
        yield Server(
            address,
            clock,
            own,
            client,
            shopper=await issue.shopper_token("theatre", "SHOP"),
            contact=await issue.contact_token("theatre", "BLANDINE", "SHOP", until),
            partner=await issue.partner_key("theatre", "TYD", "TYD"),
            staff=await issue.staff_token("theatre", list(StaffRole), until, point_of_sale="HALL", name="ada"),
        )


@asynccontextmanager
async def _listening(application: ASGIApp) -> AsyncIterator[str]:
    """uvicorn on a free port, without its handling of signals and its waits."""
    config = uvicorn.Config(application, lifespan="off", log_config=None, access_log=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # Named as TCP, or asyncio leaves out TCP_NODELAY and each answer waits 40 ms.
    with socket(proto=IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        await server.startup(sockets=[listener])
        host, port = listener.getsockname()
        yield f"http://{host}:{port}"
        await server.shutdown()


@asynccontextmanager
async def _working(own: House, settings: Settings, clock: Clock) -> AsyncIterator[None]:
    generation = Generation(own.sessions, own.transactions, own.links, FolderMailer(settings.outbox))
    worker = Worker(own.sessions, generation, clock)
    working = asyncio.create_task(worker.run())
    yield
    worker.stop()
    await working
