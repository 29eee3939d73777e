"""Pages of codes, by keyset, whose cost depends neither on how deep they are nor on how many codes there are.

The ids of a batch's codes are the batch's own, numbered in their last four bytes: the primary key has the codes of a
batch side by side, batches in the order of their making, and what is asked of an offer, a contact or a season is asked
of one batch after the other until the page is full. Chosen codes, which come in no batch, have an index of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    Uuid,
    cast,
    func,
    lateral,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import Subquery

from db.bulk_codes import LAST_NUMBER, code_id
from db.codes import Code, CodeFilter, CodeStatus, code_of
from db.tables import batches, contacts, offers, orders
from db.tables import codes as table

_NUMBERED: Final = 8
"""Hexadecimal digits at the end of a code's id that are its number in the batch."""


ListedCode = tuple[UUID, str, str | None, str]
"""Id, code, how it is shown and status of a code, as little as can be: lists have millions."""


@dataclass(frozen=True, slots=True)
class TrackedCode:
    """A code with the names that stand for what it refers to. Names of offers by language."""

    code: Code
    offer_name: dict[str, str]
    contact_name: str | None
    used_by_name: str | None
    order_number: str | None


async def page(
    connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, after: UUID | None, most: int
) -> list[Code]:
    """The next codes that the filter lets through, in order of id; its code is normalised."""
    return [code_of(row) for row in await connection.execute(_page(organisation, wanted, after, most))]


async def tracked(
    connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, after: UUID | None, most: int
) -> list[TrackedCode]:
    """The same with names."""
    found = _page(organisation, wanted, after, most).subquery()
    holder, buyer = contacts.alias(), contacts.alias()
    query = (
        select(found, offers.c.public_name, holder.c.name, buyer.c.name, orders.c.number)
        .join(offers, (offers.c.organisation_id == organisation) & (offers.c.id == found.c.offer_id))
        .outerjoin(holder, (holder.c.organisation_id == organisation) & (holder.c.id == found.c.contact_id))
        .outerjoin(buyer, (buyer.c.organisation_id == organisation) & (buyer.c.id == found.c.used_by))
        .outerjoin(orders, (orders.c.organisation_id == organisation) & (orders.c.id == found.c.order_id))
        .order_by(found.c.id)
    )
    return [TrackedCode(code_of(row), *row[-4:]) for row in await connection.execute(query)]


async def of_batch(
    connection: AsyncConnection, organisation: UUID, batch: UUID, after: UUID | None, most: int
) -> Sequence[ListedCode]:
    """The next codes of a batch's list, in order of id."""
    columns = (table.c.id, table.c.code, table.c.shown, table.c.status)
    query = _plain(organisation, CodeFilter(batch=batch), after, columns).order_by(table.c.id).limit(most)
    rows: Sequence[ListedCode] = (await connection.execute(query)).tuples().all()
    return rows


async def ids(
    connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, after: UUID | None, most: int
) -> list[UUID]:
    """The ids of the next codes that the filter lets through, in order."""
    return list((await connection.scalars(_page(organisation, wanted, after, most, (table.c.id,)))).all())


async def count(connection: AsyncConnection, organisation: UUID, wanted: CodeFilter) -> dict[CodeStatus, int]:
    """How many codes of each status the filter lets through."""
    parts: list[Select[Any]]
    number = func.count().label("number")
    if _is_plain(wanted):
        parts = [_plain(organisation, wanted, None, (table.c.status, number)).group_by(table.c.status)]
    else:
        batch = _batches(organisation, wanted, None)
        inner = lateral(_of(batch, organisation, wanted, (table.c.status, number)).group_by(table.c.status))
        parts = [select(inner.c.status, inner.c.number).select_from(batch.join(inner, true()))]
        if wanted.contact is None:
            parts.append(_chosen(organisation, wanted, None, (table.c.status, number)).group_by(table.c.status))
    found = union_all(*parts).subquery()
    query = select(found.c.status, func.sum(found.c.number)).group_by(found.c.status)
    return {CodeStatus(status): int(number) for status, number in await connection.execute(query)}


def _page(
    organisation: UUID,
    wanted: CodeFilter,
    after: UUID | None,
    most: int,
    columns: Sequence[ColumnElement[Any]] = tuple(table.c),
) -> Select[Any]:
    if _is_plain(wanted):
        return _plain(organisation, wanted, after, columns).order_by(table.c.id).limit(most)
    batch = _batches(organisation, wanted, after)
    inner = lateral(_of(batch, organisation, wanted, columns, after).order_by(table.c.id).limit(most))
    # Batches come in order, and their codes in order within: the sort ends with the page.
    parts = [select(*inner.c).select_from(batch.join(inner, true())).order_by(batch.c.id, inner.c.id).limit(most)]
    if wanted.contact is None:
        parts.append(_chosen(organisation, wanted, after, columns).order_by(table.c.id).limit(most))
    found = union_all(*(part.subquery().select() for part in parts)).subquery()
    return select(*found.c).order_by(found.c.id).limit(most)


