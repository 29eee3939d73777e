"""Fails whatever asks for a session while it holds one: with a small pool, all who do so wait for each other."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar

from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.sessions import Sessions

Session = AbstractAsyncContextManager[AsyncConnection]

_HOLDS: ContextVar[bool] = ContextVar("holds a session", default=False)


class SecondSessionError(AssertionError):
    """A session was asked for by who holds one, or by a task that they wait for."""


def guard_sessions() -> None:
    """From now on, for all that the program itself does; tests are several people at once."""
    for name in ("reading", "writing"):
        setattr(Sessions, name, _guarded(getattr(Sessions, name)))


def _guarded(begin: Callable[[Sessions], Session]) -> Callable[[Sessions], Session]:
    def guarded(sessions: Sessions) -> Session:
        caller = str(sys._getframe(1).f_globals.get("__name__"))
        session = begin(sessions)
        return session if caller.startswith("tests.") else _alone(session, caller)

    return guarded


@asynccontextmanager
async def _alone(session: Session, caller: str) -> AsyncIterator[AsyncConnection]:
    if _HOLDS.get():
        raise SecondSessionError(f"{caller} asks for a second session")
    _HOLDS.set(True)
    try:
        async with session as connection:
            yield connection
    finally:
        _HOLDS.set(False)
