"""The contract's scalars. They refuse what Strawberry's own take: NaN, infinities, huge exponents, local times."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from services.core.money import to_decimal

Currency = NewType("Currency", str)

_MOST_DIGITS = 30
_DECIMAL = re.compile(rf"[+-]?\d{{1,{_MOST_DIGITS}}}(?:\.\d{{1,{_MOST_DIGITS}}})?", re.ASCII)
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


def _decimal(value: object) -> Decimal:
    """A decimal string or a whole number. A JSON number with a fraction is refused: it was a float on its way here."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError('Decimal takes a string such as "12.50".')
    if isinstance(value, int):
        if abs(value) >= 10**_MOST_DIGITS:
            raise ValueError(f"Decimal takes at most {_MOST_DIGITS} digits.")
        return Decimal(value)
    if not _DECIMAL.fullmatch(value):
        raise ValueError(
            f'Decimal takes digits with at most one point, such as "12.50": no exponent, at most {_MOST_DIGITS} digits.'
        )
    return Decimal(value)


def _serialized_decimal(value: Decimal) -> str:
    return format(value, "f")


def _date_time(value: object) -> datetime:
    """An instant; fractions are kept to the microsecond, PostgreSQL's own grain."""
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        raise ValueError('DateTime takes RFC 3339 with an offset, such as "2026-12-17T20:00:00+01:00".')
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise ValueError(f"DateTime does not exist: {error}.") from error


def _serialized_date_time(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("an instant without an offset")
    return value.isoformat()


def _currency(value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueError('Currency takes an ISO 4217 code, such as "EUR".')
    return value


SCALARS: Final[Mapping[object, ScalarDefinition]] = {
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number as a string, as in "80.00"; a whole number is taken too. No exponent, at '
        "most 30 digits before the point and 30 after it.",
        serialize=_serialized_decimal,
        parse_value=_decimal,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in RFC 3339, always with an offset: taken with any, given with the organisation's.",
        serialize=_serialized_date_time,
        parse_value=_date_time,
    ),
    Currency: strawberry.scalar(
        name="Currency", description="An ISO 4217 currency code, as in `EUR`.", serialize=str, parse_value=_currency
    ),
}
"""For ``StrawberryConfig(scalar_map=...)``."""


@strawberry.type(description='An exact amount; `amount` carries the currency\'s own number of decimals, as in "80.00".')
class Money:
    amount: Decimal
    currency: Currency


def money(minor: int, currency: str) -> Money:
    """The amount of ``minor`` units of ``currency``."""
    return Money(amount=to_decimal(minor, currency), currency=Currency(currency))
