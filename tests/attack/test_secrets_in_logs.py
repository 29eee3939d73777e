"""Secrets of every kind are planted, every fault is caused, and everything that any process wrote is searched."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import asyncpg
import httpx
import psutil
import pytest
from sqlalchemy.engine import make_url
from tests.chaos.machinery import Postgres, postgres
from tests.gala import DOCUMENT, SECRET, Gala
from tests.graphql.transport.streams import BOTH, asked
from tests.ledger import connect
from tests.servers import environment_for, free_port, is_healthy
from tests.services.core.letterbox import Letterbox
from tests.sesame.waiting import wait_for
from tests.wire import Json, JsonObject

from db.core.sessions import Sessions
from resolvers.runtime.ids import encode
from services.access.credentials import Credentials
from services.codes.download_links import DownloadLinks
from services.codes.format import normalise

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.processes]

OF_DATABASE = "w0rd-of/the:base"
OF_MAIL = "word0fthemail"
OF_REDIS = "word0ftheredis"
CUSTOM = "THIRTY-SEVEN-CODE"
ADDRESS = "augusta.ada@example.org"
CLIENTS = 8
POOL = 2
ENOUGH_LINES = 120
"""Of all processes, requests aside, in a minute full of faults: twice what there are, and a hundredth of what there were."""


@dataclass
class Site:
    """What is attacked, what its clients know, and what they were answered."""

    postgres: Postgres
    gala: Gala
    url: str
    folder: Path
    letterbox: Letterbox
    partner: str
    link: str
    address: str = ""
    told: Counter[tuple[int, str]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return environment_for(
            self.url,
            self.folder,
            LOG_LEVEL="info",
            POOL_SIZE=str(POOL),
            SMTP_URL=f"smtp://{quote(ADDRESS)}:{OF_MAIL}@127.0.0.1:{self.letterbox.port}",
            REDIS_URL=f"redis://:{OF_REDIS}@127.0.0.1:{free_port()}/0",
        )

    @property
    def written(self) -> str:
        """By every process, PostgreSQL's own too."""
        of_postgres = Path(str(make_url(self.url).query["host"]))
        logs = [*self.folder.glob("*.log"), *of_postgres.glob("server.log*")]
        return "\n".join(log.read_text(errors="replace") for log in logs)

    def secrets(self) -> dict[str, str]:
        tokens = {f"token of customer {number}": token for number, token in enumerate(self.gala.customers)}
        return {
            "password of the database": OF_DATABASE,
            "the same in a URL": quote(OF_DATABASE, safe=""),
            "password of the mail server": OF_MAIL,
            "password of Redis": OF_REDIS,
            "secret key": SECRET,
            "partner's key": self.partner,
            "token of staff": self.gala.staff,
            "token of the shop": self.gala.shopper,
            "link": self.link.partition("token=")[2],
            "mail address": ADDRESS,
            **tokens,
        }

    async def ask(self, client: httpx.AsyncClient, token: str, query: str, **variables: Json) -> Json:
        """The data, where there is some. Notes what was answered, and an outage that is not answered as one."""
        try:
            response = await client.post(
                f"{self.address}/graphql",
                json={"query": query, "variables": variables},
                headers={"Authorization": f"Bearer {token}"},
            )
        except httpx.TransportError as error:
            self.told[0, type(error).__name__] += 1
            return None
        answer = response.json()
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        self.told[response.status_code, ",".join(sorted(codes))] += 1
        is_outage = "UNAVAILABLE" in codes
        if is_outage != (response.status_code == 503) or is_outage != ("retry-after" in response.headers):
            self.problems.append(f"{response.status_code} {response.headers} {answer}")
        return answer.get("data")


@pytest.fixture(scope="module")
async def stage() -> AsyncIterator[tuple[Postgres, Gala]]:
    with postgres() as server:
        yield server, await server.prepare()


@pytest.fixture
async def site(stage: tuple[Postgres, Gala]) -> AsyncIterator[Site]:
    server, gala = stage
    letterbox = Letterbox()
    with TemporaryDirectory(prefix="sesame-tests-") as folder:
        url = make_url(await server.copy()).set(password=OF_DATABASE).render_as_string(hide_password=False)
        sessions = Sessions(url, pool_size=1)
        partner = await Credentials(sessions, SECRET).partner_key("gala", "MAKER", "SHOP")
        await sessions.close()
        async with letterbox.open(), connected(url) as connection:
            batch = await connection.fetchval("SELECT id FROM batches")
            link = DownloadLinks(SECRET, "").to_batch(gala.organisation, batch, datetime.now(UTC))
            yield Site(server, gala, url, Path(folder), letterbox, partner, link)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await connect(url)
    yield connection
    connection.terminate()


