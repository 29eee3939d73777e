"""Random codes in bulk, through COPY."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from struct import pack
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes.batches import Batch
from db.codes.codes import CodeKind, CodeStatus
from db.core.driver import copied, driver_within

_COLUMNS: Final = ("organisation_id", "id", "code", "kind", "status", "offer_id", "batch_id", "contact_id")
_START: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
_BLOCK: Final = 2_000


async def add(connection: AsyncConnection, batch: Batch, codes: Sequence[bytes]) -> None:
    """Adds normalised random codes, all of one length, to a batch, through COPY in the session's transaction.

    Sorted codes enter their unique index fastest. Their ids go on where the batch stands. Raises UniqueViolation where
    one of them exists already.
    """
    driver = await driver_within(connection)
    copying = driver.copy_to_table("codes", source=_blocks(batch, codes), columns=_COLUMNS, format="binary")
    await copied(driver, copying)


async def analyse(connection: AsyncConnection) -> None:
    """Has PostgreSQL know at once how many codes there are, which it would else notice within a minute or so.

    Until then it plans sales as for a table of a few codes: by reading them all.
    """
    await connection.execute(text("ANALYZE codes"))


def code_id(batch: UUID, number: int) -> UUID:
    """The id of the batch's code with this number: the batch's own, the number in its last four bytes."""
    return UUID(bytes=batch.bytes[:12] + pack("!I", number))


async def _blocks(batch: Batch, codes: Sequence[bytes]) -> AsyncIterator[bytes]:
    """The rows in COPY's binary format, which spares PostgreSQL the reading of ids from text.

    In blocks, so that PostgreSQL stores one while the next is made, and the event loop serves others in between.
    """
    length = len(codes[0])
    before_number = pack("!h", len(_COLUMNS)) + _field(batch.organisation.bytes) + pack("!i", 16) + batch.id.bytes[:12]
    before_code = before_number + bytes(4) + pack("!i", length)
    status = _field(CodeKind.SINGLE_USE.encode()) + _field(CodeStatus.AVAILABLE.encode())
    after_code = status + _field(batch.offer.bytes) + _field(batch.id.bytes) + _field(batch.contact.bytes)
    row = before_code + bytes(length) + after_code
    yield _START
    number = batch.generated
    for start in range(0, len(codes), _BLOCK):
        block = b"".join(codes[start : start + _BLOCK])
        size = len(block) // length
        rows = bytearray(row * size)
        # All rows are of one length: they are filled column by column, inside the interpreter's C code.
        numbers = pack(f"!{size}I", *range(number, number + size))
        for column in range(4):
            rows[len(before_number) + column :: len(row)] = numbers[column::4]
        for column in range(length):
            rows[len(before_code) + column :: len(row)] = block[column::length]
        yield bytes(rows)
        number += size
        await asyncio.sleep(0)
    yield _END


def _field(value: bytes) -> bytes:
    return pack("!i", len(value)) + value
