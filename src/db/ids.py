"""Keys: UUIDv7 (RFC 9562), so that new rows stand at the end of their index."""

from uuid import UUID

from uuid_utils import uuid7


def new_id() -> UUID:
    """A fresh key: its time in milliseconds, then 74 unguessable bits."""
    return UUID(int=uuid7().int)
