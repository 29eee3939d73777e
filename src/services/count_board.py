"""The counts of one organisation that are watched in this process: read once a change, shared by all who watch.

A slow reader keeps nobody waiting and queues nothing: it holds the set of offers that changed since it last looked.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog

from db import counts as db_counts
from db import live as db
from db.counts import RedemptionCounts
from db.sessions import Sessions
from services.live import Live

PACE: Final = 0.1
"""Seconds between two reads: about ten updates a second and offer."""
LOOK: Final = 1.5
"""Seconds between two looks at the versions of what is watched."""

Shares = Mapping[UUID | None, RedemptionCounts]
"""An offer's counts by holder."""

_log = structlog.get_logger()


class Reader:
    """One who watches some offers or, with None, all."""

    def __init__(self, offers: frozenset[UUID] | None) -> None:
        self.offers = offers
        self._dirty: dict[UUID, None] = {}
        self._wake = asyncio.Event()

    async def changed(self) -> list[UUID]:
        """The offers that changed since the last call, as soon as there are some."""
        await self._wake.wait()
        self._wake.clear()
        dirty, self._dirty = self._dirty, {}
        return list(dirty)

    def mark(self, offer: UUID) -> None:
        self._dirty[offer] = None
        self._wake.set()


class CountBoard:
    """Holds a database connection only while it reads; while nothing changes, does nothing but look now and then."""

    def __init__(self, sessions: Sessions, live: Live, organisation: UUID) -> None:
        self._sessions = sessions
        self._live = live
        self._organisation = organisation
        self._latest: dict[UUID, Shares] = {}
        self._by_offer: dict[UUID, set[Reader]] = {}
        self._of_all: set[Reader] = set()
        # Offers to read, each with those who wait for it whether it changed or not.
        self._dirty: dict[UUID, set[Reader]] = {}
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    @property
    def is_empty(self) -> bool:
        return not self._of_all and not self._by_offer

    def latest(self, offer: UUID) -> Shares:
        """The newest counts known; never older than what was seen before."""
        return self._latest.get(offer, {})

    def join(self, offers: frozenset[UUID] | None, known: Collection[UUID]) -> Reader:
        """A new reader, to whom ``known`` will show as changed once they are read."""
        reader = Reader(offers)
        if offers is None:
            self._of_all.add(reader)
        for offer in offers or ():
            self._by_offer.setdefault(offer, set()).add(reader)
        # Read anew: what is at hand may lack what the one who asks has just done.
        for offer in known:
            self._dirty.setdefault(offer, set()).add(reader)
        self._wake.set()
        return reader

    def leave(self, reader: Reader) -> None:
        self._of_all.discard(reader)
        for waiting in self._dirty.values():
            waiting.discard(reader)
        for offer in reader.offers or ():
            self._by_offer[offer].discard(reader)
            if not self._by_offer[offer]:
                del self._by_offer[offer]
        if not self._of_all:
            self._latest = {offer: self._latest[offer] for offer in self._latest.keys() & self._by_offer.keys()}

    def stop(self) -> None:
        self._task.cancel()

    def _mark(self, subjects: frozenset[UUID] | None) -> None:
        """Has those of ``subjects`` that are watched read again; with None, all that are."""
        offers = subjects if subjects is not None else {*self._latest, *self._by_offer}
        for offer in offers if self._of_all else offers & self._by_offer.keys():
            self._dirty.setdefault(offer, set())
        if self._dirty:
            self._wake.set()

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        next_look = clock() + LOOK
        with self._live.watching(self._organisation, self._mark):
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), max(0, next_look - clock()))
                try:
                    if clock() >= next_look:
                        next_look = clock() + LOOK
                        await self._look()
                    await self._read()
                except Exception as error:  # noqa: BLE001 - whatever it was, the next round tries again
                    _log.warning("live counts could not be read", reason=str(error))
                await asyncio.sleep(PACE)

    async def _look(self) -> None:
        """Finds what changed without a signal."""
        watched = None if self._of_all else list(self._by_offer)
        async with self._sessions.reading() as connection:
            found = await db.versions(connection, self._organisation, watched)
        known = {offer: sum(each.version for each in shares.values()) for offer, shares in self._latest.items()}
        self._mark(frozenset(offer for offer, version in found.items() if version > known.get(offer, 0)))

    async def _read(self) -> None:
        self._wake.clear()
        dirty, self._dirty = self._dirty, {}
        if not dirty:
            return
        try:
            async with self._sessions.reading() as connection:
                found = await db_counts.read(connection, self._organisation, offer_ids=list(dirty))
        except Exception:
            for offer, waiting in dirty.items():
                self._dirty.setdefault(offer, set()).update(waiting)
            self._wake.set()
            raise
        shares: dict[UUID, dict[UUID | None, RedemptionCounts]] = {offer: {} for offer in dirty}
        for (offer, holder), counts in found.items():
            shares[offer][holder] = counts
        for offer, waiting in dirty.items():
            self._show(offer, shares[offer], waiting)

    def _show(self, offer: UUID, shares: Shares, waiting: set[Reader]) -> None:
        readers = self._by_offer.get(offer, set()) | self._of_all
        moved = shares != self._latest.get(offer, {})
        if readers and moved:
            self._latest[offer] = shares
        # Whoever joined during this read waits for the next: this one may be older than what it has just done.
        told = readers - self._dirty.get(offer, set()) if moved else waiting & readers
        for reader in told:
            reader.mark(offer)
