"""Codes taken in from a list: staged beside the others, looked at as a whole, then all added or none."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.driver import UniqueViolation, copied, driver_within

TWICE: Final = "code_twice"
KNOWN: Final = "code_known"


@dataclass(frozen=True, slots=True)
class StagedLine:
    """One line: ``code`` is normalised and ``id`` its key, both None where a ``problem`` keeps it out.

    ``shown`` is how the list has it.
    """

    number: int
    id: UUID | None
    code: str | None
    shown: str
    problem: str | None


_STAGE = text("""
CREATE TEMPORARY TABLE import_lines (number integer, id uuid, code text, shown text, problem text) ON COMMIT DROP
""")
_PROBLEMS = text("""
SELECT number, shown, problem FROM import_lines WHERE problem IS NOT NULL
UNION ALL
SELECT number, shown, :twice FROM (
    SELECT number, shown, row_number() OVER (PARTITION BY code ORDER BY number) AS place
    FROM import_lines WHERE code IS NOT NULL
) lines WHERE place > 1
UNION ALL
SELECT l.number, l.shown, :known FROM import_lines l
WHERE l.code IS NOT NULL AND EXISTS (SELECT FROM codes c WHERE c.organisation_id = :organisation AND c.code = l.code)
ORDER BY number
""")
_ADD = text("""
INSERT INTO codes (organisation_id, id, code, shown, kind, status, offer_id, batch_id, contact_id)
SELECT :organisation, id, code, nullif(shown, code), 'SINGLE_USE', 'AVAILABLE', :offer, :batch, :contact
FROM import_lines ORDER BY code
""")


async def begin(connection: AsyncConnection) -> None:
    """Opens the stage, which ends with the transaction."""
    await connection.execute(_STAGE)


async def stage(connection: AsyncConnection, lines: Sequence[StagedLine]) -> None:
    """Puts more lines on the stage, through COPY."""
    driver = await driver_within(connection)
    records = [(line.number, line.id, line.code, line.shown, line.problem) for line in lines]
    await copied(driver, driver.copy_records_to_table("import_lines", records=records))


async def problems(connection: AsyncConnection, organisation: UUID) -> AsyncIterator[tuple[int, str, str]]:
    """What is wrong with the lines, in their order: number, code as the list has it, key of the reason."""
    await connection.execute(text("ANALYZE import_lines"))
    parameters = {"organisation": organisation, "twice": TWICE, "known": KNOWN}
    async with connection.stream(_PROBLEMS, parameters) as rows:
        async for number, shown, problem in rows:
            yield number, shown, problem


async def add(connection: AsyncConnection, organisation: UUID, batch: UUID, offer: UUID, contact: UUID) -> None:
    """Makes codes of all lines. Raises UniqueViolation where one of them has come to exist since the look."""
    parameters = {"organisation": organisation, "offer": offer, "batch": batch, "contact": contact}
    try:
        await connection.execute(_ADD, parameters)
    except IntegrityError as error:
        raise UniqueViolation from error
