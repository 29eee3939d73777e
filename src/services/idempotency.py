"""One effect a key: the same key and the same input give the same answer, however often they are sent."""

import hashlib
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import idempotency as db
from services.errors import Conflict
from services.texts import text
from services.viewer import Viewer

MAXIMUM_LENGTH = 255

Answer = Mapping[str, UUID]
"""What was made, by name: enough to give the same answer again."""


class Once:
    """An effect under an idempotency key, within the effect's own transaction.

    ``request`` is the input as a value with a faithful ``repr``. A second caller with the same key waits in ``earlier``
    until the first has committed or rolled back.
    """

    def __init__(self, viewer: Viewer, key: str | None, operation: str, request: object) -> None:
        if key is not None and not 1 <= len(key) <= MAXIMUM_LENGTH:
            raise Conflict(text("bad_idempotency_key", maximum=MAXIMUM_LENGTH))
        self._viewer = viewer
        self._key = key
        self._fingerprint = hashlib.sha256(repr((operation, request)).encode("utf-8", "surrogatepass")).digest()

    async def earlier(self, connection: AsyncConnection) -> Answer | None:
        """The answer given before under this key. Raises Conflict where the key came with another input."""
        if self._key is None:
            return None
        found = await db.begin(
            connection, self._viewer.organisation_id, self._viewer.actor, self._key, self._fingerprint
        )
        if found is None:
            return None
        if found.fingerprint != self._fingerprint:
            raise Conflict(text("idempotency_key_reused"))
        return {name: UUID(value) for name, value in found.answer.items()}

    async def answer(self, connection: AsyncConnection, answer: Answer) -> None:
        """Keeps the answer with its effect."""
        if self._key is not None:
            values = {name: str(value) for name, value in answer.items()}
            await db.finish(connection, self._viewer.organisation_id, self._viewer.actor, self._key, values)
