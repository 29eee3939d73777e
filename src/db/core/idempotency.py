"""Idempotency keys, written in the transaction of the effect that they name."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from sqlalchemy import delete, func, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.tables import idempotency_keys as keys


@dataclass(frozen=True, slots=True)
class StoredEffect:
    """What a key stands for already."""

    fingerprint: bytes
    answer: object


# Written out: every change runs them, and putting an expression together takes longer than running it.
_TAKE = text("""
INSERT INTO idempotency_keys (organisation_id, caller, key, fingerprint, answer)
VALUES (:organisation, :caller, :key, :fingerprint, '{}') ON CONFLICT DO NOTHING RETURNING key
""")
_NAMED = "organisation_id = :organisation AND caller = :caller AND key = :key"
_FIND = text(f"SELECT fingerprint, answer FROM idempotency_keys WHERE {_NAMED}")
_FINISH = text(f"UPDATE idempotency_keys SET answer = CAST(:made AS jsonb) WHERE {_NAMED}")


async def begin(
    connection: AsyncConnection, organisation: UUID, caller: str, key: str, fingerprint: bytes
) -> StoredEffect | None:
    """Takes the key for this transaction, or gives the effect that it names already.

    Waits for another transaction that has just taken the key: it either commits its effect or leaves the key free.
    """
    named = {"organisation": organisation, "caller": caller, "key": key}
    if (await connection.execute(_TAKE, {**named, "fingerprint": fingerprint})).first() is not None:
        return None
    row = (await connection.execute(_FIND, named)).one()
    return StoredEffect(row.fingerprint, row.answer)


async def finish(connection: AsyncConnection, organisation: UUID, caller: str, key: str, answer: object) -> None:
    """Records what the key's effect made."""
    named = {"organisation": organisation, "caller": caller, "key": key}
    await connection.execute(_FINISH, {**named, "made": orjson.dumps(answer).decode()})


@dataclass(frozen=True, slots=True)
class KeyedAnswer:
    """The answer to a request under its caller's key."""

    caller: str
    key: str
    fingerprint: bytes
    answer: object


_NAME = text("""
INSERT INTO idempotency_keys (organisation_id, caller, key, fingerprint, answer)
SELECT :organisation, n.caller, n.key, n.fingerprint, CAST(n.answer AS jsonb)
FROM unnest(CAST(:callers AS text[]), CAST(:keys AS text[]), CAST(:fingerprints AS bytea[]), CAST(:answers AS text[]))
    AS n(caller, key, fingerprint, answer)
ORDER BY n.caller, n.key ON CONFLICT DO NOTHING RETURNING key
""")


async def name(connection: AsyncConnection, organisation: UUID, answers: Sequence[KeyedAnswer]) -> bool:
    """Takes keys for effects of this transaction, with their answers; False where one of them was taken already.

    Waits like ``begin``.
    """
    parameters = {
        "organisation": organisation,
        "callers": [each.caller for each in answers],
        "keys": [each.key for each in answers],
        "fingerprints": [each.fingerprint for each in answers],
        "answers": [orjson.dumps(each.answer).decode() for each in answers],
    }
    return len((await connection.execute(_NAME, parameters)).all()) == len(answers)


async def forget_old(connection: AsyncConnection) -> None:
    """Deletes keys that nobody can count on any more: they are kept for 24 hours at least."""
    await connection.execute(delete(keys).where(keys.c.created_at < func.now() - text("interval '2 days'")))
