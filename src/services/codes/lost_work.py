"""Gives batches on their way a job again that the queue has lost, by whatever became of the database or of a worker."""

import structlog

from db.codes import lost_work as db
from db.core.sessions import Sessions
from services.codes.batches import JOBS, set_going

_log = structlog.get_logger()


class LostWork:
    """Compares the batches with the queue."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def restore(self) -> None:
        """Each batch that is not at its end and has no job has one again, exactly one however many workers do this."""
        async with self._sessions.writing() as connection:
            lost = await db.lock(connection, JOBS)
            for batch in lost:
                await set_going(connection, batch.organisation, batch.id, batch.state)
        for batch in lost:
            _log.warning("a batch had no job", batch=str(batch.id), state=batch.state)
