"""How many codes that there are not may be tried (docs/domain.md, Who may do what)."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

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
_CALM_SECONDS: Final = 1.0
"""For how long an address from which little failed is not asked about again: a flood is noticed that much later."""
_MOST_CALM: Final = 10_000

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

    def refuse_all(self, codes: Collection[str], until: datetime | None) -> None:
        """None of them is looked up after all."""
        self.refused, self.until = frozenset(codes), until

    def found_unknown(self, codes: Collection[str]) -> None:
        """Is told each time what of the tried codes there is not."""
        self.unknown |= frozenset(codes)


@dataclass(slots=True)
class _Look:
    """A look at codes: where they are counted, and how many of them are counted there already, or being so by others.

    ``flooding`` is where only what fails is counted.
    """

    viewer: Viewer
    codes: Sequence[str]
    counted: tuple[Counted, ...]
    flooding: Counted | None
    now: datetime
    reserved: dict[Counted, int] = field(default_factory=dict)
    reserving: list[asyncio.Future[None]] = field(default_factory=list)
    allowed: int = 0


class AttemptLimits:
    """Counts codes that are tried before they are looked up, and gives back those that are good.

    So what is tried at the same moment, through whichever process, is no more than may be tried. Whom few failures
    stand against, and who tries one code at a time, is only counted when it fails: of each process, one code could be
    looked up beyond a limit, if half of all that may be tried failed elsewhere at that very moment.
    """

    def __init__(self, counts: AttemptCounts, alarm: FloodAlarm) -> None:
        self._counts = counts
        self._alarm = alarm
        self._settling: set[asyncio.Task[None]] = set()
        self._uncounted: dict[Counted, _Look] = {}
        self._calm: dict[Counted, float] = {}

    @asynccontextmanager
    async def trying(
        self, viewer: Viewer, codes: Sequence[str], now: datetime, *, in_basket: bool = False
    ) -> AsyncIterator[CodeTries]:
        """What of ``codes``, normalised and distinct, may be looked up while the block lasts.

        Never less than all for staff, who see all codes anyway. What is looked up ``in_basket``, the basket counts
        itself (``OF_BASKET``). Takes a connection of its own at the beginning, and, where anything failed, at the end:
        the block is to open what it needs within.
        """
        if viewer.reads_records or not codes:
            yield CodeTries()
            return
        look = _Look(viewer, codes, *_counted(viewer, in_basket=in_basket), now)
        tries = await self._begin(look)
        try:
            yield tries
        finally:
            settling = self._end(look, tries)
            if settling is not None and (tries.unknown or tries.refused):
                # Who has found a code does not wait for what is given back.
                await asyncio.wait([settling])

    async def close(self) -> None:
        """Waits for what is still being given back, but for no database that is away."""
        if self._settling:
            await asyncio.wait(self._settling, timeout=_CLOSE_SECONDS)

    async def _begin(self, look: _Look) -> CodeTries:
        if len(look.codes) == 1 and not any(each in self._uncounted for each in look.counted):
            self._uncounted.update(dict.fromkeys(look.counted, look))
            try:
                if await self._has_few_failures(look):
                    return _allowed(look, 1, None)
            except BaseException:
                self._end(look, CodeTries())
                raise
            self._forget(look)
        reserving = asyncio.create_task(self._reserve(look))
        try:
            return await asyncio.shield(reserving)
        except asyncio.CancelledError:
            # It is counted all the same.
            self._keep(asyncio.create_task(self._give_back(look, reserving)))
            raise

    async def _has_few_failures(self, look: _Look) -> bool:
        """Whether less than half of what may fail has failed; of floods alone, as of a second ago."""
        clock = asyncio.get_running_loop()
        if not look.counted and look.flooding in self._calm:
            if clock.time() - self._calm[look.flooding] < _CALM_SECONDS:
                return True
            del self._calm[look.flooding]
        asked = _asked(look)
        counts = await self._counts.add(dict.fromkeys(asked, 0), look.now)
        if any(2 * counts[each].number >= each.limit.most for each in asked):
            return False
        if not look.counted and look.flooding is not None:
            if len(self._calm) >= _MOST_CALM:
                self._calm.clear()
            self._calm[look.flooding] = clock.time()
        return True

    async def _reserve(self, look: _Look) -> CodeTries:
        number = len(look.codes)
        asked = {each: number - look.reserved.get(each, 0) for each in look.counted}
        counting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        others: list[tuple[_Look, Counted]] = []
        for each in look.counted:
            look.reserved[each] = number
            other = self._uncounted.get(each)
            if other is not None and each not in other.reserved:
                # Who is no longer alone is counted as all are.
                other.reserved[each] = len(other.codes)
                other.reserving.append(counting)
                others.append((other, each))
                asked[each] += len(other.codes)
        try:
            if look.reserving:
                # Others count it: what is asked before they have would be told too little.
                await asyncio.wait(look.reserving)
            counts = await self._counts.add(dict.fromkeys(_asked(look), 0) | asked, look.now)
        except BaseException:
            for other, each in others:
                # It counts itself after all.
                other.reserved.pop(each, None)
            raise
        finally:
            counting.set_result(None)
        # How many may be looked up, and until when that is so.
        rooms = [(each.limit.most - (counts[each].number - number), counts[each].until) for each in look.counted]
        if not look.counted:
            rooms = [(each.limit.most - counts[each].number, counts[each].until) for each in _asked(look)]
        until = max((until for room, until in rooms if room < number), default=None)
        return _allowed(look, max(0, min(number, *(room for room, _ in rooms))), until)

    def _forget(self, look: _Look) -> None:
        for each in look.counted:
            if self._uncounted.get(each) is look:
                del self._uncounted[each]

    def _end(self, look: _Look, tries: CodeTries) -> asyncio.Task[None] | None:
        """Counts what failed, and gives back the rest; None where there is nothing to do."""
        if look.viewer.audience is Audience.SHOPPER:
            look.viewer.allowance.give_back(look.allowed - len(tries.unknown))
        if not (look.reserved or tries.unknown or tries.refused):
            self._forget(look)
            return None
        return self._keep(asyncio.create_task(self._settle(look, tries)))

    async def _settle(self, look: _Look, tries: CodeTries) -> None:
        unknown, organisation = len(tries.unknown), look.viewer.organisation_id
        failed = unknown + len(tries.refused)
        try:
            if look.reserving:
                # What is given back before it is counted would be counted for good.
                await asyncio.wait(look.reserving)
            amounts = {each: unknown - look.reserved.get(each, 0) for each in look.counted}
            # It is counted as it is now: by nobody else from here on.
            look.reserved = dict.fromkeys(look.counted, unknown)
            if look.flooding is not None:
                amounts[look.flooding] = unknown
            if failed:
                amounts[self._alarm.counted(_WHAT, organisation)] = failed
            amounts = {each: number for each, number in amounts.items() if number}
            counts = await self._counts.add(amounts, look.now) if amounts else {}
        finally:
            self._forget(look)
        if failed:
            self._alarm.hear(_WHAT, organisation, failed, counts)

    async def _give_back(self, look: _Look, reserving: asyncio.Task[CodeTries]) -> None:
        await reserving
        if settling := self._end(look, CodeTries()):
            await settling

    def _keep(self, settling: asyncio.Task[None]) -> asyncio.Task[None]:
        self._settling.add(settling)
        settling.add_done_callback(self._settled)
        return settling

    def _settled(self, settling: asyncio.Task[None]) -> None:
        self._settling.discard(settling)
        if not settling.cancelled() and (error := settling.exception()) is not None:
            # What was counted beforehand stays so until its window is over.
            _log.warning("tried codes were not counted anew", reason=error)


def _asked(look: _Look) -> tuple[Counted, ...]:
    """What stands against a look: who is known by something else pays for nobody's flood."""
    return look.counted if look.counted or look.flooding is None else (look.flooding,)


def _allowed(look: _Look, number: int, until: datetime | None) -> CodeTries:
    if look.viewer.audience is Audience.SHOPPER:
        number = look.viewer.allowance.take(number)
    look.allowed = number
    return CodeTries(look.codes[number:], until)


def _counted(viewer: Viewer, *, in_basket: bool) -> tuple[tuple[Counted, ...], Counted | None]:
    """Where the codes of this caller are counted before they are looked up, and where only those that fail are.

    The latter is an address, behind which there may be many with good codes at the same moment. Who is known by
    nothing else is counted there beforehand.
    """
    organisation = viewer.organisation_id
    if viewer.audience is Audience.PARTNER:
        return (OF_PARTNER.of(organisation, viewer.actor),), None
    address = OF_ADDRESS.of(organisation, network(viewer.address))
    if viewer.audience in {Audience.CONTACT, Audience.STAFF}:
        return (OF_CUSTOMER.of(organisation, viewer.actor),), address
    return ((), address) if in_basket else ((address,), None)
