"""How values are written in a sentence of a language: numbers and plurals, money, instants, words for names of enums.

What is right for a language is CLDR's to say, which Babel brings along.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from babel import Locale
from babel.dates import format_datetime
from babel.numbers import format_currency, format_decimal


class Language(StrEnum):
    """The languages that names and messages come in."""

    FR = "FR"
    EN = "EN"
    DE = "DE"
    ES = "ES"
    IT = "IT"


_LOCALES: Final = {language: Locale(language.lower()) for language in Language}

_INSTANTS: Final = {
    Language.FR: "d MMMM y 'à' HH:mm (ZZZZ)",
    Language.EN: "d MMMM y 'at' HH:mm (ZZZZ)",
    Language.DE: "d. MMMM y, HH:mm 'Uhr' (ZZZZ)",
    Language.ES: "d 'de' MMMM 'de' y, HH:mm (ZZZZ)",
    Language.IT: "d MMMM y, HH:mm (ZZZZ)",
}
"""The one form of instants in sentences. The offset tells the two instants of the hour that autumn has twice."""

_FIRST_OF_MONTH: Final = {Language.FR: "'1er'", Language.IT: "'1º'"}
"""Languages that have an ordinal for the first day of a month alone."""

Vocabulary = Callable[[str, Language], str | None]
"""Gives the word for a key such as ``state_RUNNING``."""


@dataclass(frozen=True, slots=True)
class Value:
    """A placeholder's value, written as the placeholder says.

    ``{n}``: a whole number with the language's separators, a name in its language, anything else as it is.
    ``{n:# ticket|# tickets}``: the form for the number by CLDR's plural rules, in which # is the number.
    ``{at:instant}``, ``{total:money}``: what is written for programs, for people. ``{states:state}``: each of the
    names, which have commas between, by its word. What cannot be read so stays as it is: no sentence
    fails.
    """

    value: object
    language: Language
    word: Vocabulary

    def __format__(self, how: str) -> str:
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return counted(self.value, how, self.language) if how else number(self.value, self.language)
        if isinstance(self.value, Mapping):
            return in_language(self.value, self.language)
        written = str(self.value)
        match how:
            case "":
                return written
            case "instant":
                return instant(written, self.language)
            case "money":
                return money(written, self.language)
        words = (self.word(f"{how}_{name}", self.language) or name for name in written.split(", "))
        return ", ".join(words)


def number(value: int, language: Language) -> str:
    """A whole number as the language groups its digits."""
    return format_decimal(value, locale=_LOCALES[language])


def counted(value: int, forms: str, language: Language) -> str:
    """The one of ``forms``, which have bars between, that goes with a number: one, other and, in languages that say
    "1 000 000 de billets", many.
    """
    one, *others = forms.split("|")
    match _LOCALES[language].plural_form(value):
        case "one":
            form = one
        case "many":
            form = others[-1]
        case _:
            form = others[0]
    return form.replace("#", number(value, language))


def instant(written: str, language: Language) -> str:
    """ "2026-10-25 02:30:00+02:00" as "25 October 2026 at 02:30 (GMT+02:00)", at the offset that it has."""
    with suppress(ValueError):
        at, form = datetime.fromisoformat(written), _INSTANTS[language]
        if at.day == 1:
            form = form.replace("d", _FIRST_OF_MONTH.get(language, "d"), 1)
        return format_datetime(at, form, locale=_LOCALES[language])
    return written


def money(written: str, language: Language) -> str:
    """ "80.00 EUR" as "€80.00", "80,00 €"…, with the decimals that it has: the currency's own by ISO 4217."""
    amount, _, currency = written.partition(" ")
    if not currency:
        return written
    locale, decimals = _LOCALES[language], amount.partition(".")[2]
    pattern = locale.currency_formats["standard"].pattern.replace(".00", decimals and "." + "0" * len(decimals))
    return format_currency(Decimal(amount), currency, pattern, locale, currency_digits=False)


def in_language(name: Mapping[str, str], language: Language) -> str:
    """A name in ``language``, in French where it lacks that, else in whatever language it has."""
    return name.get(language.lower()) or name.get("fr") or next(iter(name.values()), "")
