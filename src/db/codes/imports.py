"""Codes taken in from a list: staged beside the others, looked at as a whole, then all added or none."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes.chosen_codes import IS_FREE
from db.core.driver import UniqueViolation, copied, driver_within

TWICE: Final = "code_twice_in_list"
KNOWN: Final = "code_known"


@dataclass(frozen=True, slots=True)
class StagedLine:
    """One line: ``code`` is normalised and ``id`` its key, both None where a ``problem`` keeps it out.

    ``shown`` is how the list has it, ``kept`` that where the code would else be shown otherwise.
    """

    number: int
    id: UUID | None
    code: str | None
    shown: str
    kept: str | None
    problem: str | None


_STAGE = text("""
CREATE TEMPORARY TABLE import_lines (number integer, id uuid, code text, shown text, kept text, problem text)
ON COMMIT DROP
""")
# The first of its code that a list has is good, where nobody has it already; the lines behind it are double.
_DOUBLES: Final = """
SELECT number, shown, first_value(number) OVER lines AS first, first_value(shown) OVER lines AS other,
    row_number() OVER lines AS place
FROM import_lines WHERE code IS NOT NULL WINDOW lines AS (PARTITION BY code ORDER BY number)
"""
# Codes that are another's already; those of CLOSED offers are not in the way.
_TAKEN: Final = f"c.organisation_id = :organisation AND c.code = l.code AND NOT {IS_FREE}"
_PROBLEMS = text(f"""
SELECT number, shown, problem, NULL::integer AS first, NULL AS other, NULL AS code
FROM import_lines WHERE problem IS NOT NULL
UNION ALL
SELECT number, shown, :twice, first, other, NULL FROM ({_DOUBLES}) doubles WHERE place > 1 AND :named
UNION ALL
SELECT l.number, l.shown, :known, NULL, c.shown, c.code
FROM import_lines l JOIN codes c ON {_TAKEN} WHERE :named
ORDER BY number
""")
_SKIP = text(f"""
DELETE FROM import_lines l WHERE l.code IS NOT NULL AND (
    l.number IN (SELECT number FROM ({_DOUBLES}) doubles WHERE place > 1)
    OR EXISTS (SELECT FROM codes c WHERE {_TAKEN})
)
""")
# From the few codes that are free to the lines, which may be millions, and not the other way round.
_TAKE_OVER = text(f"""
WITH free AS MATERIALIZED (
    SELECT c.id, c.code FROM codes c WHERE c.organisation_id = :organisation AND {IS_FREE}
)
UPDATE codes c SET code = c.code || ' ' || c.id, shown = coalesce(c.shown, c.code)
FROM free f WHERE c.organisation_id = :organisation AND c.id = f.id AND c.code = f.code
    AND f.code IN (SELECT code FROM import_lines)
""")
_ADD = text("""
INSERT INTO codes (organisation_id, id, code, shown, kind, status, offer_id, batch_id, contact_id)
SELECT :organisation, id, code, kept, 'SINGLE_USE', 'AVAILABLE', :offer, :batch, :contact
FROM import_lines ORDER BY code
""")


async def begin(connection: AsyncConnection) -> None:
    """Opens the stage, which ends with the transaction."""
    await connection.execute(_STAGE)


async def stage(connection: AsyncConnection, lines: Sequence[StagedLine]) -> None:
    """Puts more lines on the stage, through COPY."""
    driver = await driver_within(connection)
    records = [(line.number, line.id, line.code, line.shown, line.kept, line.problem) for line in lines]
    await copied(driver, driver.copy_records_to_table("import_lines", records=records))


@dataclass(frozen=True, slots=True)
class ListProblem:
    """What is wrong with a line: ``key`` of the reason, and how the list has its code.

    Of a code that is there twice, the ``first`` line that has it and ``other``, how it is written there. Of one that
    exists already, how that is shown (``other``) and its text (``code``).
    """

    number: int
    shown: str
    key: str
    first: int | None
    other: str | None
    code: str | None


async def problems(connection: AsyncConnection, organisation: UUID, *, doubles_too: bool) -> AsyncIterator[ListProblem]:
    """What is wrong with the lines, in their order; with codes that are there twice, or exist, where asked for."""
    await connection.execute(text("ANALYZE import_lines"))
    parameters = {"organisation": organisation, "twice": TWICE, "known": KNOWN, "named": doubles_too}
    async with connection.stream(_PROBLEMS, parameters) as rows:
        async for row in rows:
            yield ListProblem(*row)


async def skip_doubles(connection: AsyncConnection, organisation: UUID) -> int:
    """Takes the lines off the stage whose code stands further up or exists already: how many."""
    await connection.execute(text("ANALYZE import_lines"))
    return (await connection.execute(_SKIP, {"organisation": organisation})).rowcount


async def add(connection: AsyncConnection, organisation: UUID, batch: UUID, offer: UUID, contact: UUID) -> None:
    """Makes codes of all lines. Raises UniqueViolation where one of them has come to exist since the look."""
    parameters = {"organisation": organisation, "offer": offer, "batch": batch, "contact": contact}
    try:
        await connection.execute(_TAKE_OVER, {"organisation": organisation})
        await connection.execute(_ADD, parameters)
    except IntegrityError as error:
        raise UniqueViolation from error
