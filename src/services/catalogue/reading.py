"""Reading the parts of a catalogue: all of them, or those that changed since a snapshot, as of one version."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.catalogue import parts as db
from db.catalogue.catalogue import Organisation, Rates
from db.catalogue.parts import Look, Part, Row
from db.offers import offers as db_offers
from db.offers.offers import LimitRow, OfferRow
from services.catalogue.snapshot import Catalogue
from services.core.errors import NotFound
from services.core.pacing import Pacer
from services.core.transactions import Overtaken

_PARTS: Final[Sequence[Part[Any]]] = (
    db.SEASONS,
    db.SEAT_CATEGORIES,
    db.AUDIENCE_SUB_CATEGORIES,
    db.SALES_CHANNELS,
    db.POINTS_OF_SALE,
    db.DELIVERY_MODES,
    db.INDICATORS,
    db.COUNTER_PROFILES,
    db.CAMPAIGNS,
    db.PRODUCTS,
    db.PERFORMANCES,
)
_LOOKS: Final = 50


@dataclass(slots=True)
class Parts:
    """Parts of a catalogue by key; None where there is no such part any more.

    ``is_all``: everything is here, and not what changed alone.
    """

    organisation: Organisation
    seen: str
    is_all: bool
    rates: dict[UUID, Rates | None] = field(default_factory=dict)
    offers: dict[UUID, tuple[OfferRow, Sequence[LimitRow]] | None] = field(default_factory=dict)
    _rows: dict[str, dict[UUID, Any]] = field(default_factory=dict)

    def of(self, part: Part[Row]) -> dict[UUID, Row | None]:
        return self._rows.setdefault(part.name, {})


async def read(connection: AsyncConnection, organisation_id: UUID, since: Catalogue | None, pacer: Pacer) -> Parts:
    """What the session sees, all of one version: what changed ``since`` a snapshot, everything without one.

    While a large catalogue is read somebody may change it: what they changed is read once more, until nothing has.
    Raises NotFound, and Overtaken where it kept changing.
    """
    reading = _Reading(connection, organisation_id, pacer)
    if since is None:
        begin = await reading.look(None)
        parts = Parts(begin.organisation, begin.seen, is_all=True)
        await reading.everything(parts)
    else:
        parts = Parts(since.organisation, since.seen, is_all=False)
    for _ in range(_LOOKS):
        now = await reading.look(parts.seen)
        if now.changed is None or now.organisation.version < parts.organisation.version:
            # Whoever has an older state than we began with, or is another server, cannot tell what changed.
            return await read(connection, organisation_id, None, pacer)
        if now.organisation.version == parts.organisation.version:
            return parts
        await reading.changed(parts, now.changed)
        parts.organisation, parts.seen = now.organisation, now.seen
    raise Overtaken


@dataclass(frozen=True, slots=True)
class _Reading:
    connection: AsyncConnection
    organisation_id: UUID
    pacer: Pacer

    async def look(self, since: str | None) -> Look:
        found = await db.look(self.connection, self.organisation_id, since)
        if found is None:
            raise NotFound(("organisation",))
        return found

    async def everything(self, parts: Parts) -> None:
        for part in _PARTS:
            after, full = db.NO_PART, True
            while full:
                await self.pacer.turn()
                rows = await part.page(self.connection, self.organisation_id, after)
                parts.of(part).update((row.id, row) for row in rows)
                if part in (db.PRODUCTS, db.PERFORMANCES):
                    await self._rates(parts, [row.id for row in rows])
                after, full = rows[-1].id if rows else after, len(rows) == db.PAGE
        after, full = db.NO_PART, True
        while full:
            await self.pacer.turn()
            offers = await db_offers.page(self.connection, self.organisation_id, after)
            await self._offers(parts, offers)
            after, full = offers[-1].id if offers else after, len(offers) == db_offers.PAGE

    async def changed(self, parts: Parts, changed: Mapping[str, Sequence[UUID]]) -> None:
        for part in _PARTS:
            for ids in _pages(changed.get(part.name, ()), db.PAGE):
                await self.pacer.turn()
                parts.of(part).update(dict.fromkeys(ids))
                rows = await part.some(self.connection, self.organisation_id, ids)
                parts.of(part).update((row.id, row) for row in rows)
        for ids in _pages(changed.get(db.RATES, ()), db.PAGE):
            await self.pacer.turn()
            parts.rates.update(dict.fromkeys(ids))
            await self._rates(parts, ids)
        # A campaign's dates are part of what is told of its offers.
        campaigns = changed.get(db.CAMPAIGNS.name, ())
        offers = list(changed.get(db.OFFERS, ()))
        for ids in _pages(campaigns, db.PAGE):
            offers += await db_offers.of_campaigns(self.connection, self.organisation_id, ids)
        for ids in _pages(list(dict.fromkeys(offers)), db_offers.PAGE):
            await self.pacer.turn()
            parts.offers.update(dict.fromkeys(ids))
            await self._offers(parts, await db_offers.some(self.connection, self.organisation_id, ids))

    async def _rates(self, parts: Parts, ids: Sequence[UUID]) -> None:
        if ids:
            parts.rates.update(await db.rates(self.connection, self.organisation_id, ids))

    async def _offers(self, parts: Parts, rows: Sequence[OfferRow]) -> None:
        if not rows:
            return
        limits: dict[UUID, list[LimitRow]] = {}
        for limit in await db_offers.limits(self.connection, self.organisation_id, [row.id for row in rows]):
            limits.setdefault(limit.offer_id, []).append(limit)
        parts.offers.update((row.id, (row, limits.get(row.id, ()))) for row in rows)


def _pages(ids: Sequence[UUID], size: int) -> Iterator[Sequence[UUID]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
