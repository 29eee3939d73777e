"""Signals between processes by LISTEN and NOTIFY, and a cheap look at the versions of what they speak of."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.sessions import Sessions
from db.core.tables import NIL
from db.counts.counts import NUMBERS, Key, RedemptionCounts
from db.counts.signals import Heard, Lost, hear, signals

CHANNEL: Final = "sesame_counts"

_PATIENCE = 5.0
_HEARTBEAT = 10.0
_NOTIFY = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) payload")
_BROKEN = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class PostgresCarrier:
    """The default: needs nothing but the database.

    ``url`` leads to PostgreSQL itself: behind a transaction pooler nothing is heard.
    """

    def __init__(self, sessions: Sessions, url: str) -> None:
        self._sessions = sessions
        self._url = url

    async def send(self, changed: Mapping[UUID, Collection[UUID]]) -> None:
        """In one statement of its own, for commits with NOTIFY queue behind one lock. Raises Lost."""
        try:
            async with self._sessions.reading() as connection:
                await connection.execute(_NOTIFY, {"channel": CHANNEL, "payloads": list(signals(changed))})
        except (OSError, SQLAlchemyError) as error:
            raise Lost(str(error)) from error

    async def listen(self, heard: Heard, began: Callable[[], None]) -> None:
        """Looks every ten seconds whether the connection is still there. Raises Lost."""
        try:
            connection = await asyncpg.connect(**_arguments(self._url))
            try:
                await _until_lost(connection, heard, began)
            finally:
                connection.terminate()
        except _BROKEN as error:
            raise Lost(str(error)) from error

    async def close(self) -> None:
        """The sessions are somebody else's."""


async def _until_lost(connection: asyncpg.Connection, heard: Heard, began: Callable[[], None]) -> None:
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    await connection.add_listener(CHANNEL, lambda *signal: hear(signal[-1], heard))
    began()
    while not lost.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(lost.wait(), _HEARTBEAT)
            return
        # A connection can be gone without a word: a machine that vanished closes nothing.
        await connection.execute("SELECT 1")


_COUNTS = text(
    f"""
    SELECT offer_id, contact_id, {", ".join(f"CAST(sum({name}) AS bigint)" for name in (*NUMBERS, "version"))}
    FROM redemption_counts WHERE organisation_id = :organisation AND offer_id = ANY(CAST(:offers AS uuid[]))
    GROUP BY offer_id, contact_id
    """
)


async def counts_of(connection: AsyncConnection, organisation: UUID, offers: list[UUID]) -> dict[Key, RedemptionCounts]:
    """The counts of one instant, in no order: read ten times a second while many watch."""
    rows = await connection.execute(_COUNTS, {"organisation": organisation, "offers": offers})
    return {
        (offer, None if contact == UUID(NIL) else contact): RedemptionCounts(*numbers)
        for offer, contact, *numbers in rows
    }


_VERSIONS = text("""
SELECT offer_id, CAST(sum(version) AS bigint) AS version FROM redemption_counts
WHERE organisation_id = :organisation
    AND (CAST(:offers AS uuid[]) IS NULL OR offer_id = ANY(CAST(:offers AS uuid[]))) GROUP BY offer_id
""")


async def versions(connection: AsyncConnection, organisation: UUID, offers: Collection[UUID] | None) -> dict[UUID, int]:
    """The version of each offer's counts, its holders taken together; of all offers where ``offers`` is None."""
    wanted = None if offers is None else list(offers)
    rows = await connection.execute(_VERSIONS, {"organisation": organisation, "offers": wanted})
    return {row.offer_id: row.version for row in rows}


def _arguments(url: str) -> dict[str, Any]:
    """What asyncpg takes, out of a SQLAlchemy URL."""
    parsed = make_url(url)
    _, arguments = parsed.get_dialect()().create_connect_args(parsed)
    return {**arguments, "timeout": _PATIENCE, "command_timeout": _PATIENCE}
