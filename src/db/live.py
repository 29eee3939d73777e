"""Signals between processes that counts changed, by LISTEN and NOTIFY, and a cheap look at what they say."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]  # asyncpg comes without types
from sqlalchemy import BigInteger, cast, func, make_url, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import redemption_counts

CHANNEL: Final = "sesame_counts"

Lost = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a lost or refused connection raises."""

Heard = Callable[[UUID, frozenset[UUID]], None]
"""Takes an organisation and what changed there."""

_PATIENCE = 5.0
_HEARTBEAT = 10.0
_HEX = 32
_SUBJECTS_A_PAYLOAD = 200  # PostgreSQL takes payloads below 8,000 bytes.
_NOTIFY = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) payload")


async def notify(connection: AsyncConnection, changed: Mapping[UUID, Collection[UUID]]) -> None:
    """Signals what changed, by organisation, in one statement.

    Never inside a transaction that does anything else: commits with NOTIFY queue behind one lock.
    """
    payloads = [payload for organisation, subjects in changed.items() for payload in _payloads(organisation, subjects)]
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "payloads": payloads})


async def listen(url: str, heard: Heard, began: Callable[[], None]) -> None:
    """Hears every signal on a connection of its own, and returns when that is lost; ``began`` once it listens.

    ``url`` leads to PostgreSQL itself: behind a transaction pooler nothing is heard. Raises one of ``Lost``.
    """
    lost = asyncio.Event()
    connection = await asyncpg.connect(**_arguments(url))
    try:
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(CHANNEL, lambda *signal: _hear(signal[-1], heard))
        began()
        while not lost.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), _HEARTBEAT)
                return
            # A connection can be gone without a word: a machine that vanished closes nothing.
            await connection.execute("SELECT 1", timeout=_PATIENCE)
    finally:
        connection.terminate()


async def versions(connection: AsyncConnection, organisation: UUID, offers: Collection[UUID] | None) -> dict[UUID, int]:
    """The version of each offer's counts, its holders taken together; of all offers where ``offers`` is None."""
    table = redemption_counts
    query = (
        select(table.c.offer_id, cast(func.sum(table.c.version), BigInteger).label("version"))
        .where(table.c.organisation_id == organisation)
        .group_by(table.c.offer_id)
    )
    if offers is not None:
        query = query.where(table.c.offer_id.in_(offers))
    return {row.offer_id: row.version for row in await connection.execute(query)}


def _arguments(url: str) -> dict[str, Any]:
    """What asyncpg takes, out of a SQLAlchemy URL."""
    parsed = make_url(url)
    _, arguments = parsed.get_dialect()().create_connect_args(parsed)
    return {**arguments, "timeout": _PATIENCE}


def _payloads(organisation: UUID, subjects: Collection[UUID]) -> list[str]:
    keys = [subject.hex for subject in subjects]
    starts = range(0, len(keys), _SUBJECTS_A_PAYLOAD)
    return [organisation.hex + "".join(keys[start : start + _SUBJECTS_A_PAYLOAD]) for start in starts]


def _hear(payload: str, heard: Heard) -> None:
    try:
        keys = [UUID(payload[start : start + _HEX]) for start in range(0, len(payload), _HEX)]
    except ValueError:
        return  # Anybody who may connect may signal; what is no signal of ours says nothing.
    if keys:
        heard(keys[0], frozenset(keys[1:]))
