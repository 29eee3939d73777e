"""Batches: runs that make codes of one offer for one structure contact."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.contacts.contacts import ContactKind
from db.core.keyset import Page, bounded_count, cut, in_order
from db.core.tables import batches, contacts, offers


class BatchState(StrEnum):
    """PENDING → GENERATING → SENDING → DONE, or FAILED; SENDING only where a mail is wanted."""

    PENDING = "PENDING"
    GENERATING = "GENERATING"
    SENDING = "SENDING"
    DONE = "DONE"
    FAILED = "FAILED"


class DocumentType(StrEnum):
    """What the structure contact is sent when its codes are made."""

    EMAIL_WITH_CODE_LIST = "EMAIL_WITH_CODE_LIST"
    NO_EMAIL = "NO_EMAIL"


@dataclass(frozen=True, slots=True)
class NewBatch:
    """What a batch is to make and where its list goes. ``code`` names batches that come from a file."""

    offer: UUID
    contact: UUID
    quantity: int
    destination: str | None
    document_type: DocumentType
    language: str
    remark: str | None = None
    code: str | None = None
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A row; ``generated`` of ``quantity`` codes exist. ``error`` says why it is FAILED, in the batch's language.

    ``resends`` is how often it was taken up again after its end; ``sending_until`` is set while its list is being sent.
    ``skipped`` lines of an imported list were left out because their codes were there already.
    """

    id: UUID
    organisation: UUID
    offer: UUID
    contact: UUID
    quantity: int
    generated: int
    state: BatchState
    destination: str | None
    document_type: DocumentType
    language: str
    remark: str | None
    error: str | None
    created_at: datetime
    created_by: str
    sent_at: datetime | None
    resends: int = 0
    skipped: int = 0
    sending_until: datetime | None = field(default=None, compare=False)

    @property
    def is_complete(self) -> bool:
        """Whether all its codes exist."""
        return self.generated == self.quantity


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Which batches: those that satisfy every part that is set.

    Asked for from ``since`` on, before ``until``. ``search`` stands anywhere in the remark, the address, the name of
    who asked for it, or its code, in upper or lower case. No ``states`` are all.
    """

    offer: UUID | None = None
    contact: UUID | None = None
    season: UUID | None = None
    states: tuple[BatchState, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class BatchResumption:
    """How a batch that was at its end goes on."""

    state: BatchState
    destination: str | None
    document_type: DocumentType


@dataclass(frozen=True, slots=True)
class ReceiverFacts:
    """What decides whether a contact can be given codes, and where they are sent by default."""

    kind: ContactKind
    email: str | None


@dataclass(frozen=True, slots=True)
class BatchParticulars:
    """What a batch's list and letter say besides its codes; a code is entered at ``shop_url``. Names by language."""

    organisation_name: str
    timezone: str
    contact_name: str
    offer_code: str
    offer_name: dict[str, str]
    valid_from: datetime | None
    valid_until: datetime | None
    shop_url: str | None


# A code is entered at the first point of sale that has an address and at which its offer applies.
_PARTICULARS = text("""
SELECT g.name AS organisation_name, g.timezone, c.name AS contact_name, o.code AS offer_code,
    o.public_name AS offer_name, o.valid_from, o.valid_until, (
        SELECT p.url FROM points_of_sale p
        WHERE p.organisation_id = b.organisation_id AND p.url IS NOT NULL
            AND (o.channel_ids = '{}' OR p.channel_id = ANY(o.channel_ids))
            AND (o.point_of_sale_ids = '{}' OR p.id = ANY(o.point_of_sale_ids))
        ORDER BY p.code LIMIT 1
    ) AS shop_url
FROM batches b
JOIN organisations g ON g.id = b.organisation_id
JOIN contacts c ON c.organisation_id = b.organisation_id AND c.id = b.contact_id
JOIN offers o ON o.organisation_id = b.organisation_id AND o.id = b.offer_id
WHERE b.organisation_id = :organisation AND b.id = :batch
""")


async def offers_of(connection: AsyncConnection, organisation: UUID, contact: UUID) -> frozenset[UUID]:
    """The offers that a structure contact has codes of."""
    query = select(batches.c.offer_id).where(batches.c.organisation_id == organisation, batches.c.contact_id == contact)
    return frozenset((await connection.scalars(query.distinct())).all())


async def offers_with_batches(connection: AsyncConnection, organisation: UUID) -> frozenset[UUID]:
    """The offers that codes were made of, or are being made."""
    query = select(batches.c.offer_id).where(batches.c.organisation_id == organisation)
    return frozenset((await connection.scalars(query.distinct())).all())


