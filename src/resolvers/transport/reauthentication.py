"""Credentials are looked at again while what was begun with them lasts."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from resolvers.runtime.context import Context
from services.core.errors import Unauthenticated

EVERY: Final = 5.0
"""Seconds between two looks at the same credentials, unless they are very many."""

_SHORTEST: Final = 0.02  # Fifty looks a second at the most.

_log = structlog.get_logger()

Refuse = Callable[[Unauthenticated], None]


class Reauthentication:
    """Asks again whether the credentials of subscriptions hold; looks once for all who came with the same ones."""

    def __init__(self) -> None:
        self._watched: dict[str | None, dict[Refuse, Context]] = {}
        self._task: asyncio.Task[None] | None = None

    def over(self, context: Context, refuse: Refuse) -> Callable[[], None]:
        """Calls ``refuse`` when the credentials are no longer good; returns how to end this."""
        key = context.authorization
        self._watched.setdefault(key, {})[refuse] = context
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return partial(self._end, key, refuse)

    def _end(self, key: str | None, refuse: Refuse) -> None:
        watched = self._watched.get(key, {})
        watched.pop(refuse, None)
        if not watched:
            self._watched.pop(key, None)
        if not self._watched and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            for key in tuple(self._watched):
                await asyncio.sleep(max(EVERY / max(len(self._watched), 1), _SHORTEST))
                if key in self._watched:
                    await self._look(key)

    async def _look(self, key: str | None) -> None:
        context = next(iter(self._watched[key].values()))
        try:
            await context.fresh().viewer()
        except Unauthenticated as failure:
            for refuse in tuple(self._watched.get(key, ())):
                refuse(failure)
        except Exception as error:  # noqa: BLE001 - a database that is away says nothing about credentials
            _log.warning("credentials were not looked at again", reason=error)
