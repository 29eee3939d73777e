"""Brings a database to the schema that this program was written for."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

# Any constant will do, as long as every process takes the same: "sesame" in ASCII.
_LOCK: Final = 0x736573616D65


class NewerSchema(Exception):  # noqa: N818 - says what was found
    """The database has been migrated by a newer version of the program, to a revision unknown here."""

    def __init__(self, revision: str) -> None:
        super().__init__(f"The database is at revision {revision}, which this version of Sesame does not know.")
        self.revision = revision


async def upgrade(url: str) -> None:
    """Applies the migrations that are pending, all or none of them.

    Several processes may call this at once: one migrates, the others wait for it and find nothing left to do. Where
    nothing is pending it only looks. Raises NewerSchema for a database ahead of the program, OSError or a SQLAlchemy
    error where it cannot be reached.
    """
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            if await connection.run_sync(_is_current):
                return
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_apply)
            await connection.commit()
    finally:
        await engine.dispose()


async def is_current(url: str) -> bool:
    """Whether the database has exactly the schema that this program was written for."""
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_is_current)
    finally:
        await engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _is_current(connection: Connection) -> bool:
    revision = MigrationContext.configure(connection).get_current_revision()
    return revision == ScriptDirectory.from_config(_config()).get_current_head()


def _apply(connection: Connection) -> None:
    config = _config()
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision not in {None, *(script.revision for script in ScriptDirectory.from_config(config).walk_revisions())}:
        raise NewerSchema(str(revision))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
