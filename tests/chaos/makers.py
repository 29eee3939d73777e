"""Staff who have codes made while everything breaks, and whether the work on them came to its end."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random

import asyncpg
import httpx
from tests.gala import Gala
from tests.ledger import connect
from tests.wire import Json, JsonObject

_DOCUMENT = """
query form { offers: advantages(first: 50) { edges { node { id code } } }
    makers: contacts(search: "MAKER") { edges { node { id code } } } }
mutation make($input: GenerateCodesInput!) { answer: generateCodes(input: $input) { __typename
    ... on CodeBatch { id } ... on Failure { message } } }
"""
_STUCK = """
SELECT id::text, state, generated, quantity, sending_until FROM batches WHERE state NOT IN ('DONE', 'FAILED')
"""
# Who was killed while they sent a mail keeps it to themselves for minutes.
_TIME_IS_OVER = ("UPDATE batches SET sending_until = NULL", "UPDATE pgqueuer SET execute_after = now()")
_HELD = """
SELECT (SELECT count(*) FROM baskets WHERE state = 'OPEN') AS baskets,
    (SELECT count(*) FROM redemptions WHERE state = 'HELD') AS tickets,
    (SELECT count(*) FROM codes WHERE status = 'HELD') AS codes
"""
_WRONG = """
SELECT b.id::text, b.state, b.quantity, b.generated, count(c.id) AS there, count(DISTINCT c.code) AS different
FROM batches b LEFT JOIN codes c ON c.organisation_id = b.organisation_id AND c.batch_id = b.id
GROUP BY b.organisation_id, b.id HAVING count(c.id) <> b.generated OR count(DISTINCT c.code) <> b.generated
    OR (b.state = 'DONE' AND b.generated <> b.quantity) OR (b.state = 'FAILED' AND coalesce(b.error, '') = '')
"""


class Makers:
    """Ask for batches, of which some are mailed, and ask again by the same key where they did not hear the answer."""

    def __init__(self, gala: Gala, http: httpx.AsyncClient) -> None:
        self._gala = gala
        self._http = http
        self._wanted: JsonObject = {}
        self.asked = 0

    async def live(self, until: float, random: Random) -> None:
        """Has codes made now and then."""
        while asyncio.get_running_loop().time() < until:
            [quantity] = random.choices((1, 500, 60_000), (2, 2, 1))
            await self.ask(quantity, mailed=random.random() < 0.4)
            await asyncio.sleep(random.uniform(0.3, 1.5))

    async def ask(self, quantity: int, *, mailed: bool = False) -> None:
        """Returns when the batch is accepted."""
        kind = "EMAIL_WITH_CODE_LIST" if mailed else "NO_EMAIL"
        self.asked += 1
        key = f"batch {self.asked}"
        while True:
            with suppress(httpx.TransportError, ValueError, LookupError, TypeError):
                self._wanted = self._wanted or await self._form()
                wanted = {**self._wanted, "quantity": quantity, "documentType": kind, "idempotencyKey": key}
                answer = (await self._send("make", {"input": wanted}))["answer"]
                if answer["__typename"] == "CodeBatch":
                    return
            await asyncio.sleep(0.1)

    async def _form(self) -> JsonObject:
        form = await self._send("form", {})
        offers = {edge["node"]["code"]: edge["node"]["id"] for edge in form["offers"]["edges"]}
        return {"offerId": offers["CODES"], "contactId": form["makers"]["edges"][0]["node"]["id"]}

    async def _send(self, operation: str, variables: JsonObject) -> Json:
        """What it answers with; raises KeyError where that is nothing."""
        response = await self._http.post(
            "/graphql",
            json={"query": _DOCUMENT, "operationName": operation, "variables": variables},
            headers={"Authorization": f"Bearer {self._gala.staff}"},
        )
        return response.json()["data"]


async def stuck(url: str, seconds: float) -> list[str]:
    """The batches that are not at their end after so many seconds, and those that are not what they say."""
    await _changed(url, *_TIME_IS_OVER)
    rows = await _seen(url, _STUCK, seconds, lambda rows: not rows)
    wrong = await _seen(url, _WRONG, 0, lambda rows: not rows)
    return [
        *(f"a batch is stuck: {dict(row)}" for row in rows),
        *(f"a batch is not what it says: {dict(row)}" for row in wrong),
    ]


async def still_held(url: str, seconds: float) -> list[str]:
    """What is held so many seconds after every basket's time was over, though nobody wants it."""
    await _changed(url, "UPDATE baskets SET expires_at = now() - interval '1 second' WHERE state = 'OPEN'")
    [row] = await _seen(url, _HELD, seconds, lambda rows: not any(rows[0].values()))
    return [f"held for good: {dict(row)}"] if any(row.values()) else []


async def _changed(url: str, *statements: str) -> None:
    connection = await connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _seen(
    url: str, query: str, seconds: float, is_over: Callable[[list[asyncpg.Record]], bool]
) -> list[asyncpg.Record]:
    """What the query finds when it ``is_over``, or after so many seconds."""
    deadline = time.monotonic() + seconds
    connection = await connect(url)
    try:
        while True:
            rows: list[asyncpg.Record] = await connection.fetch(query)
            if is_over(rows) or time.monotonic() > deadline:
                return rows
            await asyncio.sleep(0.2)
    finally:
        await connection.close()
