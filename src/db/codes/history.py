"""The lives of codes: each of their uses, and what else happened to them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.keyset import MOST_COUNTED, Page, in_order


@dataclass(frozen=True, slots=True)
class CodeUse:
    """One use of a code by a basket, and by the ``order`` that this became.

    ``discount`` is what the code took off its ``tickets``, in minor units. It is held since ``held_at``, used from
    ``used_at`` on, and over at ``released_at``, for a ``reason`` and by whom where somebody did it.
    """

    id: UUID
    code: UUID
    offer: UUID
    order: UUID | None
    contact: UUID | None
    tickets: int
    discount: int
    held_at: datetime
    used_at: datetime | None
    released_at: datetime | None
    released_by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Scan:
    """A ticket that a code covers, scanned at the entrance."""

    ticket: UUID
    order: UUID
    at: datetime
    by: str | None


@dataclass(frozen=True, slots=True)
class CustomCodeChange:
    """Somebody made a custom code, or changed it: whether it is on since, and its maximum of uses."""

    at: datetime
    by: str
    made: bool
    active: bool
    max_uses: int | None


# What is held now is found by the open baskets or by the code, whichever are fewer.
_HELD: Final = """
    SELECT (array_agg(r.id ORDER BY r.id))[1] AS id, r.code_id, r.offer_id,
        CAST(NULL AS uuid) AS order_id, r.contact_id,
        sum(r.covered) AS tickets, sum(r.discount) AS discount, min(r.held_at) AS held_at,
        CAST(NULL AS timestamptz) AS used_at, CAST(NULL AS timestamptz) AS released_at,
        CAST(NULL AS text) AS released_by, CAST(NULL AS text) AS release_reason
    FROM baskets b JOIN redemptions r ON r.organisation_id = b.organisation_id AND r.basket_id = b.id
    WHERE b.organisation_id = :organisation AND b.state = 'OPEN' AND r.code_id = ANY(CAST(:codes AS uuid[]))
        AND r.state = 'HELD'
    GROUP BY r.basket_id, r.code_id, r.offer_id, r.contact_id
"""
_PAGE_OF_USES: Final = f"""
SELECT * FROM (
    (SELECT u.* FROM unnest(CAST(:codes AS uuid[])) wanted CROSS JOIN LATERAL (
        SELECT id, code_id, offer_id, order_id, contact_id, tickets, discount, held_at, used_at, released_at,
            released_by, release_reason
        FROM code_uses WHERE organisation_id = :organisation AND code_id = wanted AND {{bounds}}
        ORDER BY id {{direction}} LIMIT :most
    ) u)
    UNION ALL
    (SELECT * FROM ({_HELD}) held WHERE {{bounds}} ORDER BY id {{direction}} LIMIT :most)
) u ORDER BY id {{direction}} LIMIT :most
"""
_BOUNDS: Final = "(CAST(:after AS uuid) IS NULL OR id < :after) AND (CAST(:before AS uuid) IS NULL OR id > :before)"
_USES: Final = text(_PAGE_OF_USES.format(bounds=_BOUNDS, direction="DESC"))
_LAST_USES: Final = text(_PAGE_OF_USES.format(bounds=_BOUNDS, direction="ASC"))
_COUNT: Final = text(f"""
SELECT (SELECT count(*) FROM (SELECT FROM code_uses WHERE organisation_id = :organisation
    AND code_id = ANY(CAST(:codes AS uuid[])) LIMIT :most) u) + (SELECT count(*) FROM ({_HELD}) held)
""")

# The tickets of an order that a code covers: those whose advantage it opened, or all that have its promotional code.
_COVERS: Final = """(t.code_id = u.code_id OR t.advantage_id IS DISTINCT FROM u.offer_id
    AND t.redeemed @> jsonb_build_array(jsonb_build_array(u.offer_id)))"""

_SCANNED: Final = text(f"""
SELECT u.code_id, u.order_id, count(*)::integer AS scanned
FROM unnest(CAST(:codes AS uuid[]), CAST(:orders AS uuid[])) AS asked(code_id, order_id)
JOIN code_uses u ON u.organisation_id = :organisation AND u.code_id = asked.code_id AND u.order_id = asked.order_id
JOIN tickets t ON t.organisation_id = :organisation AND t.order_id = u.order_id AND t.controlled_at IS NOT NULL
    AND {_COVERS}
