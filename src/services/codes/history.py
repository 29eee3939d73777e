"""The life of one code: each of its uses, and all that happened to it, by whom and why (docs/domain.md, Codes)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets.code_uses import ReleaseReason
from db.codes import batches as db_batches
from db.codes import codes as db_codes
from db.codes import history as db
from db.codes.batches import Batch
from db.codes.codes import Code, CodeKind
from db.codes.history import CodeUse
from db.codes.standing import as_they_stand
from db.core.keyset import Page, Stretch
from services.access.permissions import may_follow, require_follower, share_of
from services.codes.format import check_entered, normalise
from services.core.errors import InvalidInput, Problem
from services.core.expiry import HeldNow
from services.core.texts import text
from services.core.viewer import Viewer

__all__ = ["CodeEvent", "CodeEventKind", "CodeHistory", "CodeLife", "CodeUse", "ReleaseReason"]

MOST_USES: Final = 1_000
"""Uses that one answer has. Of a custom code that has more, the older ones are asked for apart."""

UseKey = tuple[UUID, UUID]
"""A code, and an order that uses it or did."""


class CodeEventKind(StrEnum):
    """What can happen to a code."""

    GENERATED = "GENERATED"
    IMPORTED = "IMPORTED"
    CHOSEN = "CHOSEN"
    MAILED = "MAILED"
    HELD = "HELD"
    USED = "USED"
    TICKET_CONTROLLED = "TICKET_CONTROLLED"
    RELEASED = "RELEASED"
    CHANGED = "CHANGED"
    SWITCHED_OFF = "SWITCHED_OFF"
    SWITCHED_ON = "SWITCHED_ON"
    INVALIDATED = "INVALIDATED"


@dataclass(frozen=True, slots=True)
class CodeEvent:
    """Something that happened to a code: when, ``by`` whom where somebody did it, and why where a reason was given.

    ``order``, ``contact`` and ``ticket`` are those that it concerns; ``destination`` is where it was mailed.
    """

    at: datetime
    kind: CodeEventKind
    by: str | None = None
    order: UUID | None = None
    contact: UUID | None = None
    ticket: UUID | None = None
    release: ReleaseReason | None = None
    reason: str | None = None
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class CodeLife:
    """A code with uses, and, where that was asked for, what happened to it; the newest first.

    ``codes`` are all that ever had its text, one after the other: the one that has it now is the first. Each event
    stands with the one of them that it happened to.
    """

    codes: Sequence[Code]
    uses: Sequence[CodeUse]
    events: Sequence[tuple[Code, CodeEvent]] = ()

    def code_of(self, use: CodeUse) -> Code:
        return next(code for code in self.codes if code.id == use.code)


class CodeHistory:
    """Reads the lives of codes. For staff who follow codes, and partners with codes of their own."""

    def __init__(self, held_now: HeldNow) -> None:
        self._held_now = held_now

    async def newest(self, viewer: Viewer, entered: str, before: UUID | None, most: int | None) -> CodeLife | None:
        """The newest uses, as ``uses`` has them: at most 1,000, or ``most``, older than the one ``before``.

        Raises InvalidInput too.
        """
        if most is not None and not 1 <= most <= MOST_USES:
            raise InvalidInput([Problem(("first",), text("first_out_of_range", most=MOST_USES))])
        return await self.uses(viewer, entered, Stretch(before, most or MOST_USES))

    async def uses(self, viewer: Viewer, entered: str, page: Page) -> CodeLife | None:
        """A page of the uses of a code in any spelling, the newest first: cancelled and expired ones and those that go
        on too, and those that the text had as the code of another offer.

        None where there is no such code, or it is not a partner's own. Raises Forbidden.
        """
        require_follower(viewer)
        async with self._held_now.reading(viewer.organisation_id) as connection:
            codes = await _find(connection, viewer, entered)
            return CodeLife(codes, await _uses(connection, viewer, codes, page)) if codes else None

    async def count(self, viewer: Viewer, entered: str) -> int | None:
        """How many uses the code has in all; None where they are too many to be counted. Raises Forbidden."""
        require_follower(viewer)
        async with self._held_now.reading(viewer.organisation_id) as connection:
            codes = await _find(connection, viewer, entered)
            return await db.count_uses(connection, viewer.organisation_id, [code.id for code in codes])

    async def life(self, viewer: Viewer, entered: str) -> CodeLife | None:
        """All that is known of a code in any spelling; None where there is none, or it is not a partner's own.

        Of codes with very many uses the 1,000 newest, and as many scans. Raises Forbidden.
        """
        require_follower(viewer)
        organisation = viewer.organisation_id
        async with self._held_now.reading(organisation) as connection:
            codes = await _find(connection, viewer, entered)
            if not codes:
                return None
            uses = await _uses(connection, viewer, codes, Stretch(None, MOST_USES))
            told: list[tuple[Code, CodeEvent]] = []
            for code in codes:
                scans = await db.scans(connection, organisation, code.id, MOST_USES)
                beginning = await _beginning(connection, organisation, code)
                own = _of_uses([use for use in uses if use.code == code.id])
                told += [(code, event) for event in (*beginning, *own, *_of_scans(scans, viewer), *_end(code))]
        return CodeLife(codes, uses, sorted(told, key=lambda each: each[1].at, reverse=True))

    async def controlled(self, viewer: Viewer, uses: Collection[UseKey]) -> Mapping[UseKey, int]:
        """The scanned tickets of uses that the viewer has been given; those without any are left out."""
        if not may_follow(viewer):
            return {}
        async with self._held_now.reading(viewer.organisation_id) as connection:
            return await db.scanned(connection, viewer.organisation_id, uses)


async def _find(connection: AsyncConnection, viewer: Viewer, entered: str) -> list[Code]:
    """All codes that ever had the text, and that the viewer may follow, the one that has it first."""
    if check_entered(entered) is not None:
        return []
    organisation, own = viewer.organisation_id, share_of(viewer)
    found = await db_codes.ever_with(connection, organisation, normalise(entered), contact=own)
    return await as_they_stand(connection, organisation, found)


async def _uses(connection: AsyncConnection, viewer: Viewer, codes: Sequence[Code], page: Page) -> list[CodeUse]:
    found = await db.uses(connection, viewer.organisation_id, [code.id for code in codes], page)
    return [replace(use, released_by=_told(use.released_by, viewer)) for use in found]


def _told(actor: str | None, viewer: Viewer) -> str | None:
    """Who did something to a sale, which is the organisation's business: a partner hears of what it did itself."""
    return actor if viewer.is_staff or actor == viewer.actor else None


