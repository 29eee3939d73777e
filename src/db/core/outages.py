"""Faults of the moment, told apart from faults of ours: the database is away, or has nothing left to give."""

from typing import Final

from asyncpg.exceptions import InterfaceError, PostgresError
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolExhausted

# Classes of SQLSTATE: connections, who may make one, which databases there are, resources (too many connections, disk
# full, memory), and the system beneath.
_CLASSES: Final = ("08", "28", "3D", "53", "58")
_STATES: Final = frozenset(
    {
        "25006",  # It only reads: a standby, before or after its promotion.
        "25P03",  # A transaction that did nothing for too long was ended.
        "57014",  # A statement took longer than it may.
        "57P01",  # Somebody shuts it down,
        "57P02",  # or it does so by itself, after a crash.
        "57P03",  # It starts up.
        "57P05",  # A session that did nothing for too long was ended.
    }
)


def is_unavailable(error: BaseException) -> bool:
    """Whether the database cannot be reached, has no connection to spare, or can do nothing at this moment.

    The same may succeed a little later, and nobody has to look into it here. What became of a transaction whose commit
    was lost is not known.
    """
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_of_the_moment(getattr(error.orig, "sqlstate", None))
    if isinstance(error, PostgresError):
        return _is_of_the_moment(error.sqlstate)
    if isinstance(error, InterfaceError):
        return "closed" in str(error)
    if isinstance(error, OSError):
        # One that names a file is about the file; what comes of a connection names none.
        return error.filename is None
    return isinstance(error, PoolExhausted | PendingRollbackError)


def _is_of_the_moment(state: str | None) -> bool:
    return state is not None and (state.startswith(_CLASSES) or state in _STATES)
