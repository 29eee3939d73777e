"""Tickets say what they admit to and how often; parts of orders are cancelled, and what is given back is recorded."""

from pathlib import Path
from typing import Final
from uuid import UUID

from alembic import op
from sqlalchemy import text

from db.migrations.scripts import run_script

revision = "0010"
down_revision = "0009"

_ORDERS: Final = 500
"""Whose tickets are told at a time what they admit to: an organisation may have sold many."""

_PAGE: Final = text("""
    SELECT organisation_id, id FROM orders WHERE (organisation_id, id) > (:organisation, :order)
    ORDER BY organisation_id, id LIMIT :most
""")
_TELL: Final = text("""
    UPDATE tickets t SET
        product_id = CAST(l.kind ->> 'product' AS uuid),
        performance_id = CAST(l.kind ->> 'performance' AS uuid),
        seat_category_id = CAST(l.kind ->> 'seat_category' AS uuid),
        audience_sub_category_id = CAST(l.kind ->> 'audience_sub_category' AS uuid),
        full_price = CAST(l.tickets -> t.position ->> 'full_price' AS bigint)
    FROM (
        SELECT o.organisation_id, o.id, each.number - 1 AS line, each.line -> 'kind' AS kind,
            each.line -> 'tickets' AS tickets
        FROM unnest(CAST(:organisations AS uuid[]), CAST(:orders AS uuid[])) AS page(organisation_id, id)
        JOIN orders o ON o.organisation_id = page.organisation_id AND o.id = page.id
        CROSS JOIN LATERAL jsonb_array_elements(CAST(o.pricing AS jsonb) #> '{pricing,lines}')
            WITH ORDINALITY AS each(line, number)
    ) l
    WHERE t.organisation_id = l.organisation_id AND t.order_id = l.id AND t.line = l.line
""")


def upgrade() -> None:
    folder = Path(__file__)
    run_script(folder.with_suffix(".sql"))
    _tell_tickets()
    run_script(folder.with_name("0010_tickets_told.sql"))


def _tell_tickets() -> None:
    """Has each ticket say what its order says of it."""
    after = UUID(int=0), UUID(int=0)
    while True:
        asked = {"organisation": after[0], "order": after[1], "most": _ORDERS}
        page = op.get_bind().execute(_PAGE, asked).all()
        if not page:
            return
        organisations, orders = [row.organisation_id for row in page], [row.id for row in page]
        op.get_bind().execute(_TELL, {"organisations": organisations, "orders": orders})
        after = organisations[-1], orders[-1]
