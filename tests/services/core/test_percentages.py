"""Percentages between people and pricing."""

from decimal import Decimal

import pytest

from services.core.percentages import PercentageError, to_percentage, to_ten_thousandths


@pytest.mark.parametrize("written", ["0.0001", "3", "12.5", "12.3456", "100", "100.0000"])
def test_a_percentage_is_the_same_on_both_sides(written: str) -> None:
    assert to_percentage(to_ten_thousandths(Decimal(written))) == Decimal(written)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("0", "percentage_range"),
        ("-5", "percentage_range"),
        ("100.01", "percentage_range"),
        ("12.34567", "percentage_too_precise"),
        ("12.50000", "percentage_too_precise"),
    ],
)
def test_what_is_no_percentage_off_is_refused(written: str, reason: str) -> None:
    with pytest.raises(PercentageError) as refused:
        to_ten_thousandths(Decimal(written))
    assert refused.value.text.key == reason
