"""Batches that are not at their end and have no job in the queue: nobody would ever go on with them."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes.batches import BatchState


class LostBatch(NamedTuple):
    """A batch without a job, and how far it is."""

    organisation: UUID
    id: UUID
    state: BatchState


_LOST: Final = """
    EXISTS (SELECT FROM unnest(CAST(:states AS text[]), CAST(:entrypoints AS text[])) due(state, entrypoint)
        WHERE due.state = b.state AND NOT EXISTS (SELECT FROM pgqueuer q
            WHERE q.entrypoint = due.entrypoint AND q.status IN ('queued', 'picked')
                AND q.payload = uuid_send(b.organisation_id) || uuid_send(b.id)))
"""
_LOCK: Final = text(f"""
SELECT b.id FROM batches b WHERE {_LOST} ORDER BY b.organisation_id, b.id FOR NO KEY UPDATE OF b SKIP LOCKED
""")
_FIND: Final = text(f"SELECT b.organisation_id, b.id, b.state FROM batches b WHERE b.id = ANY(:locked) AND {_LOST}")


async def lock(connection: AsyncConnection, entrypoints: Mapping[BatchState, str]) -> Sequence[LostBatch]:
    """The batches whose state asks for a job that there is not, kept from all others until the transaction ends.

    Without those that somebody else keeps: they have them in hand, or are just giving them a job.
    """
    due = {"states": list(entrypoints), "entrypoints": list(entrypoints.values())}
    locked = list((await connection.scalars(_LOCK, due)).all())
    if not locked:
        return []
    # Looked at again now that nobody can touch them: somebody may have given one its job since the first look began.
    rows = await connection.execute(_FIND, {**due, "locked": locked})
    return [LostBatch(row.organisation_id, row.id, BatchState(row.state)) for row in rows]
