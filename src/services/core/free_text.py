"""Text that people write for people: remarks and reasons."""

import unicodedata
from typing import Final

_UNWANTED: Final = frozenset({"Cc", "Cs"})


def is_writable(written: str, *, least: int = 0, most: int) -> bool:
    """Whether it has an acceptable number of characters, and none that a database or a mail could not take.

    Line breaks and tabs are welcome; other control characters and lone surrogates are not.
    """
    return least <= len(written) <= most and all(
        letter in "\n\r\t" or unicodedata.category(letter) not in _UNWANTED for letter in written
    )
