"""Every text in every language: one word for each thing, right plurals, no words of programs, good typography."""

import re
import tomllib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from string import Formatter

import pytest
from babel import Locale

from services.core.texts import Language, text
from services.core.viewer import StaffRole
from services.pricing.facts.offers import OfferState, TargetType
from services.pricing.facts.tickets import ProductFamily

ROOT = Path(__file__).parents[3]
TEXTS = tomllib.loads((ROOT / "src" / "services" / "core" / "texts.toml").read_text(encoding="utf-8"))
PREFIXES: dict[type[StrEnum], str] = {
    StaffRole: "role",
    OfferState: "state",
    TargetType: "target",
    ProductFamily: "family",
}
FORMS = {"fr": 3, "en": 2, "de": 2, "es": 3, "it": 3}
"""Plural forms of whole numbers by CLDR, in the order one, other, many."""
NARROW = "\N{NARROW NO-BREAK SPACE}"
OTHERS = {
    "fr": "“”„\"'`",
    "en": "«»„'`",
    "de": "«»”'’`",
    "es": "“”„'`",
    "it": "“”„'`",
}
"""Quotes and apostrophes that are another language's, or a typewriter's."""


def faulty(language: str, wrong: Callable[[str], object]) -> dict[str, object]:
    """What is wrong with each text of a language, by its key."""
    found = {key: wrong(languages[language]) for key, languages in TEXTS.items()}
    return {key: each for key, each in found.items() if each}


def forbidden() -> dict[str, list[str]]:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    [listed] = re.findall(r"```toml\n(.*?)```", glossary, re.DOTALL)
    return tomllib.loads(listed)


FORBIDDEN = forbidden()


def words_of(said: str) -> str:
    """What a reader sees but for the values: the prose, and every plural form."""
    parts = []
    for prose, _, how, _ in Formatter().parse(said):
        parts.append(prose)
        parts.append(" ".join(how.split("|")) if how and "|" in how else "…")
    return "".join(parts)


@pytest.mark.parametrize("language", FORMS)
def test_each_thing_is_called_by_its_one_word(language: str) -> None:
    any_of_them = re.compile(rf"\b(?:{'|'.join(FORBIDDEN[language])})\b", re.IGNORECASE)
    assert faulty(language, lambda said: any_of_them.findall(words_of(said))) == {}


def test_the_glossary_forbids_words_in_every_language() -> None:
    assert set(FORBIDDEN) == {language.lower() for language in Language}
    assert all(FORBIDDEN.values())


@pytest.mark.parametrize("language", FORMS)
def test_no_text_shows_names_of_fields_types_or_constants(language: str) -> None:
    of_programs = re.compile(r"`|[a-z][A-Z]|[A-Za-z]_[A-Za-z]|\brefusals\b")
    assert faulty(language, lambda said: of_programs.findall(words_of(said))) == {}


def ill_set(language: str, said: str) -> list[str]:
    prose = re.sub(r'"[\d.]+"', "", words_of(said))  # as it has to stand in a data file
    wrong = [sign for sign in OTHERS[language] + '"' if sign in prose]
    wrong += re.findall(r"  |^ | $", prose)
    if language == "fr":
        wrong += re.findall(rf"[^{NARROW}][;!?»]|«[^{NARROW}]|[^{NARROW}\w]:(?!//)|[ ]:", prose)
    else:
        wrong += re.findall(rf"[ {NARROW}][;:!?»]", prose)
    if language == "es" and (prose.count("¿"), prose.count("¡")) != (prose.count("?"), prose.count("!")):
        wrong.append("¿¡")
    return wrong


@pytest.mark.parametrize("language", FORMS)
def test_quotes_apostrophes_and_spaces_are_those_of_the_language(language: str) -> None:
    assert faulty(language, lambda said: ill_set(language, said)) == {}


