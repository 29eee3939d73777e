"""Amounts in the minor units of ISO 4217: those of CLDR, as they were counted in, are others for some currencies."""

from typing import Final
from uuid import UUID

import orjson
from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"

_FACTORS: Final = {
    **dict.fromkeys(("AFN", "ALL", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SOS", "SYP", "YER"), 100),
    "IQD": 1000,
}
"""How many minor units of ISO 4217 one of CLDR is."""

_COLUMNS: Final = (
    ("sales_channels", "processing_fee"),
    ("delivery_modes", "fee"),
    ("rates", "price"),
    ("contacts", "balance"),
    ("offers", "minimum_basket"),
    ("tickets", "price"),
)
_OF_BENEFITS: Final = frozenset({"amountOff", "fixedPrice", "amountOffPerTicket", "price"})
_OF_PRICINGS: Final = frozenset(
    {
        "full_price",
        "advantage_price",
        "promotion_share",
        "price",
        "amount",
        "discount",
        "minor",
        "subtotal",
        "advantage_discount",
        "promotion_discount",
        "processing_fee",
        "delivery_fee",
        "balance_used",
        "minimum_basket",
    }
)
_ROWS: Final = 500


def upgrade() -> None:
    currencies = text("SELECT id, currency FROM organisations WHERE currency = ANY(CAST(:those AS text[]))")
    for organisation, currency in op.get_bind().execute(currencies, {"those": list(_FACTORS)}).all():
        factor = _FACTORS[currency]
        for table, column in _COLUMNS:
            op.get_bind().execute(
                text(f"UPDATE {table} SET {column} = {column} * :factor WHERE organisation_id = :organisation"),
                {"factor": factor, "organisation": organisation},
            )
        _rewrite("offers", "benefit", organisation, _OF_BENEFITS, factor)
        for table in ("baskets", "orders"):
            _rewrite(table, "pricing", organisation, _OF_PRICINGS, factor)


def _rewrite(table: str, column: str, organisation: UUID, names: frozenset[str], factor: int) -> None:
    """Some rows at a time, by key: an organisation may have had many baskets."""
    after = UUID(int=0)
    page = text(f"""
        SELECT id, CAST({column} AS text) FROM {table} WHERE organisation_id = :organisation AND id > :after
        ORDER BY id LIMIT {_ROWS}
    """)
    kind = "jsonb" if column == "benefit" else "text"
    write = text(f"""
        UPDATE {table} SET {column} = CAST(:changed AS {kind}) WHERE organisation_id = :organisation AND id = :id
    """)
    while True:
        rows = op.get_bind().execute(page, {"organisation": organisation, "after": after}).all()
        if not rows:
            return
        for key, stored in rows:
            changed = orjson.dumps(scaled(orjson.loads(stored), names, factor)).decode()
            op.get_bind().execute(write, {"organisation": organisation, "id": key, "changed": changed})
        after = rows[-1][0]


def scaled(stored: object, names: frozenset[str], factor: int) -> object:
    """JSON with each whole number that stands under one of these names times the factor."""
    if isinstance(stored, list):
        return [scaled(each, names, factor) for each in stored]
    if isinstance(stored, dict):
        return {
            name: each * factor if name in names and isinstance(each, int) else scaled(each, names, factor)
            for name, each in stored.items()
        }
    return stored
