"""Taking in codes that exist already: member numbers, a partner's own codes (docs/domain.md, Codes)."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
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
from services.codes.format import MAX_LENGTH, MIN_CHOSEN, check_chosen, display, normalise
from services.codes.keyspace import LEAST_ROOM, Keyspace
from services.core.errors import InvalidInput, Path, Problem
from services.core.idempotency import IdempotentRequest
from services.core.problems import Problems
from services.core.texts import Language, Text, text
from services.core.transactions import Done, Transaction, Transactions
from services.core.viewer import StaffRole, Viewer

MOST_IN_A_CALL: Final = 10_000

_LINES_AT_ONCE: Final = 10_000
_LONGEST_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Codes to be taken in of an offer for a structure contact.

    A list that is easy to guess is only taken where somebody says so, by ``accept_guessable``.
    """

    offer: UUID
    contact: UUID
    remark: str | None = None
    language: Language = Language.FR
    accept_guessable: bool = False


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
        """Makes 1 to 10,000 codes those of an offer; the id of the batch that they are in, which is DONE.

        Raises Forbidden, NotFound, Conflict for an offer that is CLOSED, and InvalidInput with every problem: codes
        that exist already, stand twice in the list, are too short, or are none (see ``check_chosen``).
        """
        viewer.require_role(StaffRole.CODES)
        once = IdempotentRequest(viewer, key, "importCodes", (request, tuple(codes)))
        lines = list(enumerate(codes))
        taking = _Import(viewer, request, lines, MOST_IN_A_CALL, lambda number: ("codes", str(number)))
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

        Empty lines are none. Every problem is given to ``report`` as it is found, with the number of its line, and
        InvalidInput says at the end how many there were.
        """
        viewer.require_role(StaffRole.CODES)
        taking = _Import(viewer, request, _Filled(lines), MOST_CODES, lambda number: (f"line {number}",))
        organisation = viewer.organisation_id
        try:
            return await self._transactions.run(organisation, now, _take_in_file, taking, report)
        except UniqueViolation:
            return await self._transactions.run(organisation, now, _take_in_file, taking, report)


@dataclass(frozen=True, slots=True)
class _Import:
    """One list on its way in: ``lines`` with their numbers, ``path`` where a line of a number stands."""

    viewer: Viewer
    request: ImportRequest
    lines: Iterable[tuple[int, str]]
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
        async for number, shown, key in db.problems(connection, organisation):
            note(Problem(self.path(number), _why(key, shown)))
        if not is_sound:
            return None
        found.check_open()
        await self._add(transaction, batch, keyspace.number)
        transaction.changed.update((request.offer, batch))
        return batch

    async def _stage(self, connection: AsyncConnection, batch: UUID) -> tuple[int, Keyspace]:
        """Puts all lines on the stage, up to the first that is too many: their number, and what they have in common."""
        await db.begin(connection)
        keyspace = Keyspace()
        number = 0
        rest = islice(self.lines, self.most + 1)
        while lines := list(islice(rest, _LINES_AT_ONCE)):
            await db.stage(connection, await asyncio.to_thread(_read, lines, batch, keyspace))
            number += len(lines)
        return number, keyspace

    def _of_the_whole(self, number: int, keyspace: Keyspace) -> Iterator[Problem]:
        if not 1 <= number <= self.most:
            yield Problem(("codes",), text("import_of_codes", most=self.most))
        if keyspace.is_too_small and not self.request.accept_guessable:
            values = {"number": keyspace.number, "room": keyspace.room, "least": LEAST_ROOM}
            yield Problem(("codes",), text("codes_guessable", **values))

    async def _add(self, transaction: Transaction, batch: UUID, number: int) -> None:
        """Adds batch and codes, counted, with an audit entry."""
        connection, organisation, request = transaction.connection, transaction.organisation, self.request
        order = db_batches.NewBatch(
            offer=request.offer,
            contact=request.contact,
            quantity=number,
            destination=None,
            document_type=DocumentType.NO_EMAIL,
            language=request.language,
            remark=request.remark or None,
        )
        await db_batches.add(connection, organisation, batch, order, self.viewer.actor)
        await db_batches.advance(connection, organisation, batch, number, BatchState.DONE)
        await db.add(connection, organisation, batch, order.offer, order.contact)
        generated = RedemptionCounts(generated=number)
        await counts.move(connection, organisation, {(request.offer, request.contact): generated})
        details: dict[str, object] = {"offer": str(order.offer), "contact": str(order.contact), "quantity": number}
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


@dataclass(frozen=True, slots=True)
class _Filled:
    """The lines that are not empty, numbered as people count them."""

    lines: Iterable[str]

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return ((number, line) for number, line in enumerate(self.lines, start=1) if line.strip())


def _read(lines: Sequence[tuple[int, str]], batch: UUID, keyspace: Keyspace) -> list[db.StagedLine]:
    """Lines as they are staged; ids go on where the earlier lines ended."""
    read: list[db.StagedLine] = []
    written: list[str] = []
    first = keyspace.number
    for number, line in lines:
        shown = line.strip()
        problem = check_chosen(shown)
        if problem is not None:
            # Whatever it is, it is shown back to whoever sent it, and a database could not take all of it.
            harmless = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown)
            read.append(db.StagedLine(number, None, None, harmless[:_LONGEST_SHOWN], problem.key))
            continue
        code = normalise(shown)
        read.append(db.StagedLine(number, code_id(batch, first + len(written)), code, _kept(shown, code), None))
        written.append(shown)
    keyspace.add(written)
    return read


def _kept(shown: str, code: str) -> str:
    """How the code is shown: as it was written, unless that is how a random one is shown anyway."""
    return code if shown == display(code) else shown


def _why(key: str, shown: str) -> Text:
    return text(key, code=shown, least=MIN_CHOSEN, most=MAX_LENGTH)
