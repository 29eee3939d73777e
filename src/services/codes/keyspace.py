"""How guessable a list of codes is: how many more could be made that look like them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from math import prod
from typing import Final

LEAST_ROOM: Final = 10
"""Codes that must be possible for each that is real: else whoever knows what they look like soon finds one."""
A_FEW: Final = 100
"""Codes that may be guessable, like those that somebody chooses."""

_LETTERS: Final = 26
_DIGITS: Final = 10


@dataclass(slots=True)
class Keyspace:
    """The form that codes have in common, learnt from any number of them in little memory.

    A letter or sign that all of them have in the same place is part of a prefix, or fixed elsewhere, and adds nothing.
    Digits count even where they do not vary: serial numbers begin with the same ones.
    """

    number: int = 0
    _lengths: set[int] = field(default_factory=set)
    _places: list[set[str]] = field(default_factory=list)

    def add(self, codes: Sequence[str]) -> None:
        """Learns from more codes, as they were written."""
        self.number += len(codes)
        for place, letters in enumerate(zip_longest(*codes, fillvalue="")):
            if place == len(self._places):
                self._places.append(set())
            self._places[place].update(letters)
        self._lengths.update(map(len, codes))

    @property
    def room(self) -> int:
        """How many codes of this form there can be."""
        choices = [_choices(letters - {""}) for letters in self._places]
        return sum(prod(choices[:length]) for length in self._lengths)

    @property
    def is_too_small(self) -> bool:
        """Whether there are more than a few codes, and too many of those that are possible."""
        return self.number >= A_FEW and self.room < LEAST_ROOM * self.number


def _choices(letters: set[str]) -> int:
    has_digits = any(letter.isdecimal() for letter in letters)
    others = {letter.upper() for letter in letters if not letter.isdecimal()}
    return _DIGITS * has_digits + (_LETTERS if len(others) > 1 else len(others))