GROUP BY u.code_id, u.order_id
""")

_SCANS: Final = text(f"""
SELECT t.id, t.order_id, t.controlled_at, t.controlled_by FROM (
    SELECT code_id, offer_id, order_id FROM code_uses
    WHERE organisation_id = :organisation AND code_id = :code AND order_id IS NOT NULL ORDER BY id DESC LIMIT :most
) u JOIN tickets t ON t.organisation_id = :organisation AND t.order_id = u.order_id AND t.controlled_at IS NOT NULL
    AND {_COVERS}
ORDER BY t.controlled_at DESC LIMIT :most
""")

_CHANGES: Final = text("""
SELECT created_at, actor, action, details FROM audit_entries
WHERE organisation_id = :organisation AND subject_id = :offer AND action IN ('addCustomCode', 'updateCustomCode')
    AND details ->> 'code' = :shown
ORDER BY id DESC LIMIT :most
""")


_WAS_IMPORTED: Final = text("""
SELECT EXISTS (SELECT FROM audit_entries
    WHERE organisation_id = :organisation AND subject_id = :batch AND action = 'importCodes')
""")


async def was_imported(connection: AsyncConnection, organisation: UUID, batch: UUID) -> bool:
    """Whether the codes of a batch existed before, and were taken in."""
    return bool(await connection.scalar(_WAS_IMPORTED, {"organisation": organisation, "batch": batch}))


async def uses(connection: AsyncConnection, organisation: UUID, codes: Collection[UUID], page: Page) -> list[CodeUse]:
    """A page of the uses of these codes, the newest first, those that baskets hold now among them."""
    bounds = {"after": page.after, "before": page.before, "most": page.most}
    parameters = {"organisation": organisation, "codes": list(codes), **bounds}
    rows = await connection.execute(_LAST_USES if page.backwards else _USES, parameters)
    return in_order((CodeUse(*row) for row in rows), page)


async def count_uses(connection: AsyncConnection, organisation: UUID, codes: Collection[UUID]) -> int | None:
    """How many uses these codes have; None where they are more than ``MOST_COUNTED``."""
    parameters = {"organisation": organisation, "codes": list(codes), "most": MOST_COUNTED + 1}
    found = int(await connection.scalar(_COUNT, parameters) or 0)
    return found if found <= MOST_COUNTED else None


async def scanned(
    connection: AsyncConnection, organisation: UUID, uses: Collection[tuple[UUID, UUID]]
) -> Mapping[tuple[UUID, UUID], int]:
    """The scanned tickets of each use, by code and order; uses that have none are left out."""
    parameters = {
        "organisation": organisation,
        "codes": [code for code, _ in uses],
        "orders": [order for _, order in uses],
    }
    return {(row.code_id, row.order_id): row.scanned for row in await connection.execute(_SCANNED, parameters)}


async def scans(connection: AsyncConnection, organisation: UUID, code: UUID, most: int) -> list[Scan]:
    """The newest scans of tickets that a code covers, among its newest orders."""
    parameters = {"organisation": organisation, "code": code, "most": most}
    return [Scan(*row) for row in await connection.execute(_SCANS, parameters)]


async def custom_code_changes(
    connection: AsyncConnection, organisation: UUID, offer: UUID, shown: str, most: int
) -> list[CustomCodeChange]:
    """What staff did to a promotional code's custom code, the newest first."""
    parameters = {"organisation": organisation, "offer": offer, "shown": shown, "most": most}
    return [
        CustomCodeChange(
            row.created_at,
            row.actor,
            row.action == "addCustomCode",
            row.details["active"],
            row.details["maxUses"],
        )
        for row in await connection.execute(_CHANGES, parameters)
    ]
