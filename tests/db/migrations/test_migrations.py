"""Migrations make the schema that the program is written for, once, whoever asks first."""

import asyncio
from pathlib import Path

import orjson
import pytest
from alembic import command
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

import db.migrations
from db.core.tables import metadata
from db.migrations.migrate import NewerSchema, _config, is_current, upgrade

_SCHEMA = text("""
SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
    || CASE WHEN a.attnotnull THEN ' NOT NULL ' ELSE ' ' END || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
WHERE a.attnum > 0 AND c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'constraint', c.relname, conname, pg_get_constraintdef(n.oid)
FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid WHERE n.connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'sequence', sequencename, data_type::text, increment_by::text FROM pg_sequences WHERE schemaname = 'public'
UNION ALL
SELECT 'function', proname, pg_get_functiondef(oid), '' FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND proname NOT LIKE '%pgqueuer%'
""")


async def _schema(engine: AsyncEngine) -> set[tuple[str, ...]]:
    async with engine.connect() as connection:
        rows = await connection.execute(_SCHEMA)
        return {tuple(row) for row in rows if not row[1].startswith(("pgqueuer", "alembic_version"))}


async def test_the_migrated_schema_is_the_one_of_the_tables(empty_database: str, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    declared = await _schema(engine)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)

    await upgrade(empty_database)

    migrated = await _schema(engine)
    assert migrated - declared == set()
    assert declared - migrated == set()


