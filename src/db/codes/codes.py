"""Codes: rows with a state machine. AVAILABLE → HELD by one basket → USED by one order, or INVALIDATED."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Select, Text, any_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.tables import codes as table


class CodeStatus(StrEnum):
    """Where a code is in its life. Custom and access codes, which serve many, are AVAILABLE, SWITCHED_OFF (for now, or
    because another access code has taken their place) or INVALIDATED; only they can be SWITCHED_OFF.
    """

    AVAILABLE = "AVAILABLE"
    HELD = "HELD"
    USED = "USED"
    INVALIDATED = "INVALIDATED"
    SWITCHED_OFF = "SWITCHED_OFF"


class CodeKind(StrEnum):
    """SINGLE_USE codes come in batches; CUSTOM ones open a promotional code, ACCESS ones an advantage for a partner."""

    SINGLE_USE = "SINGLE_USE"
    CUSTOM = "CUSTOM"
    ACCESS = "ACCESS"


@dataclass(frozen=True, slots=True)
class Code:
    """A row. ``code`` is normalised, ``shown`` how it was chosen, None for random ones.

    ``contact`` is the structure contact it was made for, None for custom and access codes. ``uses`` are the orders that
    use it, ``held`` the baskets that hold it, of ``max_uses`` at the most. Of chosen codes these and the status are as
    ``db.codes.standing`` finds them, and they can be switched off instead of invalidated.
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
    uses: int
    held: int
    max_uses: int | None
    switched_off_at: datetime | None
    switched_off_by: str | None


@dataclass(frozen=True, slots=True)
class CodeFilter:
    """Which codes: those that satisfy every part that is set.

    Instants ``from`` are included, those ``until`` are not; ``until`` is the id of the last that counts. ``part``
    stands anywhere in the normalised code. ``buyer`` and ``order_number`` are of any order that ever used it. Who
    invalidated it and why have what is asked for anywhere in them, in upper or lower case.
    """

    season: UUID | None = None
    offer: UUID | None = None
    contact: UUID | None = None
    batch: UUID | None = None
    status: tuple[CodeStatus, ...] = ()
    code: str | None = None
    used_from: datetime | None = None
    used_until: datetime | None = None
    until: UUID | None = None
    part: str | None = None
    buyer: UUID | None = None
    order_number: str | None = None
    invalidated_by: str | None = None
    invalidated_from: datetime | None = None
    invalidated_until: datetime | None = None
    invalidation_reason: str | None = None


EVER_WITH = """SELECT id FROM codes WHERE organisation_id = :organisation AND code = :code
    UNION SELECT id FROM codes
    WHERE organisation_id = :organisation AND kind <> 'SINGLE_USE' AND split_part(code, ' ', 1) = :code"""
"""SQL: the ids of all codes that have, or once had, this text: a chosen one gives it up to another offer's
(``db.codes.chosen_codes``), and keeps it before its own id.
"""

_EVER_WITH = text(f"""
SELECT c.* FROM codes c WHERE c.organisation_id = :organisation AND c.id = ANY(ARRAY({EVER_WITH}))
    AND (CAST(:contact AS uuid) IS NULL OR c.contact_id = :contact)
ORDER BY c.code <> :code, c.id DESC
""")

# Of a chosen code that was off nothing: what it had left is counted as invalidated since then.
_LEFT_BEFORE = "CASE WHEN found.status IN ('AVAILABLE', 'HELD') THEN coalesce(c.max_uses - c.uses, 1) ELSE 0 END"

# One conditional statement: whoever uses or invalidates the code at the same time is either seen here or sees this.
_INVALIDATE = text(f"""
WITH found AS (
    SELECT id, status FROM codes
    WHERE organisation_id = :organisation AND code = :code AND status IN ('AVAILABLE', 'HELD', 'SWITCHED_OFF')
        AND (CAST(:contact AS uuid) IS NULL OR contact_id = :contact)
    FOR NO KEY UPDATE
)
UPDATE codes c SET status = 'INVALIDATED', basket_id = NULL,
    invalidated_at = :now, invalidated_by = :actor, invalidation_reason = :reason
FROM found WHERE c.organisation_id = :organisation AND c.id = found.id
RETURNING c.*, {_LEFT_BEFORE} AS uses_left, found.status AS status_before
""")

# Each in the order of its id, as claims take codes: nobody waits for somebody who waits for them.
_INVALIDATE_MANY = text(f"""
WITH found AS (
    SELECT id, status FROM codes
    WHERE organisation_id = :organisation AND id = ANY(CAST(:ids AS uuid[]))
        AND status IN ('AVAILABLE', 'HELD', 'SWITCHED_OFF')
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE codes c SET status = 'INVALIDATED', basket_id = NULL,
    invalidated_at = :now, invalidated_by = :actor, invalidation_reason = :reason
FROM found WHERE c.organisation_id = :organisation AND c.id = found.id
RETURNING c.id, c.kind, c.offer_id, c.contact_id, {_LEFT_BEFORE} AS uses_left,
    found.status AS status_before
""")

