"""Limits in a data file, against what is taken of them already."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.offers.limits import Limited
from db.offers.offers import WHOLE_OFFER
from services.core.errors import Path, Problem
from services.dataset.existing import Existing
from services.dataset.parsing import Document
from services.offers.quotas import below_taken


async def quota_problems(
    connection: AsyncConnection, organisation_id: UUID, document: Document, existing: Existing
) -> list[Problem]:
    """Quotas that are below what baskets and orders have taken."""
    quotas = {limited: (path, quota) for limited, path, quota in _quotas(document, existing)}
    return await below_taken(connection, organisation_id, quotas)


def _quotas(document: Document, existing: Existing) -> Iterator[tuple[Limited, Path, int]]:
    """The quotas of offers that exist, on themselves and on elements that exist: nothing is taken of others."""
    ids = existing.ids()
    for section, entries in (
        ("advantages", document.advantages),
        ("promotionalCodes", document.promotional_codes),
    ):
        for entry in entries:
            offer, limits = ids.get(section, {}).get(entry.item.code), entry.item.limits
            if offer is None:
                continue
            path = (*entry.path, "limits")
            if limits.quota is not None:
                yield (offer, WHOLE_OFFER), (*path, "quota"), limits.quota
            for position, each in enumerate(limits.elements):
                kind, code = each.element
                element = ids.get(kind, {}).get(code)
                if element is not None and each.quota is not None:
                    yield (offer, element), (*path, "elements", str(position), "quota"), each.quota
