"""Revisions that are written in SQL: a file beside the revision, run as it stands."""

from pathlib import Path

from alembic import op


def run_script(path: Path) -> None:
    """Runs a file of several statements in the migration's transaction.

    Through asyncpg's simple protocol: the prepared statements that SQLAlchemy makes hold one statement each.
    """
    statements = path.read_text(encoding="utf-8")
    driver = op.get_bind().connection.dbapi_connection
    assert driver is not None  # noqa: S101 - a migration runs on an open connection
    driver.run_async(lambda connection: connection.execute(statements))
