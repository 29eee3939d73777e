"""Invalidating many codes: a batch, all that a filter finds, or a list (docs/domain.md, Codes).

Chunk by chunk, each a transaction of its own that is over in an instant: a sale waits for its own code at most, and no
longer than that. What is invalidated stays so whatever happens next; who asks again goes on where it ended.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from db.codes import batches as db_batches
from db.codes import codes as db
from db.codes import pages as code_pages
from db.codes.batches import BatchState
from db.codes.codes import CodeFilter, CodeStatus, Invalidated
from db.core.ids import next_id
from db.core.sessions import Sessions
from services.access.audit import record
from services.access.permissions import share_of
from services.codes.format import check_entered, normalise
from services.codes.tracking import checked_reason, narrowed, require_invalidator, settle
from services.core.errors import Conflict, InvalidInput, NotFound, Problem
from services.core.problems import within
from services.core.texts import text
from services.core.transactions import Transaction, Transactions
from services.core.viewer import Viewer

MOST_LISTED: Final = 10_000

_CHUNK: Final = 5_000
_OPEN: Final = (CodeStatus.AVAILABLE, CodeStatus.HELD, CodeStatus.SWITCHED_OFF)


@dataclass(frozen=True, slots=True)
class InvalidationSelection:
    """Which codes: exactly one of the three is set."""

    batch: UUID | None = None
    filter: CodeFilter | None = None
    codes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class InvalidationOutcome:
    """What came, or would come, of an invalidation, in codes.

    Of the ``invalidated``, ``held`` were in baskets, which lose them. ``used`` and ``already`` invalid ones are left as
    they are; ``unknown`` are those of the list that do not exist.
    """

    invalidated: int
    held: int
    used: int
    already: int
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The codes that a selection stands for: how many of each status, and the open ones in the order of their ids."""

    before: Mapping[CodeStatus, int]
    open_ones: AsyncIterator[Sequence[UUID]]
    said: Mapping[str, object]
    unknown: tuple[str, ...] = ()
    subject: UUID = field(default_factory=next_id)

    def outcome(self, invalidated: int, held: int) -> InvalidationOutcome:
        used, already = (self.before.get(status, 0) for status in (CodeStatus.USED, CodeStatus.INVALIDATED))
        return InvalidationOutcome(invalidated, held, used, already, self.unknown)


class Invalidation:
    """Makes codes worthless for good."""

    def __init__(self, sessions: Sessions, transactions: Transactions, *, chunk: int = _CHUNK) -> None:
        self._sessions = sessions
        self._transactions = transactions
        self._chunk = chunk

    async def run(
        self, viewer: Viewer, selection: InvalidationSelection, reason: str, now: datetime, *, dry_run: bool = False
    ) -> InvalidationOutcome:
        """Invalidates what is AVAILABLE, HELD or SWITCHED_OFF of the selection; who, when and why stay with each code.

        Batches asked for since it began are not meant. With ``dry_run`` nothing happens. For staff who follow codes,
        and partners with codes of their own. Raises Forbidden, NotFound for an unknown batch, Conflict for one that is
        still being made, InvalidInput.
        """
        require_invalidator(viewer)
        reason = checked_reason(reason)
        with within("selection"):
            if selection.codes is None:
                chosen = await self._found(viewer, selection)
            else:
                chosen = await self._listed(viewer, selection.codes)
        if dry_run:
            held = chosen.before.get(CodeStatus.HELD, 0)
            return chosen.outcome(sum(chosen.before.get(status, 0) for status in _OPEN), held)
        invalidated = held = 0
        async for ids in chosen.open_ones:
            details = {**chosen.said, "reason": reason} if not invalidated else None
            done = await self._transactions.run(
                viewer.organisation_id, now, _invalidate, viewer, ids, reason, chosen.subject, details
            )
            invalidated += len(done)
            held += sum(code.before is CodeStatus.HELD for code in done)
        return chosen.outcome(invalidated, held)

    async def _found(self, viewer: Viewer, selection: InvalidationSelection) -> _Chosen:
        """What a batch or a filter means; of a partner its own codes."""
        if selection.batch is not None:
            await self._check_made(viewer, selection.batch)
            asked = CodeFilter(batch=selection.batch)
        else:
            asked = selection.filter or CodeFilter()
            if asked == CodeFilter():
                raise InvalidInput([Problem(("filter",), text("filter_empty"))])
        wanted = narrowed(viewer, asked)
        said = {"filter": {name: str(value) for name, value in asdict(asked).items() if value}}
        if wanted is None:
            return _Chosen({}, _chunks((), self._chunk), said)
        wanted = replace(wanted, until=next_id())
        async with self._sessions.reading() as connection:
            before = await code_pages.count(connection, viewer.organisation_id, wanted)
        return _Chosen(before, self._pages(viewer, wanted), said, subject=selection.batch or next_id())

    async def _check_made(self, viewer: Viewer, batch: UUID) -> None:
        async with self._sessions.reading() as connection:
            found = await db_batches.get(connection, viewer.organisation_id, [batch], contact=share_of(viewer))
        if batch not in found:
            raise NotFound(("batchId",), text("unknown_batch"))
        if found[batch].state in {BatchState.PENDING, BatchState.GENERATING}:
            raise Conflict(text("batch_under_way"), retry_after=5)

    async def _pages(self, viewer: Viewer, wanted: CodeFilter) -> AsyncIterator[Sequence[UUID]]:
        status = tuple(each for each in _OPEN if each in (wanted.status or _OPEN))
        after = None
        while status:
            async with self._sessions.reading() as connection:
                ids = await code_pages.ids(
                    connection, viewer.organisation_id, replace(wanted, status=status), after, self._chunk
                )
            if not ids:
                return
            yield ids
            after = ids[-1]

    async def _listed(self, viewer: Viewer, codes: Sequence[str]) -> _Chosen:
        if not 1 <= len(codes) <= MOST_LISTED:
            raise InvalidInput([Problem(("codes",), text("import_of_codes", most=MOST_LISTED))])
        spelt = {code: normalise(code) if check_entered(code) is None else "" for code in codes}
        async with self._sessions.reading() as connection:
            found = await db.ids_of(connection, viewer.organisation_id, set(spelt.values()), contact=share_of(viewer))
        statuses = [status for _, status in found.values()]
        return _Chosen(
            {status: statuses.count(status) for status in CodeStatus},
            _chunks(sorted(key for key, status in found.values() if status in _OPEN), self._chunk),
            {"codes": len(spelt)},
            tuple(code for code, plain in spelt.items() if plain not in found),
        )


async def _invalidate(
    transaction: Transaction,
    viewer: Viewer,
    ids: Sequence[UUID],
    reason: str,
    subject: UUID,
    details: Mapping[str, object] | None,
) -> list[Invalidated]:
    """Invalidates one chunk; the first leaves the audit entry of all."""
    done = await db.invalidate_many(
        transaction.connection,
        transaction.organisation,
        ids,
        actor=viewer.actor,
        reason=reason,
        now=transaction.now,
    )
    if done and details is not None:
        await record(transaction, viewer.actor, "invalidateCodes", "AdvantageCodes", subject, details)
    await settle(transaction, viewer, done)
    return done


async def _chunks(ids: Sequence[UUID], size: int) -> AsyncIterator[Sequence[UUID]]:
    rest = iter(ids)
    while chunk := list(islice(rest, size)):
        yield chunk
