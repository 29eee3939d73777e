"""Counts against guessing, each within a window of time, where all processes see them: in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.tables import attempts


class Added(NamedTuple):
    """What is added to the count of ``key``: less than nothing gives back, nothing only asks.

    A window that begins with it lasts until ``until``; who gives back begins none.
    """

    key: str
    number: int
    until: datetime


class Count(NamedTuple):
    """What is counted in the window that ends at ``until``."""

    number: int
    until: datetime


# In the order of the keys, so that two of these never wait for each other.
_ADD = text("""
WITH added AS (
    INSERT INTO attempts AS a (key, number, until)
    SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:numbers AS bigint[]), CAST(:untils AS timestamptz[])) n(key)
    ORDER BY n.key
    ON CONFLICT (key) DO UPDATE SET
        number = greatest(CASE WHEN a.until > CAST(:now AS timestamptz) THEN a.number ELSE 0 END + excluded.number, 0),
        until = CASE WHEN a.until > CAST(:now AS timestamptz) THEN a.until ELSE excluded.until END
    RETURNING key, number, until
)
SELECT key, number, until FROM added
UNION ALL
SELECT key, number, until FROM attempts WHERE key = ANY(CAST(:asked AS text[])) AND until > CAST(:now AS timestamptz)
""")


async def add(connection: AsyncConnection, added: Sequence[Added], now: datetime) -> dict[str, Count]:
    """Adds to counts in one round trip, which is one transaction where the connection commits each statement.

    The counts that there are then, by key; of those that are only asked for, the ones whose window has begun.
    """
    moved = [each for each in added if each.number]
    parameters = {
        "keys": [each.key for each in moved],
        "numbers": [each.number for each in moved],
        "untils": [each.until if each.number > 0 else now for each in moved],
        "asked": [each.key for each in added if not each.number],
        "now": now,
    }
    rows = await connection.execute(_ADD, parameters)
    return {key: Count(number, until) for key, number, until in rows}


async def forget_old(connection: AsyncConnection, now: datetime) -> None:
    """Deletes the counts whose windows are over."""
    await connection.execute(delete(attempts).where(attempts.c.until <= now))