async def _beginning(connection: AsyncConnection, organisation: UUID, code: Code) -> list[CodeEvent]:
    """How the code came into being, and what staff did to a custom one since."""
    if code.batch is not None:
        [batch] = (await db_batches.get(connection, organisation, [code.batch])).values()
        return list(_of_batch(batch, is_import=await db.was_imported(connection, organisation, batch.id)))
    changes = []
    if code.kind is CodeKind.CUSTOM and code.shown is not None:
        changes = await db.custom_code_changes(connection, organisation, code.offer, code.shown, MOST_USES)
    return list(_of_choice(code, changes))


def _of_batch(batch: Batch, *, is_import: bool) -> Iterator[CodeEvent]:
    kind = CodeEventKind.IMPORTED if is_import else CodeEventKind.GENERATED
    yield CodeEvent(batch.created_at, kind, by=batch.created_by, contact=batch.contact, reason=batch.remark)
    if batch.sent_at is not None:
        yield CodeEvent(batch.sent_at, CodeEventKind.MAILED, contact=batch.contact, destination=batch.destination)


def _of_choice(code: Code, changes: Sequence[db.CustomCodeChange]) -> Iterator[CodeEvent]:
    """A chosen code's changes. One of a data file has no record of its making: its key tells when that was."""
    was_active = True
    for change in reversed(changes):
        if change.made:
            yield CodeEvent(change.at, CodeEventKind.CHOSEN, by=change.by)
        elif change.active is was_active:
            yield CodeEvent(change.at, CodeEventKind.CHANGED, by=change.by)
        else:
            kind = CodeEventKind.SWITCHED_ON if change.active else CodeEventKind.SWITCHED_OFF
            yield CodeEvent(change.at, kind, by=change.by)
        was_active = change.active
    if not any(change.made for change in changes):
        milliseconds = code.id.int >> 80
        yield CodeEvent(datetime.fromtimestamp(milliseconds / 1_000, UTC), CodeEventKind.CHOSEN)


def _of_uses(uses: Sequence[CodeUse]) -> Iterator[CodeEvent]:
    for use in uses:
        yield CodeEvent(use.held_at, CodeEventKind.HELD, contact=use.contact)
        if use.used_at is not None:
            yield CodeEvent(use.used_at, CodeEventKind.USED, order=use.order, contact=use.contact)
        if use.released_at is not None and use.reason is not None:
            yield CodeEvent(
                use.released_at,
                CodeEventKind.RELEASED,
                by=use.released_by,
                order=use.order,
                contact=use.contact,
                release=ReleaseReason(use.reason),
            )


def _of_scans(scans: Sequence[db.Scan], viewer: Viewer) -> Iterator[CodeEvent]:
    for scan in scans:
        kind = CodeEventKind.TICKET_CONTROLLED
        yield CodeEvent(scan.at, kind, by=_told(scan.by, viewer), order=scan.order, ticket=scan.ticket)


def _end(code: Code) -> Iterator[CodeEvent]:
    """Its invalidation for good, or that another access code has its place; of custom codes the audit tells that."""
    if code.invalidated_at is not None:
        yield CodeEvent(
            code.invalidated_at, CodeEventKind.INVALIDATED, by=code.invalidated_by, reason=code.invalidation_reason
        )
    elif code.switched_off_at is not None and code.kind is CodeKind.ACCESS:
        yield CodeEvent(code.switched_off_at, CodeEventKind.SWITCHED_OFF, by=code.switched_off_by)