@contextmanager
def process(site: Site, log_file: str, *command: str) -> Iterator[None]:
    """A server, from when it answers until the block ends; what it writes is in a file of the site's folder."""
    with (site.folder / log_file).open("wb") as log, ExitStack() as ending:
        started = subprocess.Popen(
            [sys.executable, "-m", *command], env=site.environment, stdout=log, stderr=log, start_new_session=True
        )
        ending.callback(end, started)
        site.address = f"http://127.0.0.1:{command[-1]}"
        wait_for(lambda: started.poll() is not None or is_healthy(site.address), 60)
        assert started.poll() is None
        yield


def end(process: "subprocess.Popen[bytes]") -> None:
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.terminate()
    _, left = psutil.wait_procs(family, 20)
    for each in left:
        each.kill()
    process.wait()


@asynccontextmanager
async def under_load(site: Site) -> AsyncIterator[None]:
    """Customers, staff and a partner, who use what is secret all the time."""
    async with httpx.AsyncClient(timeout=30) as client:
        shopping = [asyncio.create_task(shop(site, client, number)) for number in range(CLIENTS)]
        watching = [asyncio.create_task(watch(site, way)) for way in BOTH]
        yield
        for task in (*shopping, *watching):
            task.cancel()
        for told in await asyncio.gather(*shopping, *watching, return_exceptions=True):
            assert isinstance(told, asyncio.CancelledError), told


async def shop(site: Site, client: httpx.AsyncClient, number: int) -> None:
    gala = site.gala
    own = (gala.shopper, gala.customers[number % len(gala.customers)], site.partner, gala.staff)[number % 4]
    step = 0
    while True:
        await asyncio.sleep(0.02)
        step += 1
        for performance, code in (("BY-CODE", gala.codes[(number * 7 + step) % len(gala.codes)]), ("COUPONS", CUSTOM)):
            made = await operate(site, client, own, "createBasket", lines=[gala.line(performance)])
            if made and made.get("id"):
                await operate(site, client, own, "applyAdvantageCode", basketId=made["id"], code=code)
        await site.ask(client, gala.staff, FIND, mail=ADDRESS)
        with suppress(httpx.TransportError):
            await client.get(f"{site.address}{site.link}")


FIND = "query ($mail: String) { contacts(search: $mail) { edges { node { name email } } } }"


async def operate(site: Site, client: httpx.AsyncClient, token: str, operation: str, **wanted: Json) -> Json:
    mutation = next(each for each in DOCUMENT.split("\nmutation ") if each.startswith(f"{operation}("))
    data = await site.ask(client, token, f"mutation {mutation.partition(chr(10) + 'query')[0]}", input=wanted)
    return data and data["answer"]


async def watch(site: Site, way: Callable[..., Json]) -> None:
    """Looks on, and asks again whenever it is over."""
    while True:
        with suppress(Exception):
            async with way(site.address, site.gala.staff, asked("RedemptionCounts")) as events:
                async for event in events:
                    if event is None:
                        break
        await asyncio.sleep(0.1)


# ── The faults ───────────────────────────────────────────────────────────────────────────────────


async def restarted(site: Site) -> None:
    for _ in range(2):
        await asyncio.to_thread(site.postgres.restart)
        await asyncio.sleep(1)


async def refused(site: Site) -> None:
    site.postgres.kill()
    await asyncio.sleep(2)
    await asyncio.to_thread(site.postgres.start)
    await asyncio.sleep(1)


async def cut(site: Site) -> None:
    async with connected(site.url) as connection:
        for _ in range(5):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname LIKE 'run%'"
            )
            await asyncio.sleep(0.2)