@pytest.mark.parametrize("language", FORMS)
def test_every_plural_has_the_forms_of_the_language(language: str) -> None:
    def wrong(said: str) -> list[str]:
        plurals = [how for _, _, how, _ in Formatter().parse(said) if how and "|" in how]
        return [how for how in plurals if len(list(filter(str.strip, how.split("|")))) != FORMS[language]]

    assert faulty(language, wrong) == {}


def test_the_forms_are_those_of_cldr() -> None:
    for language, number in FORMS.items():
        of_whole_numbers = {Locale(language).plural_form(n) for n in (*range(200), 1_000, 10**6, 2 * 10**6, 10**7)}
        assert len(of_whole_numbers) == number


@pytest.mark.parametrize("language", FORMS)
def test_a_number_never_stands_before_a_word_that_does_not_bend(language: str) -> None:
    """A bare number is followed by the end of what it belongs to: what is counted stands inside the plural."""
    counts = r"\{(?:most|maximum|least|found|number|quantity|entries|seconds|decimals|max_length)\} \w"
    between = {"de", "a", "à", "to", "bis", "of", "be", "possibles", "posibles", "possibili", "are", "must", "mögliche"}
    bare = [
        key
        for key, languages in TEXTS.items()
        for hit in re.finditer(counts + r"+", languages[language])
        if hit.group().rpartition(" ")[2] not in between
    ]
    assert bare == []


@pytest.mark.parametrize("names", PREFIXES)
def test_every_name_of_an_enum_that_sentences_show_has_a_word(names: type[StrEnum]) -> None:
    prefix = PREFIXES[names]
    assert {f"{prefix}_{name}" for name in names} == {
        key for key in TEXTS if key.startswith(f"{prefix}_") and key[-1].isupper()
    }


@pytest.mark.parametrize(
    ("language", "one", "two"),
    [
        (Language.FR, "Un panier compte au plus 1 billet ; 2 sont demandés.", "au plus 2 billets ; 1 est demandé."),
        (Language.EN, "A basket has at most 1 ticket; 2 are asked for.", "at most 2 tickets; 1 is asked for."),
        (Language.DE, "Ein Warenkorb hat höchstens 1 Ticket; angefordert sind 2.", "2 Tickets; angefordert ist 1."),
        (Language.ES, "Una cesta tiene como máximo 1 entrada; se han pedido 2.", "2 entradas; se ha pedido 1."),
        (Language.IT, "al massimo 1 biglietto; ne sono stati chiesti 2.", "2 biglietti; ne è stato chiesto 1."),
    ],
)
def test_one_ticket_and_two_tickets(language: Language, one: str, two: str) -> None:
    def said(most: int, found: int) -> str:
        return text("too_many_tickets", maximum=most, found=found).in_language(language).replace(NARROW, " ")

    assert said(1, 2).endswith(one)
    assert said(2, 1).endswith(two)


@pytest.mark.parametrize(
    ("language", "million"),
    [
        (Language.FR, "Demandez de 1 à 5 000 000 de codes."),
        (Language.EN, "Ask for 1 to 5,000,000 codes."),
        (Language.DE, "Bitte 1 bis 5.000.000 Codes anfordern."),
        (Language.ES, "Pida de 1 a 5.000.000 de códigos."),
        (Language.IT, "Chiedi da 1 a 5.000.000 di codici."),
    ],
)
def test_millions_are_grouped_and_have_a_form_of_their_own(language: Language, million: str) -> None:
    assert text("quantity_of_codes", most=5_000_000).in_language(language).replace(NARROW, " ") == million


def test_states_and_roles_are_told_in_words() -> None:
    said = text("state_does_not_follow", now="DRAFT", state="RUNNING", following="CLOSED, VALIDATED")
    assert "brouillon" in said.in_language(Language.FR)
    assert (
        said.in_language(Language.EN)
        == "The offer cannot go from “draft” to “running”. It can become: closed, validated."
    )
    assert text("forbidden_role", roles="SALES, CODES").in_language(Language.DE).endswith(": Verkauf, Codes.")
