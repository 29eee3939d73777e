"""Instants, money, numbers and names as a sentence of each language has them."""

import pytest

from services.core.wording import Language, Value, instant, money

SPACES = str.maketrans("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}", "  ")


@pytest.mark.parametrize(
    ("language", "first", "other"),
    [
        (Language.FR, "1er mai 2027 à 20:00 (UTC+02:00)", "25 octobre 2026 à 02:30 (UTC+01:00)"),
        (Language.EN, "1 May 2027 at 20:00 (GMT+02:00)", "25 October 2026 at 02:30 (GMT+01:00)"),
        (Language.DE, "1. Mai 2027, 20:00 Uhr (GMT+02:00)", "25. Oktober 2026, 02:30 Uhr (GMT+01:00)"),
        (Language.ES, "1 de mayo de 2027, 20:00 (GMT+02:00)", "25 de octubre de 2026, 02:30 (GMT+01:00)"),
        (Language.IT, "1º maggio 2027, 20:00 (GMT+02:00)", "25 ottobre 2026, 02:30 (GMT+01:00)"),
    ],
)
def test_an_instant_has_one_form_in_each_language(language: Language, first: str, other: str) -> None:
    assert instant("2027-05-01 20:00:00+02:00", language) == first
    assert instant("2026-10-25 02:30:00+01:00", language) == other


@pytest.mark.parametrize(
    ("language", "euros", "yen"),
    [
        (Language.FR, "1 280,50 €", "8 000 JPY"),
        (Language.EN, "€1,280.50", "¥8,000"),
        (Language.DE, "1.280,50 €", "8.000 ¥"),
        (Language.ES, "1.280,50 €", "8.000 JPY"),
        (Language.IT, "1.280,50 €", "8.000 JPY"),
    ],
)
def test_money_is_written_as_the_language_does(language: Language, euros: str, yen: str) -> None:
    assert money("1280.50 EUR", language).translate(SPACES) == euros
    assert money("8000 JPY", language).translate(SPACES) == yen


def test_money_has_the_decimals_of_its_currency() -> None:
    assert money("1.250 KWD", Language.FR).translate(SPACES) == "1,250 KWD"


def test_what_cannot_be_read_stays_as_it_is() -> None:
    assert instant("2026-12-17 20:00 UTC", Language.FR) == "2026-12-17 20:00 UTC"
    assert money("12.00", Language.FR) == "12.00"
    assert f"{Value('NOVEL', Language.FR, lambda key, language: None):state}" == "NOVEL"


def test_a_name_is_told_in_the_language_or_in_french() -> None:
    name = {"fr": "Guichet", "en": "Box office"}
    assert f"{Value(name, Language.EN, lambda key, language: None)}" == "Box office"
    assert f"{Value(name, Language.DE, lambda key, language: None)}" == "Guichet"
