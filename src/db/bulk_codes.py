"""Random codes in bulk, through COPY."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import chain, islice
from struct import pack

from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from db.batches import Batch
from db.codes import CodeKind, CodeStatus
from db.driver import driver_within

_COLUMNS = ("organisation_id", "id", "code", "kind", "status", "offer_id", "batch_id", "contact_id")
_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_BLOCK = 2_000


async def add(connection: AsyncConnection, batch: Batch, codes: Sequence[bytes]) -> None:
    """Adds normalised random codes to a batch, through COPY in the session's transaction.

    Sorted codes enter their unique index fastest. Raises UniqueViolation where one of them exists already.
    """
    driver = await driver_within(connection)
    await driver.copy_to_table("codes", source=_blocks(batch, codes), columns=_COLUMNS, format="binary")


async def _blocks(batch: Batch, codes: Sequence[bytes]) -> AsyncIterator[bytes]:
    """The rows in COPY's binary format, which spares PostgreSQL the reading of ids from text.

    In blocks, so that PostgreSQL stores one while the next is made, and the event loop serves others in between.
    """
    before_id = pack("!h", len(_COLUMNS)) + _field(batch.organisation.bytes) + pack("!i", 16)
    status = _field(CodeKind.SINGLE_USE.encode()) + _field(CodeStatus.AVAILABLE.encode())
    after_code = status + _field(batch.offer.bytes) + _field(batch.id.bytes) + _field(batch.contact.bytes)
    rest = iter(codes)
    yield _START
    while block := list(islice(rest, _BLOCK)):
        yield b"".join(
            chain.from_iterable((before_id, uuid7().bytes, pack("!i", len(code)), code, after_code) for code in block)
        )
        await asyncio.sleep(0)
    yield _END


def _field(value: bytes) -> bytes:
    return pack("!i", len(value)) + value
