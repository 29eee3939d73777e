"""How chosen codes count: a custom code is as many codes as orders may use it.

One without a maximum is one more than are used or held, for there is always one more. A code that opens nothing now has
nothing left: what it had left is counted as invalidated. Access codes, the same for all who have them, are counted in
tickets alone. What sales move of these counts they move themselves (``db.baskets.claims``, ``db.baskets.uses``).
"""

from collections.abc import Collection
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.ledger import SLOT
from db.core.tables import NIL

LEFT: Final = "coalesce(max_uses - uses, 1)"
"""SQL: how many uses a custom code has left."""


class Standing(NamedTuple):
    """What one custom code adds to the counts of its offer."""

    offer: UUID
    generated: int
    invalidated: int


_STANDINGS: Final = text(f"""
SELECT id, offer_id, coalesce(max_uses, uses + 1) AS generated,
    CASE WHEN status = 'AVAILABLE' THEN 0 ELSE {LEFT} END AS invalidated
FROM codes WHERE organisation_id = :organisation AND id = ANY(CAST(:codes AS uuid[])) AND kind = 'CUSTOM'
ORDER BY id FOR NO KEY UPDATE
""")
_MOVE: Final = text(f"""
INSERT INTO redemption_counts AS own (organisation_id, offer_id, contact_id, slot, generated, invalidated, version)
SELECT :organisation, offer_id, :nil, {SLOT}, sum(generated), sum(invalidated), 1
FROM unnest(CAST(:offers AS uuid[]), CAST(:generated AS bigint[]), CAST(:invalidated AS bigint[]))
    AS change (offer_id, generated, invalidated)
GROUP BY offer_id HAVING sum(generated) <> 0 OR sum(invalidated) <> 0 ORDER BY offer_id
ON CONFLICT (organisation_id, offer_id, contact_id, slot) DO UPDATE SET version = own.version + 1,
    generated = own.generated + excluded.generated, invalidated = own.invalidated + excluded.invalidated
""")


async def standings(connection: AsyncConnection, organisation: UUID, codes: Collection[UUID]) -> dict[UUID, Standing]:
    """What these custom codes add now; they are kept from all other changes."""
    rows = await connection.execute(_STANDINGS, {"organisation": organisation, "codes": list(codes)})
    return {row.id: Standing(row.offer_id, row.generated, row.invalidated) for row in rows}


async def move(
    connection: AsyncConnection, organisation: UUID, before: Collection[Standing], after: Collection[Standing]
) -> None:
    """Makes the counts follow custom codes that added this before and add that now."""
    changes = [(each, -1) for each in before] + [(each, 1) for each in after]
    parameters = {
        "organisation": organisation,
        "nil": UUID(NIL),
        "offers": [each.offer for each, _ in changes],
        "generated": [sign * each.generated for each, sign in changes],
        "invalidated": [sign * each.invalidated for each, sign in changes],
    }
    if changes:
        await connection.execute(_MOVE, parameters)
