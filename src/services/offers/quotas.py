"""Quotas that somebody would lower."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.offers import limits as db
from db.offers.limits import Limited
from services.core.errors import Path, Problem
from services.core.texts import text


async def below_taken(
    connection: AsyncConnection, organisation_id: UUID, quotas: Mapping[Limited, tuple[Path, int]]
) -> list[Problem]:
    """Those that are below what baskets and orders have taken (docs/domain.md, Offers, State), at their paths."""
    taken = await db.taken(connection, organisation_id, quotas) if quotas else {}
    return [
        Problem(path, text("below_taken", taken=taken[limited]))
        for limited, (path, quota) in quotas.items()
        if quota < taken[limited]
    ]
