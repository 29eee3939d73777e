"""What people write, and name and point to things with: which texts can be taken, and why others cannot."""

import re
import unicodedata
from typing import Final

from services.core.texts import Text, text

LONGEST_NAME: Final = 500
LONGEST_TEXT: Final = 10_000
LONGEST_LABEL: Final = 100
LONGEST_URL: Final = 2_000
LONGEST_SEARCH: Final = 200

_UNREADABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_URL: Final = re.compile(r"https?://[^\s/]+\S*")
_ORDER_DIGITS: Final = 8
_LONGEST_NUMBER: Final = 20
_UNSEEN: Final = frozenset({"Cc", "Cf"})
_SYMBOLOGY: Final = re.compile("^][A-Za-z][0-9A-Za-z]")
_UNWRITABLE: Final = frozenset({"Cc", "Cs"})


def is_readable(value: str) -> bool:
    """Without control characters and lone surrogates, which neither people nor PostgreSQL can read."""
    return not _UNREADABLE.search(value)


def check_words(value: str, most: int = LONGEST_NAME) -> Text | None:
    """A name: at most ``most`` characters, not all of them blank."""
    if len(value) > most:
        return text("text_too_long", max_length=most)
    if not is_readable(value):
        return text("text_characters")
    return None if value.strip() else text("text_blank")


def check_text(value: str) -> Text | None:
    """A text of several lines, such as terms: at most ``LONGEST_TEXT`` characters, not all of them blank."""
    reason = check_note(value, LONGEST_TEXT)
    return reason if reason or value.strip() else text("text_blank")


def check_note(value: str, most: int) -> Text | None:
    """A remark or a reason: at most ``most`` characters, none of them such that a database or a mail could not take it.

    Line breaks and tabs are welcome; other control characters and lone surrogates are not.
    """
    if len(value) > most:
        return text("text_too_long", max_length=most)
    written = all(letter in "\n\r\t" or unicodedata.category(letter) not in _UNWRITABLE for letter in value)
    return None if written else text("text_characters")


def check_label(value: str, most: int = LONGEST_LABEL) -> Text | None:
    """What a thing is known by in files and to staff: printable, without spaces around it."""
    reason = check_words(value, most)
    if reason is None and value != value.strip():
        return text("text_padded")
    return reason if reason or value.isprintable() else text("text_characters")


def check_url(value: str) -> Text | None:
    """An address on the web."""
    reason = check_words(value, LONGEST_URL)
    return reason if reason or _URL.fullmatch(value) else text("url_malformed")


def check_search(part: str | None) -> Text | None:
    """What is looked for in a list: printable, not too long; nothing and blanks find everything."""
    if part is None:
        return None
    if len(part) > LONGEST_SEARCH:
        return text("text_too_long", max_length=LONGEST_SEARCH)
    return None if part.isprintable() else text("text_characters")


def folded(words: str) -> str:
    """A text as searches compare it: without regard to case, accents and spaces around it."""
    letters = unicodedata.normalize("NFKD", words.strip().casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def scanned(barcode: str) -> str:
    """A barcode in capitals, without what scanners send with it.

    That is line ends, tabs, spaces, control and invisible signs, and before it the sign of its kind ("]C1", "]Q3").
    """
    signs = (sign for sign in barcode if not (sign.isspace() or unicodedata.category(sign) in _UNSEEN))
    return _SYMBOLOGY.sub("", "".join(signs)).upper()


def printed_number(written: str) -> str | None:
    """An order's number, as it is kept, from how people copy it; None where that is none.

    White space, and what cannot be seen, means nothing, and zeros at its beginning may be left out.
    """
    read = scanned(written)
    is_number = read.isascii() and read.isdigit() and len(read) <= _LONGEST_NUMBER
    return read.zfill(_ORDER_DIGITS) if is_number else None
