"""The counts of one organisation that are watched in this process: read once a change, shared by all who watch.

A slow reader keeps nobody waiting and queues nothing: it holds the set of offers that changed since it last looked.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from db.counts import postgres_feed as db
from db.counts.counts import RedemptionCounts
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.core.expiry import HeldNow
from services.counts.change_feed import ChangeFeed

PACE: Final = 0.1
"""Seconds between two reads of one offer: about ten updates a second."""
LOOK: Final = 1.5
"""Seconds between two looks at the versions of what is watched."""

_AT_ONCE: Final = 5  # Few, so that what is told is new: while a thousand watchers are told of one offer, others change.
_REST: Final = 0.01  # Between two readings, so that they are not of one offer each.
_AFTER_FAILURE: Final = 0.5

CountsByHolder = Mapping[UUID | None, RedemptionCounts]
"""An offer's counts by holder."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BoardReading:
    """The counts of an offer as they were read, by the catalogue of that time; ``number`` grows with each reading."""

    number: int
    shares: CountsByHolder
    catalogue: Catalogue


class BoardReader:
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

    def __init__(self, held_now: HeldNow, catalogues: Catalogues, live: ChangeFeed, organisation: UUID) -> None:
        self._held_now = held_now
        self._catalogues = catalogues
        self._live = live
        self._organisation = organisation
        self._latest: dict[UUID, BoardReading] = {}
        self._by_offer: dict[UUID, set[BoardReader]] = {}
        self._of_all: set[BoardReader] = set()
        # Offers to read, the longest known first, each with those who wait for it whether it changed or not.
        self._dirty: dict[UUID, set[BoardReader]] = {}
        self._not_before: dict[UUID, float] = {}
        self._readings = 0
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    @property
    def is_empty(self) -> bool:
        return not self._of_all and not self._by_offer

    def latest(self, offer: UUID) -> BoardReading | None:
        """The newest counts known; never older than what was seen before."""
        return self._latest.get(offer)

    def join(self, offers: frozenset[UUID] | None) -> BoardReader:
        """A new reader, to whom everything shows as changed that changes from now on."""
        reader = BoardReader(offers)
        if offers is None:
            self._of_all.add(reader)
        for offer in offers or ():
            self._by_offer.setdefault(offer, set()).add(reader)
        return reader

    def refresh(self, reader: BoardReader, offers: Collection[UUID]) -> int:
        """Shows ``offers`` to the reader, changed or not; returns the number of the first reading that is new enough.

        What is at hand, or being read, may lack what the one who asks has just done.
        """
        for offer in offers:
            self._dirty.setdefault(offer, set()).add(reader)
        self._wake.set()
        return self._readings + 1

    def leave(self, reader: BoardReader) -> None:
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
                next_due = min((self._not_before.get(offer, 0) for offer in self._dirty), default=next_look)
                if next_due > clock():
                    self._wake.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout_at(min(next_due, next_look)):
                            await self._wake.wait()
                try:
                    if clock() >= next_look:
                        next_look = clock() + LOOK
                        await self._look()
                    read = await self._read(clock())
                    if read:
                        # With more to read, while those who wait for this are told of it.
                        await asyncio.sleep(0 if read == _AT_ONCE else _REST)
                except Exception as error:  # noqa: BLE001 - whatever it was, the next round tries again
                    _log.warning("live counts could not be read", reason=error)
                    await asyncio.sleep(_AFTER_FAILURE)

    async def _look(self) -> None:
        """Finds what changed without a signal, in the catalogue too, and what is past its time."""
        await self._catalogues.current(self._organisation)
        watched = None if self._of_all else list(self._by_offer)
        async with self._held_now.reading(self._organisation) as connection:
            found = await db.versions(connection, self._organisation, watched)
        self._mark(frozenset(offer for offer, version in found.items() if version > self._version(offer)))

    def _version(self, offer: UUID) -> int:
        reading = self._latest.get(offer)
        return sum(each.version for each in reading.shares.values()) if reading else 0

    async def _read(self, now: float) -> int:
        """Reads some of what is due, that which waits longest first; returns how many offers."""
        due = [offer for offer in self._dirty if self._not_before.get(offer, 0) <= now][:_AT_ONCE]
        if not due:
            return 0
        dirty = {offer: self._dirty.pop(offer) for offer in due}
        self._readings += 1
        try:
            async with self._held_now.reading(self._organisation) as connection:
                found = await db.counts_of(connection, self._organisation, due)
            catalogue = await self._catalogue(due)
        except Exception:
            for offer, waiting in dirty.items():
                self._dirty.setdefault(offer, set()).update(waiting)
            raise
        shares: dict[UUID, dict[UUID | None, RedemptionCounts]] = {offer: {} for offer in dirty}
        for (offer, holder), counts in found.items():
            shares[offer][holder] = counts
        for offer, waiting in dirty.items():
            self._not_before[offer] = now + PACE
            self._show(offer, BoardReading(self._readings, shares[offer], catalogue), waiting)
        return len(due)

    async def _catalogue(self, offers: Collection[UUID]) -> Catalogue:
        """The snapshot at hand, no older than the last look, unless it lacks one of the offers."""
        catalogue = self._catalogues.cached(self._organisation)
        if catalogue is None or not catalogue.offer_details.keys() >= set(offers):
            catalogue = await self._catalogues.current(self._organisation)
        return catalogue

    def _show(self, offer: UUID, reading: BoardReading, waiting: set[BoardReader]) -> None:
        readers = self._by_offer.get(offer, set()) | self._of_all
        latest = self._latest.get(offer)
        moved = reading.shares != (latest.shares if latest else {})
        if readers:
            self._latest[offer] = reading
        for reader in readers if moved else waiting & readers:
            reader.mark(offer)
