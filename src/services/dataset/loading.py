"""Loading a data file: all of it or, with every problem listed, nothing (docs/domain.md, Data files)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.catalogue.catalogue import Organisation
from db.core.ids import next_id
from db.core.sessions import Sessions, is_transient
from db.dataset import dataset as db
from services.core.errors import Conflict, InvalidInput, Problem
from services.core.money import currencies
from services.core.problems import Problems
from services.core.texts import text
from services.core.transactions import Overtaken, Transaction
from services.dataset import format as form
from services.dataset.checks import check
from services.dataset.existing import Existing, Keys, look
from services.dataset.fields import Known
from services.dataset.offer_checks import quotas
from services.dataset.outline import Outline
from services.dataset.parsing import Parser, codes_in, doubles, strings_at
from services.dataset.writing import Writer
from services.offers.quotas import below_taken

_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded: how many of each section the file has; ``batches`` by code, and those ``made`` by this load."""

    organisation_id: UUID
    organisation_code: str
    counts: Mapping[str, int]
    batches: Mapping[str, UUID]
    made: tuple[UUID, ...]


class Datasets:
    """Takes in data files."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def load(self, document: object, *, now: datetime) -> Loaded:
        """Makes what is new in the parsed ``document``, and updates by code what exists; nothing is removed.

        A row of the file is the whole row: what it leaves out is at its default again. But for what life changes: a
        contact's balance is only set when the contact is made, so that loading again gives no spent money back;
        whoever has ordered stays one who has; what is taken of limits and codes stays taken; codes that staff switched
        off stay off; batches are made once. Rate tables, campaign targets and limits in the file replace those that
        there are. Raises InvalidInput with every problem, Conflict where others kept changing the same things.
        """
        organisation = Parser(document, Known()).organisation()
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                async with self._sessions.writing() as connection:
                    return await _load(connection, document, organisation, now)
            except Overtaken:
                continue
            except DBAPIError as error:
                # Somebody else may have made the same code, or used one, since the look: the next look will tell.
                if not (attempts_left and (is_transient(error) or isinstance(error, IntegrityError))):
                    raise
        raise Conflict(text("too_busy"), retry_after=1)


async def _load(
    connection: AsyncConnection, document: object, organisation: form.OrganisationItem | None, now: datetime
) -> Loaded:
    existing, claimed = Existing(), None
    if organisation is not None:
        claimed = await db.claim_organisation(connection, _row(organisation, next_id()))
        existing = await look(connection, claimed, document)
    ids = Keys(document, existing)
    parser = Parser(document, Known(_currency(document), ids.codes()))
    sound = parser.document()
    problems = Problems()
    problems.extend(doubles(document))
    problems.extend(parser.problems)
    check(sound, Outline(document, existing), existing, problems)
    if claimed is not None:
        limited = {limited: (path, quota) for limited, path, quota in quotas(sound, existing)}
        problems.extend(await below_taken(connection, claimed, limited))
    if problems or organisation is None or claimed is None:
        raise InvalidInput(sorted(problems, key=_place), most=None)
    writer = Writer(Transaction(connection, claimed, now), sound, existing, ids)
    made = await writer.write(_row(organisation, claimed))
    return Loaded(
        organisation_id=claimed,
        organisation_code=organisation.code,
        counts={section: len(codes) for section, codes in codes_in(document).items()},
        batches={code: batch.id for code, batch in existing.batches.items()} | made,
        made=tuple(made.values()),
    )


def _row(organisation: form.OrganisationItem, key: UUID) -> Organisation:
    return Organisation(
        id=key,
        code=organisation.code,
        name=organisation.name,
        currency=organisation.currency,
        timezone=organisation.timezone,
        basket_minutes=organisation.basket_minutes,
        # An organisation is claimed before its file is judged: a maximum that is too short is refused after that.
        basket_maximum_minutes=max(organisation.basket_minutes_in_all, organisation.basket_minutes),
        entry_opens_minutes=organisation.entry_opens_minutes,
        entry_closes_minutes=organisation.entry_closes_minutes,
        returns_fees=organisation.returns_fees,
        version=1,
    )


def _currency(document: object) -> str | None:
    """The currency that the file names, however broken the rest of its organisation is."""
    named = (currency for _, currency in strings_at(document, "organisation", "currency"))
    return next((currency for currency in named if currency in currencies()), None)


def _place(problem: Problem) -> list[tuple[int, str]]:
    """Problems of one object side by side, positions in a list as numbers."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in problem.path]
