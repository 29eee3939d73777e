"""Codes: rows with a state machine. AVAILABLE → HELD by one basket → USED by one order, or INVALIDATED."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import codes as table
from db.tables import offers


class CodeStatus(StrEnum):
    """Where a code is in its life. Custom and access codes, which serve many, are AVAILABLE or INVALIDATED."""

    AVAILABLE = "AVAILABLE"
    HELD = "HELD"
    USED = "USED"
    INVALIDATED = "INVALIDATED"


class CodeKind(StrEnum):
    """SINGLE_USE codes come in batches; CUSTOM ones open a promotional code, ACCESS ones an advantage for a partner."""

    SINGLE_USE = "SINGLE_USE"
    CUSTOM = "CUSTOM"
    ACCESS = "ACCESS"


@dataclass(frozen=True, slots=True)
class Code:
    """A row. ``code`` is normalised, ``shown`` how it was chosen, None for random ones.

    ``contact`` is the structure contact it was made for, None for custom and access codes.
    """

    id: UUID
    code: str
    shown: str | None
    kind: CodeKind
    status: CodeStatus
    offer: UUID
    batch: UUID | None
    contact: UUID | None
    order: UUID | None
    used_at: datetime | None
    used_by: UUID | None
    invalidated_at: datetime | None
    invalidated_by: str | None
    invalidation_reason: str | None


@dataclass(frozen=True, slots=True)
class CodeFilter:
    """Which codes: those that satisfy every part that is set. ``used_from`` is included, ``used_until`` is not."""

    season: UUID | None = None
    offer: UUID | None = None
    contact: UUID | None = None
    batch: UUID | None = None
    status: tuple[CodeStatus, ...] = ()
    code: str | None = None
    used_from: datetime | None = None
    used_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedCode:
    """A code as a batch's list has it."""

    id: UUID
    code: str
    shown: str | None
    status: CodeStatus


# One conditional statement: whoever uses or invalidates the code at the same time is either seen here or sees this.
_INVALIDATE = text("""
WITH found AS (
    SELECT id, status FROM codes
    WHERE organisation_id = :organisation AND code = :code AND status IN ('AVAILABLE', 'HELD')
        AND (CAST(:contact AS uuid) IS NULL OR contact_id = :contact)
    FOR NO KEY UPDATE
)
UPDATE codes c SET status = 'INVALIDATED', basket_id = NULL,
    invalidated_at = :now, invalidated_by = :actor, invalidation_reason = :reason
FROM found WHERE c.organisation_id = :organisation AND c.id = found.id
RETURNING c.*, found.status AS status_before
""")

# A code covers tickets of its offer, but none in particular: the codes of an order share the scanned ones in the order
# of their ids, each up to what it covers, so that they add up.
_TICKETS_CONTROLLED = text("""
WITH asked AS (
    SELECT id, order_id FROM codes WHERE organisation_id = :organisation AND id = ANY(:ids) AND order_id IS NOT NULL
        AND (CAST(:contact AS uuid) IS NULL OR contact_id = :contact)
), covered AS (
    SELECT o.id AS order_id, r.offer_id, r.code_id, sum(r.tickets) AS tickets
    FROM orders o JOIN redemptions r ON r.organisation_id = o.organisation_id AND r.basket_id = o.basket_id
    WHERE o.organisation_id = :organisation AND o.id IN (SELECT order_id FROM asked)
        AND r.state = 'USED' AND r.code_id IS NOT NULL
    GROUP BY 1, 2, 3
), queued AS (
    SELECT *, sum(tickets) OVER (PARTITION BY order_id, offer_id ORDER BY code_id) - tickets AS before FROM covered
)
SELECT q.code_id, greatest(0, least(q.tickets, (
    SELECT count(*) FROM tickets t
    WHERE t.organisation_id = :organisation AND t.order_id = q.order_id AND t.controlled_at IS NOT NULL
        AND (t.advantage_id = q.offer_id OR f.kind = 'PROMOTIONAL_CODE')
) - q.before))::integer AS scanned
FROM queued q JOIN asked a ON a.id = q.code_id
JOIN offers f ON f.organisation_id = :organisation AND f.id = q.offer_id
""")


