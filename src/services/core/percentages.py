"""Percentages: exact decimals at the edge, whole ten-thousandths of a percent inside."""

from decimal import Decimal
from typing import Final

from services.core.texts import Text, text

_DECIMALS: Final = 4


class PercentageError(ValueError):
    """A decimal that is no percentage off; ``text`` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.key)
        self.text = text


def to_ten_thousandths(percentage: Decimal) -> int:
    """``percentage`` in ten-thousandths of a percent: 12.5 is 125,000.

    Raises PercentageError unless it is above 0 and at most 100, and for more than four decimals, were they zeros.
    """
    if not 0 < percentage <= 100:
        raise PercentageError(text("percentage_range"))
    exponent = percentage.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > _DECIMALS:
        raise PercentageError(text("percentage_too_precise"))
    return int(percentage.scaleb(_DECIMALS))


def to_percentage(ten_thousandths: int) -> Decimal:
    """As people write it: 125,000 is 12.5."""
    return Decimal(ten_thousandths) / 10**_DECIMALS