async def contact_facts(connection: AsyncConnection, organisation: UUID, contact: UUID) -> ReceiverFacts | None:
    """The contact, None where the organisation has no such one."""
    query = select(contacts.c.kind, contacts.c.email).where(
        contacts.c.organisation_id == organisation, contacts.c.id == contact
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else ReceiverFacts(ContactKind(row.kind), row.email)


async def add(connection: AsyncConnection, organisation: UUID, batch: UUID, order: NewBatch, actor: str) -> None:
    """A new batch, PENDING."""
    await connection.execute(
        insert(batches).values(
            organisation_id=organisation,
            id=batch,
            code=order.code,
            offer_id=order.offer,
            contact_id=order.contact,
            quantity=order.quantity,
            destination=order.destination,
            document_type=order.document_type,
            language=order.language,
            remark=order.remark,
            skipped=order.skipped,
            created_by=actor,
        )
    )


async def get(
    connection: AsyncConnection, organisation: UUID, ids: Collection[UUID], *, contact: UUID | None = None
) -> dict[UUID, Batch]:
    """Batches by id; only those of one structure ``contact`` where it is given."""
    query = _select(organisation).where(batches.c.id.in_(ids))
    if contact is not None:
        query = query.where(batches.c.contact_id == contact)
    return {row.id: _batch(row) for row in await connection.execute(query)}


async def page(connection: AsyncConnection, organisation: UUID, wanted: BatchFilter, page: Page) -> list[Batch]:
    """A page of the batches that the filter lets through, the newest first; their keys grow with time."""
    query = cut(_select(organisation).where(*_conditions(wanted)), page, batches.c.id, descending=True)
    return in_order(map(_batch, await connection.execute(query)), page)


async def count(connection: AsyncConnection, organisation: UUID, wanted: BatchFilter) -> int | None:
    """How many batches the filter lets through, None where they are too many to be counted."""
    return await bounded_count(connection, _select(organisation).where(*_conditions(wanted)))


def _conditions(wanted: BatchFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.offer is not None:
        yield batches.c.offer_id == wanted.offer
    if wanted.contact is not None:
        yield batches.c.contact_id == wanted.contact
    if wanted.season is not None:
        of_season = (offers.c.organisation_id == batches.c.organisation_id) & (offers.c.season_id == wanted.season)
        yield batches.c.offer_id.in_(select(offers.c.id).where(of_season))
    if wanted.states:
        yield batches.c.state.in_(wanted.states)
    if wanted.since is not None:
        yield batches.c.created_at >= wanted.since
    if wanted.until is not None:
        yield batches.c.created_at < wanted.until
    if wanted.search:
        said = (batches.c.remark, batches.c.destination, batches.c.created_by, batches.c.code)
        yield or_(*(func.strpos(func.lower(column), func.lower(wanted.search)) > 0 for column in said))


async def lock(connection: AsyncConnection, organisation: UUID, batch: UUID, *, wait: bool = True) -> Batch | None:
    """The batch, kept from all other changes until the transaction ends.

    None where there is none, and without ``wait`` also while somebody else keeps it.
    """
    query = _select(organisation).where(batches.c.id == batch).with_for_update(key_share=True, skip_locked=not wait)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _batch(row)


async def advance(
    connection: AsyncConnection, organisation: UUID, batch: UUID, generated: int, state: BatchState
) -> None:
    """Records how many codes exist, in the transaction that made them."""
    await _change(connection, organisation, batch, generated=generated, state=state)


async def sending(connection: AsyncConnection, organisation: UUID, batch: UUID, until: datetime | None) -> None:
    """Somebody sends the batch's list and is to be left alone until then; None where they do not any more."""
    await _change(connection, organisation, batch, sending_until=until)


async def sent(connection: AsyncConnection, organisation: UUID, batch: UUID, at: datetime) -> None:
    """The mail server has taken the mail: the batch is DONE."""
    done = {"state": BatchState.DONE, "sent_at": at, "sending_until": None, "error": None}
    await _change(connection, organisation, batch, **done)


async def take_up(connection: AsyncConnection, organisation: UUID, batch: UUID, again: BatchResumption) -> None:
    """Lets a batch that was at its end go on."""
    await _change(
        connection,
        organisation,
        batch,
        state=again.state,
        destination=again.destination,
        document_type=again.document_type,
        error=None,
        resends=batches.c.resends + 1,
    )


async def fail(connection: AsyncConnection, organisation: UUID, batch: UUID, error: str) -> None:
    """The batch will not go on by itself. The codes that it has made stay valid."""
    await _change(connection, organisation, batch, state=BatchState.FAILED, sending_until=None, error=error)


async def particulars(connection: AsyncConnection, organisation: UUID, batch: UUID) -> BatchParticulars:
    """What the batch's list and letter say besides its codes."""
    return BatchParticulars(
        *(await connection.execute(_PARTICULARS, {"organisation": organisation, "batch": batch})).one()
    )


def _select(organisation: UUID) -> Select[Any]:
    return select(batches).where(batches.c.organisation_id == organisation)


async def _change(connection: AsyncConnection, organisation: UUID, batch: UUID, **values: object) -> None:
    await connection.execute(
        update(batches).where(batches.c.organisation_id == organisation, batches.c.id == batch).values(**values)
    )


def _batch(row: Row[Any]) -> Batch:
    return Batch(
        id=row.id,
        organisation=row.organisation_id,
        offer=row.offer_id,
        contact=row.contact_id,
        quantity=row.quantity,
        generated=row.generated,
        state=BatchState(row.state),
        destination=row.destination,
        document_type=DocumentType(row.document_type),
        language=row.language,
        remark=row.remark,
        error=row.error,
        created_at=row.created_at,
        created_by=row.created_by,
        sent_at=row.sent_at,
        resends=row.resends,
        sending_until=row.sending_until,
        skipped=row.skipped,
    )
