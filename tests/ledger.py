"""What must be true of every database at every instant between transactions: limits, counts and codes fit the ledger."""

from typing import Final

import asyncpg
from sqlalchemy.engine import make_url

_NIL: Final = "'00000000-0000-0000-0000-000000000000'::uuid"

# The tickets that each basket takes of each offer as a whole (element nil) and of each element.
_TAKEN: Final = f"""
    SELECT r.organisation_id, r.offer_id, e.element_id, r.contact_id, r.basket_id, sum(r.tickets) AS tickets
    FROM redemptions r CROSS JOIN LATERAL (VALUES ({_NIL}), (r.product_id), (r.performance_id), (r.seat_category_id),
        (r.audience_sub_category_id)) e(element_id)
    WHERE r.state <> 'RETURNED' AND e.element_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5
"""
_OF_LIMIT: Final = "USING (organisation_id, offer_id, element_id)"

RULES: Final = {
    "a quota's counter is the sum of the ledger": f"""
        SELECT l.offer_id, l.element_id, l.taken, sum(t.tickets) FROM offer_limits l LEFT JOIN ({_TAKEN}) t {_OF_LIMIT}
        GROUP BY 1, 2, 3 HAVING l.taken <> coalesce(sum(t.tickets), 0)""",
    "no quota is passed": f"""
        SELECT l.offer_id, l.element_id, l.quota, sum(t.tickets) FROM offer_limits l JOIN ({_TAKEN}) t {_OF_LIMIT}
        GROUP BY 1, 2, 3 HAVING sum(t.tickets) > l.quota""",
    "no order has more than its limit": f"""
        SELECT t.basket_id, l.offer_id, sum(t.tickets) FROM offer_limits l JOIN ({_TAKEN}) t {_OF_LIMIT}
        GROUP BY t.basket_id, l.organisation_id, l.offer_id, l.element_id HAVING sum(t.tickets) > l.per_order""",
    "a contact's share is the sum of the ledger": f"""
        SELECT * FROM (
            SELECT t.offer_id, t.element_id, t.contact_id, sum(t.tickets) AS tickets
            FROM offer_limits l JOIN ({_TAKEN}) t {_OF_LIMIT}
            WHERE l.per_contact IS NOT NULL AND t.contact_id IS NOT NULL GROUP BY 1, 2, 3
        ) t FULL JOIN contact_limits s USING (offer_id, element_id, contact_id)
        WHERE coalesce(s.taken, 0) <> coalesce(t.tickets, 0)""",
    "no contact has more than their share": f"""
        SELECT t.offer_id, t.contact_id, sum(t.tickets) FROM offer_limits l JOIN ({_TAKEN}) t {_OF_LIMIT}
        WHERE t.contact_id IS NOT NULL
        GROUP BY t.contact_id, l.organisation_id, l.offer_id, l.element_id, t.offer_id
        HAVING sum(t.tickets) > l.per_contact""",
    "a custom code's uses are the baskets and orders that have it, no more than it may have": """
        SELECT c.code, c.uses, count(DISTINCT r.basket_id) FROM codes c
        LEFT JOIN redemptions r ON r.code_id = c.id AND r.state <> 'RETURNED'
        WHERE c.kind = 'CUSTOM' AND c.max_uses IS NOT NULL GROUP BY c.organisation_id, c.id
        HAVING c.uses <> count(DISTINCT r.basket_id) OR c.uses > c.max_uses""",
    "a single-use code is in one basket or order at most": """
        SELECT c.code FROM codes c JOIN redemptions r ON r.code_id = c.id
        WHERE c.kind = 'SINGLE_USE' AND r.state <> 'RETURNED'
        GROUP BY c.organisation_id, c.id HAVING count(DISTINCT r.basket_id) > 1""",
    "a single-use code covers no more tickets than it may": """
        SELECT c.code, sum(r.tickets) FROM codes c JOIN redemptions r ON r.code_id = c.id JOIN offers o ON o.id = c.offer_id
        WHERE c.kind = 'SINGLE_USE' AND r.state <> 'RETURNED' GROUP BY c.organisation_id, c.id, o.tickets_per_code
        HAVING sum(r.tickets) > o.tickets_per_code""",
    "a code is held by the basket that has it in the ledger": """
        SELECT c.code, c.status, c.basket_id, r.basket_id FROM codes c
        FULL JOIN (SELECT DISTINCT code_id, h.basket_id FROM redemptions h JOIN codes ON codes.id = code_id
            WHERE state = 'HELD' AND kind = 'SINGLE_USE') r ON r.code_id = c.id
        WHERE (c.status = 'HELD' OR r.code_id IS NOT NULL) AND (c.status <> 'HELD' OR c.basket_id IS DISTINCT FROM r.basket_id)
        """,
    "a code is used by the order that has it in the ledger": """
        SELECT c.code, c.status, c.order_id, r.order_id FROM codes c
        FULL JOIN (SELECT DISTINCT r.code_id, o.id AS order_id FROM redemptions r JOIN orders o USING (basket_id)
            JOIN codes ON codes.id = r.code_id WHERE r.state = 'USED' AND codes.kind = 'SINGLE_USE') r ON r.code_id = c.id
        LEFT JOIN offers o ON o.id = c.offer_id
        WHERE (c.status = 'USED' AND o.returns_codes OR r.code_id IS NOT NULL)
            AND (c.status <> 'USED' OR c.order_id IS DISTINCT FROM r.order_id)""",
    "every code of an order has one record of its use": """
        SELECT * FROM (
            SELECT DISTINCT organisation_id, basket_id, code_id FROM redemptions
            WHERE state <> 'HELD' AND code_id IS NOT NULL
        ) r FULL JOIN (
            SELECT organisation_id, basket_id, code_id, count(*) AS records FROM code_uses
            WHERE order_id IS NOT NULL GROUP BY 1, 2, 3
        ) u USING (organisation_id, basket_id, code_id)
        WHERE records IS DISTINCT FROM 1""",
    "a use goes on as long as its order, unless its offer keeps the code": """
        SELECT u.id, u.released_at, o.state FROM code_uses u JOIN orders o ON o.id = u.order_id
        JOIN codes c ON c.id = u.code_id
        CROSS JOIN LATERAL (SELECT o.state = 'CONFIRMED'
            OR c.kind = 'SINGLE_USE' AND c.status = 'USED' AND c.order_id = o.id AS goes_on) l
        WHERE u.released_at IS NULL AND NOT goes_on
            OR u.released_at IS NOT NULL AND u.release_reason <> 'TICKETS_CANCELLED' AND goes_on""",
    "the ledger follows the state of baskets and orders": """
        SELECT r.id, r.state, b.state, o.state FROM redemptions r JOIN baskets b ON b.id = r.basket_id
        LEFT JOIN orders o ON o.basket_id = b.id
        WHERE (r.state, b.state, coalesce(o.state, '')) NOT IN
            (('HELD', 'OPEN', ''), ('USED', 'CONFIRMED', 'CONFIRMED'), ('RETURNED', 'CONFIRMED', 'CONFIRMED'),
            ('RETURNED', 'CONFIRMED', 'CANCELLED'))""",
    "a confirmed basket is one order, and no other basket is": """
        SELECT b.id, b.state, count(o.id) FROM baskets b LEFT JOIN orders o ON o.basket_id = b.id
        GROUP BY b.organisation_id, b.id HAVING count(o.id) <> (b.state = 'CONFIRMED')::integer""",
    "an order has one ticket a unit": """
        SELECT o.id FROM orders o JOIN baskets b ON b.id = o.basket_id
        CROSS JOIN LATERAL (SELECT sum((line ->> 4)::integer) AS units FROM jsonb_array_elements(b.lines) line) l
        WHERE l.units <> (SELECT count(*) FROM tickets t WHERE t.order_id = o.id)""",
    "an order is cancelled with the last of its tickets, none of which was scanned": """
        SELECT o.number, o.state FROM orders o JOIN tickets t ON t.order_id = o.id GROUP BY o.organisation_id, o.id
        HAVING (o.state = 'CANCELLED') <> bool_and(t.cancelled_at IS NOT NULL)
            OR o.state = 'CANCELLED' AND bool_or(t.controlled_at IS NOT NULL)""",
    "an order's tickets are as many as its offers' tickets in the ledger": """
        SELECT * FROM (
            SELECT o.basket_id, (entry ->> 0)::uuid AS offer_id, count(*) AS tickets FROM orders o
            JOIN tickets t ON t.order_id = o.id AND t.cancelled_at IS NULL, jsonb_array_elements(t.redeemed) entry
            GROUP BY 1, 2
        ) t FULL JOIN (
            SELECT basket_id, offer_id, sum(tickets) AS tickets FROM redemptions WHERE state = 'USED' GROUP BY 1, 2
        ) r USING (basket_id, offer_id) WHERE coalesce(t.tickets, 0) <> coalesce(r.tickets, 0)""",
    "no more is given back than was paid, and for each ticket its part": """
        SELECT o.number, c.total, c.for_tickets FROM orders o JOIN (
            SELECT order_id, sum(for_tickets + for_fees) AS total, sum(for_tickets) AS for_tickets,
                sum(to_balance) AS to_balance
            FROM cancellations GROUP BY 1) c ON c.order_id = o.id
        CROSS JOIN LATERAL (SELECT o.pricing::jsonb -> 'pricing' AS paid) p
        WHERE c.total > (paid ->> 'subtotal')::bigint - (paid ->> 'advantage_discount')::bigint
                - (paid ->> 'promotion_discount')::bigint + (paid ->> 'processing_fee')::bigint
                + (paid ->> 'delivery_fee')::bigint
            OR c.to_balance > (paid ->> 'balance_used')::bigint
            OR c.for_tickets <> (SELECT sum(given_back) FROM tickets t WHERE t.order_id = o.id)""",
    "the counts of codes are the codes": f"""
        SELECT * FROM (
            SELECT offer_id, coalesce(contact_id, {_NIL}) AS contact_id,
                sum(CASE kind WHEN 'SINGLE_USE' THEN 1 ELSE coalesce(max_uses, 1 + l.held + l.used) END) AS generated,
                sum(CASE kind WHEN 'SINGLE_USE' THEN (status = 'HELD')::integer ELSE l.held END) AS held,
                sum(CASE kind WHEN 'SINGLE_USE' THEN (status = 'USED')::integer ELSE l.used END) AS used,
                sum(CASE WHEN status NOT IN ('INVALIDATED', 'SWITCHED_OFF') THEN 0 WHEN kind = 'SINGLE_USE' THEN 1
                    ELSE coalesce(max_uses - l.held - l.used, 1) END) AS invalidated
            FROM codes c CROSS JOIN LATERAL (
                SELECT count(DISTINCT basket_id) FILTER (WHERE state = 'HELD') AS held,
                    count(DISTINCT basket_id) FILTER (WHERE state = 'USED') AS used
                FROM redemptions r WHERE r.organisation_id = c.organisation_id AND r.code_id = c.id
            ) l WHERE kind <> 'ACCESS' GROUP BY 1, 2
        ) c FULL JOIN (
            SELECT offer_id, contact_id, sum(generated) AS generated, sum(held) AS held, sum(used) AS used,
                sum(invalidated) AS invalidated
            FROM redemption_counts GROUP BY 1, 2
        ) n USING (offer_id, contact_id)
        WHERE (coalesce(c.generated, 0), coalesce(c.held, 0), coalesce(c.used, 0), coalesce(c.invalidated, 0))
            <> (coalesce(n.generated, 0), coalesce(n.held, 0), coalesce(n.used, 0), coalesce(n.invalidated, 0))""",
    "the counts of tickets are the sums of the ledger": """
        SELECT * FROM (
            SELECT offer_id, holder_id AS contact_id, sum(tickets) FILTER (WHERE state = 'HELD') AS held,
                sum(tickets) FILTER (WHERE state = 'USED') AS sold
            FROM redemptions GROUP BY 1, 2
        ) r FULL JOIN (
            SELECT offer_id, contact_id, sum(tickets_held) AS held, sum(tickets_sold) AS sold
            FROM redemption_counts GROUP BY 1, 2
        ) n USING (offer_id, contact_id)
        WHERE (coalesce(r.held, 0), coalesce(r.sold, 0)) <> (coalesce(n.held, 0), coalesce(n.sold, 0))""",
    "the counts of scans are the scanned tickets": f"""
        SELECT * FROM (
            SELECT (entry ->> 0)::uuid AS offer_id, coalesce((entry ->> 1)::uuid, {_NIL}) AS contact_id, count(*) AS scans
            FROM tickets, jsonb_array_elements(redeemed) entry WHERE controlled_at IS NOT NULL GROUP BY 1, 2
        ) t FULL JOIN (
            SELECT offer_id, contact_id, sum(tickets_controlled) AS scans FROM redemption_counts GROUP BY 1, 2
        ) n USING (offer_id, contact_id)
        WHERE coalesce(t.scans, 0) <> coalesce(n.scans, 0)""",
    "no idempotency key is without its answer": "SELECT key FROM idempotency_keys WHERE answer = '{}'",
}
"""Each rule, and a query for what breaks it."""


async def connect(url: str) -> asyncpg.Connection:
    """A plain connection to the database of a SQLAlchemy URL."""
    parsed = make_url(url)
    return await asyncpg.connect(host=str(parsed.query["host"]), port=5432, user="postgres", database=parsed.database)


async def breaches(url: str) -> list[str]:
    """Every rule that is broken, with what breaks it."""
    connection = await connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return [f"{rule}: {dict(row)}" for rule, query in RULES.items() for row in await connection.fetch(query)]
    finally:
        await connection.close()
