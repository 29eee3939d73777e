"""Codes: following what became of them, and invalidating them (docs/domain.md, Codes)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets import claims
from db.catalogue.catalogue import timezone
from db.codes import codes as db
from db.codes import pages as code_pages
from db.codes.codes import Code, CodeFilter, CodeKind, CodeStatus, Invalidated
from db.codes.standing import as_they_stand
from db.core.keyset import Page, Stretch, in_order
from db.counts import counts
from db.counts.counts import Key, RedemptionCounts
from services.access.audit import record
from services.access.permissions import may_follow, require_follower, share_of
from services.codes.format import check_entered, display, is_mistyped, normalise
from services.core.errors import Conflict, NotFound
from services.core.expiry import HeldNow
from services.core.instants import local_or_empty
from services.core.problems import Problems
from services.core.text_checks import check_note, check_search, printed_number
from services.core.texts import text
from services.core.transactions import Overtaken, Transaction, Transactions
from services.core.viewer import Audience, StaffRole, Viewer

__all__ = ["Code", "CodeFilter", "CodeKind", "CodeStatus", "Codes", "shown"]

LONGEST_REASON: Final = 500
LEAST_PART: Final = 4
"""Characters by which a code is looked for in part: with fewer, every list of codes has many that fit."""
LONGEST_PART: Final = 64
MOST_LOOKS: Final = 20
"""Statements that look through codes for one page: two million codes, in about a second."""


class Codes:
    """Use cases of codes."""

    def __init__(self, held_now: HeldNow, transactions: Transactions) -> None:
        self._held_now = held_now
        self._transactions = transactions

    async def page(self, viewer: Viewer, wanted: CodeFilter, page: Page) -> "CodePage":
        """A page of the codes that the filter lets through, in order of id, which is that of creation.

        The filter's ``code`` is a whole code in any spelling, and finds all that ever had it; its ``part`` is four
        characters or more; an empty ``status`` means all. A partner sees its own codes, and by buyer or order those
        that it bought with itself. Raises Forbidden, InvalidInput.
        """
        require_follower(viewer)
        own = narrowed(viewer, wanted)
        if own is None:
            return CodePage()
        async with self._held_now.reading(viewer.organisation_id) as connection:
            if code_pages.is_sought(own):
                return await _looked_through(connection, viewer.organisation_id, own, page)
            return CodePage(await code_pages.page(connection, viewer.organisation_id, own, page))

    async def count(self, viewer: Viewer, wanted: CodeFilter) -> int | None:
        """How many codes ``page`` would give in all; None where counting them would cost much more than a page."""
        require_follower(viewer)
        own = narrowed(viewer, wanted)
        if own is None:
            return 0
        async with self._held_now.reading(viewer.organisation_id) as connection:
            return await code_pages.bounded_count(connection, viewer.organisation_id, own)

    async def find(self, viewer: Viewer, ids: Collection[UUID]) -> dict[UUID, Code]:
        """The codes among ``ids`` that the viewer may see: of a partner its own, of shoppers and contacts none."""
        if not may_follow(viewer):
            return {}
        async with self._held_now.reading(viewer.organisation_id) as connection:
            return await _found(connection, viewer.organisation_id, ids, share_of(viewer))

    async def tickets_controlled(self, viewer: Viewer, ids: Collection[UUID]) -> dict[UUID, int]:
        """The scanned tickets of each code's order, as far as the code covers them and the viewer may see the code."""
        if not may_follow(viewer):
            return {}
        async with self._held_now.reading(viewer.organisation_id) as connection:
            return await db.tickets_controlled(connection, viewer.organisation_id, ids, contact=share_of(viewer))

    async def invalidate(self, viewer: Viewer, entered: str, reason: str, now: datetime) -> Code:
        """Makes a code worthless, at once and for good; who, when and why (1 to 500 characters) stay with it.

        A basket that holds the code loses it, and pays the price without it. A custom or access code opens nothing any
        more either; baskets that it is in already keep their price until they expire, as with a suspended offer. Staff
        who follow codes may do it, and partners with their own codes. Raises Forbidden, InvalidInput, NotFound, and
        Conflict for a code that is used or invalidated already.
        """
        require_invalidator(viewer)
        reason = checked_reason(reason)
        if check_entered(entered) is not None:
            raise NotFound(("code",), text("unknown_code"))
        return await self._transactions.run(
            viewer.organisation_id, now, self._invalidate, viewer, normalise(entered), reason
        )

    async def _invalidate(self, transaction: Transaction, viewer: Viewer, code: str, reason: str) -> Code:
        done = await db.invalidate(
            transaction.connection,
            transaction.organisation,
            code,
            contact=share_of(viewer),
            actor=viewer.actor,
            reason=reason,
            now=transaction.now,
        )
        if done is None:
            await _explain(transaction.connection, viewer, code)
        found, before = done
        details: dict[str, object] = {"reason": reason, "statusBefore": before.before}
        await record(transaction, viewer.actor, "invalidateCode", "AdvantageCode", found.id, details)
        await settle(transaction, viewer, [before])
        [found] = await as_they_stand(transaction.connection, transaction.organisation, [found])
        return found


