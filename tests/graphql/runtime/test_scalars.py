"""The scalars of the contract, and what they refuse."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from resolvers.runtime.scalars import SCALARS, Currency, money


def read(scalar: object, value: object) -> object:
    parse = SCALARS[scalar].parse_value
    assert parse is not None
    return parse(value)


def written(scalar: object, value: object) -> object:
    serialize = SCALARS[scalar].serialize
    assert serialize is not None
    return serialize(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("80.00", "80.00"),
        ("-0.5", "-0.5"),
        ("+7", "7"),
        ("0", "0"),
        ("007", "7"),
        (12, "12"),
        ("9" * 30 + "." + "9" * 30, "9" * 30 + "." + "9" * 30),
    ],
)
def test_decimals_are_read_as_they_stand(value: object, expected: str) -> None:
    assert str(read(Decimal, value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "sNaN", "Infinity", "-inf", "1e5", "1E1000000", "0x10", "1_000", "1,5", "--1", "٣"),
        *("", " 1", "1 ", "1\n", "1.", ".5", "9" * 31, "0." + "9" * 31, "\ud800"),
        *(10**30, -(10**400), 1.5, 1.0, float("nan"), float("inf"), True, None, [], {}),
    ],
)
def test_what_is_no_plain_decimal_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="Decimal"):
        read(Decimal, value)


def test_a_decimal_is_written_without_an_exponent() -> None:
    assert written(Decimal, Decimal("1E+3")) == "1000"
    assert written(Decimal, Decimal("0E-8")) == "0.00000000"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-12-17T20:00:00+01:00", datetime(2026, 12, 17, 20, tzinfo=timezone(timedelta(hours=1)))),
        ("2026-12-17t20:00:00z", datetime(2026, 12, 17, 20, tzinfo=UTC)),
        (
            "2026-12-17T20:00:00.123456789-05:30",
            datetime(2026, 12, 17, 20, 0, 0, 123456, tzinfo=timezone(-timedelta(hours=5, minutes=30))),
        ),
    ],
)
def test_instants_are_read_with_their_offset(value: str, expected: datetime) -> None:
    assert read(datetime, value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2026-12-17T20:00:00",
        "2026-12-17",
        "2026-12-17 20:00:00+01:00",
        "2026-12-17T20:00+01:00",
        "2026-12-17T20:00:00+0100",
        "2026-12-17T20:00:00+01",
        "2026-02-30T20:00:00Z",
        "2026-12-17T25:00:00Z",
        "2026-12-17T20:00:60Z",
        "2026-12-17T20:00:00+99:00",
        "0000-01-01T00:00:00Z",
        "20261217T200000Z",
        "2026-W51-4T20:00:00Z",
        "now",
        "",
        "\ud800",
        0,
        None,
        True,
    ],
)
def test_what_is_no_instant_with_an_offset_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="DateTime"):
        read(datetime, value)


def test_an_instant_is_written_with_its_offset() -> None:
    assert written(datetime, datetime(2026, 12, 17, 20, tzinfo=UTC)) == "2026-12-17T20:00:00+00:00"


def test_an_instant_without_an_offset_is_never_written() -> None:
    with pytest.raises(ValueError, match="offset"):
        written(datetime, datetime(2026, 12, 17, 20))  # noqa: DTZ001


@pytest.mark.parametrize("value", ["eur", "EURO", "", "E1R", 978, None, "ÉUR"])
def test_what_is_no_currency_code_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="Currency"):
        read(Currency, value)


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [(8000, "EUR", "80.00"), (5, "EUR", "0.05"), (0, "EUR", "0.00"), (1500, "JPY", "1500"), (12345, "KWD", "12.345")],
)
def test_money_has_the_decimals_of_its_currency(minor: int, currency: str, expected: str) -> None:
    amount = money(minor, currency)
    assert (written(Decimal, amount.amount), amount.currency) == (expected, currency)
