"""How many codes that there are not may be tried (docs/domain.md, Who may do what)."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from services.access.attempt_counts import AttemptCounts, Counted, Limit
from services.access.flood_alarm import FloodAlarm
from services.core.viewer import Audience, Viewer, network

OF_BASKET: Final = Limit("codes of a basket", 20)
OF_CUSTOMER: Final = Limit("codes of a customer", 100)
OF_PARTNER: Final = Limit("codes of a partner", 1_000)
"""Whose server may speak for thousands of customers."""
OF_ADDRESS: Final = Limit("codes from an address", 1_000)
"""A flood: behind an address may be a school, or the server of a shop with all its customers."""

_WHAT: Final = "codes"
_CLOSE_SECONDS: Final = 5

_log = structlog.get_logger()


class CodeTries:
    """The codes that one request tries: which of them are not looked up, until when, and which turned out unknown.

    However often they are looked up for the one answer, each counts once.
    """

    __slots__ = ("refused", "unknown", "until")

    def __init__(self, refused: Collection[str] = (), until: datetime | None = None) -> None:
        self.refused = frozenset(refused)
        self.until = until
        self.unknown: frozenset[str] = frozenset()

    def found_unknown(self, codes: Collection[str]) -> None:
        """Is told each time what of the tried codes there is not."""
        self.unknown |= frozenset(codes)


@dataclass(frozen=True, slots=True)
class _Reserved:
    """What was counted before the look: ``number`` codes of each of ``counted``, as if there were none of them."""

    tries: CodeTries
    viewer: Viewer
    counted: tuple[Counted, ...]
    flooding: Counted | None
    number: int
    allowed: int
    now: datetime


class AttemptLimits:
    """Counts codes that are tried before they are looked up, and gives back those that are good.

    So what is tried at the same moment, through whichever process, is never more than may be tried.
    """

    def __init__(self, counts: AttemptCounts, alarm: FloodAlarm) -> None:
        self._counts = counts
        self._alarm = alarm
        self._settling: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def trying(
        self, viewer: Viewer, codes: Sequence[str], now: datetime, basket: UUID | None = None
    ) -> AsyncIterator[CodeTries]:
        """What of ``codes``, normalised and distinct, may be looked up while the block lasts.

        Never less than all for staff, who see all codes anyway. Takes a connection of its own at the beginning and at
        the end: the block is to open what it needs within.
        """
        if viewer.reads_records or not codes:
            yield CodeTries()
            return
        reserving = asyncio.create_task(self._reserve(viewer, codes, now, basket))
        try:
            reserved = await asyncio.shield(reserving)
        except asyncio.CancelledError:
            # It is counted all the same.
            self._settle_later(reserving)
            raise
        try:
            yield reserved.tries
        finally:
            settling = self._settle_later(reserving)
            if reserved.tries.unknown or reserved.tries.refused:
                # Who has found a code does not wait for what is given back.
                await asyncio.wait([settling])

    async def close(self) -> None:
        """Waits for what is still being given back, but for no database that is away."""
        if self._settling:
            await asyncio.wait(self._settling, timeout=_CLOSE_SECONDS)

    async def _reserve(self, viewer: Viewer, codes: Sequence[str], now: datetime, basket: UUID | None) -> _Reserved:
        counted, flooding = _counted(viewer, basket)
        number = len(codes)
        asked = dict.fromkeys(counted, number)
        counts = await self._counts.add(asked if flooding is None else {**asked, flooding: 0}, now)
        # How many may be looked up, and until when that is so.
        rooms = [(each.limit.most - (counts[each].number - number), counts[each].until) for each in counted]
        if flooding is not None and counts[flooding].number >= flooding.limit.most:
            rooms.append((0, counts[flooding].until))
        allowed = max(0, min(number, *(room for room, _ in rooms)))
        if viewer.audience is Audience.SHOPPER:
            allowed = viewer.allowance.take(allowed)
        until = max((until for room, until in rooms if room < number), default=None)
        return _Reserved(CodeTries(codes[allowed:], until), viewer, counted, flooding, number, allowed, now)

    def _settle_later(self, reserving: asyncio.Task[_Reserved]) -> asyncio.Task[None]:
        settling = asyncio.create_task(self._settle(reserving))
        self._settling.add(settling)
        settling.add_done_callback(self._settled)
        return settling

    async def _settle(self, reserving: asyncio.Task[_Reserved]) -> None:
        reserved = await reserving
        unknown, refused = len(reserved.tries.unknown), len(reserved.tries.refused)
        viewer = reserved.viewer
        if viewer.audience is Audience.SHOPPER:
            viewer.allowance.give_back(reserved.allowed - unknown)
        amounts = {each: unknown - reserved.number for each in reserved.counted if unknown != reserved.number}
        if reserved.flooding is not None and unknown:
            amounts[reserved.flooding] = unknown
        failed = unknown + refused
        if failed:
            amounts[self._alarm.counted(_WHAT, viewer.organisation_id)] = failed
        if not amounts:
            return
        counts = await self._counts.add(amounts, reserved.now)
        if failed:
            self._alarm.hear(_WHAT, viewer.organisation_id, failed, counts)

    def _settled(self, settling: asyncio.Task[None]) -> None:
        self._settling.discard(settling)
        if not settling.cancelled() and (error := settling.exception()) is not None:
            # What was counted beforehand stays so until its window is over.
            _log.warning("tried codes were not counted anew", reason=error)


def _counted(viewer: Viewer, basket: UUID | None) -> tuple[tuple[Counted, ...], Counted | None]:
    """Where the codes of this caller are counted before they are looked up, and where only those that fail are.

    The latter is an address, behind which there may be many with good codes at the same moment. Who is known by
    nothing else is counted there beforehand.
    """
    organisation = viewer.organisation_id
    counted = [] if basket is None else [OF_BASKET.of(organisation, basket)]
    if viewer.audience is Audience.PARTNER:
        return (*counted, OF_PARTNER.of(organisation, viewer.actor)), None
    if viewer.audience in {Audience.CONTACT, Audience.STAFF}:
        counted.append(OF_CUSTOMER.of(organisation, viewer.actor))
    address = OF_ADDRESS.of(organisation, network(viewer.address))
    return (tuple(counted), address) if counted else ((address,), None)
