"""The database that the settings name, and whether it is fit for use."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from sqlalchemy.exc import DBAPIError

from db.core import server
from db.core.sessions import Sessions
from db.migrations.migrate import NewerSchema, is_current, upgrade
from sesame.errors import CommandError
from sesame.postgres.embedded import running
from sesame.postgres.supervision import supervised
from sesame.privacy import make_private
from sesame.settings import Settings, data_folder, shown

_PATIENCE_SECONDS = 10


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The URL of the database that the settings name: one elsewhere, or the embedded one, which runs meanwhile."""
    if settings.database_url is None:
        with running(data_folder(settings)) as url:
            yield url
    else:
        if settings.data_dir.is_dir():  # With mails, or the key that signed links before.
            make_private(settings.data_dir)
        yield settings.database_url.get_secret_value()


@contextmanager
def kept_database(settings: Settings) -> Iterator[str]:
    """Like ``database``, for the process that answers for all others: it keeps the embedded one running."""
    with database(settings) as url:
        if settings.database_url is None:
            with supervised(data_folder(settings)):
                yield url
        else:
            yield url


async def prepare(url: str) -> None:
    """Applies pending migrations. Raises CommandError where the database cannot be reached, or is ahead of us."""
    await _reach(url)
    try:
        await upgrade(url)
    except NewerSchema as error:
        raise CommandError(f"{error} Start a newer version.") from None
    except DBAPIError as error:
        raise CommandError(f"The migrations were not applied ({_reason(error)}).") from None


async def require_prepared(url: str) -> None:
    """Raises CommandError where the database cannot be reached, or migrations are pending."""
    await _reach(url)
    if not await is_current(url):
        raise CommandError("The database is not set up for this version: run sesame migrate.")


async def connection_limit(url: str) -> int:
    """How many connections the database takes in all."""
    sessions = Sessions(url, pool_size=1)
    try:
        async with sessions.reading() as session:
            return await server.connection_limit(session)
    finally:
        await sessions.close()


async def _reach(url: str) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await connection_limit(url)
    # TypeError and ValueError: an option in the URL that the driver does not know.
    except (OSError, TimeoutError, DBAPIError, TypeError, ValueError) as error:
        _unreachable(url, error)


def _unreachable(url: str, error: Exception) -> NoReturn:
    raise CommandError(
        f"The database {shown(url)} cannot be reached ({_reason(error)}): start it, or correct SESAME_DATABASE_URL."
    ) from None


def _reason(error: Exception) -> str:
    """The first line of what the driver said, without the names of its classes."""
    return re.sub(r"^\([\w.]+\) (<class '[\w.]+'>: )?", "", str(error)).partition("\n")[0] or "it does not answer"