# A ticket knows the code that opened its advantage. A promotional code covers what its order has of its offer, and so
# does each further code of it.
_TICKETS_CONTROLLED = text("""
SELECT c.id, count(*)::integer AS scanned FROM codes c
JOIN LATERAL (
    SELECT DISTINCT r.basket_id FROM redemptions r
    WHERE r.organisation_id = c.organisation_id AND r.code_id = c.id AND r.state = 'USED'
) used ON true
JOIN orders o ON o.organisation_id = c.organisation_id AND o.basket_id = used.basket_id
JOIN tickets t ON t.organisation_id = c.organisation_id AND t.order_id = o.id AND t.controlled_at IS NOT NULL
    AND (t.code_id = c.id OR t.advantage_id IS DISTINCT FROM c.offer_id
        AND t.redeemed @> jsonb_build_array(jsonb_build_array(c.offer_id)))
WHERE c.organisation_id = :organisation AND c.id = ANY(CAST(:ids AS uuid[]))
    AND (CAST(:contact AS uuid) IS NULL OR c.contact_id = :contact)
GROUP BY c.id
""")


@dataclass(frozen=True, slots=True)
class Invalidated:
    """A code that was invalidated, the status that it had, and of a chosen one how many uses it had left."""

    id: UUID
    kind: CodeKind
    offer: UUID
    contact: UUID | None
    before: CodeStatus
    uses_left: int


async def get(
    connection: AsyncConnection, organisation: UUID, ids: Collection[UUID], *, contact: UUID | None = None
) -> dict[UUID, Code]:
    """Codes by id; only those made for one structure ``contact`` where it is given."""
    query = _narrowed(_select(organisation).where(table.c.id.in_(ids)), contact)
    return {row.id: code_of(row) for row in await connection.execute(query)}


async def find(
    connection: AsyncConnection, organisation: UUID, code: str, *, contact: UUID | None = None
) -> Code | None:
    """The code of this normalised text; only one made for ``contact`` where it is given."""
    query = _narrowed(_select(organisation).where(table.c.code == code), contact)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else code_of(row)


async def ever_with(
    connection: AsyncConnection, organisation: UUID, code: str, *, contact: UUID | None = None
) -> list[Code]:
    """All codes that have, or once had, this normalised text, the one that has it first, the newest of the others next;
    only those made for ``contact`` where it is given.
    """
    parameters = {"organisation": organisation, "code": code, "contact": contact}
    return [code_of(row) for row in await connection.execute(_EVER_WITH, parameters)]


async def ids_ever_with(connection: AsyncConnection, organisation: UUID, code: str) -> tuple[UUID, ...]:
    """The ids of all codes that have, or once had, this normalised text."""
    return tuple((await connection.scalars(text(EVER_WITH), {"organisation": organisation, "code": code})).all())


async def tickets_controlled(
    connection: AsyncConnection, organisation: UUID, ids: Collection[UUID], *, contact: UUID | None = None
) -> dict[UUID, int]:
    """The scanned tickets of what each code was used for; codes that have none are left out."""
    parameters = {"organisation": organisation, "ids": list(ids), "contact": contact}
    return {row.id: row.scanned for row in await connection.execute(_TICKETS_CONTROLLED, parameters)}


async def invalidate(
    connection: AsyncConnection,
    organisation: UUID,
    code: str,
    *,
    contact: UUID | None,
    actor: str,
    reason: str,
    now: datetime,
) -> tuple[Code, Invalidated] | None:
    """Invalidates an AVAILABLE, HELD or SWITCHED_OFF code, whichever basket holds it; the code, and what it was before.

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
    return None if row is None else (code_of(row), _invalidated(row))


async def invalidate_many(
    connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID], *, actor: str, reason: str, now: datetime
) -> list[Invalidated]:
    """Invalidates those that are AVAILABLE, HELD or SWITCHED_OFF, whichever baskets hold them; leaves others alone."""
    parameters = {"organisation": organisation, "ids": list(ids), "actor": actor, "reason": reason, "now": now}
    return [_invalidated(row) for row in await connection.execute(_INVALIDATE_MANY, parameters)]


async def ids_of(
    connection: AsyncConnection, organisation: UUID, texts: Collection[str], *, contact: UUID | None = None
) -> dict[str, tuple[UUID, CodeStatus]]:
    """The id and status of each code that exists by this normalised text; made for ``contact`` where it is given."""
    query = _narrowed(
        select(table.c.code, table.c.id, table.c.status).where(
            table.c.organisation_id == organisation, table.c.code == any_(bindparam("texts", list(texts), ARRAY(Text)))
        ),
        contact,
    )
    return {code: (key, CodeStatus(status)) for code, key, status in await connection.execute(query)}


def _invalidated(row: Row[Any]) -> Invalidated:
    before = CodeStatus(row.status_before)
    return Invalidated(row.id, CodeKind(row.kind), row.offer_id, row.contact_id, before, row.uses_left)


def _select(organisation: UUID) -> Select[Any]:
    return select(table).where(table.c.organisation_id == organisation)


def _narrowed(query: Select[Any], contact: UUID | None) -> Select[Any]:
    return query if contact is None else query.where(table.c.contact_id == contact)


def code_of(row: Row[Any]) -> Code:
    """The code that a row of its table holds."""
    is_invalidated, is_off = row.status == CodeStatus.INVALIDATED, row.status == CodeStatus.SWITCHED_OFF
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
        invalidated_at=row.invalidated_at if is_invalidated else None,
        invalidated_by=row.invalidated_by if is_invalidated else None,
        invalidation_reason=row.invalidation_reason,
        uses=int(row.status == CodeStatus.USED),
        held=int(row.status == CodeStatus.HELD),
        max_uses=1 if row.kind == CodeKind.SINGLE_USE else row.max_uses,
        # The same columns keep when and by whom either was done.
        switched_off_at=row.invalidated_at if is_off else None,
        switched_off_by=row.invalidated_by if is_off else None,
    )
