"""``sesame generate`` and ``sesame import-codes``: codes in bulk, from the command line."""

import asyncio
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from db.core.sessions import PATIENT_SECONDS, STATEMENT_SECONDS
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.codes.batches import Batch, Batches, BatchRequest, BatchState, DocumentType
from services.codes.imports import ImportRequest, Imports, OnDuplicate
from services.codes.lists.decoding import ListFile
from services.contacts.contacts import Contacts
from services.core.errors import NotFound, Problem
from services.core.texts import Language, text
from services.core.viewer import Audience, StaffRole, Viewer
from sesame import logs
from sesame.composition import House, house
from sesame.errors import CommandError
from sesame.postgres.database import database, require_prepared
from sesame.settings import Settings
from sesame.worker.jobs import Worker
from sesame.worker.process import queue_worker

_LOOK_SECONDS: Final = 0.1

Result = TypeVar("Result")

Organisation = Annotated[str, typer.Option(help="Code of the organisation.")]
Offer = Annotated[str, typer.Option(help="Code of the advantage or promotional code.")]
Contact = Annotated[str, typer.Option(help="Code of the structure contact.")]
Remark = Annotated[str | None, typer.Option(help="Kept with the batch, and in its mail.")]


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where the work is done: who does it, and for whom and of what codes are wanted."""

    own: House
    viewer: Viewer
    offer: UUID
    contact: UUID


def generate(
    organisation: Organisation,
    offer: Offer,
    contact: Contact,
    quantity: Annotated[int, typer.Option(help="How many codes.")],
    *,
    destination: Annotated[str | None, typer.Option(help="Mail address; the contact's own where left out.")] = None,
    mail: Annotated[bool, typer.Option(help="Whether to mail the list.")] = True,
    language: Annotated[Language, typer.Option(case_sensitive=False, help="Of the list and the mail.")] = Language.FR,
    remark: Remark = None,
) -> None:
    """Make codes and mail their list. Interrupted, the batch goes on with the next worker."""
    document_type = DocumentType.EMAIL_WITH_CODE_LIST if mail else DocumentType.NO_EMAIL
    settings = Settings.read()

    async def generated(desk: _Desk) -> None:
        batches = Batches(desk.own.sessions, desk.own.transactions, desk.own.links)
        request = BatchRequest(desk.offer, desk.contact, quantity, destination, document_type, language, remark)
        batch = await batches.request(desk.viewer, request, datetime.now(UTC))
        async with _working(desk.own, settings) as worker:
            row = await _watched(batches, desk.viewer, batch, worker)
        if row.state is BatchState.FAILED:
            raise CommandError(f"The batch {batch} failed with {row.generated} of {quantity} codes made: {row.error}")
        mailed = f", mailed to {row.destination}" if row.sent_at else ""
        typer.echo(f"Made {row.generated} codes of {offer} for {contact}{mailed}: batch {batch}.")

    _run(settings, organisation, offer, contact, generated)


def import_codes(
    file: Annotated[Path, typer.Argument(help="Text file, CSV file or workbook (XLSX) with one code a line.")],
    organisation: Organisation,
    offer: Offer,
    contact: Contact,
    remark: Remark = None,
    *,
    column: Annotated[str | None, typer.Option(help="Name of the column with the codes.")] = None,
    accept_guessable: Annotated[bool, typer.Option(help="Take in codes that can be guessed.")] = False,
    on_duplicate: Annotated[
        OnDuplicate, typer.Option(case_sensitive=False, help="What becomes of codes that are there already.")
    ] = OnDuplicate.REFUSE,
) -> None:
    """Take in codes that somebody else made: all of them or, with every problem listed, none."""
    if not file.is_file():
        raise CommandError(f"{file} is no file that can be read.")

    async def imported(desk: _Desk) -> None:
        request = ImportRequest(
            desk.offer,
            desk.contact,
            remark,
            accept_guessable=accept_guessable,
            column=column,
            on_duplicate=on_duplicate,
        )
        imports = Imports(desk.own.transactions)
        batch = await imports.take_in_file(desk.viewer, request, ListFile(file), datetime.now(UTC), _report)
        row = (await Batches(desk.own.sessions, desk.own.transactions, desk.own.links).find(desk.viewer, [batch]))[
            batch
        ]
        skipped = f", {row.skipped} left out that were there already" if row.skipped else ""
        typer.echo(f"Took in {row.quantity} codes of {file} as batch {batch}{skipped}.")

    _run(Settings.read(), organisation, offer, contact, imported, statement_seconds=PATIENT_SECONDS)


def _report(problem: Problem) -> None:
    typer.echo(f"{'.'.join(problem.path)}: {problem.text.in_language(Language.EN)}", err=True)


def _run(
    settings: Settings,
    organisation: str,
    offer: str,
    contact: str,
    work: Callable[[_Desk], Awaitable[None]],
    *,
    statement_seconds: int = STATEMENT_SECONDS,
) -> None:
    """Does the work on the database of the settings. Raises CommandError, and whatever Failure it meets."""
    logs.configure("warning", settings.secrets())

    async def worked() -> None:
        async with house(settings, statement_seconds=statement_seconds) as own:
            await work(await _desk(own, organisation, offer, contact))

    with database(settings) as url:
        asyncio.run(require_prepared(url))
        asyncio.run(worked())


async def _desk(own: House, organisation: str, offer: str, contact: str) -> _Desk:
    catalogue = await Catalogues(own.sessions).find(organisation)
    viewer = Viewer(
        Audience.STAFF,
        catalogue.organisation.id,
        organisation,
        f"command line:{getpass.getuser()}",
        roles=frozenset({StaffRole.CODES, StaffRole.VIEWER}),
    )
    holder = await Contacts(own.sessions).with_code(viewer, contact)
    return _Desk(own, viewer, _offer(catalogue, offer), holder)


def _offer(catalogue: Catalogue, code: str) -> UUID:
    """The offer with this code; of an advantage and a promotional code that share it, the advantage."""
    found = [offer.id for offer in catalogue.offers.values() if offer.code == code]
    if not found:
        raise NotFound(("offer",), text("unknown_offer"))
    return found[0]


@asynccontextmanager
async def _working(own: House, settings: Settings) -> AsyncIterator[Worker]:
    """A worker takes part meanwhile, beside any that run elsewhere."""
    worker = queue_worker(own, settings)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await running


async def _watched(batches: Batches, viewer: Viewer, batch: UUID, worker: Worker) -> Batch:
    """Shows on a terminal how far the batch is; the batch at its end.

    Raises CommandError where the worker had to give it up.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("codes", total=None)
        while True:
            row = (await batches.find(viewer, [batch]))[batch]
            progress.update(task, description=row.state.lower(), completed=row.generated, total=row.quantity)
            if row.state in {BatchState.DONE, BatchState.FAILED}:
                return row
            if worker.has_hung:
                raise CommandError(f"The work on batch {batch} hung: it goes on with the next sesame worker.")
            await asyncio.sleep(_LOOK_SECONDS)
