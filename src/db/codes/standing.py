"""How chosen codes stand: their status and uses, which follow from the records of their uses.

A chosen code's own row says whether it is on. Once as many baskets and orders use it as may, it is HELD while one of
them is a basket, whose end would free a use again, and USED when all are orders. Access codes, and custom ones without
a maximum, are AVAILABLE as long as they are on.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes.codes import Code, CodeKind, CodeStatus


def _status(used: str) -> str:
    return f"""CASE WHEN c.status <> 'AVAILABLE' OR c.max_uses IS NULL OR c.uses < c.max_uses THEN c.status
        WHEN c.uses > {used} THEN 'HELD' ELSE 'USED' END"""


_USES: Final = """(SELECT count(*) FROM code_uses u WHERE u.organisation_id = c.organisation_id AND u.code_id = c.id
    AND u.released_at IS NULL)"""

STATUS: Final = _status(_USES)
"""SQL: the status of a chosen code ``c``."""

# What the row of a code with a maximum counts is held where no order uses it. Without one, the open baskets tell.
_STANDINGS: Final = text(f"""
SELECT c.id, {_status("used.uses")} AS status, used.uses,
    CASE WHEN c.max_uses IS NOT NULL THEN c.uses - used.uses ELSE (
        SELECT count(DISTINCT r.basket_id) FROM baskets b
        JOIN redemptions r ON r.organisation_id = b.organisation_id AND r.basket_id = b.id
        WHERE b.organisation_id = :organisation AND b.state = 'OPEN' AND r.code_id = c.id AND r.state = 'HELD'
    ) END AS held, last.order_id, last.contact_id, last.used_at
FROM unnest(CAST(:ids AS uuid[])) wanted
JOIN codes c ON c.organisation_id = :organisation AND c.id = wanted
CROSS JOIN LATERAL (SELECT {_USES} AS uses) used
LEFT JOIN LATERAL (
    SELECT order_id, contact_id, used_at FROM code_uses u
    WHERE u.organisation_id = :organisation AND u.code_id = c.id AND u.released_at IS NULL
    ORDER BY u.id DESC LIMIT 1
) last ON true
""")


async def as_they_stand(connection: AsyncConnection, organisation: UUID, codes: Sequence[Code]) -> list[Code]:
    """The codes, with the status and uses of chosen ones; these name their newest order, and who had it, as theirs."""
    chosen = [code.id for code in codes if code.kind is not CodeKind.SINGLE_USE]
    if not chosen:
        return list(codes)
    rows = await connection.execute(_STANDINGS, {"organisation": organisation, "ids": chosen})
    stands = {row.id: row for row in rows}
    return [
        replace(
            code,
            status=CodeStatus(row.status),
            uses=row.uses,
            held=row.held,
            order=row.order_id,
            used_by=row.contact_id,
            used_at=row.used_at,
        )
        if (row := stands.get(code.id))
        else code
        for code in codes
    ]
