"""Watching counts and batches: the truth at once, then again after each change, in order of version."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from db.counts import RedemptionCounts
from db.sessions import Sessions
from services.batches import Batch, Batches, BatchState
from services.catalogue import Catalogue, Catalogues
from services.count_board import LOOK, PACE, CountBoard, Shares
from services.errors import Forbidden, NotFound
from services.live import Live
from services.shares import share_of
from services.texts import text
from services.viewer import Audience, Viewer

__all__ = ["CountsUpdate", "LiveCounts"]

_NOTHING: Final = RedemptionCounts()
_ENDS: Final = frozenset({BatchState.DONE, BatchState.FAILED})


@dataclass(frozen=True, slots=True)
class CountsUpdate:
    """The counts of an offer, or of one ``holder``'s share of it."""

    offer: UUID
    holder: UUID | None
    counts: RedemptionCounts


class LiveCounts:
    """One a process."""

    def __init__(self, sessions: Sessions, catalogues: Catalogues, batches: Batches, live: Live) -> None:
        self._sessions = sessions
        self._catalogues = catalogues
        self._batches = batches
        self._live = live
        self._boards: dict[UUID, CountBoard] = {}

    async def counts(
        self, viewer: Viewer, *, season: UUID | None, offer: UUID | None, contact: UUID | None
    ) -> AsyncGenerator[CountsUpdate, None]:
        """Every offer in question as it is now, then each after it changed, and never anything older.

        Promotional codes belong to no season and show in each. Of one contact's share, only offers where it has one,
        but for an offer asked by name. A partner watches its own share. Raises Forbidden, NotFound.
        """
        holder = _holder(viewer, contact)
        catalogue = await self._catalogues.seen_by(viewer)
        _check(catalogue, season, offer)
        watched = None if offer is None else frozenset({offer})
        known = list(catalogue.offer_details) if watched is None else [*watched]
        board = self._board(viewer.organisation_id)
        reader = board.join(watched, known)
        sent: dict[UUID, int] = {}
        try:
            while True:
                for changed in await reader.changed():
                    counts = _share(board.latest(changed), holder, by_name=offer is not None)
                    if counts is None or counts.version <= sent.get(changed, -1):
                        continue
                    if not await self._in_season(viewer.organisation_id, changed, season):
                        continue
                    sent[changed] = counts.version
                    yield CountsUpdate(changed, holder, counts)
        finally:
            board.leave(reader)
            if board.is_empty:
                board.stop()
                self._boards.pop(viewer.organisation_id, None)

    async def batch(self, viewer: Viewer, batch: UUID) -> AsyncGenerator[Batch, None]:
        """The batch as it is now, then after each change until it is DONE or FAILED. Raises NotFound."""
        changed = asyncio.Event()
        last = None
        with self._live.watching(viewer.organisation_id, _setting(changed, batch)):
            while True:
                changed.clear()
                found = (await self._batches.find(viewer, [batch])).get(batch)
                if found is None:
                    raise NotFound(("batchId",))
                if found != last:
                    yield found
                if found.state in _ENDS:
                    return
                last = found
                await asyncio.sleep(PACE)
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), LOOK)

    def _board(self, organisation: UUID) -> CountBoard:
        board = self._boards.get(organisation)
        if board is None:
            board = self._boards[organisation] = CountBoard(self._sessions, self._live, organisation)
        return board

    async def _in_season(self, organisation: UUID, offer: UUID, season: UUID | None) -> bool:
        if season is None:
            return True
        catalogue = self._catalogues.cached(organisation)
        if catalogue is None or offer not in catalogue.offer_details:
            catalogue = await self._catalogues.current(organisation)
        details = catalogue.offer_details.get(offer)
        return details is not None and details.season_id in {season, None}


def _holder(viewer: Viewer, contact: UUID | None) -> UUID | None:
    """Whose share is watched. How an offer sells is open to staff and, as far as it is theirs, to partners."""
    if not viewer.is_staff and viewer.audience is not Audience.PARTNER:
        raise Forbidden(text("forbidden"))
    own = share_of(viewer)
    if own is not None and contact not in {own, None}:
        raise Forbidden(text("forbidden"))
    return own or contact


def _check(catalogue: Catalogue, season: UUID | None, offer: UUID | None) -> None:
    if season is not None and season not in catalogue.seasons:
        raise NotFound(("seasonId",))
    if offer is not None and offer not in catalogue.offer_details:
        raise NotFound(("offerId",))


def _share(shares: Shares, holder: UUID | None, *, by_name: bool) -> RedemptionCounts | None:
    if holder is None:
        return sum(shares.values(), _NOTHING)
    return shares.get(holder, _NOTHING if by_name else None)


def _setting(event: asyncio.Event, batch: UUID) -> Callable[[frozenset[UUID] | None], None]:
    def changed(subjects: frozenset[UUID] | None) -> None:
        if subjects is None or batch in subjects:
            event.set()

    return changed
