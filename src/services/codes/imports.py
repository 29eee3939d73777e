"""Taking in codes that exist already: member numbers, a partner's own codes (docs/domain.md, Codes)."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes import batches as db_batches
from db.codes import imports as db
from db.codes.batches import BatchState, DocumentType
from db.codes.bulk import code_id
from db.core.driver import UniqueViolation
from db.core.ids import next_id
from db.counts import counts
from db.counts.counts import RedemptionCounts
from services.access.audit import record
from services.codes.checks import MOST_CODES, receiver, remark_problems
from services.codes.format import MAX_LENGTH, MIN_CHOSEN, check_chosen, display, normalise, tidied
from services.codes.keyspace import LEAST_ROOM, Keyspace
from services.codes.lists.reading import ListLine, WrittenList
from services.core.errors import InvalidInput, Path, Problem
from services.core.problems import Problems
from services.core.retries.idempotency import IdempotentRequest
from services.core.texts import Language, Text, text
from services.core.transactions import Done, Transaction, Transactions
from services.core.viewer import StaffRole, Viewer

MOST_IN_A_CALL: Final = 10_000

_LINES_AT_ONCE: Final = 10_000
_LONGEST_SHOWN: Final = 80


class OnDuplicate(StrEnum):
    """What becomes of a list with a code that stands in it twice, or exists already: it is refused, or does without."""

    REFUSE = "REFUSE"
    SKIP = "SKIP"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Codes to be taken in of an offer for a structure contact, from the ``column`` of this name or the first one.
    ``contact`` None is the organisation itself, for codes of a promotional code.

    A list that is easy to guess is only taken where somebody says so, by ``accept_guessable``.
    """

    offer: UUID
    contact: UUID | None
    remark: str | None = None
    language: Language = Language.FR
    accept_guessable: bool = False
    column: str | None = None
    on_duplicate: OnDuplicate = OnDuplicate.REFUSE


