"""What codes look like, and when two spellings are the same code."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codes.format import (
    ALPHABET,
    LENGTH,
    check_chosen,
    check_entered,
    display,
    has_valid_check,
    is_mistyped,
    is_random_form,
    normalise,
    random_codes,
    tidied,
)

CODES = [code.decode() for code in random_codes(50)]


def test_a_random_code_has_sixteen_characters_of_the_alphabet() -> None:
    assert all(is_random_form(code) for code in CODES)


def test_a_random_code_satisfies_its_check() -> None:
    assert all(has_valid_check(code) for code in CODES)


def test_random_codes_come_in_ascending_order() -> None:
    assert sorted(CODES) == CODES


def test_every_character_of_a_random_code_varies_over_the_whole_alphabet() -> None:
    columns = zip(*(code.decode() for code in random_codes(2_000)), strict=True)
    assert all(set(column) == set(ALPHABET) for column in columns)


def test_no_codes_are_made_when_none_are_wanted() -> None:
    assert random_codes(0) == []


def test_every_single_mistyped_character_is_detected() -> None:
    code = CODES[0]
    wrong = (
        code[:position] + letter + code[position + 1 :]
        for position in range(LENGTH)
        for letter in ALPHABET
        if letter != code[position]
    )
    assert all(is_mistyped(each) for each in wrong)


def test_any_two_characters_that_changed_places_are_detected() -> None:
    for code in CODES:
        for left, right in combinations(range(LENGTH), 2):
            if code[left] != code[right]:
                swapped = list(code)
                swapped[left], swapped[right] = code[right], code[left]
                assert is_mistyped("".join(swapped))


def test_a_code_is_shown_in_four_groups_of_four() -> None:
    assert display("48MKSKBNTYDE392H") == "48MK SKBN TYDE 392H"


def test_a_chosen_code_is_shown_as_it_is() -> None:
    assert display("MERC110") == "MERC110"


@pytest.mark.parametrize(
    "spelling",
    [
        "48MK SKBN TYDE 392H",
        "48mkskbntyde392h",
        " 48MK-SKBN-TYDE-392H\n",
        "48MK\u00a0SKBN\u2009TYDE\u3000392H",
        "48MK\u2013SKBN\u2014TYDE\u2212392H",
        "48MK\u200bSKBN\ufeffTYDE\u00ad392H",
        "４８ＭＫ　ＳＫＢＮ　ＴＹＤＥ　３９２Ｈ",
    ],
)
def test_spellings_of_one_code_are_the_same(spelling: str) -> None:
    assert normalise(spelling) == "48MKSKBNTYDE392H"


def test_o_is_read_as_zero_and_i_and_l_as_one() -> None:
    assert normalise("oO0 iI1 lL") == "000111" + "11"


@given(st.text(max_size=80))
def test_a_normalised_code_stays_as_it_is(entered: str) -> None:
    assert normalise(normalise(entered)) == normalise(entered)


@pytest.mark.parametrize("entered", ["COUPON3%", "TYD-STAFF", "48MK SKBN TYDE 392H", "été 2026", "x"])
def test_what_may_be_a_code_is_looked_up(entered: str) -> None:
    assert check_entered(entered) is None


@pytest.mark.parametrize(
    ("entered", "problem"),
    [
        ("", "code_empty"),
        (" - ", "code_empty"),
        ("A" * 65, "code_too_long"),
        ("A" * 10_000, "code_too_long"),
        ("AB\0CD", "code_characters"),
        ("AB\ud800CD", "code_characters"),
        ("AB\x1bCD", "code_characters"),
    ],
)
def test_what_cannot_be_a_code_is_told_so(entered: str, problem: str) -> None:
    found = check_entered(entered)
    assert found is not None
    assert found.key == problem


@pytest.mark.parametrize(
    "chosen", ["COUPON3%", "TYD-STAFF", "Été 2026", "A+B=C!", "ÑANDÚ", pytest.param(CODES[0], id="random")]
)
def test_latin_letters_digits_and_punctuation_may_be_chosen(chosen: str) -> None:
    assert check_chosen(chosen) is None


@pytest.mark.parametrize("chosen", ["1001234567890123", "COMITEENTREPRISE", "0123456789abcdef", "0000000000000001"])
def test_a_code_of_others_may_be_chosen_whatever_the_check_of_ours_says(chosen: str) -> None:
    assert is_mistyped(normalise(chosen))
    assert check_chosen(chosen) is None


@pytest.mark.parametrize(
    "chosen", ["TYD\u20112026", "TYD\u20132026", "\ufeffTYD\u22122026", "TYD\u200b-2026", "TYD\u00ad-2026\t"]
)
def test_a_code_may_be_chosen_in_any_spelling_and_is_shown_as_a_keyboard_has_it(chosen: str) -> None:
    assert check_chosen(chosen) is None
    assert (normalise(chosen), tidied(chosen)) == ("TYD2026", "TYD-2026")


def test_no_break_spaces_are_shown_as_spaces() -> None:
    assert tidied("Membre\u00a0n°\u202f12") == "Membre n° 12"


@pytest.mark.parametrize("spelling", ["gruẞ", "gruß", "gruss", "GRUSS", "GRUẞ", "GRUß"])
def test_sharp_s_is_double_s(spelling: str) -> None:
    assert check_chosen(spelling) is None
    assert normalise(spelling) == "GRUSS"


@pytest.mark.parametrize(
    ("listed", "code"),
    [
        ("'-5OFF", "-5OFF"),
        ("'=A1B", "=A1B"),
        ("'+33 12", "+33 12"),
        ("'@home", "@home"),
        ("''-5OFF", "-5OFF"),
        ("'-'5OFF", "-'5OFF"),
    ],
)
def test_the_apostrophe_that_defuses_a_code_is_none_of_it(listed: str, code: str) -> None:
    assert normalise(listed) == normalise(code)
    assert tidied(listed) == code


@pytest.mark.parametrize("code", ["'TWAS", "L'ETE", "'5OFF", "ROCK'N'-ROLL"])
def test_any_other_apostrophe_belongs_to_its_code(code: str) -> None:
    assert "'" in normalise(code)
    assert tidied(code) == code


@given(st.text(alphabet="'-=+@5A \t\u2011\uff07ẞ\u200b", max_size=12))
def test_a_defused_code_stays_as_it_is_once_normalised(entered: str) -> None:
    assert normalise(normalise(entered)) == normalise(entered)


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ("СOUPON", "code_characters"),  # Cyrillic С
        ("COUPΟN", "code_characters"),  # Greek Ο
        ("COUPOQ\u0301", "code_characters"),
        ("卷", "code_characters"),
        ("A-1", "code_too_short"),
        ("", "code_empty"),
        ("A" * 65, "code_too_long"),
    ],
)
def test_a_code_that_a_customer_could_not_type_is_refused(chosen: str, problem: str) -> None:
    found = check_chosen(chosen)
    assert found is not None
    assert found.key == problem
