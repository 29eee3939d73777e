"""Changing what offers are limited to, without losing count of what is taken (docs/domain.md, Offers)."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.ledger import stop_sales
from db.core.tables import offer_limits
from db.offers.offers import WHOLE_OFFER, LimitRow

Limited = tuple[UUID, UUID]
"""An offer, and one of its elements or ``WHOLE_OFFER``."""

_MATCHES = "e.element_id IN (:nil, r.product_id, r.performance_id, r.seat_category_id, r.audience_sub_category_id)"
_WANTED = "unnest(CAST(:offers AS uuid[]), CAST(:elements AS uuid[])) e(offer_id, element_id)"

_TAKEN = text(f"""
SELECT e.offer_id, e.element_id, coalesce(sum(r.tickets), 0) FROM {_WANTED}
LEFT JOIN redemptions r ON r.organisation_id = :organisation AND r.offer_id = e.offer_id
    AND r.state <> 'RETURNED' AND {_MATCHES}
GROUP BY e.offer_id, e.element_id
""")

_REMOVE = text(f"""
DELETE FROM offer_limits l WHERE organisation_id = :organisation AND offer_id = ANY(CAST(:changed AS uuid[]))
    AND NOT EXISTS (SELECT FROM {_WANTED} WHERE (e.offer_id, e.element_id) = (l.offer_id, l.element_id))
""")

_REMOVE_SHARES = text("""
DELETE FROM contact_limits WHERE organisation_id = :organisation AND offer_id = ANY(CAST(:changed AS uuid[]))
""")

_REMOVE_UNLIMITED_SHARES = text(f"""
DELETE FROM contact_limits s WHERE organisation_id = :organisation AND offer_id = ANY(CAST(:changed AS uuid[]))
    AND NOT EXISTS (SELECT FROM {_WANTED} WHERE (e.offer_id, e.element_id) = (s.offer_id, s.element_id))
""")

_COUNT_SHARES = text(f"""
INSERT INTO contact_limits (organisation_id, offer_id, element_id, contact_id, capacity, taken)
SELECT :organisation, e.offer_id, e.element_id, r.contact_id, greatest(l.per_contact, sum(r.tickets)), sum(r.tickets)
FROM {_WANTED}
JOIN offer_limits l ON l.organisation_id = :organisation AND (l.offer_id, l.element_id) = (e.offer_id, e.element_id)
JOIN redemptions r ON r.organisation_id = :organisation AND r.offer_id = e.offer_id
    AND r.state <> 'RETURNED' AND r.contact_id IS NOT NULL AND {_MATCHES}
WHERE l.per_contact IS NOT NULL
GROUP BY e.offer_id, e.element_id, r.contact_id, l.per_contact
""")


async def taken(connection: AsyncConnection, organisation_id: UUID, limited: Collection[Limited]) -> dict[Limited, int]:
    """Tickets that baskets and orders hold of each, by the ledger, which knows them whether limited or not."""
    rows = await connection.execute(_TAKEN, _parameters(organisation_id, limited))
    return {(offer, element): int(tickets) for offer, element, tickets in rows}


async def add(connection: AsyncConnection, organisation_id: UUID, limits: Sequence[LimitRow]) -> None:
    """The first limits of offers that are new themselves."""
    if limits:
        await _save(connection, organisation_id, limits, dict.fromkeys(_limited(limits), 0))


async def replace(
    connection: AsyncConnection, organisation_id: UUID, changed: Collection[UUID], limits: Sequence[LimitRow]
) -> list[Limited]:
    """Gives the ``changed`` offers these limits and no others; those whose quota is below what is taken.

    Where there are such, nothing was changed, and the caller must roll back. The caller holds the offers' rows, so that
    nobody else changes their limits. What is limited for the first time starts with what the ledger says, and keeps
    sales waiting: so this comes last in a transaction. A limit that is only raised or lowered has been counted all
    along, and keeps nobody waiting but claims of the same offer.
    """
    limited = _limited(limits)
    parameters = {**_parameters(organisation_id, limited), "changed": list(changed)}
    is_new = _begins_to_count(await _stored(connection, parameters, ""), limits)
    if is_new:
        await stop_sales(connection)
        counts = await taken(connection, organisation_id, limited)
    else:
        counts = {key: count for key, (count, _) in (await _stored(connection, parameters, "FOR UPDATE")).items()}
    too_low = [
        key for key, limit in zip(limited, limits, strict=True) if limit.quota is not None and limit.quota < counts[key]
    ]
    if too_low:
        return too_low
    await connection.execute(_REMOVE, parameters)
    if limits:
        await _save(connection, organisation_id, limits, counts)
    if is_new:
        await connection.execute(_REMOVE_SHARES, parameters)
        await connection.execute(_COUNT_SHARES, parameters)
    else:
        shared = _limited([limit for limit in limits if limit.per_contact is not None])
        await connection.execute(_REMOVE_UNLIMITED_SHARES, parameters | _parameters(organisation_id, shared))
    return []


async def _stored(
    connection: AsyncConnection, parameters: Mapping[str, object], lock: str
) -> dict[Limited, tuple[int, int | None]]:
    """What is taken of each limit that the changed offers have, and its limit for each contact."""
    query = f"""
        SELECT offer_id, element_id, taken, per_contact FROM offer_limits
        WHERE organisation_id = :organisation AND offer_id = ANY(CAST(:changed AS uuid[]))
        ORDER BY offer_id, element_id {lock}
    """
    rows = await connection.execute(text(query), parameters)
    return {(offer, element): (int(count), per_contact) for offer, element, count, per_contact in rows}


def _begins_to_count(stored: Mapping[Limited, tuple[int, int | None]], limits: Sequence[LimitRow]) -> bool:
    """Whether something is limited, or shared out by contact, that was not before."""
    for limit in limits:
        before = stored.get((limit.offer_id, limit.element_id))
        if before is None or (limit.per_contact is not None and before[1] is None):
            return True
    return False


async def _save(
    connection: AsyncConnection, organisation_id: UUID, limits: Sequence[LimitRow], counts: dict[Limited, int]
) -> None:
    statement = insert(offer_limits)
    changed = {
        name: statement.excluded[name] for name in ("element_kind", "quota", "per_order", "per_contact", "taken")
    }
    statement = statement.on_conflict_do_update(
        index_elements=["organisation_id", "offer_id", "element_id"], set_=changed
    )
    await connection.execute(
        statement,
        [
            {
                "organisation_id": organisation_id,
                "offer_id": limit.offer_id,
                "element_id": limit.element_id,
                "element_kind": limit.element_kind,
                "quota": limit.quota,
                "per_order": limit.per_order,
                "per_contact": limit.per_contact,
                "taken": counts[limit.offer_id, limit.element_id],
            }
            for limit in limits
        ],
    )


def _limited(limits: Sequence[LimitRow]) -> list[Limited]:
    return [(limit.offer_id, limit.element_id) for limit in limits]


def _parameters(organisation_id: UUID, limited: Collection[Limited]) -> dict[str, object]:
    return {
        "organisation": organisation_id,
        "nil": WHOLE_OFFER,
        "offers": [offer for offer, _ in limited],
        "elements": [element for _, element in limited],
    }
