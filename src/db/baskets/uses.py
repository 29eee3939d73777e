"""Uses: what becomes of what a basket holds once it is an order, and when tickets of that are cancelled.

Each is one statement, which takes its rows in the order of claims (``db.baskets.claims``).
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets.claims import CUSTOM_COUNTS, LIMITS, NEW, Claim, lock_codes, new_rows
from db.baskets.code_uses import COLUMNS, KEPT_OF_ORDER, RELEASED_OF_ORDER, ReleaseReason, of_ledger
from db.core.ledger import SLOT
from db.core.tables import NIL

_ALIKE = "offer_id, code_id, product_id, performance_id, seat_category_id, audience_sub_category_id"
"""What rows of the ledger that count the same have in common."""

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


# What the tickets of an order that stay have takes the place of what it had. A single-use code that none of them has is
# free again unless its offer says otherwise; what was taken of the limits is free in any case.
_KEEP = text(f"""
WITH new AS ({NEW}), old AS (
    DELETE FROM redemptions WHERE organisation_id = :organisation AND basket_id = :basket AND state = 'USED' RETURNING *
), asked AS (
    SELECT code_id FROM old WHERE code_id IS NOT NULL EXCEPT SELECT code_id FROM new
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
), {LIMITS}, kept AS ({KEPT_OF_ORDER}), released AS ({RELEASED_OF_ORDER}), counted AS (
    INSERT INTO redemption_counts AS t
        (organisation_id, offer_id, contact_id, slot, used, generated, invalidated, tickets_sold, version)
    SELECT :organisation, offer_id, holder_id, {SLOT}, sum(codes), sum(made), sum(lost), sum(tickets), 1 FROM (
        SELECT offer_id, coalesce(holder_id, :nil) AS holder_id, 0 AS codes, 0 AS made, 0 AS lost, tickets FROM new
        UNION ALL SELECT offer_id, holder_id, 0, 0, 0, -tickets FROM old
        UNION ALL SELECT offer_id, coalesce(contact_id, :nil), -1, 0, 0, 0 FROM single_use_moved
        UNION ALL SELECT offer_id, :nil, uses, made, lost, 0 FROM ({CUSTOM_COUNTS}) c
    ) moves WHERE (SELECT count(*) FROM share_taken) + (SELECT count(*) FROM share_given) >= 0
    GROUP BY offer_id, holder_id HAVING sum(codes) <> 0 OR sum(tickets) <> 0 ORDER BY offer_id, holder_id
    ON CONFLICT (organisation_id, offer_id, contact_id, slot) DO UPDATE
        SET used = t.used + excluded.used, generated = t.generated + excluded.generated,
            invalidated = t.invalidated + excluded.invalidated, tickets_sold = t.tickets_sold + excluded.tickets_sold,
            version = t.version + 1
    RETURNING offer_id
), recorded AS (
    INSERT INTO redemptions (organisation_id, id, basket_id, offer_id, code_id, holder_id, contact_id, product_id,
        performance_id, seat_category_id, audience_sub_category_id, tickets, covered, discount, state)
    SELECT :organisation, id, basket_id, offer_id, code_id, coalesce(holder_id, :nil), contact_id, product_id,
        performance_id, seat_category_id, audience_sub_category_id, tickets, covered, discount, 'USED' FROM new
), returned AS (
    INSERT INTO redemptions (organisation_id, id, basket_id, offer_id, code_id, holder_id, contact_id, product_id,
        performance_id, seat_category_id, audience_sub_category_id, tickets, state)
    SELECT :organisation, o.id, :basket, o.offer_id, o.code_id, o.holder_id, o.contact_id, o.product_id,
        o.performance_id, o.seat_category_id, o.audience_sub_category_id, o.tickets - coalesce(n.tickets, 0), 'RETURNED'
    FROM (SELECT {_ALIKE}, holder_id, contact_id, (array_agg(id))[1] AS id, sum(tickets) AS tickets FROM old
        GROUP BY {_ALIKE}, holder_id, contact_id) o
    LEFT JOIN (SELECT {_ALIKE}, sum(tickets) AS tickets FROM new GROUP BY {_ALIKE}) n
        ON (o.offer_id, o.product_id, o.audience_sub_category_id)
            = (n.offer_id, n.product_id, n.audience_sub_category_id)
        AND (o.code_id, o.performance_id, o.seat_category_id)
            IS NOT DISTINCT FROM (n.code_id, n.performance_id, n.seat_category_id)
    WHERE n.tickets IS NULL OR o.tickets > n.tickets
)
SELECT ARRAY(SELECT DISTINCT offer_id FROM counted) AS changed,
    EXISTS (SELECT offer_id, element_id FROM quota_wanted EXCEPT SELECT offer_id, element_id FROM quota_moved)
    OR EXISTS (SELECT offer_id, element_id, contact_id FROM share_wanted WHERE tickets > 0
        EXCEPT SELECT offer_id, element_id, contact_id FROM share_taken) AS missing
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


async def keep(
    connection: AsyncConnection,
    organisation: UUID,
    order: UUID,
    kept: Claim,
    *,
    reason: ReleaseReason = ReleaseReason.ORDER_CANCELLED,
    by: str | None = None,
) -> tuple[frozenset[UUID], bool]:
    """Leaves an order no more than what its tickets that stay have, and gives back the rest; the offers that changed.

    The records of its codes' uses follow: what is left of those that it keeps, why and ``by`` whom the others ended.

    And whether all of it went: where what is kept takes more of a limit than the order had, and that is no longer
    there, the caller must roll back.
    """
    rows = new_rows([(kept, hold) for hold in kept.holds])
    parameters = {"organisation": organisation, "basket": kept.basket, "order": order, **rows}
    parameters |= {"reason": reason, "by": by}
    row = (await connection.execute(_KEEP, parameters)).one()
    return frozenset(row.changed), not row.missing


_RETURNING = text("""
SELECT c.id FROM unnest(CAST(:codes AS uuid[])) asked(id)
CROSS JOIN LATERAL (SELECT id, offer_id FROM codes WHERE organisation_id = :organisation AND id = asked.id
    AND kind = 'SINGLE_USE' AND status = 'USED' AND order_id = :order LIMIT 1) c
JOIN offers o ON o.organisation_id = :organisation AND o.id = c.offer_id AND o.returns_codes
""")


async def returning(
    connection: AsyncConnection, organisation: UUID, order: UUID, codes: Collection[UUID]
) -> frozenset[UUID]:
    """Which single-use codes of an order would be free again were none of their tickets left."""
    parameters = {"organisation": organisation, "order": order, "codes": list(codes)}
    return frozenset((await connection.scalars(_RETURNING, parameters)).all())
