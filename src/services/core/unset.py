"""What a request leaves out, told apart from what it clears."""

from enum import Enum
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")


class Unset(Enum):
    """The type of what nobody gave: it stays as it is, where None clears it."""

    UNSET = "UNSET"


UNSET: Final = Unset.UNSET

Given: TypeAlias = T | Unset | None
"""A value, None to clear it, or UNSET to leave it as it is."""
