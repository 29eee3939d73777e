"""Keys: UUIDv7 (RFC 9562), so that new rows stand at the end of their index.

A key that opens something for whoever knows it is made by ``new_id``. Where the order of rows is told by their keys and
no key opens anything by itself, ``next_id`` keeps rows of one moment in the order of their making.
"""

import os
import time
from typing import AnyStr, Final
from uuid import UUID

from asyncpg.pgproto import pgproto
from uuid_utils import uuid7

_RANDOM_BITS: Final = 76
"""Of twelve and sixty-four bits after the version, of which the variant takes two."""
_VERSION: Final = 7 << _RANDOM_BITS
_VARIANT: Final = 0b10 << 62
_FREE: Final = (1 << _RANDOM_BITS) - 1 & ~(0b11 << 62)


def new_id() -> UUID:
    """A fresh key: its time in milliseconds, then 74 bits of the operating system's secure generator, each key's own.

    Knowing any number of them, made in the same millisecond even, is of no help to find another.
    """
    moment = time.time_ns() // 1_000_000 << 80
    chosen = int.from_bytes(os.urandom(10), "big") & _FREE
    return uuid_of((moment | _VERSION | _VARIANT | chosen).to_bytes(16, "big"))


def next_id() -> UUID:
    """A fresh key, greater than all that this process made so before. Who knows one can guess others."""
    return uuid_of(uuid7().bytes)


def uuid_of(value: AnyStr) -> UUID:
    """A key from its text or its 16 bytes, of the class that the driver gives and takes.

    That is made, hashed and sent in a fraction of the time of the standard library's, to which it is equal.
    """
    return pgproto.UUID(value)


def uuid_or_none(value: str | None) -> UUID | None:
    return None if value is None else uuid_of(value)