async def of_batch(
    connection: AsyncConnection, organisation: UUID, batch: UUID, after: UUID | None, most: int
) -> list[ListedCode]:
    """The next codes of a batch's list, in order of id."""
    query = (
        select(table.c.id, table.c.code, table.c.shown, table.c.status)
        .where(table.c.organisation_id == organisation, table.c.batch_id == batch)
        .order_by(table.c.id)
        .limit(most)
    )
    if after is not None:
        query = query.where(table.c.id > after)
    return [
        ListedCode(key, code, shown, CodeStatus(status)) for key, code, shown, status in await connection.execute(query)
    ]


async def page(
    connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, after: UUID | None, most: int
) -> list[Code]:
    """The next codes that the filter lets through, in order of id; its code is normalised."""
    query = _select(organisation).order_by(table.c.id).limit(most)
    equal = {"offer_id": wanted.offer, "contact_id": wanted.contact, "batch_id": wanted.batch, "code": wanted.code}
    for name, value in equal.items():
        if value is not None:
            query = query.where(table.c[name] == value)
    if wanted.status:
        query = query.where(table.c.status.in_(wanted.status))
    if wanted.used_from is not None:
        query = query.where(table.c.used_at >= wanted.used_from)
    if wanted.used_until is not None:
        query = query.where(table.c.used_at < wanted.used_until)
    if wanted.season is not None:
        of_season = select(offers.c.id).where(
            offers.c.organisation_id == organisation, offers.c.season_id == wanted.season
        )
        query = query.where(table.c.offer_id.in_(of_season))
    if after is not None:
        query = query.where(table.c.id > after)
    return [_code(row) for row in await connection.execute(query)]


async def get(
    connection: AsyncConnection, organisation: UUID, ids: Collection[UUID], *, contact: UUID | None = None
) -> dict[UUID, Code]:
    """Codes by id; only those made for one structure ``contact`` where it is given."""
    query = _narrowed(_select(organisation).where(table.c.id.in_(ids)), contact)
    return {row.id: _code(row) for row in await connection.execute(query)}


async def find(
    connection: AsyncConnection, organisation: UUID, code: str, *, contact: UUID | None = None
) -> Code | None:
    """The code of this normalised text; only one made for ``contact`` where it is given."""
    query = _narrowed(_select(organisation).where(table.c.code == code), contact)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _code(row)


async def tickets_controlled(
    connection: AsyncConnection, organisation: UUID, ids: Collection[UUID], *, contact: UUID | None = None
) -> dict[UUID, int]:
    """The scanned tickets of each code's order, as far as the code covers them; codes of no order are left out."""
    parameters = {"organisation": organisation, "ids": list(ids), "contact": contact}
    return {row.code_id: row.scanned for row in await connection.execute(_TICKETS_CONTROLLED, parameters)}


async def has_custom(connection: AsyncConnection, organisation: UUID, offer: UUID) -> bool:
    """Whether a promotional code is entered by chosen codes."""
    query = _select(organisation).where(table.c.offer_id == offer, table.c.kind == CodeKind.CUSTOM)
    return bool(await connection.scalar(select(query.exists())))


async def invalidate(
    connection: AsyncConnection,
    organisation: UUID,
    code: str,
    *,
    contact: UUID | None,
    actor: str,
    reason: str,
    now: datetime,
) -> tuple[Code, CodeStatus] | None:
    """Invalidates an AVAILABLE or HELD code, whichever basket holds it; the code, and its status before.

    None where there is no such code, or none in such a state, or it was not made for ``contact`` where that is given.
    """
    parameters = {
        "organisation": organisation,
        "code": code,
        "contact": contact,
        "actor": actor,
        "reason": reason,
        "now": now,
    }
    row = (await connection.execute(_INVALIDATE, parameters)).one_or_none()
    return None if row is None else (_code(row), CodeStatus(row.status_before))


def _select(organisation: UUID) -> Select[Any]:
    return select(table).where(table.c.organisation_id == organisation)


def _narrowed(query: Select[Any], contact: UUID | None) -> Select[Any]:
    return query if contact is None else query.where(table.c.contact_id == contact)


def _code(row: Row[Any]) -> Code:
    return Code(
        id=row.id,
        code=row.code,
        shown=row.shown,
        kind=CodeKind(row.kind),
        status=CodeStatus(row.status),
        offer=row.offer_id,
        batch=row.batch_id,
        contact=row.contact_id,
        order=row.order_id,
        used_at=row.used_at,
        used_by=row.used_by,
        invalidated_at=row.invalidated_at,
        invalidated_by=row.invalidated_by,
        invalidation_reason=row.invalidation_reason,
    )
