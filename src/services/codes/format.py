"""What codes look like, and when two spellings are the same code (docs/domain.md, Codes).

A random code is 16 characters of Crockford's base 32: 15 from the operating system's secure generator (75 bits) and a
check character. Read as numbers d0…d15 of the field GF(32), every code satisfies Σ αⁱ·dᵢ = 0 with α primitive. The
weights αⁱ differ and none is zero, so one mistyped character, or any two that changed places, break the sum.
"""

import re
import unicodedata
from functools import lru_cache
from os import urandom
from typing import Final

from services.core.texts import Text, text

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 16
MAX_LENGTH: Final = 64
"""Of any code, in characters after normalisation."""
MIN_CHOSEN: Final = 3
"""Of a code that somebody chose: anything shorter is found by trying."""

# Longer than any spelling of a code with its spaces and dashes; bounds the work done on what was typed.
_MAX_TYPED: Final = 256

# α = x in GF(2)[x] / (x⁵ + x² + 1), whose multiplicative group has the prime order 31.
_MODULUS: Final = 0b100101


def _times(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0b100000:
            a ^= _MODULUS
        b >>= 1
    return product


def _power(exponent: int) -> int:
    power = 1
    for _ in range(exponent % 31):
        power = _times(power, 2)
    return power


# Tables for bytes.translate. Of a random byte the lower five bits count.
_LETTER: Final = bytes(ord(ALPHABET[byte & 31]) for byte in range(256))
_WEIGHTED: Final = tuple(bytes(_times(_power(i), byte & 31) for byte in range(256)) for i in range(LENGTH))
_CHECK: Final = bytes(ord(ALPHABET[_times(_power(-(LENGTH - 1)), byte & 31)]) for byte in range(256))
_VALUES: Final = {letter: value for value, letter in enumerate(ALPHABET)}

_RANDOM_FORM: Final = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
_READ_ALIKE: Final = str.maketrans("OIL", "011")
_SPACES: Final = frozenset({"Zs", "Zl", "Zp"})
_UNREADABLE: Final = frozenset({"Cc", "Cs", "Cn", "Co"})
# What normalising does to ASCII in upper case; all that is said here of Unicode comes to this.
_ASCII: Final = str.maketrans("OIL", "011", " -\t\n\r")
_SIGNS_BETWEEN: Final = str.maketrans("", "", " -\t\n\r")
# The apostrophe that defuses a code in a list; the second where nothing stands between the characters any more.
_DEFUSED: Final = re.compile(r"\A['\s]*'\s*(?=[-=+@－＝＋＠])")
_DEFUSED_TOGETHER: Final = re.compile(r"\A'+(?=[=+@])")
# Latin letters with their accents, digits, and the punctuation of a keyboard.
_CHOSEN: Final = re.compile(r"[ -~\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f\u1e9e£€§°]*")


def random_codes(number: int) -> list[bytes]:
    """Fresh random codes, in ascending order: sorted codes enter a unique index more than twice as fast.

    Works on columns, all first characters, all second ones…, so that the loops run inside the interpreter's C code.
    Doubles among them are as improbable as doubles of what exists already, and are found by the same constraint.
    """
    codes = bytearray(number * LENGTH)
    total = 0
    for position in range(LENGTH - 1):
        column = urandom(number)
        codes[position::LENGTH] = column.translate(_LETTER)
        total ^= int.from_bytes(column.translate(_WEIGHTED[position]), "big")
    codes[LENGTH - 1 :: LENGTH] = total.to_bytes(number, "big").translate(_CHECK)
    joined = bytes(codes)
    return sorted([joined[start : start + LENGTH] for start in range(0, len(joined), LENGTH)])


def normalise(entered: str) -> str:
    """What is stored and compared: upper case, no spaces or dashes, O read as 0, I and L as 1.

    Compatibility forms (full-width letters, ligatures) are read as what they stand for, ẞ and ß as SS. An apostrophe
    that keeps a spreadsheet from running a code, as lists have it before =, +, - and @, is none of the code.
    """
    return _normalised(entered) if len(entered) > _MAX_TYPED else _remembered(entered)


def _normalised(entered: str) -> str:
    plain = entered if entered.isascii() else _typed(unicodedata.normalize("NFKC", entered))
    if "'" in plain:
        plain = _DEFUSED_TOGETHER.sub("", _DEFUSED.sub("", plain).translate(_SIGNS_BETWEEN))
    if plain.isascii():
        return plain.upper().translate(_ASCII)
    # Upper case alone would leave ẞ as it is and make SS of ß.
    folded = plain.translate(_SIGNS_BETWEEN).casefold().upper()
    return unicodedata.normalize("NFKC", folded).translate(_READ_ALIKE)


def tidied(chosen: str) -> str:
    """A code that somebody chose or wrote into a list, as it is kept and shown: of what means nothing in a code there
    remain spaces and dashes that every keyboard has.
    """
    plain = chosen if chosen.isascii() else _typed(unicodedata.normalize("NFC", chosen))
    return _DEFUSED.sub("", " ".join(plain.split()))


# Whoever prices a basket or enters a code asks this of the same few codes, many times over.
_remembered: Final = lru_cache(4_096)(_normalised)


def is_random_form(code: str) -> bool:
    """Whether a normalised code has the length and letters of a random one."""
    return _RANDOM_FORM.fullmatch(code) is not None


def has_valid_check(code: str) -> bool:
    """Whether a normalised code of random form satisfies its check."""
    total = 0
    for position, letter in enumerate(code):
        total ^= _WEIGHTED[position][_VALUES[letter]]
    return total == 0


def is_mistyped(code: str) -> bool:
    """Whether a normalised code that is not found looks like a random one with a typing error.

    It only words the answer: a code that exists is never mistyped, whoever made it.
    """
    return is_random_form(code) and not has_valid_check(code)


def display(code: str) -> str:
    """A normalised code as it is shown and printed: a random one in four groups of four, any other as it is."""
    if not is_random_form(code):
        return code
    return f"{code[:4]} {code[4:8]} {code[8:12]} {code[12:]}"


def check_entered(entered: str) -> Text | None:
    """Why what somebody typed cannot be a code of any kind, None where it can; asked before any look-up."""
    if len(entered) > _MAX_TYPED:
        return text("code_too_long", most=MAX_LENGTH)
    if not _is_readable(entered):
        return text("code_characters")
    code = normalise(entered)
    if not code:
        return text("code_empty")
    return text("code_too_long", most=MAX_LENGTH) if len(code) > MAX_LENGTH else None


def check_chosen(chosen: str) -> Text | None:
    """Why a code that somebody chose, custom or access, cannot be taken; None where it can.

    Latin letters with accents, digits and a keyboard's punctuation, 3 to 64 characters without spaces and dashes:
    letters of another script that only look Latin could not be typed by the customer who reads them. Whether it
    satisfies the check of random codes is nobody's business: codes of others know nothing of it.
    """
    problem = check_entered(chosen)
    if problem is not None:
        return problem
    if not _CHOSEN.fullmatch(unicodedata.normalize("NFKC", tidied(chosen)).strip()):
        return text("code_characters")
    return text("code_too_short", least=MIN_CHOSEN) if len(normalise(chosen)) < MIN_CHOSEN else None


def _typed(plain: str) -> str:
    """With plain spaces and dashes, and without invisible characters."""
    return "".join(map(_sign, plain))


def _sign(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    return " " if category in _SPACES else "" if category == "Cf" else character


def _is_readable(entered: str) -> bool:
    """No control characters but white space, no lone surrogates, no code points without a character."""
    if entered.isascii() and entered.isprintable():
        return True
    return all(character in "\t\n\r" or unicodedata.category(character) not in _UNREADABLE for character in entered)
