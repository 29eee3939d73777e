"""Uses: what becomes of what a basket holds once it is an order, and when that is cancelled.

Each is one statement, which takes its rows in the order of claims (``db.baskets.claims``).
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets.claims import CUSTOM_COUNTS, LIMITS, lock_codes
from db.baskets.code_uses import COLUMNS, ORDER_RELEASED, ReleaseReason, of_ledger
from db.core.ledger import SLOT
from db.core.tables import NIL

_USE = text(f"""
WITH asked AS (
    SELECT DISTINCT code_id FROM redemptions
    WHERE organisation_id = :organisation AND basket_id = :basket AND state = 'HELD'
), locked AS ({lock_codes("basket_id = :basket")}), codes_used AS (
    UPDATE codes c SET status = 'USED', basket_id = NULL, order_id = :order, used_at = now(), used_by = :contact
    FROM locked l WHERE c.organisation_id = :organisation AND c.id = l.id AND c.status = 'HELD'
    RETURNING c.id, c.offer_id, c.contact_id
), used AS (
    UPDATE redemptions SET state = 'USED'
    WHERE organisation_id = :organisation AND basket_id = :basket AND state = 'HELD'
        AND (SELECT count(*) FROM codes_used) >= 0
    RETURNING *
), recorded AS (
    INSERT INTO code_uses (organisation_id, {COLUMNS}, order_id, used_at)
    SELECT :organisation, u.*, :order, greatest(now(), u.held_at) FROM ({of_ledger("used")}) u
), counted AS (
    INSERT INTO redemption_counts AS t
        (organisation_id, offer_id, contact_id, slot, held, used, tickets_held, tickets_sold, version)
    SELECT :organisation, offer_id, holder_id, {SLOT}, -sum(codes), sum(codes), -sum(tickets), sum(tickets), 1 FROM (
        SELECT offer_id, holder_id, 0 AS codes, tickets FROM used
        UNION ALL SELECT offer_id, coalesce(contact_id, :nil), 1, 0 FROM codes_used
        UNION ALL SELECT c.offer_id, :nil, 1, 0
        FROM (SELECT DISTINCT code_id FROM used WHERE code_id IS NOT NULL) u CROSS JOIN LATERAL (
            SELECT offer_id FROM codes
            WHERE organisation_id = :organisation AND id = u.code_id AND kind = 'CUSTOM' LIMIT 1) c
    ) moves GROUP BY offer_id, holder_id ORDER BY offer_id, holder_id
    ON CONFLICT (organisation_id, offer_id, contact_id, slot) DO UPDATE
        SET held = t.held + excluded.held, used = t.used + excluded.used,
            tickets_held = t.tickets_held + excluded.tickets_held,
            tickets_sold = t.tickets_sold + excluded.tickets_sold, version = t.version + 1
    RETURNING offer_id
)
SELECT ARRAY(SELECT id FROM codes_used) AS codes, ARRAY(SELECT DISTINCT offer_id FROM counted) AS changed
""")


# An order's codes are free again unless their offer says otherwise; what they took of the limits is free in any case.
_GIVE_BACK = text(f"""
WITH new AS (
    SELECT * FROM redemptions WHERE false
), old AS (
    UPDATE redemptions SET state = 'RETURNED'
    WHERE organisation_id = :organisation AND basket_id = :basket AND state = 'USED' RETURNING *
), asked AS (
    SELECT DISTINCT code_id FROM old
), locked AS ({lock_codes("(kind = 'SINGLE_USE' OR max_uses IS NOT NULL)")}), single_use_moved AS (
    UPDATE codes c SET status = 'AVAILABLE', order_id = NULL, used_at = NULL, used_by = NULL
    FROM locked l JOIN offers o ON o.organisation_id = :organisation AND o.id = l.offer_id AND o.returns_codes
    WHERE c.organisation_id = :organisation AND c.id = l.id AND c.status = 'USED' AND c.order_id = :order
    RETURNING c.id, c.offer_id, c.contact_id
), custom AS (
    SELECT c.id, c.offer_id, c.max_uses, -1 AS uses FROM asked a CROSS JOIN LATERAL (
        SELECT id, offer_id, max_uses FROM codes
        WHERE organisation_id = :organisation AND id = a.code_id AND kind = 'CUSTOM' LIMIT 1) c
), custom_moved AS (
    UPDATE codes c SET uses = c.uses - 1 FROM custom w
    WHERE c.organisation_id = :organisation AND c.id = w.id AND w.max_uses IS NOT NULL
        AND (SELECT count(*) FROM locked) >= 0
    RETURNING c.id, c.offer_id, c.max_uses, c.status, w.uses
), codes_moved AS (
    SELECT id FROM single_use_moved UNION ALL SELECT id FROM custom_moved
), {LIMITS}, released AS ({ORDER_RELEASED}), counted AS (
    INSERT INTO redemption_counts AS t
        (organisation_id, offer_id, contact_id, slot, used, generated, invalidated, tickets_sold, version)
    SELECT :organisation, offer_id, holder_id, {SLOT}, sum(codes), sum(made), sum(lost), -sum(tickets), 1 FROM (
        SELECT offer_id, holder_id, 0 AS codes, 0 AS made, 0 AS lost, tickets FROM old
        UNION ALL SELECT offer_id, coalesce(contact_id, :nil), -1, 0, 0, 0 FROM single_use_moved
        UNION ALL SELECT offer_id, :nil, uses, made, lost, 0 FROM ({CUSTOM_COUNTS}) c
    ) moves WHERE (SELECT count(*) FROM share_given) + (SELECT count(*) FROM quota_moved) >= 0
    GROUP BY offer_id, holder_id ORDER BY offer_id, holder_id
    ON CONFLICT (organisation_id, offer_id, contact_id, slot) DO UPDATE
        SET used = t.used + excluded.used, generated = t.generated + excluded.generated,
            invalidated = t.invalidated + excluded.invalidated, tickets_sold = t.tickets_sold + excluded.tickets_sold,
            version = t.version + 1
    RETURNING offer_id
)
SELECT ARRAY(SELECT DISTINCT offer_id FROM counted) AS changed
""")

_HOLDERS = text("""
SELECT DISTINCT code_id, holder_id FROM redemptions
WHERE organisation_id = :organisation AND basket_id = :basket AND code_id IS NOT NULL AND holder_id <> :nil
""")


async def use(
    connection: AsyncConnection, organisation: UUID, basket: UUID, order: UUID, contact: UUID | None
) -> tuple[frozenset[UUID], frozenset[UUID]]:
    """Turns all that a basket holds into uses of its order; the single-use codes used, and the offers that changed.

    A code that is missing among them was invalidated since: the caller must then roll back.
    """
    parameters = {
        "organisation": organisation,
        "basket": basket,
        "order": order,
        "contact": contact,
        "nil": UUID(NIL),
    }
    row = (await connection.execute(_USE, parameters)).one()
    return frozenset(row.codes), frozenset(row.changed)


async def holders(connection: AsyncConnection, organisation: UUID, basket: UUID) -> dict[UUID, UUID]:
    """The structures whose codes a basket holds, by code."""
    rows = await connection.execute(_HOLDERS, {"organisation": organisation, "basket": basket, "nil": UUID(NIL)})
    return {row.code_id: row.holder_id for row in rows}


async def give_back(
    connection: AsyncConnection, organisation: UUID, basket: UUID, order: UUID, *, by: str | None = None
) -> frozenset[UUID]:
    """Gives back what the order of a basket had used, ``by`` whom it is cancelled; the offers that changed."""
    parameters = {
        "organisation": organisation,
        "basket": basket,
        "order": order,
        "nil": UUID(NIL),
        "by": by,
        "reason": ReleaseReason.ORDER_CANCELLED,
    }
    row = (await connection.execute(_GIVE_BACK, parameters)).one()
    return frozenset(row.changed)
