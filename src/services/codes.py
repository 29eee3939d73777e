"""Codes: following what became of them, and invalidating them (docs/domain.md, Codes)."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NoReturn
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import audit, claims, counts
from db import codes as db
from db.codes import Code, CodeFilter, CodeKind, CodeStatus
from db.counts import RedemptionCounts
from db.sessions import Sessions
from services.code_format import check_entered, display, is_mistyped, normalise
from services.errors import Conflict, InvalidInput, NotFound, Problem
from services.free_text import is_writable
from services.shares import may_follow, require_follower, share_of
from services.texts import text
from services.transactions import Overtaken, Transactions
from services.viewer import Audience, StaffRole, Viewer

__all__ = ["Code", "CodeFilter", "CodeKind", "CodeStatus", "Codes", "shown"]

LONGEST_REASON: Final = 500


class Codes:
    """Use cases of codes."""

    def __init__(self, sessions: Sessions, transactions: Transactions) -> None:
        self._sessions = sessions
        self._transactions = transactions

    async def page(self, viewer: Viewer, wanted: CodeFilter, after: UUID | None, most: int) -> list[Code]:
        """The ``most`` codes after a code's id that the filter lets through, in order of id, which is that of creation.

        The filter's ``code`` is a whole code in any spelling; an empty ``status`` means all. A partner sees its own
        codes. Raises Forbidden, InvalidInput.
        """
        require_follower(viewer)
        wanted = _normalised(wanted)
        own = share_of(viewer)
        if own is not None:
            if wanted.contact not in {None, own}:
                return []
            wanted = replace(wanted, contact=own)
        async with self._sessions.reading() as connection:
            return await db.page(connection, viewer.organisation_id, wanted, after, most)

    async def find(self, viewer: Viewer, ids: Collection[UUID]) -> dict[UUID, Code]:
        """The codes among ``ids`` that the viewer may see: of a partner its own, of shoppers and contacts none."""
        if not may_follow(viewer):
            return {}
        async with self._sessions.reading() as connection:
            return await db.get(connection, viewer.organisation_id, ids, contact=share_of(viewer))

    async def tickets_controlled(self, viewer: Viewer, ids: Collection[UUID]) -> dict[UUID, int]:
        """The scanned tickets of each code's order, as far as the code covers them and the viewer may see the code."""
        if not may_follow(viewer):
            return {}
        async with self._sessions.reading() as connection:
            return await db.tickets_controlled(connection, viewer.organisation_id, ids, contact=share_of(viewer))

    async def invalidate(self, viewer: Viewer, entered: str, reason: str, now: datetime) -> Code:
        """Makes a code worthless, at once and for good; who, when and why (1 to 500 characters) stay with it.

        A basket that holds the code loses it, and pays the price without it. A custom or access code opens nothing any
        more either; baskets that it is in already keep their price until they expire, as with a suspended offer. Staff
        who follow codes may do it, and partners with their own codes. Raises Forbidden, InvalidInput, NotFound, and
        Conflict for a code that is used or invalidated already.
        """
        if viewer.audience is not Audience.PARTNER:
            viewer.require_role(StaffRole.CODES)
        reason = reason.strip()
        _check_reason(reason)
        if check_entered(entered) is not None:
            raise NotFound(("code",), text("unknown_code"))
        code = normalise(entered)

        async def attempt(connection: AsyncConnection, changed: set[UUID]) -> Code:
            done = await db.invalidate(
                connection,
                viewer.organisation_id,
                code,
                contact=share_of(viewer),
                actor=viewer.actor,
                reason=reason,
                now=now,
            )
            if done is None:
                await _explain(connection, viewer, code)
            found, before = done
            details: dict[str, object] = {"reason": reason, "statusBefore": before}
            entry = audit.Entry(viewer.actor, "invalidateCode", "AdvantageCode", found.id, details)
            await audit.record(connection, viewer.organisation_id, entry)
            if found.kind is CodeKind.SINGLE_USE:
                await _count(connection, viewer.organisation_id, found, before)
                changed.add(found.offer)
            return found

        return await self._transactions.run(viewer.organisation_id, attempt)


def shown(code: Code) -> str:
    """A code as people are shown it: as it was chosen, a random one in four groups."""
    return code.shown or display(code.code)


def _normalised(wanted: CodeFilter) -> CodeFilter:
    if wanted.code is None:
        return wanted
    problem = check_entered(wanted.code)
    if problem is not None:
        raise InvalidInput([Problem(("filter", "code"), problem)])
    return replace(wanted, code=normalise(wanted.code))


def _check_reason(reason: str) -> None:
    if not is_writable(reason, least=1, most=LONGEST_REASON):
        raise InvalidInput([Problem(("reason",), text("reason_unusable", most=LONGEST_REASON))])


async def _count(connection: AsyncConnection, organisation: UUID, code: Code, before: CodeStatus) -> None:
    """Moves what a single-use code's invalidation changes besides itself."""
    if before is CodeStatus.HELD:
        await claims.release_code(connection, organisation, code.id)
    change = RedemptionCounts(invalidated=1, held=-1 if before is CodeStatus.HELD else 0)
    await counts.move(connection, organisation, {(code.offer, code.contact): change})


async def _explain(connection: AsyncConnection, viewer: Viewer, code: str) -> NoReturn:
    """Raises what kept a code from being invalidated, or Overtaken where that is gone by now."""
    found = await db.find(connection, viewer.organisation_id, code, contact=share_of(viewer))
    if found is None:
        raise NotFound(("code",), text("mistyped_code" if is_mistyped(code) else "unknown_code"))
    if found.status is CodeStatus.USED:
        raise Conflict(text("code_used_already", at=_instant(found.used_at)))
    if found.status is CodeStatus.INVALIDATED:
        by, at = found.invalidated_by, _instant(found.invalidated_at)
        raise Conflict(text("code_invalidated_already", by=by, at=at))
    raise Overtaken


def _instant(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
