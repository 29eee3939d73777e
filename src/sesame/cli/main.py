"""The command line ``sesame``."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import structlog
import typer

from db.core.sessions import PATIENT_SECONDS, Sessions
from resolvers.schema import schema as graphql_schema
from services.access.credentials import Credentials
from services.core.errors import Failure, InvalidInput, Problem
from services.core.texts import Language
from services.dataset import Datasets, Loaded, read
from sesame import logs
from sesame.cli.codes import generate, import_codes
from sesame.cli.demo import run_demo
from sesame.cli.keys import app as keys
from sesame.errors import CommandError
from sesame.log_masking import Masking
from sesame.postgres.database import database, prepare, require_prepared
from sesame.privacy import keep_private
from sesame.server.serving import serve as serve_until_stopped
from sesame.settings import Settings, secret_key
from sesame.worker import process as queue_worker

_log = structlog.get_logger("sesame.cli")

app = typer.Typer(
    help="Sesame: the GraphQL backend for advantages in ticketing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
token = typer.Typer(help="Print a token for one audience, and nothing else.", no_args_is_help=True)
app.command()(generate)
app.command()(import_codes)
app.add_typer(token, name="token")
app.add_typer(keys, name="keys")

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")]
Organisation = Annotated[str, typer.Option(help="Code of the organisation.")]
PointOfSale = Annotated[str, typer.Option(help="Code of the point of sale.")]
Contact = Annotated[str, typer.Option(help="Code of the contact.")]
Hours = Annotated[float, typer.Option(min=0.01, max=24 * 366, help="How long the token holds.")]


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Number of server processes.")] = 1,
) -> None:
    """Apply pending migrations, then serve /graphql and /health, with a queue worker beside."""
    serve_until_stopped(Settings.read(), host, port, workers)


@app.command()
def worker() -> None:
    """Run the jobs of the queue, beside any number of servers; sesame serve has one already."""
    queue_worker.run(Settings.read())


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""
    with database(Settings.read()) as url:
        asyncio.run(prepare(url))


@app.command()
def load(file: Annotated[Path, typer.Argument(help="JSON file to load; - for standard input.")]) -> None:
    """Load an organisation's data: all of it or, with every problem listed, nothing. Loading again updates."""
    document = read(_content(file))
    with database(Settings.read()) as url:
        loaded = asyncio.run(_loaded(url, document))
    counts = ", ".join(f"{count} {section}" for section, count in loaded.counts.items() if count)
    typer.echo(f"Loaded {loaded.organisation_code}: {counts}.")


@app.command()
def demo(
    data_dir: Annotated[Path, typer.Option(help="Data folder of the demo.")] = Path(".sesame-demo"),
    host: Host = "127.0.0.1",
    port: Port = 8000,
) -> None:
    """Serve the example's data, moved to the current season, on an embedded PostgreSQL of its own."""
    run_demo(data_dir, host, port)


@app.command()
def settings() -> None:
    """List all settings, with secrets hidden."""
    for variable, value, meaning in Settings.read().listed():
        typer.echo(f"{variable}={value}\n    {meaning}")


@app.command()
def schema() -> None:
    """Print the GraphQL schema."""
    typer.echo(graphql_schema.as_str())


@token.command()
def shopper(organisation: Organisation, point_of_sale: PointOfSale) -> None:
    """The public token of a point of sale."""
    _issue(lambda credentials, _: credentials.shopper_token(organisation, point_of_sale))


@token.command("contact")
def contact_token(organisation: Organisation, contact: Contact, point_of_sale: PointOfSale, hours: Hours = 12) -> None:
    """A customer who shops at a point of sale."""
    _issue(lambda credentials, now: credentials.contact_token(organisation, contact, point_of_sale, now + _for(hours)))


@token.command("shop-server")
def shop_server(organisation: Organisation, hours: Hours = 24 * 365) -> None:
    """A key by which a shop's own server says for whom it asks: Sesame-Server-Key, beside Sesame-Customer."""
    _issue(lambda credentials, now: credentials.shop_server_key(organisation, now + _for(hours)))


@token.command()
def partner(organisation: Organisation, contact: Contact, point_of_sale: PointOfSale) -> None:
    """A new API key of a structure contact; it is kept hashed, and cannot be shown again."""
    _issue(lambda credentials, _: credentials.partner_key(organisation, contact, point_of_sale))


@token.command()
def staff(
    *,
    organisation: Organisation,
    roles: Annotated[str, typer.Option(help="Roles, with commas between: CATALOGUE,SALES,CODES,CONTROL,VIEWER.")],
    point_of_sale: Annotated[str | None, typer.Option(help="Code of the point of sale where they sell.")] = None,
    name: Annotated[str | None, typer.Option(help="Who it is, for the audit; made up where left out.")] = None,
    profile: Annotated[str | None, typer.Option(help="Counter profile, for offers that ask for one.")] = None,
    hours: Hours = 12,
) -> None:
    """A member of staff."""
    names = [role.strip().upper() for role in roles.split(",")]
    _issue(
        lambda credentials, now: credentials.staff_token(
            organisation,
            names,
            now + _for(hours),
            point_of_sale=point_of_sale,
            name=name,
            counter_profile=profile,
        )
    )


def _content(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read ({error.strerror}).") from None


async def _loaded(url: str, document: object) -> Loaded:
    await prepare(url)
    sessions = Sessions(url, pool_size=1, statement_seconds=PATIENT_SECONDS)
    try:
        return await Datasets(sessions).load(document, now=datetime.now(UTC))
    finally:
        await sessions.close()


def main() -> None:
    """The entry point: what the operator can put right is said in one line each, without a traceback."""
    keep_private()
    logs.configure("warning")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda _number, _frame: signal.raise_signal(signal.SIGTERM))
    try:
        app()
    except CommandError as error:
        # A driver or a library may have put a password into its reason.
        _leave(map(Masking().text, error.lines))
    except InvalidInput as error:
        _leave([_line(problem) for problem in error.problems])
    except Failure as error:
        _leave([error.text.in_language(Language.EN)])
    except PermissionError as error:
        _leave([f"{error.filename} cannot be used ({error.strerror}): name another folder with SESAME_DATA_DIR."])
    except Exception as error:  # noqa: BLE001 - left to Typer, it would be written as it is, secrets and all
        _log.critical("the command failed", exc_info=error)
        sys.exit(1)


def _line(problem: Problem) -> str:
    said = problem.text.in_language(Language.EN)
    return f"{'.'.join(problem.path)}: {said}" if problem.path else said


def _leave(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line, err=True)
    sys.exit(1)


def _issue(make: Callable[[Credentials, datetime], Awaitable[str]]) -> None:
    settings = Settings.read()
    secret = secret_key(settings)

    async def issued(url: str) -> str:
        await require_prepared(url)
        sessions = Sessions(url, pool_size=1)
        try:
            return await make(Credentials(sessions, secret), datetime.now(UTC))
        finally:
            await sessions.close()

    with database(settings) as url:
        typer.echo(asyncio.run(issued(url)))


def _for(hours: float) -> timedelta:
    return timedelta(hours=hours)