async def test_a_shoppers_keys_and_an_organisations_long_baskets_outlast_the_migration(
    empty_database: str, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(_to, "0002")
        for statement in _BEFORE.split(";"):
            await connection.execute(text(statement))
    await upgrade(empty_database)
    async with engine.connect() as connection:
        longest = text("SELECT code, basket_maximum_minutes FROM organisations ORDER BY code")
        assert [tuple(row) for row in await connection.execute(longest)] == [("long", 120), ("short", 60)]
        keys = await connection.execute(text("SELECT caller, key FROM idempotency_keys ORDER BY key, caller"))
        basket = "00000000-0000-0000-0000-00000000000b"
        assert [tuple(row) for row in keys] == [
            ("shopper:SHOP", "made"),
            (f"shopper:SHOP/{basket}", "made"),
            ("shopper:SHOP", "refused"),
            ("contact:C", "theirs"),
        ]


_BEFORE = """
INSERT INTO organisations (id, code, name, currency, timezone, basket_minutes) VALUES
    ('00000000-0000-0000-0000-000000000001', 'short', 'S', 'EUR', 'Europe/Paris', 15),
    ('00000000-0000-0000-0000-000000000002', 'long', 'L', 'EUR', 'Europe/Paris', 120);
INSERT INTO idempotency_keys (organisation_id, caller, key, fingerprint, answer)
SELECT '00000000-0000-0000-0000-000000000001', caller, key, '', CAST(answer AS jsonb) FROM (VALUES
    ('shopper:SHOP', 'made', '{"made"\\: {"basket"\\: "00000000-0000-0000-0000-00000000000b"}}'),
    ('shopper:SHOP', 'refused', '{"failure"\\: "Conflict"}'),
    ('contact:C', 'theirs', '{"made"\\: {"basket"\\: "00000000-0000-0000-0000-00000000000b"}}')) k(caller, key, answer)
"""


async def test_amounts_of_currencies_with_other_decimals_are_moved_and_no_others(
    empty_database: str, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(_to, "0007")
        for statement in _AMOUNTS.split(";"):
            await connection.execute(text(statement))
    await upgrade(empty_database)
    async with engine.connect() as connection:
        found = text("""SELECT o.currency, c.balance, b.pricing FROM organisations o
            JOIN contacts c ON c.organisation_id = o.id JOIN baskets b ON b.organisation_id = o.id ORDER BY o.currency""")
        rows = [(row.currency, row.balance, orjson.loads(row.pricing)) for row in await connection.execute(found)]
    assert rows == [
        ("EUR", 7, {"pricing": {"subtotal": 7, "lines": [{"tickets": [{"price": 7}], "quantity": 2}]}}),
        ("IQD", 7000, {"pricing": {"subtotal": 7000, "lines": [{"tickets": [{"price": 7000}], "quantity": 2}]}}),
        ("RSD", 700, {"pricing": {"subtotal": 700, "lines": [{"tickets": [{"price": 700}], "quantity": 2}]}}),
    ]


_AMOUNTS = """
INSERT INTO organisations (id, code, name, currency, timezone, basket_minutes)
SELECT CAST(id AS uuid), currency, currency, currency, 'Europe/Paris', 15 FROM (VALUES
    ('00000000-0000-0000-0000-000000000001', 'EUR'), ('00000000-0000-0000-0000-000000000002', 'RSD'),
    ('00000000-0000-0000-0000-000000000003', 'IQD')) o(id, currency);
INSERT INTO contacts (organisation_id, id, code, kind, name, balance)
SELECT id, id, 'ADA', 'INDIVIDUAL', 'Ada', 7 FROM organisations;
INSERT INTO sales_channels (organisation_id, id, code, kind, name, processing_fee)
SELECT id, id, 'WEB', 'INTERNET', '{}', 0 FROM organisations;
INSERT INTO points_of_sale (organisation_id, id, code, channel_id, name)
SELECT id, id, 'SHOP', id, '{}' FROM organisations;
INSERT INTO baskets (organisation_id, id, point_of_sale_id, use_balance, lines, pricing, expires_at)
SELECT id, id, id, false, '[]',
    '{"pricing"\\: {"subtotal"\\: 7, "lines"\\: [{"tickets"\\: [{"price"\\: 7}], "quantity"\\: 2}]}}', now()
FROM organisations
"""


async def test_orders_of_before_say_by_whom_they_were_cancelled_and_are_found_by_what_they_used(
    empty_database: str, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(_to, "0009")
        for statement in (_AMOUNTS + ";" + _SOLD).split(";"):
            await connection.execute(text(statement))
    await upgrade(empty_database)
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT number, cancelled_by FROM orders ORDER BY number"))
        assert [tuple(row) for row in found] == [("00000001", "staff:ada"), ("00000002", None)]
        of_each = text("""SELECT number, array_agg(CAST(right(CAST(s.subject_id AS text), 2) AS text) ORDER BY s.subject_id)
            FROM orders o JOIN order_subjects s ON s.order_id = o.id AND s.confirmed_at = o.confirmed_at
            GROUP BY number ORDER BY number""")
        assert [tuple(row) for row in await connection.execute(of_each)] == [
            ("00000001", ["0a", "0c"]),
            ("00000002", ["0a", "0b"]),
        ]


# Two orders of one offer and two codes, the first cancelled by ada after somebody else had tried; and an open basket.
_SOLD = """
INSERT INTO baskets (organisation_id, id, state, point_of_sale_id, use_balance, lines, pricing, expires_at)
SELECT o.id, CAST(b.id AS uuid), b.state, o.id, false, '[]', '{}', now() FROM organisations o CROSS JOIN (VALUES
    ('00000000-0000-0000-0000-0000000000b1', 'CONFIRMED'), ('00000000-0000-0000-0000-0000000000b2', 'CONFIRMED'),
    ('00000000-0000-0000-0000-0000000000b3', 'OPEN')) b(id, state) WHERE o.currency = 'EUR';
INSERT INTO orders (organisation_id, id, number, state, basket_id, point_of_sale_id, pricing, confirmed_at)
SELECT b.organisation_id, b.id, lpad(right(CAST(b.id AS text), 1), 8, '0'),
    CASE WHEN CAST(b.id AS text) LIKE '%b1' THEN 'CANCELLED' ELSE 'CONFIRMED' END, b.id, b.point_of_sale_id, '{}', now()
FROM baskets b WHERE b.state = 'CONFIRMED';
INSERT INTO redemptions (organisation_id, basket_id, id, offer_id, code_id, product_id, audience_sub_category_id, tickets, state)
SELECT b.organisation_id, b.id, CAST('00000000-0000-0000-0000-0000000000' || r.code AS uuid),
    CAST('00000000-0000-0000-0000-00000000000a' AS uuid), CAST('00000000-0000-0000-0000-0000000000' || r.code AS uuid),
    b.id, b.id, 1, r.state
FROM baskets b JOIN (VALUES ('%b1', '0c', 'RETURNED'), ('%b2', '0b', 'USED'), ('%b3', '0c', 'HELD')) r(basket, code, state)
    ON CAST(b.id AS text) LIKE r.basket;
INSERT INTO audit_entries (organisation_id, id, actor, action, subject_type, subject_id, details)
SELECT o.organisation_id, CAST(e.id AS uuid), e.actor, e.action, 'Order', o.id, '{}' FROM orders o CROSS JOIN (VALUES
    ('00000000-0000-0000-0000-0000000000e1', 'staff:eve', 'confirmBasket'),
    ('00000000-0000-0000-0000-0000000000e2', 'staff:ada', 'cancelOrder')) e(id, actor, action)
WHERE o.state = 'CANCELLED'
"""


async def test_chosen_codes_that_were_switched_off_say_so_and_invalidated_ones_stay(
    empty_database: str, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(_to, "0009")
        for statement in _SWITCHED_OFF.split(";"):
            await connection.execute(text(statement))
    await upgrade(empty_database)
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT code, status, invalidated_by FROM codes ORDER BY code"))
        assert [tuple(row) for row in found] == [
            ("ACCESS", "SWITCHED_OFF", "staff:ada"),
            ("GONE", "INVALIDATED", "staff:ada"),
            ("GOOD", "AVAILABLE", None),
            ("OFF", "SWITCHED_OFF", "staff:ada"),
            ("RANDOM", "INVALIDATED", "staff:ada"),
        ]


_SWITCHED_OFF = """
INSERT INTO organisations (id, code, name, currency, timezone, basket_minutes)
VALUES ('00000000-0000-0000-0000-000000000001', 'o', 'O', 'EUR', 'Europe/Paris', 15);
INSERT INTO offers (organisation_id, id, kind, code, state, internal_name, public_name, scope, benefit)
VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'PROMOTIONAL_CODE', 'P', 'RUNNING',
    '{}', '{}', '{}', '{}');
INSERT INTO codes (organisation_id, id, code, kind, status, offer_id, invalidated_by, invalidation_reason)
SELECT '00000000-0000-0000-0000-000000000001', gen_random_uuid(), code, kind, status,
    '00000000-0000-0000-0000-000000000002', by, reason
FROM (VALUES
    ('GOOD', 'CUSTOM', 'AVAILABLE', NULL, NULL), ('OFF', 'CUSTOM', 'INVALIDATED', 'staff:ada', NULL),
    ('GONE', 'CUSTOM', 'INVALIDATED', 'staff:ada', 'leaked'), ('ACCESS', 'ACCESS', 'INVALIDATED', 'staff:ada', NULL),
    ('RANDOM', 'SINGLE_USE', 'INVALIDATED', 'staff:ada', NULL)) c(code, kind, status, by, reason)
"""


def _to(connection: Connection, revision: str) -> None:
    """Migrates no further than that."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_processes_that_migrate_at_once_all_find_the_schema_current(empty_database: str) -> None:
    assert not await is_current(empty_database)
    await asyncio.gather(*(upgrade(empty_database) for _ in range(4)))
    assert await is_current(empty_database)


async def test_a_database_of_a_newer_program_is_left_alone(empty_database: str, engine: AsyncEngine) -> None:
    await upgrade(empty_database)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(NewerSchema, match="9999"):
        await upgrade(empty_database)
    assert not await is_current(empty_database)


async def test_an_unreachable_database_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await upgrade(f"postgresql+asyncpg://postgres@/postgres?host={tmp_path}")


async def test_a_failed_migration_leaves_nothing_behind(
    empty_database: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_text = Path.read_text
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda path, **options: "SELECT 1 / 0" if path.name == "0001_queue.sql" else read_text(path, **options),
    )
    with pytest.raises(Exception, match="division by zero"):
        await upgrade(empty_database)
    assert await _schema(engine) == set()


def test_the_queue_has_the_tables_of_the_installed_pgqueuer() -> None:
    """Fails when PgQueuer moves: it then needs a migration of its own."""
    script = Path(db.migrations.__file__).parent / "versions" / "0001_queue.sql"
    assert script.read_text(encoding="utf-8").strip() == QueryBuilderEnvironment().build_install_query().strip()