class Imports:
    """Takes in lists of codes, whole or not at all."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def take_in(
        self,
        viewer: Viewer,
        request: ImportRequest,
        codes: Sequence[str],
        now: datetime,
        key: str | None = None,
    ) -> UUID:
        """Makes 1 to 10,000 codes, the lines of a list, those of an offer; the id of the batch that they are in, which
        is DONE.

        Raises Forbidden, NotFound, Conflict for an offer that is CLOSED, and InvalidInput with every problem: codes
        that exist already or stand twice in the list (unless these are to be skipped), are too short, or are none (see
        ``check_chosen``).
        """
        viewer.require_role(StaffRole.CODES)
        once = IdempotentRequest(viewer, key, "importCodes", (request, tuple(codes)))
        taking = _Import(viewer, request, codes, MOST_IN_A_CALL, lambda number: ("codes", str(number - 1)))
        try:
            return (await self._transactions.once(once, now, _take_in, taking)).answer["batch"]
        except UniqueViolation:
            # Somebody else has made one of them since the look: the next look tells which.
            return (await self._transactions.once(once, now, _take_in, taking)).answer["batch"]

    async def take_in_file(
        self,
        viewer: Viewer,
        request: ImportRequest,
        lines: Iterable[str],
        now: datetime,
        report: Callable[[Problem], None],
    ) -> UUID:
        """Takes in the lines of a file as codes, up to 5,000,000, in little memory; they are read more than once.

        Every problem is given to ``report`` as it is found, with the number of its line, and
        InvalidInput says at the end how many there were.
        """
        viewer.require_role(StaffRole.CODES)
        taking = _Import(viewer, request, lines, MOST_CODES, lambda number: (f"line {number}",))
        organisation = viewer.organisation_id
        try:
            return await self._transactions.run(organisation, now, _take_in_file, taking, report)
        except UniqueViolation:
            return await self._transactions.run(organisation, now, _take_in_file, taking, report)


@dataclass(frozen=True, slots=True)
class _Import:
    """One list on its way in; ``path`` says where the line of a number, counted from one, stands."""

    viewer: Viewer
    request: ImportRequest
    lines: Iterable[str]
    most: int
    path: Callable[[int], Path]

    async def run(self, transaction: Transaction, report: Callable[[Problem], None]) -> UUID | None:
        """The batch that now has the codes; None where anything was reported."""
        connection, organisation = transaction.connection, transaction.organisation
        is_sound = True

        def note(problem: Problem) -> None:
            nonlocal is_sound
            is_sound = False
            report(problem)

        request, batch = self.request, next_id()
        number_of_lines, keyspace = await self._stage(connection, batch)
        # Only now, for it keeps the offer from changes: a long list takes its time to be read.
        found = await receiver(connection, organisation, request.offer, request.contact)
        for problem in (*found.problems(), *remark_problems(request.remark)):
            note(problem)
        for problem in self._of_the_whole(number_of_lines, keyspace):
            note(problem)
        is_strict = request.on_duplicate is OnDuplicate.REFUSE
        async for wrong in db.problems(connection, organisation, doubles_too=is_strict):
            note(Problem(self.path(wrong.number), _why(wrong)))
        skipped = 0 if is_strict or not is_sound else await db.skip_doubles(connection, organisation)
        if skipped == keyspace.number > 0:
            note(Problem(("codes",), text("codes_all_known", number=skipped)))
        if not is_sound:
            return None
        found.check_open()
        await self._add(transaction, batch, found.contact_id, keyspace.number - skipped, skipped)
        transaction.changed.update((request.offer, batch))
        return batch

    async def _stage(self, connection: AsyncConnection, batch: UUID) -> tuple[int, Keyspace]:
        """Puts all lines on the stage, up to the first that is too many: their number, and what they have in common."""
        await db.begin(connection)
        keyspace = Keyspace()
        number = 0
        rest = islice(WrittenList(self.lines, self.request.column), self.most + 1)
        while lines := await asyncio.to_thread(list, islice(rest, _LINES_AT_ONCE)):
            await db.stage(connection, await asyncio.to_thread(_read, lines, batch, keyspace))
            number += len(lines)
        return number, keyspace

    def _of_the_whole(self, number: int, keyspace: Keyspace) -> Iterator[Problem]:
        if not 1 <= number <= self.most:
            yield Problem(("codes",), text("import_of_codes", most=self.most))
        if keyspace.is_too_small and not self.request.accept_guessable:
            values = {"number": keyspace.number, "room": keyspace.room, "least": LEAST_ROOM}
            yield Problem(("codes",), text("codes_guessable", **values))

    async def _add(self, transaction: Transaction, batch: UUID, contact: UUID, number: int, skipped: int) -> None:
        """Adds batch and codes, counted, with an audit entry."""
        connection, organisation, request = transaction.connection, transaction.organisation, self.request
        order = db_batches.NewBatch(
            offer=request.offer,
            contact=contact,
            quantity=number,
            destination=None,
            document_type=DocumentType.NO_EMAIL,
            language=request.language,
            remark=request.remark or None,
            skipped=skipped,
        )
        await db_batches.add(connection, organisation, batch, order, self.viewer.actor)
        await db_batches.advance(connection, organisation, batch, number, BatchState.DONE)
        await db.add(connection, organisation, batch, order.offer, order.contact)
        generated = RedemptionCounts(generated=number)
        await counts.move(connection, organisation, {(request.offer, contact): generated})
        details: dict[str, object] = {"offer": str(order.offer), "contact": str(order.contact), "quantity": number}
        details |= {"skipped": skipped} if skipped else {}
        await record(transaction, self.viewer.actor, "importCodes", "CodeBatch", batch, details)


async def _take_in(transaction: Transaction, taking: _Import) -> Done[None]:
    problems = Problems()
    batch = await taking.run(transaction, problems.note)
    if batch is None:
        raise InvalidInput(problems)
    return Done({"batch": batch})


async def _take_in_file(transaction: Transaction, taking: _Import, report: Callable[[Problem], None]) -> UUID:
    found = 0

    def counted(problem: Problem) -> None:
        nonlocal found
        found += 1
        report(problem)

    batch = await taking.run(transaction, counted)
    if batch is None:
        raise InvalidInput([Problem((), text("nothing_taken_in", number=found))])
    return batch


def _read(lines: Sequence[ListLine], batch: UUID, keyspace: Keyspace) -> list[db.StagedLine]:
    """Lines as they are staged; ids go on where the earlier lines ended."""
    read: list[db.StagedLine] = []
    written: list[str] = []
    first = keyspace.number
    for line in lines:
        problem = line.problem or _not_a_code(line.code)
        if problem is not None:
            # Whatever it is, it is shown back to whoever sent it, and a database could not take all of it.
            harmless = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line.code)
            read.append(db.StagedLine(line.number, None, None, harmless[:_LONGEST_SHOWN], None, problem))
            continue
        shown = tidied(line.code)
        code = normalise(shown)
        kept = None if shown == display(code) else shown
        read.append(db.StagedLine(line.number, code_id(batch, first + len(written)), code, shown, kept, None))
        written.append(shown)
    keyspace.add(written)
    return read


def _not_a_code(written: str) -> str | None:
    problem = check_chosen(written)
    return None if problem is None else problem.key


def _why(wrong: db.ListProblem) -> Text:
    """What is wrong with a line. Where its code is another's in another spelling, both are named."""
    values: dict[str, object] = {"code": wrong.shown, "least": MIN_CHOSEN, "most": MAX_LENGTH}
    if wrong.key not in {db.TWICE, db.KNOWN}:
        return text(wrong.key, **values)
    other = wrong.other or display(wrong.code or "")
    key = wrong.key if wrong.shown == other else f"{wrong.key}_alike"
    return text(key, **values, other=other, line=wrong.number, first=wrong.first)
