"""Watching counts and batches: the truth at once, then again after each change, in order of version."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from db.contacts import contacts as db_contacts
from db.core.sessions import Sessions
from db.counts.counts import RedemptionCounts
from services.access.permissions import share_of
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.codes.batches import Batch, Batches, BatchState
from services.core.errors import Forbidden, NotFound
from services.core.texts import text
from services.core.viewer import Audience, Viewer
from services.counts.board import LOOK, PACE, BoardReader, BoardReading, CountBoard, CountsByHolder
from services.counts.change_feed import ChangeFeed
from services.offers.visibility import Offers

__all__ = ["CountsUpdate", "CountsWatch", "LiveCounts"]

_NOTHING: Final = RedemptionCounts()
_ENDS: Final = frozenset({BatchState.DONE, BatchState.FAILED})


@dataclass(frozen=True, slots=True)
class CountsUpdate:
    """The counts of an offer, or of one ``holder``'s share of it, and the ``reading`` that found them."""

    offer: UUID
    holder: UUID | None
    counts: RedemptionCounts
    reading: BoardReading


@dataclass(frozen=True, slots=True)
class _Selection:
    """What is watched; ``offer`` is set where one was asked by name."""

    season: UUID | None
    offer: UUID | None
    holder: UUID | None

    def offers(self, catalogue: Catalogue) -> list[UUID]:
        """Promotional codes belong to no season and show in each."""
        if self.offer is not None:
            return [self.offer]
        if self.season is None:
            return list(catalogue.offer_details)
        return [key for key in catalogue.offer_details if self.includes(key, catalogue)]

    def includes(self, offer: UUID, catalogue: Catalogue) -> bool:
        details = catalogue.offer_details.get(offer)
        return details is not None and (self.season is None or details.season_id in {self.season, None})

    def share(self, shares: CountsByHolder) -> RedemptionCounts | None:
        """Of one holder's share, only offers show where it has one, but for an offer asked by name."""
        if self.holder is None:
            return sum(shares.values(), _NOTHING)
        return shares.get(self.holder, _NOTHING if self.offer is not None else None)


class LiveCounts:
    """Subscriptions to redemption counts and batches, for all watchers of one process."""

    def __init__(
        self, sessions: Sessions, catalogues: Catalogues, offers: Offers, batches: Batches, live: ChangeFeed
    ) -> None:
        self._sessions = sessions
        self._catalogues = catalogues
        self._offers = offers
        self._batches = batches
        self._live = live
        self._boards: dict[UUID, CountBoard] = {}

    async def watch(
        self, viewer: Viewer, now: datetime, *, season: UUID | None, offer: UUID | None, contact: UUID | None
    ) -> "CountsWatch":
        """Every offer in question, or one contact's share of them; a partner watches its own.

        How an offer sells is open to staff and, as far as it is theirs, to partners: raises Forbidden for everybody
        else. To a partner, offers and contacts that it may not see are unknown. Raises NotFound.
        """
        if not viewer.reads_records and viewer.audience is not Audience.PARTNER:
            raise Forbidden(text("forbidden"))
        catalogue = await self._catalogues.seen_by(viewer)
        if season is not None and season not in catalogue.seasons:
            raise NotFound(("seasonId",))
        if offer is not None and offer not in await self._offers.visible(viewer, catalogue, now):
            raise NotFound(("offerId",))
        if contact is not None and not await self._may_see(viewer, contact):
            raise NotFound(("contactId",))
        return CountsWatch(self, viewer.organisation_id, _Selection(season, offer, share_of(viewer) or contact))

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

    async def offers_of(self, organisation: UUID, selection: _Selection) -> list[UUID]:
        return selection.offers(await self._catalogues.current(organisation))

    def board(self, organisation: UUID) -> CountBoard:
        """The organisation's, at work from the first who joins until ``left`` by the last."""
        board = self._boards.get(organisation)
        if board is None:
            board = CountBoard(self._sessions, self._catalogues, self._live, organisation)
            self._boards[organisation] = board
        return board

    def left(self, organisation: UUID) -> None:
        if self._boards[organisation].is_empty:
            self._boards.pop(organisation).stop()

    async def _may_see(self, viewer: Viewer, contact: UUID) -> bool:
        own = share_of(viewer)
        if own is not None:
            return contact == own
        async with self._sessions.reading() as connection:
            return contact in await db_contacts.find(connection, viewer.organisation_id, [contact])


class CountsWatch:
    """One who watches: ``updates`` once, ``refresh`` while they are taken."""

    def __init__(self, counts: LiveCounts, organisation: UUID, selection: _Selection) -> None:
        self._counts = counts
        self._organisation = organisation
        self._selection = selection
        self._joined: tuple[CountBoard, BoardReader] | None = None
        self._since = 0

    async def updates(self) -> AsyncGenerator[CountsUpdate, None]:
        """Every offer in question as it is now, then each after it changed, and never anything older."""
        board = self._counts.board(self._organisation)
        reader = board.join(None if self._selection.offer is None else frozenset({self._selection.offer}))
        self._joined = board, reader
        try:
            first = await self.refresh()
            last: dict[UUID, CountsUpdate] = {}
            while True:
                for offer in await reader.changed():
                    reading = board.latest(offer)
                    if reading is None or reading.number < first:
                        continue
                    counts = self._selection.share(reading.shares)
                    if counts is None or not self._selection.includes(offer, reading.catalogue):
                        continue
                    update = CountsUpdate(offer, self._selection.holder, counts, reading)
                    if self._is_news(update, last.get(offer)):
                        last[offer] = update
                        yield update
        finally:
            board.leave(reader)
            self._counts.left(self._organisation)

    async def refresh(self) -> int:
        """Has everything come once more, changed or not; returns the number of the first reading that is new enough."""
        offers = await self._counts.offers_of(self._organisation, self._selection)
        if self._joined is None:
            return 0
        board, reader = self._joined
        self._since = board.refresh(reader, offers)
        return self._since

    def _is_news(self, update: CountsUpdate, last: CountsUpdate | None) -> bool:
        """Whether it changed, or nothing was told of it since everything was to come once more."""
        if last is None or update.counts.version != last.counts.version:
            return last is None or update.counts.version > last.counts.version
        return last.reading.number < self._since <= update.reading.number


def _setting(event: asyncio.Event, batch: UUID) -> Callable[[frozenset[UUID] | None], None]:
    def changed(subjects: frozenset[UUID] | None) -> None:
        if subjects is None or batch in subjects:
            event.set()

    return changed
