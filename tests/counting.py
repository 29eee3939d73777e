"""Counts the statements that a process sends to its database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from db.core.sessions import Sessions


@contextmanager
def counted(sessions: Sessions) -> Iterator[list[str]]:
    """The statements sent through these sessions while the block runs, in their order."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = sessions._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
