"""What things that entries of the audit log are about are known by, beside those of the catalogue and contacts."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing by what tells people which one it is: its ``label``, the number of an order, a barcode, a code, a name.

    Where it has none: of a batch its ``offer``, of a basket its ``point_of_sale``, each with the ``contact`` and when
    it was made. A basket that became an order is labelled with the number of that.
    """

    id: UUID
    label: str | None
    offer: UUID | None
    point_of_sale: UUID | None
    contact: UUID | None
    made_at: datetime | None


# Each table is asked for the ids that it may have, by its key: a look-up a thing.
_SUBJECTS: Final = text("""
SELECT id, number AS label, CAST(NULL AS uuid) AS offer_id, CAST(NULL AS uuid) AS point_of_sale_id,
    CAST(NULL AS uuid) AS contact_id, CAST(NULL AS timestamptz) AS made_at
FROM orders WHERE organisation_id = :organisation AND id = ANY(CAST(:ids AS uuid[]))
UNION ALL
SELECT id, barcode, NULL, NULL, NULL, NULL
FROM tickets WHERE organisation_id = :organisation AND id = ANY(CAST(:ids AS uuid[]))
UNION ALL
SELECT id, coalesce(shown, code), NULL, NULL, NULL, NULL
FROM codes WHERE organisation_id = :organisation AND id = ANY(CAST(:ids AS uuid[]))
UNION ALL
SELECT id, name, NULL, NULL, NULL, NULL
FROM api_keys WHERE organisation_id = :organisation AND id = ANY(CAST(:ids AS uuid[]))
UNION ALL
SELECT id, NULL, offer_id, NULL, contact_id, created_at
FROM batches WHERE organisation_id = :organisation AND id = ANY(CAST(:ids AS uuid[]))
UNION ALL
SELECT b.id, o.number, NULL, b.point_of_sale_id, b.contact_id, b.created_at
FROM baskets b LEFT JOIN orders o ON o.organisation_id = b.organisation_id AND o.basket_id = b.id
WHERE b.organisation_id = :organisation AND b.id = ANY(CAST(:ids AS uuid[]))
""")


async def find(connection: AsyncConnection, organisation: UUID, ids: Collection[UUID]) -> dict[UUID, Subject]:
    """What is known of these things, in one statement; what is none of them is left out."""
    rows = await connection.execute(_SUBJECTS, {"organisation": organisation, "ids": list(ids)})
    return {row.id: Subject(*row) for row in rows}
