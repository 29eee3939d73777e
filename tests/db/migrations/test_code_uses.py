"""The uses of codes by orders of before are recorded as far as the ledger, the price and the audit tell of them."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.db.migrations.test_migrations import _to

from db.migrations.migrate import upgrade

CUSTOM, RANDOM, KEPT = (UUID(int=number) for number in (0xC1, 0xC2, 0xC3))
SINCE = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
KEY = f"{int(SINCE.timestamp() * 1000):012x}"

# Three orders, the second of which is cancelled, and an open basket: 1 and 2 by custom and random code, 3 by a code that
# its offer keeps.
_BEFORE = f"""
INSERT INTO organisations (id, code, name, currency, timezone, basket_minutes)
VALUES ('{UUID(int=1)}', 'O', 'O', 'EUR', 'Europe/Paris', 15);
INSERT INTO sales_channels (organisation_id, id, code, kind, name, processing_fee)
SELECT id, id, 'WEB', 'INTERNET', '{{}}', 0 FROM organisations;
INSERT INTO points_of_sale (organisation_id, id, code, channel_id, name) SELECT id, id, 'SHOP', id, '{{}}' FROM organisations;
INSERT INTO offers (organisation_id, id, kind, code, state, internal_name, public_name, scope, benefit)
SELECT id, id, 'PROMOTIONAL_CODE', 'P', 'RUNNING', '{{}}', '{{}}', '{{}}', '{{}}' FROM organisations;
INSERT INTO baskets (organisation_id, id, state, point_of_sale_id, use_balance, lines, pricing, expires_at)
SELECT o.id, CAST(lpad(n::text, 32, '0') AS uuid), CASE n WHEN 4 THEN 'OPEN' ELSE 'CONFIRMED' END, o.id, false, '[]',
    '{{"pricing"\\: {{"codes"\\: [{{"code"\\: "{CUSTOM}", "discount"\\: 300}}]}}}}', now() + interval '9 minutes'
FROM organisations o, generate_series(1, 4) n;
INSERT INTO orders (organisation_id, id, number, state, basket_id, point_of_sale_id, pricing, confirmed_at, cancelled_at)
SELECT organisation_id, id, id::text, CASE right(id::text, 1) WHEN '1' THEN 'CONFIRMED' ELSE 'CANCELLED' END, id,
    point_of_sale_id, '{{"pricing"\\: {{"codes"\\: [{{"code"\\: "{CUSTOM}", "discount"\\: 300}},
        {{"code"\\: "{RANDOM}", "discount"\\: 500}}, {{"code"\\: null, "discount"\\: 9}}]}}}}',
    '2026-11-01 10:09Z', CASE right(id::text, 1) WHEN '1' THEN NULL ELSE timestamptz '2026-11-02 12:00Z' END
FROM baskets WHERE state = 'CONFIRMED';
INSERT INTO codes (organisation_id, id, code, kind, status, offer_id, order_id, used_at, uses, max_uses)
SELECT o.id, CAST(c.id AS uuid), c.code, c.kind, c.status, o.id, CAST(order_id AS uuid), CAST(used_at AS timestamptz), uses, max_uses
FROM organisations o, (VALUES ('{CUSTOM}', 'C', 'CUSTOM', 'AVAILABLE', NULL, NULL, 2, 5),
    ('{RANDOM}', 'R', 'SINGLE_USE', 'USED', '{UUID(int=1)}', '2026-11-01 10:09Z', 0, NULL),
    ('{KEPT}', 'K', 'SINGLE_USE', 'USED', '{UUID(int=3)}', '2026-11-01 10:09Z', 0, NULL)
) c(id, code, kind, status, order_id, used_at, uses, max_uses);
INSERT INTO redemptions (organisation_id, basket_id, id, offer_id, code_id, product_id, audience_sub_category_id, tickets, state)
SELECT o.id, CAST(lpad(basket, 32, '0') AS uuid), CAST('{KEY}' || lpad(r.id, 20, '0') AS uuid), o.id, CAST(r.code AS uuid), o.id,
    o.id, tickets, r.state
FROM organisations o, (VALUES ('1', '1', '{CUSTOM}', 2, 'USED'), ('2', '1', '{CUSTOM}', 1, 'USED'),
    ('3', '1', '{RANDOM}', 1, 'USED'), ('4', '2', '{CUSTOM}', 1, 'RETURNED'), ('5', '2', '{RANDOM}', 1, 'RETURNED'),
    ('6', '3', '{KEPT}', 1, 'RETURNED'), ('7', '4', '{CUSTOM}', 4, 'HELD'), ('8', '1', NULL, 1, 'USED')
) r(id, basket, code, tickets, state);
INSERT INTO audit_entries (organisation_id, id, actor, action, subject_type, subject_id, details)
SELECT id, id, 'staff\\:ada', 'cancelOrder', 'Order', '{UUID(int=2)}', '{{}}' FROM organisations
"""


async def test_uses_of_before_are_recorded_with_what_took_them_back(empty_database: str, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(_to, "0009")
        for statement in _BEFORE.split(";"):
            await connection.execute(text(statement))
    await upgrade(empty_database)
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT * FROM code_uses ORDER BY order_id, code_id"))
        uses = [
            (row.order_id.int, row.code_id, row.tickets, row.discount, row.release_reason, row.released_by)
            for row in found
        ]
        times = await connection.execute(text("SELECT DISTINCT held_at, used_at FROM code_uses"))
        assert [tuple(row) for row in times] == [(SINCE, SINCE.replace(minute=9))]
        held = await connection.execute(
            text("SELECT covered, discount, held_at FROM redemptions WHERE state = 'HELD' AND code_id IS NOT NULL")
        )
        assert [tuple(row) for row in held] == [(4, 300, SINCE)]
        counts = await connection.execute(text("SELECT generated, held, used, invalidated FROM redemption_counts"))
        assert [tuple(row) for row in counts] == [(5, 1, 1, 0)]
    assert uses == [
        (1, CUSTOM, 3, 300, None, None),
        (1, RANDOM, 1, 500, None, None),
        (2, CUSTOM, 1, 300, "ORDER_CANCELLED", "staff:ada"),
        (2, RANDOM, 1, 500, "ORDER_CANCELLED", "staff:ada"),
        (3, KEPT, 1, 0, None, None),
    ]
