"""``sesame keys``: the API keys of partners."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from db.core.sessions import Sessions
from services.access.credentials import Credentials
from services.access.partner_keys import PartnerKeys, StoredKey
from sesame.postgres.database import database, require_prepared
from sesame.settings import Settings, secret_key

app = typer.Typer(help="Make, list, name and revoke the API keys of partners.", no_args_is_help=True)

Organisation = Annotated[str, typer.Option(help="Code of the organisation.")]
Key = Annotated[UUID, typer.Argument(help="Id of the key, as sesame keys list shows it.")]


@app.command("list")
def list_keys(
    organisation: Organisation,
    contact: Annotated[str | None, typer.Option(help="Code of the structure contact; all where left out.")] = None,
) -> None:
    """List the keys, with the hour of their last use in UTC; those that were revoked too."""

    async def listed(sessions: Sessions) -> None:
        keys = await _keys(sessions, organisation).all()
        for line in _table(key for key in keys if contact in {None, key.contact}):
            typer.echo(line)

    _run(listed)


@app.command()
def create(
    organisation: Organisation,
    contact: Annotated[str, typer.Option(help="Code of the structure contact.")],
    point_of_sale: Annotated[str, typer.Option(help="Code of the point of sale.")],
    name: Annotated[str | None, typer.Option(help="What the key is for.")] = None,
) -> None:
    """Print a new key of a structure contact, and nothing else; it is kept hashed, and cannot be shown again."""

    async def created(sessions: Sessions) -> None:
        credentials = Credentials(sessions, secret_key(Settings.read()))
        typer.echo(await credentials.partner_key(organisation, contact, point_of_sale, name))

    _run(created)


@app.command()
def name(
    key: Key, name: Annotated[str, typer.Argument(help="What the key is for.")], organisation: Organisation
) -> None:
    """Give a key a name."""
    _run(lambda sessions: _keys(sessions, organisation).name(key, name))


@app.command()
def revoke(key: Key, organisation: Organisation) -> None:
    """End a key for good: no server takes it any more, and what was begun with it ends within a second."""
    _run(lambda sessions: _keys(sessions, organisation).revoke(key, datetime.now(UTC)))


def _keys(sessions: Sessions, organisation: str) -> PartnerKeys:
    return PartnerKeys(sessions, organisation, f"command line:{getpass.getuser()}")


def _table(keys: Iterable[StoredKey]) -> list[str]:
    """A line a key under a head, in columns."""
    head = ("key", "contact", "point of sale", "created", "last used", "revoked", "name")
    rows = [
        head,
        *(
            (
                str(key.id),
                key.contact,
                key.point_of_sale,
                _instant(key.created_at),
                _instant(key.last_used_at),
                _instant(key.revoked_at),
                key.name or "-",
            )
            for key in keys
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _instant(at: datetime | None) -> str:
    return "-" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _run(work: Callable[[Sessions], Awaitable[None]]) -> None:
    """Does the work on the database of the settings. Raises CommandError, and whatever Failure it meets."""
    settings = Settings.read()

    async def worked(url: str) -> None:
        await require_prepared(url)
        sessions = Sessions(url, pool_size=1)
        try:
            await work(sessions)
        finally:
            await sessions.close()

    with database(settings) as url:
        asyncio.run(worked(url))