async def exhausted(site: Site) -> None:
    """What all wait for is kept for longer than anybody waits for a connection."""
    async with connected(site.url) as connection, connection.transaction():
        await connection.execute("LOCK TABLE baskets IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(13)


async def mail_refused(site: Site) -> None:
    offer, contact = await chosen(site)
    order = {"offerId": offer, "contactId": contact, "quantity": 3, "destination": ADDRESS}
    query = "mutation ($input: GenerateCodesInput!) { generateCodes(input: $input) { __typename } }"
    async with httpx.AsyncClient(timeout=30) as client, asyncio.timeout(40):
        while not await site.ask(client, site.gala.staff, query, input=order):  # noqa: ASYNC110 - it is asked again
            await asyncio.sleep(0.2)
        async with connected(site.url) as connection:
            while not await connection.fetchval(HAS_FAILED):  # noqa: ASYNC110 - it happens elsewhere
                await asyncio.sleep(0.2)


HAS_FAILED = "SELECT EXISTS (SELECT FROM batches WHERE state = 'FAILED')"


async def chosen(site: Site) -> tuple[str, str]:
    async with connected(site.url) as connection:
        offer = await connection.fetchval("SELECT id FROM offers WHERE code = 'CODES'")
        contact = await connection.fetchval("SELECT id FROM contacts WHERE code = 'MAKER'")
    return encode("Advantage", offer), encode("Contact", contact)


FAULTS = (restarted, cut, refused, exhausted)


async def test_outages_write_no_secret_and_few_lines(site: Site) -> None:
    port = str(free_port())
    with process(site, "serve.log", "sesame", "serve", "--workers", "2", "--port", port):
        for fault in FAULTS:
            async with under_load(site):
                await asyncio.sleep(0.5)
                site.told.clear()
                await fault(site)
            assert site.told[503, "UNAVAILABLE"] or fault is cut, (fault.__name__, site.told)
            assert not any("INTERNAL" in codes for _, codes in site.told), (fault.__name__, site.told)
        await mail_refused(site)
    assert site.problems == []
    lines = [json.loads(line) for line in (site.folder / "serve.log").read_text().splitlines()]
    assert [line for line in lines if "exception" in line] == []
    others = [line for line in lines if line["event"] != "request"]
    assert len(others) < ENOUGH_LINES, Counter(line["event"] for line in others)
    reasons = {line["reason"].partition(":")[0] for line in others if line["event"] == "unavailable"}
    assert {"TimeoutError"} < reasons, reasons
    assert found(site) == []


async def test_a_fault_with_secrets_in_its_words_is_told_without_them(site: Site) -> None:
    """And uvicorn's own log, as it is where somebody starts the application by uvicorn alone."""
    port = str(free_port())
    with process(site, "faulty.log", "uvicorn", "tests.attack.faulty:create", "--factory", "--port", port):
        async with under_load(site):
            await asyncio.sleep(3)
    assert site.told[200, "INTERNAL"]
    written = (site.folder / "faulty.log").read_text()
    assert '"exc_value":"nothing is known of (' in written
    assert found(site) == []


async def test_a_server_that_cannot_write_its_log_answers_as_ever(site: Site) -> None:
    with process(site, "/dev/full", "uvicorn", "tests.attack.faulty:create", "--factory", "--port", str(free_port())):
        async with under_load(site):
            await asyncio.sleep(3)
    assert {status for status, _ in site.told} == {200}
    assert site.told[200, "INTERNAL"]
    assert site.told[200, ""]


async def test_commands_tell_what_is_wrong_without_secrets(site: Site) -> None:
    wrong = make_url(site.url).update_query_dict({"host": "127.0.0.1", "port": str(free_port())})
    attempts: list[tuple[str, JsonObject]] = [
        ("migrate", {"SESAME_DATABASE_URL": wrong.render_as_string(hide_password=False)}),
        ("worker", {"SESAME_DATABASE_URL": f"postgresql://ada:{OF_DATABASE}@127.0.0.1:1/x?ssl=odd"}),
        ("worker", {"SESAME_REDIS_URL": f"redis://:{OF_DATABASE}@127.0.0.1:1"}),
        ("worker", {"SESAME_SMTP_URL": f"smtp://ada:{OF_DATABASE}@127.0.0.1:1"}),
    ]
    for number, (command, settings) in enumerate(attempts):
        with (site.folder / f"{command}-{number}.log").open("wb") as log:
            ended = await asyncio.to_thread(
                partial(
                    subprocess.run,
                    [sys.executable, "-m", "sesame", command],
                    env={**site.environment, **settings},
                    stdout=log,
                    stderr=log,
                    timeout=60,
                    check=False,
                )
            )
        assert ended.returncode == 1, settings
    assert "Traceback" not in site.written
    assert found(site) == []


def found(site: Site) -> list[str]:
    """What stands somewhere and must not. A code may stand there in any spelling."""
    written = site.written
    assert written
    plain, folded = normalise(written), written.casefold()
    codes = {f"code {number}": normalise(code) for number, code in enumerate(site.gala.codes)}
    return [
        *(name for name, secret in site.secrets().items() if secret.casefold() in folded),
        *(name for name, code in {**codes, "custom code": normalise(CUSTOM)}.items() if code in plain),
        *(["local variables"] if '"locals"' in written else []),
    ]
