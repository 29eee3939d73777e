"""The snapshots that a process keeps, of the organisations that were asked for last, replaced when a version moves."""

import asyncio
from collections import OrderedDict
from math import inf
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.catalogue import catalogue as db
from db.core.sessions import Sessions
from services.catalogue.assembling import assemble
from services.catalogue.reading import read
from services.catalogue.snapshot import Catalogue
from services.core.errors import NotFound
from services.core.pacing import Pacer
from services.core.viewer import Viewer


class Catalogues:
    """The snapshots of this process, by organisation.

    They have ``most_parts`` offers, products, performances and rate tables together, or are one: whose organisation
    was asked for longest ago is forgotten first, and read anew when it is asked for again. Large ones are made in
    slices: nobody else waits for them.

    Who asks ``within`` a session of their own has everything read there: who holds a connection waits for no other one.
    """

    def __init__(self, sessions: Sessions, most_parts: float = inf) -> None:
        self._sessions = sessions
        self._most_parts = most_parts
        self._pacer = Pacer()
        self._snapshots: OrderedDict[UUID, Catalogue] = OrderedDict()
        self._loads: dict[UUID, asyncio.Event] = {}

    def cached(self, organisation_id: UUID) -> Catalogue | None:
        """The snapshot at hand, however old, for callers that check its version in a query of their own."""
        snapshot = self._snapshots.get(organisation_id)
        if snapshot is not None:
            self._snapshots.move_to_end(organisation_id)
        return snapshot

    async def current(self, organisation_id: UUID, within: AsyncConnection | None = None) -> Catalogue:
        """The snapshot of this instant; costs a look at the version where it did not move. Raises NotFound."""
        version = await self._version(organisation_id, within)
        if version is None:
            raise NotFound(("organisation",))
        return await self.at_version(organisation_id, version, within)

    async def seen_by(self, viewer: Viewer) -> Catalogue:
        """The snapshot that was current when the viewer's credentials were checked, or a later one; costs no query.

        Raises NotFound.
        """
        if viewer.catalogue_version is None:
            return await self.current(viewer.organisation_id)
        return await self.at_version(viewer.organisation_id, viewer.catalogue_version)

    async def at_version(self, organisation_id: UUID, version: int, within: AsyncConnection | None = None) -> Catalogue:
        """A snapshot that is not older than ``version``, which the caller has read from the database.

        Callers at once share one load, by who has a connection already. A load that another caller had begun may have
        been too early, one's own is not: whatever that finds is the truth. Raises NotFound.
        """
        while True:
            if self._has(organisation_id, version):
                return self._snapshots[organisation_id]
            load = self._loads.get(organisation_id)
            if load is not None:
                await load.wait()
            elif within is not None:
                return await self._load(organisation_id, within)
            else:
                async with self._sessions.writing() as own:
                    await db.read_as_one(own)
                    # Others may have begun meanwhile, or be done.
                    if organisation_id not in self._loads and not self._has(organisation_id, version):
                        return await self._load(organisation_id, own)

    def _has(self, organisation_id: UUID, version: int) -> bool:
        snapshot = self.cached(organisation_id)
        return snapshot is not None and snapshot.organisation.version >= version

    async def find(self, code: str) -> Catalogue:
        """The current snapshot of the organisation with this code. Raises NotFound."""
        async with self._sessions.reading() as connection:
            organisation_id = await db.organisation_id(connection, code)
        if organisation_id is None:
            raise NotFound(("organisation",))
        return await self.current(organisation_id)

    async def _version(self, organisation_id: UUID, within: AsyncConnection | None) -> int | None:
        if within is not None:
            return await db.version(within, organisation_id)
        async with self._sessions.reading() as connection:
            return await db.version(connection, organisation_id)

    async def _load(self, organisation_id: UUID, connection: AsyncConnection) -> Catalogue:
        """Loads it while others wait, who look again whatever becomes of it."""
        loaded = self._loads[organisation_id] = asyncio.Event()
        try:
            before = self._snapshots.get(organisation_id)
            parts = await read(connection, organisation_id, before, self._pacer)
            snapshot = await self._pacer.run(assemble(before, parts), most=inf)
            self._keep(organisation_id, snapshot)
        finally:
            del self._loads[organisation_id]
            loaded.set()
        return snapshot

    def _keep(self, organisation_id: UUID, snapshot: Catalogue) -> None:
        self._snapshots[organisation_id] = snapshot
        self._snapshots.move_to_end(organisation_id)
        parts = sum(each.size for each in self._snapshots.values())
        while parts > self._most_parts and len(self._snapshots) > 1:
            _, forgotten = self._snapshots.popitem(last=False)
            parts -= forgotten.size
