"""Credentials are looked at again while what was begun with them lasts."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import structlog

from resolvers.runtime.context import Context
from services.core.errors import Unauthenticated
from services.core.texts import text

EVERY: Final = 5.0
"""Seconds between two looks at the same credentials, unless they are very many."""

REVOKED_EVERY: Final = 0.5
"""Seconds between two looks, by one query, whether any of the API keys was revoked."""

_SHORTEST: Final = 0.02  # Fifty looks a second at the most.

_log = structlog.get_logger()

Refuse = Callable[[Unauthenticated], None]


class Reauthentication:
    """Asks again whether the credentials of subscriptions hold; looks once for all who came with the same ones."""

    def __init__(self) -> None:
        self._watched: dict[str | None, dict[Refuse, Context]] = {}
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    def over(self, context: Context, refuse: Refuse) -> Callable[[], None]:
        """Calls ``refuse`` when the credentials are no longer good; returns how to end this."""
        key = context.authorization
        self._watched.setdefault(key, {})[refuse] = context
        if not self._tasks:
            self._tasks = (asyncio.create_task(self._run()), asyncio.create_task(self._run_for_revoked()))
        return partial(self._end, key, refuse)

    def _end(self, key: str | None, refuse: Refuse) -> None:
        watched = self._watched.get(key, {})
        watched.pop(refuse, None)
        if not watched:
            self._watched.pop(key, None)
        if not self._watched:
            tasks, self._tasks = self._tasks, ()
            for task in tasks:
                task.cancel()

    async def _run(self) -> None:
        while True:
            for key in tuple(self._watched):
                await asyncio.sleep(max(EVERY / max(len(self._watched), 1), _SHORTEST))
                if key in self._watched:
                    await self._look(key)

    async def _run_for_revoked(self) -> None:
        while True:
            await asyncio.sleep(REVOKED_EVERY)
            context = next(context for contexts in self._watched.values() for context in contexts.values())
            try:
                ended = await context.services.credentials.ended([key for key in self._watched if key])
            except Exception as error:  # noqa: BLE001 - a database that is away says nothing about credentials
                _log.warning("revoked keys were not looked for", reason=error)
                continue
            self._refuse(ended, Unauthenticated(text("credentials_refused")))

    def _refuse(self, keys: Iterable[str | None], failure: Unauthenticated) -> None:
        for key in keys:
            for refuse in tuple(self._watched.get(key, ())):
                refuse(failure)

    async def _look(self, key: str | None) -> None:
        context = next(iter(self._watched[key].values()))
        try:
            await context.fresh().viewer()
        except Unauthenticated as failure:
            self._refuse([key], failure)
        except Exception as error:  # noqa: BLE001 - a database that is away says nothing about credentials
            _log.warning("credentials were not looked at again", reason=error)
