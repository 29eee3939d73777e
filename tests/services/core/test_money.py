"""Money is exact in both directions, with the currency's own decimals."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.money import LARGEST, AmountError, currencies, to_decimal, to_minor


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("80.00", "EUR", 8000),
        ("80", "EUR", 8000),
        ("19.9", "EUR", 1990),
        ("1200", "JPY", 1200),
        ("12.34", "RSD", 1234),
        ("1.234", "IQD", 1234),
        ("0.05", "MMK", 5),
        ("1.234", "KWD", 1234),
        ("-5.50", "EUR", -550),
        ("-0.00", "EUR", 0),
        ("8E+1", "EUR", 8000),
        ("0E+999999", "EUR", 0),
    ],
)
def test_an_amount_becomes_minor_units(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        ("80.001", "EUR", "amount_too_precise"),
        ("80.000", "EUR", "amount_too_precise"),
        ("80.0", "JPY", "amount_too_precise"),
        ("1E-999999", "EUR", "amount_too_precise"),
        ("NaN", "EUR", "amount_not_finite"),
        ("sNaN", "EUR", "amount_not_finite"),
        ("-Infinity", "EUR", "amount_not_finite"),
        ("1E+1000000", "EUR", "amount_too_large"),
        ("10000000000000.01", "EUR", "amount_too_large"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(amount: str, currency: str, reason: str) -> None:
    with pytest.raises(AmountError) as wrong:
        to_minor(Decimal(amount), currency)
    assert wrong.value.text.key == reason


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(8000, "EUR", "80.00"), (0, "EUR", "0.00"), (5, "KWD", "0.005"), (-7, "JPY", "-7")],
)
def test_minor_units_show_the_decimals_of_their_currency(minor: int, currency: str, shown: str) -> None:
    assert str(to_decimal(minor, currency)) == shown


@given(st.integers(-LARGEST, LARGEST), st.sampled_from(["JPY", "EUR", "KWD"]))
def test_there_and_back_changes_nothing(minor: int, currency: str) -> None:
    assert to_minor(to_decimal(minor, currency), currency) == minor


def test_only_currencies_in_use_are_known() -> None:
    assert {"EUR", "CHF", "JPY", "KWD"} < currencies()
    assert currencies().isdisjoint({"DEM", "XXX", "eur", "EURO"})
