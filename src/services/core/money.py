"""Amounts of money: exact decimals at the edge, whole minor units of the currency inside."""

from decimal import Decimal
from functools import cache
from typing import Final

from babel.core import get_global
from babel.numbers import get_currency_precision
from iso4217 import Currency

from services.core.texts import Text, text

LARGEST: Final = 10**15
"""The largest amount taken in, in minor units: sums of any basket stay far inside 64 bits."""


class AmountError(ValueError):
    """A decimal that is no amount of money in the currency; ``text`` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.key)
        self.text = text


@cache
def currencies() -> frozenset[str]:
    """ISO 4217 codes of the currencies that are legal tender somewhere today."""
    territories = get_global("territory_currencies").values()
    return frozenset(
        code for history in territories for code, _, end, is_tender in history if end is None and is_tender
    )


@cache
def decimals(currency: str) -> int:
    """How many decimals amounts in ``currency`` have by ISO 4217: 2 for EUR and RSD, 0 for JPY, 3 for KWD and IQD.

    CLDR, which rounds to what is in use, has others; it is asked for currencies that ISO 4217 no longer lists.
    """
    try:
        exponent: int | None = Currency(currency).exponent
    except ValueError:
        exponent = None
    return get_currency_precision(currency) if exponent is None else exponent


def to_minor(amount: Decimal, currency: str) -> int:
    """``amount`` in minor units: 80.00 EUR is 8000.

    Raises AmountError for NaN and infinities, for more than ``LARGEST``, and for decimals that the currency does not
    have, were they zeros: 80.000 EUR is more likely a slip than a price.
    """
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int):
        raise AmountError(text("amount_not_finite"))
    places = decimals(currency)
    if -exponent > places:
        raise AmountError(text("amount_too_precise", currency=currency, decimals=places))
    # adjusted() is the exponent of the first digit: judged before a huge power of ten is written out.
    if amount and amount.adjusted() + places > 15:
        raise AmountError(text("amount_too_large"))
    minor = int(amount.scaleb(places)) if amount else 0
    if abs(minor) > LARGEST:
        raise AmountError(text("amount_too_large"))
    return minor


def to_decimal(minor: int, currency: str) -> Decimal:
    """``minor`` units as a decimal with the currency's own number of decimals: 8000 EUR is 80.00."""
    return Decimal(minor).scaleb(-decimals(currency))
