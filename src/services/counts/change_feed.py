"""What changed, told between processes: published after a commit, heard wherever somebody watches."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID

import structlog

from db.counts.signals import Carrier, Lost

Changed = Callable[[frozenset[UUID] | None], None]
"""Takes the offers and batches that changed; None where signals may have been missed, so that anything may have."""

WINDOW: Final = 0.02
"""Seconds between two publications of this process: what changes meanwhile goes into the next, once."""

_log = structlog.get_logger()
_BACK_OFF: Final = (0.1, 0.2, 0.5, 1.0, 2.0)


class ChangeFeed:
    """The feed of changes of one process, over the one connection on which its ``carrier`` listens.

    Publishing works without listening, as in a worker. Signals are a matter of speed only: whoever watches also looks
    at versions now and then, so that a process that dies between commit and signal loses nothing.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._watchers: dict[UUID, set[Changed]] = {}
        self._pending: dict[UUID, set[UUID]] = {}
        self._publishing: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    def publish(self, organisation: UUID, subjects: Collection[UUID]) -> None:
        """Tells every process that these offers or batches changed: at once, or with the next publication.

        To be called after the commit, on the running loop; returns without waiting.
        """
        self._pending.setdefault(organisation, set()).update(subjects)
        if self._publishing is None or self._publishing.done():
            self._publishing = asyncio.create_task(self._publish())

    @contextmanager
    def watching(self, organisation: UUID, changed: Changed) -> Iterator[None]:
        """Calls ``changed`` for everything heard of an organisation, until the block ends."""
        self._watchers.setdefault(organisation, set()).add(changed)
        try:
            yield
        finally:
            self._watchers[organisation].discard(changed)
            if not self._watchers[organisation]:
                del self._watchers[organisation]

    def listen(self) -> None:
        """Begins to hear what is published anywhere; goes on until ``close``, whatever becomes of the connection."""
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Stops listening, and returns once what was published is on its way."""
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
        if self._publishing is not None:
            await self._publishing
        await self._carrier.close()

    async def _publish(self) -> None:
        while self._pending:
            pending, self._pending = self._pending, {}
            try:
                await self._carrier.send(pending)
            except Lost as error:
                _log.warning("changes were not signalled; watchers find them by their versions", reason=error)
            await asyncio.sleep(WINDOW)

    async def _listen(self) -> None:
        failures = 0

        def began() -> None:
            nonlocal failures
            failures = 0
            # Whatever was signalled before this connection listened went unheard.
            for watchers in tuple(self._watchers.values()):
                for changed in tuple(watchers):
                    changed(None)

        while True:
            reason: Lost | str = "closed"
            try:
                await self._carrier.listen(self._hear, began)
            except Lost as error:
                reason = error
            _log.warning("not listening for changes", reason=reason)
            await asyncio.sleep(_BACK_OFF[min(failures, len(_BACK_OFF) - 1)])
            failures += 1

    def _hear(self, organisation: UUID, subjects: frozenset[UUID]) -> None:
        for changed in tuple(self._watchers.get(organisation, ())):
            changed(subjects)
