"""Tickets of before are told what they admit to, whether they were in, and whether they are cancelled."""

from uuid import UUID

import orjson
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.migrations.migrate import _config, upgrade

ONE = UUID(int=1)
PRODUCT, PERFORMANCE, SEAT, TARIFF = (UUID(int=number) for number in range(11, 15))

_BEFORE = """
INSERT INTO organisations (id, code, name, currency, timezone, basket_minutes) VALUES (:one, 'o', 'O', 'EUR', 'Europe/Paris', 15);
INSERT INTO sales_channels (organisation_id, id, code, kind, name, processing_fee) VALUES (:one, :one, 'WEB', 'INTERNET', '{}', 0);
INSERT INTO points_of_sale (organisation_id, id, code, channel_id, name) VALUES (:one, :one, 'SHOP', :one, '{}');
INSERT INTO baskets (organisation_id, id, point_of_sale_id, use_balance, lines, pricing, expires_at)
SELECT :one, id, :one, false, '[]', '{}', now() FROM unnest(CAST(:orders AS uuid[])) id;
INSERT INTO orders (organisation_id, id, number, basket_id, point_of_sale_id, pricing, state, cancelled_at)
SELECT :one, id, id, id, :one, :pricing, CASE WHEN id = :cancelled THEN 'CANCELLED' ELSE 'CONFIRMED' END,
    CASE WHEN id = :cancelled THEN now() END
FROM unnest(CAST(:orders AS uuid[])) id;
INSERT INTO tickets (organisation_id, id, order_id, barcode, line, position, price, redeemed, controlled_at, controlled_by)
SELECT :one, gen_random_uuid(), id, CAST(id AS text) || line || position, line, position, 7, '[]',
    CASE WHEN id = :scanned AND position = 1 THEN now() END, CASE WHEN id = :scanned AND position = 1 THEN 'staff:ada' END
FROM unnest(CAST(:orders AS uuid[])) id, (VALUES (0, 0), (1, 0), (1, 1)) units(line, position)
"""


def _pricing() -> str:
    def line(performance: UUID | None, seat: UUID | None, *prices: int) -> object:
        kind = {
            "product": str(PRODUCT),
            "performance": performance and str(performance),
            "seat_category": seat and str(seat),
            "audience_sub_category": str(TARIFF),
        }
        return {"kind": kind, "tickets": [{"full_price": price, "price": 7} for price in prices]}

    lines = [line(None, None, 900), line(PERFORMANCE, SEAT, 500, 501)]
    return orjson.dumps({"pricing": {"lines": lines}, "held_codes": []}).decode()


def _to(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_tickets_of_before_say_what_they_admit_to(empty_database: str, engine: AsyncEngine) -> None:
    orders = [UUID(int=1_000 + number) for number in range(1_100)]
    values = {
        "one": ONE,
        "orders": orders,
        "cancelled": orders[3],
        "scanned": orders[-1],
        "pricing": _pricing(),
    }
    async with engine.begin() as connection:
        await connection.run_sync(_to, "0009")
        for statement in _BEFORE.split(";"):
            await connection.execute(
                text(statement), {name: values[name] for name in values if f":{name}" in statement}
            )
    await upgrade(empty_database)
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("""SELECT line, position, product_id, performance_id, seat_category_id, audience_sub_category_id,
                full_price, entries_allowed, given_back, count(*) FROM tickets GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY 1, 2""")
        )
        assert [tuple(row) for row in rows] == [
            (0, 0, PRODUCT, None, None, TARIFF, 900, 1, 0, 1_100),
            (1, 0, PRODUCT, PERFORMANCE, SEAT, TARIFF, 500, 1, 0, 1_100),
            (1, 1, PRODUCT, PERFORMANCE, SEAT, TARIFF, 501, 1, 0, 1_100),
        ]
        inside = text(
            "SELECT order_id, position, entries, last_controlled_by FROM tickets WHERE controlled_at IS NOT NULL"
        )
        assert [tuple(row) for row in await connection.execute(inside)] == [(orders[-1], 1, 1, "staff:ada")]
        cancelled = text("SELECT order_id, count(*) FROM tickets WHERE cancelled_at IS NOT NULL GROUP BY 1")
        assert [tuple(row) for row in await connection.execute(cancelled)] == [(orders[3], 3)]
        settings = text("SELECT entry_opens_minutes, entry_closes_minutes, returns_fees FROM organisations")
        assert tuple((await connection.execute(settings)).one()) == (180, 1440, True)
