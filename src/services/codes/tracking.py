"""Codes: following what became of them, and invalidating them (docs/domain.md, Codes)."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NoReturn
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets import claims
from db.codes import codes as db
from db.codes import pages as code_pages
from db.codes.codes import Code, CodeFilter, CodeKind, CodeStatus, Invalidated
from db.counts import counts
from db.counts.counts import Key, RedemptionCounts
from services.access.audit import record
from services.access.permissions import may_follow, require_follower, share_of
from services.codes.format import check_entered, display, is_mistyped, normalise
from services.core.errors import Conflict, InvalidInput, NotFound, Problem
from services.core.expiry import HeldNow
from services.core.text_checks import is_writable
from services.core.texts import text
from services.core.transactions import Overtaken, Transaction, Transactions
from services.core.viewer import Audience, StaffRole, Viewer

__all__ = ["Code", "CodeFilter", "CodeKind", "CodeStatus", "Codes", "shown"]

LONGEST_REASON: Final = 500


class Codes:
    """Use cases of codes."""

    def __init__(self, held_now: HeldNow, transactions: Transactions) -> None:
        self._held_now = held_now
        self._transactions = transactions

    async def page(self, viewer: Viewer, wanted: CodeFilter, after: UUID | None, most: int) -> list[Code]:
        """The ``most`` codes after a code's id that the filter lets through, in order of id, which is that of creation.

        The filter's ``code`` is a whole code in any spelling; an empty ``status`` means all. A partner sees its own
        codes. Raises Forbidden, InvalidInput.
        """
        require_follower(viewer)
        own = narrowed(viewer, wanted)
        if own is None:
            return []
        async with self._held_now.reading(viewer.organisation_id) as connection:
            return await code_pages.page(connection, viewer.organisation_id, own, after, most)

    async def find(self, viewer: Viewer, ids: Collection[UUID]) -> dict[UUID, Code]:
        """The codes among ``ids`` that the viewer may see: of a partner its own, of shoppers and contacts none."""
        if not may_follow(viewer):
            return {}
        async with self._held_now.reading(viewer.organisation_id) as connection:
            return await db.get(connection, viewer.organisation_id, ids, contact=share_of(viewer))

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
        details: dict[str, object] = {"reason": reason, "statusBefore": before}
        await record(transaction, viewer.actor, "invalidateCode", "AdvantageCode", found.id, details)
        await settle(transaction, viewer, [Invalidated(found.id, found.kind, found.offer, found.contact, before)])
        return found


def shown(code: Code) -> str:
    """A code as people are shown it: as it was chosen, a random one in four groups."""
    return code.shown or display(code.code)


def narrowed(viewer: Viewer, wanted: CodeFilter) -> CodeFilter | None:
    """The filter with its code normalised, a partner's with its own codes alone; None where it asks for others'.

    Raises InvalidInput.
    """
    if wanted.code is not None:
        problem = check_entered(wanted.code)
        if problem is not None:
            raise InvalidInput([Problem(("filter", "code"), problem)])
        wanted = replace(wanted, code=normalise(wanted.code))
    own = share_of(viewer)
    if own is None:
        return wanted
    return replace(wanted, contact=own) if wanted.contact in {None, own} else None


def require_invalidator(viewer: Viewer) -> None:
    """Raises Forbidden but for staff who follow codes, and partners, who have codes of their own."""
    if viewer.audience is not Audience.PARTNER:
        viewer.require_role(StaffRole.CODES)


def checked_reason(reason: str) -> str:
    """The reason without space around it. Raises InvalidInput unless that has 1 to 500 characters."""
    reason = reason.strip()
    if not is_writable(reason, least=1, most=LONGEST_REASON):
        raise InvalidInput([Problem(("reason",), text("reason_unusable", most=LONGEST_REASON))])
    return reason


async def settle(transaction: Transaction, viewer: Viewer, done: Sequence[Invalidated]) -> None:
    """Moves what the invalidation of single-use codes changes besides themselves: baskets, limits, counts."""
    connection, organisation = transaction.connection, transaction.organisation
    transaction.changed.update(code.offer for code in done)
    changes: dict[Key, RedemptionCounts] = {}
    held = []
    for code in done:
        if code.kind is not CodeKind.SINGLE_USE:
            continue
        was_held = code.before is CodeStatus.HELD
        if was_held:
            held.append(code.id)
        key = (code.offer, code.contact)
        change = RedemptionCounts(invalidated=1, held=-was_held)
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
    if found.status is CodeStatus.USED:
        raise Conflict(text("code_used_already", at=_instant(found.used_at)))
    if found.status is CodeStatus.INVALIDATED:
        by, at = found.invalidated_by, _instant(found.invalidated_at)
        raise Conflict(text("code_invalidated_already", by=by, at=at))
    raise Overtaken


def _instant(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