class CodePage(list[Code]):
    """A page of codes. ``looked_until`` is the id of the last code looked at, where the page ends before it is full
    because so many codes have been looked through: the next ones are to be asked for after that, backwards before it.
    """

    def __init__(self, codes: Iterable[Code] = (), looked_until: UUID | None = None) -> None:
        super().__init__(codes)
        self.looked_until = looked_until


def shown(code: Code) -> str:
    """A code as people are shown it: as it was chosen, a random one in four groups."""
    return code.shown or display(code.code)


def narrowed(viewer: Viewer, wanted: CodeFilter) -> CodeFilter | None:
    """The filter with its texts as they are kept, a partner's with its own codes alone; None where it asks for others'.

    Who bought with a partner's codes is the organisation's business: what a partner finds by a buyer or an order are
    those that it bought itself. Raises InvalidInput with every problem.
    """
    problems = Problems()
    if wanted.code is not None:
        problems.refuse(("filter", "code"), check_entered(wanted.code))
    part = None if wanted.part is None else normalise(wanted.part)
    if part is not None and not LEAST_PART <= len(part) <= LONGEST_PART:
        problems.add(("filter", "part"), text("part_of_code", least=LEAST_PART, most=LONGEST_PART))
    for name, written in (
        ("part", wanted.part),
        ("invalidatedBy", wanted.invalidated_by),
        ("invalidationReason", wanted.invalidation_reason),
    ):
        problems.refuse(("filter", name), check_search(written))
    problems.check()
    number = None if wanted.order_number is None else printed_number(wanted.order_number)
    if number is None and wanted.order_number is not None:
        return None
    own = share_of(viewer)
    wanted = replace(
        wanted,
        code=None if wanted.code is None else normalise(wanted.code),
        part=part,
        order_number=number,
    )
    if own is None:
        return wanted
    if wanted.contact not in {None, own} or wanted.buyer not in {None, own}:
        return None
    return replace(wanted, contact=own, buyer=wanted.buyer if number is None else own)


async def _looked_through(connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, page: Page) -> CodePage:
    """A page of codes that no index leads to: some statements look through so many codes each, and no more of them
    than nobody has to wait for.
    """
    found: list[UUID] = []
    rest = Stretch(page.after, page.most, page.before, page.backwards)
    last: UUID | None = None
    for _ in range(MOST_LOOKS):
        ids, last = await code_pages.search(connection, organisation, wanted, rest)
        found += ids
        if last is None or len(found) >= page.most:
            break
        before, after = (last, rest.after) if page.backwards else (rest.before, last)
        rest = replace(rest, most=page.most - len(found), before=before, after=after)
    by_id = await _found(connection, organisation, found, None)
    is_whole = last is None or len(found) >= page.most
    return CodePage(in_order([by_id[key] for key in found], page), None if is_whole else last)


async def _found(
    connection: AsyncConnection, organisation: UUID, ids: Collection[UUID], own: UUID | None
) -> dict[UUID, Code]:
    rows = await db.get(connection, organisation, ids, contact=own)
    return {code.id: code for code in await as_they_stand(connection, organisation, list(rows.values()))}


def require_invalidator(viewer: Viewer) -> None:
    """Raises Forbidden but for staff who follow codes, and partners, who have codes of their own."""
    if viewer.audience is not Audience.PARTNER:
        viewer.require_role(StaffRole.CODES)


def checked_reason(reason: str) -> str:
    """The reason without space around it. Raises InvalidInput unless that has 1 to 500 characters."""
    reason = reason.strip()
    problems = Problems()
    problems.refuse(("reason",), check_note(reason, LONGEST_REASON) if reason else text("reason_missing"))
    problems.check()
    return reason


async def settle(transaction: Transaction, viewer: Viewer, done: Sequence[Invalidated]) -> None:
    """Moves what the invalidation of codes changes besides themselves: baskets, limits, counts."""
    connection, organisation = transaction.connection, transaction.organisation
    transaction.changed.update(code.offer for code in done)
    changes: dict[Key, RedemptionCounts] = {}
    held = []
    for code in done:
        if code.kind is CodeKind.ACCESS:
            continue
        was_held = code.before is CodeStatus.HELD
        if was_held:
            held.append(code.id)
        key = (code.offer, code.contact)
        change = RedemptionCounts(invalidated=code.uses_left, held=-was_held)
        changes[key] = changes.get(key, RedemptionCounts()) + change
    if held:
        await claims.release_codes(connection, organisation, held, by=viewer.actor)
    if changes:
        await counts.move(connection, organisation, changes)


async def _explain(connection: AsyncConnection, viewer: Viewer, code: str) -> NoReturn:
    """Raises what kept a code from being invalidated, or Overtaken where that is gone by now."""
    found = await db.find(connection, viewer.organisation_id, code, contact=share_of(viewer))
    if found is None:
        raise NotFound(("code",), text("mistyped_code" if is_mistyped(code) else "unknown_code"))
    zone = ZoneInfo(await timezone(connection, viewer.organisation_id))
    if found.status is CodeStatus.USED:
        raise Conflict(text("code_used_already", at=local_or_empty(found.used_at, zone)), state=found.status)
    if found.status is CodeStatus.INVALIDATED:
        by, at = found.invalidated_by, local_or_empty(found.invalidated_at, zone)
        raise Conflict(text("code_invalidated_already", by=by, at=at), state=found.status)
    raise Overtaken
