"""What the edge costs: GraphQL by plans, by graphql-core, and the same work written by hand, in CPU time.

All three run in one process and without sockets, on the same service with the same authentication. The endpoint that is
written by hand (``benchmarks/support/by_hand.py``) answers the same bytes. Rounds alternate; told is the median of
them, with the least and the most.
"""

import asyncio
import gc
import json
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from benchmarks.support.by_hand import CODES, PRICE, ByHand
from db.core.sessions import Sessions
from db.migrations.migrate import upgrade
from resolvers.schema import schema
from services.codes.batches import BatchState
from services.codes.download_links import DownloadLinks
from services.codes.generation import Generation
from services.core.mail import FolderMailer
from services.core.transactions import Transactions
from services.core.viewer import StaffRole
from services.dataset import Datasets, moved_to, read
from sesame.composition import build_services, house
from sesame.postgres.embedded import running
from sesame.server.app import routes
from sesame.server.edge import Edge
from sesame.settings import Settings

ROUNDS: Final = 7
REQUESTS: Final = 60
SECRET: Final = "a secret of thirty-two characters"  # noqa: S105

_FIND = """{ products(first: 100) { edges { node { performances { edges { node { id code prices {
    seatCategory { id code } audienceSubCategory { id code } } } } } } } } }"""


class Driver:
    """Sends requests to an application as a server would, without a socket."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._headers = [
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {token}".encode()),
            (b"accept-language", b"en"),
        ]

    async def send(self, path: str, body: bytes) -> bytes:
        """The body of the answer."""
        answer = bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            answer.extend(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": self._headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await self._app(scope, receive, send)
        return bytes(answer)

    async def cost(self, path: str, body: bytes) -> float:
        """Milliseconds of CPU for one of many requests."""
        began = time.process_time()
        for _ in range(REQUESTS):
            await self.send(path, body)
        return (time.process_time() - began) / REQUESTS * 1000


@asynccontextmanager
async def edge() -> AsyncIterator[tuple[Driver, Driver]]:
    """The application on the example's data, asked by a shop, and by staff."""
    now = datetime.now(UTC)
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - PostgreSQL runs as another user where this runs as root.
        with running(Path(folder)) as url:
            await upgrade(url)
            await _load(url, now)
            settings = Settings(
                database_url=SecretStr(url), secret_key=SecretStr(SECRET), data_dir=Path(folder), client_baskets=10**6
            )
            async with house(settings) as own:
                by_hand = ByHand(build_services(own), lambda: datetime.now(UTC))
                app = Starlette(
                    routes=[
                        *routes(own, lambda: datetime.now(UTC), Edge(settings)),
                        Route("/by-hand/price", by_hand.price, methods=["POST"]),
                        Route("/by-hand/codes", by_hand.codes, methods=["POST"]),
                    ]
                )
                issue, until = own.credentials, now + timedelta(hours=12)
                yield (
                    Driver(app, await issue.shopper_token("theatre", "SHOP")),
                    Driver(app, await issue.staff_token("theatre", list(StaffRole), until, point_of_sale="HALL")),
                )


async def _load(url: str, now: datetime) -> None:
    sessions = Sessions(url, pool_size=1)
    document = moved_to(read(files("sesame").joinpath("example.json").read_bytes()), now)
    loaded = await Datasets(sessions).load(document, now=now)
    transactions = Transactions(sessions, lambda _organisation, _subjects: None)
    generation = Generation(
        sessions, transactions, DownloadLinks(SECRET, "http://test"), FolderMailer(Path("/nowhere"))
    )
    for batch in loaded.made:
        while await generation.advance(loaded.organisation_id, batch, now) is not BatchState.DONE:
            pass
    await sessions.close()


async def compare(name: str, driver: Driver, document: str, variables: dict[str, Any], path: str) -> None:
    graphql = json.dumps({"query": document, "variables": variables}).encode()
    plain = json.dumps(variables).encode()

    def by(planned: bool) -> Callable[[], Any]:
        async def asked() -> float:
            schema.is_planned = planned
            return await driver.cost("/graphql", graphql)

        return asked

    async def by_hand() -> float:
        return await driver.cost(path, plain)

    ways = {"by hand": by_hand, "plan": by(planned=True), "graphql-core": by(planned=False)}
    schema.is_planned = True
    answer = json.loads(await driver.send("/graphql", graphql))
    assert "errors" not in answer, answer
    same = json.loads(await driver.send(path, plain)) == {"data": answer["data"]}
    measured: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            measured[way].append(await run())
    schema.is_planned = True
    least = statistics.median(measured["by hand"])
    print(f"{name}: {REQUESTS} requests a round, {ROUNDS} rounds; the same data as by hand: {same}")
    for way, each in measured.items():
        median = statistics.median(each)
        print(
            f"  {way:13} {median:6.2f} ms of CPU a request ({min(each):.2f} to {max(each):.2f}), "
            f"{least / median:.2f} of what is written by hand"
        )


async def main() -> None:
    async with edge() as (shop, staff):
        gc.collect()
        gc.freeze()
        found = json.loads(await shop.send("/graphql", json.dumps({"query": _FIND}).encode()))["data"]
        performance = next(
            edge["node"]
            for product in found["products"]["edges"]
            for edge in product["node"]["performances"]["edges"]
            if edge["node"]["code"] == "HELENE-1217"
        )
        lines = [
            {
                "performanceId": performance["id"],
                "seatCategoryId": price["seatCategory"]["id"],
                "audienceSubCategoryId": price["audienceSubCategory"]["id"],
                "quantity": 2,
            }
            for price in performance["prices"][:2]
        ]
        codes = json.loads(await staff.send("/graphql", json.dumps({"query": CODES}).encode()))["data"]["codes"]
        code = codes["edges"][0]["node"]["code"]
        variables = {"input": {"lines": lines, "codes": [code]}}
        await compare("priceBasket", shop, PRICE, variables, "/by-hand/price")
        await compare("codes", staff, CODES, {}, "/by-hand/codes")


if __name__ == "__main__":
    asyncio.run(main())