def _is_plain(wanted: CodeFilter) -> bool:
    """Whether an index on the codes themselves leads to what is wanted."""
    has_index = wanted.code or wanted.batch or wanted.used_from or wanted.used_until
    return bool(has_index) or not (wanted.offer or wanted.contact or wanted.season)


def _plain(
    organisation: UUID, wanted: CodeFilter, after: UUID | None, columns: Sequence[ColumnElement[Any]]
) -> Select[Any]:
    query = _conditions(select(*columns), organisation, wanted, after)
    if wanted.batch is not None:
        first, last = code_id(wanted.batch, 0), code_id(wanted.batch, LAST_NUMBER)
        query = query.where(table.c.id.between(first, last), table.c.batch_id == wanted.batch)
    if wanted.contact is not None:
        query = query.where(table.c.contact_id == wanted.contact)
    return _of_offers(query, organisation, wanted)


def _batches(organisation: UUID, wanted: CodeFilter, after: UUID | None) -> Subquery:
    """The batches that can have such codes, in order, with the first and last ids that their codes can have."""
    shared = func.left(cast(batches.c.id, Text), -_NUMBERED)
    first, last = (cast(shared + digit * _NUMBERED, Uuid) for digit in "0f")
    query = select(batches.c.id, first.label("first"), last.label("last")).where(
        batches.c.organisation_id == organisation
    )
    for column, value in ((batches.c.offer_id, wanted.offer), (batches.c.contact_id, wanted.contact)):
        if value is not None:
            query = query.where(column == value)
    if wanted.season is not None:
        query = query.where(batches.c.offer_id.in_(_season(organisation, wanted.season)))
    if after is not None:
        # Those before have no codes after; the batch that it belongs to may have any number in its last four bytes.
        query = query.where(batches.c.id >= code_id(after, 0))
    return query.order_by(batches.c.id).subquery()


def _of(
    batch: Subquery,
    organisation: UUID,
    wanted: CodeFilter,
    columns: Sequence[ColumnElement[Any]],
    after: UUID | None = None,
) -> Select[Any]:
    query = _conditions(select(*columns), organisation, wanted, after)
    return query.where(table.c.id.between(batch.c.first, batch.c.last), table.c.batch_id == batch.c.id)


def _chosen(
    organisation: UUID, wanted: CodeFilter, after: UUID | None, columns: Sequence[ColumnElement[Any]]
) -> Select[Any]:
    query = _conditions(select(*columns), organisation, wanted, after)
    return _of_offers(query.where(table.c.kind != literal_column("'SINGLE_USE'")), organisation, wanted)


def _of_offers(query: Select[Any], organisation: UUID, wanted: CodeFilter) -> Select[Any]:
    if wanted.offer is not None:
        query = query.where(table.c.offer_id == wanted.offer)
    if wanted.season is not None:
        query = query.where(table.c.offer_id.in_(_season(organisation, wanted.season)))
    return query


def _season(organisation: UUID, season: UUID) -> Select[Any]:
    return select(offers.c.id).where(offers.c.organisation_id == organisation, offers.c.season_id == season)


def _conditions(query: Select[Any], organisation: UUID, wanted: CodeFilter, after: UUID | None) -> Select[Any]:
    """What does not depend on the way to the codes. Statuses as literals, for the sake of partial indexes."""
    query = query.where(table.c.organisation_id == organisation)
    if wanted.code is not None:
        query = query.where(table.c.code == wanted.code)
    if wanted.status:
        query = query.where(table.c.status.in_([literal_column(f"'{status.value}'") for status in wanted.status]))
        if CodeStatus.AVAILABLE not in wanted.status:
            query = query.where(table.c.status != literal_column("'AVAILABLE'"))
    if wanted.used_from is not None:
        query = query.where(table.c.used_at.is_not(None), table.c.used_at >= wanted.used_from)
    if wanted.used_until is not None:
        query = query.where(table.c.used_at.is_not(None), table.c.used_at < wanted.used_until)
    if wanted.until is not None:
        query = query.where(table.c.id <= wanted.until)
    return query if after is None else query.where(table.c.id > after)
