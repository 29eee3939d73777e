"""Idempotency keys, written in the transaction of the effect that they name."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from sqlalchemy import delete, func, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.tables import idempotency_keys as keys
from db.core.waiting import BRIEFLY


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request under its caller's key."""

    caller: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class StoredEffect:
    """What a key stands for already."""

    fingerprint: bytes
    answer: object


# Written out: every change runs them, and putting an expression together takes longer than running it.
_ASKED = "unnest(CAST(:callers AS text[]), CAST(:keys AS text[]), {}) AS n(caller, key, {})"
_TAKE = f"""
INSERT INTO idempotency_keys (organisation_id, caller, key, fingerprint, answer)
SELECT :organisation, n.caller, n.key, n.fingerprint, '{{}}'
FROM {_ASKED.format("CAST(:fingerprints AS bytea[])", "fingerprint")}
WHERE %s ORDER BY n.caller, n.key ON CONFLICT DO NOTHING RETURNING caller, key
"""
_TAKE_WAITING = text(_TAKE % "true")
_TAKE_BRIEFLY = text(_TAKE % BRIEFLY)
_FIND = text("""
SELECT k.caller, k.key, k.fingerprint, k.answer
FROM unnest(CAST(:callers AS text[]), CAST(:keys AS text[])) AS n(caller, key)
JOIN idempotency_keys k ON k.organisation_id = :organisation AND (k.caller, k.key) = (n.caller, n.key)
""")
_FINISH = text(f"""
UPDATE idempotency_keys k SET answer = CAST(n.answer AS jsonb)
FROM {_ASKED.format("CAST(:answers AS text[])", "answer")}
WHERE k.organisation_id = :organisation AND (k.caller, k.key) = (n.caller, n.key)
""")


async def begin(
    connection: AsyncConnection, organisation: UUID, requests: Sequence[KeyedRequest], *, waits: bool = True
) -> dict[tuple[str, str], StoredEffect]:
    """Takes the keys for this transaction, but for those that name an effect already: these, by caller and key.

    No two of the requests may have the same key. Waits for another transaction that has just taken one of the keys: it
    either commits its effect or leaves the key free. Where it does not wait, the transaction from now on waits 300 ms
    at the most for what another one has locked, and then fails.
    """
    parameters = {
        "organisation": organisation,
        "callers": [each.caller for each in requests],
        "keys": [each.key for each in requests],
    }
    fingerprints = [each.fingerprint for each in requests]
    take = _TAKE_WAITING if waits else _TAKE_BRIEFLY
    mine: set[tuple[str, str]] = set()
    while True:
        taken = await connection.execute(take, {**parameters, "fingerprints": fingerprints})
        mine |= {(row.caller, row.key) for row in taken}
        if len(mine) == len(requests):
            return {}
        found = {
            (row.caller, row.key): StoredEffect(row.fingerprint, row.answer)
            for row in await connection.execute(_FIND, parameters)
            if (row.caller, row.key) not in mine
        }
        # Fewer, where an old key was forgotten between the two statements: it is free now, and taken next.
        if len(mine) + len(found) == len(requests):
            return found


@dataclass(frozen=True, slots=True)
class KeyedAnswer:
    """The answer to a request under its caller's key."""

    caller: str
    key: str
    answer: object


async def finish(connection: AsyncConnection, organisation: UUID, answers: Sequence[KeyedAnswer]) -> None:
    """Records the answers of effects whose keys this transaction has taken."""
    parameters = {
        "organisation": organisation,
        "callers": [each.caller for each in answers],
        "keys": [each.key for each in answers],
        "answers": [orjson.dumps(each.answer).decode() for each in answers],
    }
    await connection.execute(_FINISH, parameters)


_GIVE_UP = text("""
DELETE FROM idempotency_keys k USING unnest(CAST(:callers AS text[]), CAST(:keys AS text[])) AS n(caller, key)
WHERE k.organisation_id = :organisation AND (k.caller, k.key) = (n.caller, n.key)
""")


async def give_up(connection: AsyncConnection, organisation: UUID, names: Sequence[tuple[str, str]]) -> None:
    """Lets go of keys, by caller and key, that this transaction has taken for nothing."""
    parameters = {
        "organisation": organisation,
        "callers": [caller for caller, _ in names],
        "keys": [key for _, key in names],
    }
    await connection.execute(_GIVE_UP, parameters)


async def forget_old(connection: AsyncConnection) -> None:
    """Deletes keys that nobody can count on any more: they are kept for 24 hours at least."""
    await connection.execute(delete(keys).where(keys.c.created_at < func.now() - text("interval '2 days'")))
