"""The snapshots that a process keeps, one for each organisation that was asked for, replaced when its version moves."""

import asyncio
from uuid import UUID

from db.catalogue import catalogue as db
from db.core.sessions import Sessions
from db.offers import offers as db_offers
from services.catalogue.snapshot import Catalogue, build
from services.core.errors import NotFound
from services.core.viewer import Viewer


class Catalogues:
    """The snapshots of this process, one for each organisation that was asked for."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._snapshots: dict[UUID, Catalogue] = {}
        self._loads: dict[UUID, asyncio.Task[Catalogue]] = {}

    def cached(self, organisation_id: UUID) -> Catalogue | None:
        """The snapshot at hand, however old, for callers that check its version in a query of their own."""
        return self._snapshots.get(organisation_id)

    async def current(self, organisation_id: UUID) -> Catalogue:
        """The snapshot of this instant; costs a look at the version where it did not move. Raises NotFound."""
        async with self._sessions.reading() as connection:
            version = await db.version(connection, organisation_id)
        if version is None:
            raise NotFound(("organisation",))
        return await self.at_version(organisation_id, version)

    async def seen_by(self, viewer: Viewer) -> Catalogue:
        """The snapshot that was current when the viewer's credentials were checked, or a later one; costs no query.

        Raises NotFound.
        """
        if viewer.catalogue_version is None:
            return await self.current(viewer.organisation_id)
        return await self.at_version(viewer.organisation_id, viewer.catalogue_version)

    async def at_version(self, organisation_id: UUID, version: int) -> Catalogue:
        """A snapshot that is not older than ``version``, which the caller has read from the database.

        Callers at once share one load. A load that another caller had begun may have been too early, a second one is
        not: whatever that finds is the truth. Raises NotFound.
        """
        snapshot = self._snapshots.get(organisation_id)
        if snapshot is None or snapshot.organisation.version < version:
            snapshot = await self._load(organisation_id)
        if snapshot.organisation.version < version:
            snapshot = await self._load(organisation_id)
        return snapshot

    async def find(self, code: str) -> Catalogue:
        """The current snapshot of the organisation with this code. Raises NotFound."""
        async with self._sessions.reading() as connection:
            organisation_id = await db.organisation_id(connection, code)
        if organisation_id is None:
            raise NotFound(("organisation",))
        return await self.current(organisation_id)

    async def _load(self, organisation_id: UUID) -> Catalogue:
        task = self._loads.get(organisation_id)
        if task is None:
            task = asyncio.create_task(self._read(organisation_id))
            self._loads[organisation_id] = task
            task.add_done_callback(lambda _: self._loads.pop(organisation_id))
        # A caller that goes away must not take the others' load with it.
        return await asyncio.shield(task)

    async def _read(self, organisation_id: UUID) -> Catalogue:
        async with self._sessions.writing() as connection:
            await db.read_as_one(connection)
            rows = await db.read(connection, organisation_id)
            offers, limits = await db_offers.read(connection, organisation_id)
        if rows is None:
            raise NotFound(("organisation",))
        # In a thread: a large catalogue takes long enough to be felt by every other request.
        snapshot = await asyncio.to_thread(build, rows, offers, limits)
        self._snapshots[organisation_id] = snapshot
        return snapshot
