"""Every sentence that people read, in five languages.

The sentences stand in ``texts.toml``, the five languages side by side, so that a translator sees them together. How a
value is written in a sentence, such as a number with what it counts, is said there too: ``services/core/wording.py``.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from services.core.wording import Language, Value, in_language

__all__ = ["Language", "Text", "localised", "text"]

_TEXTS: Final[dict[str, dict[str, str]]] = tomllib.loads(
    files("services.core").joinpath("texts.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence by its key in ``texts.toml``, with the values of its placeholders.

    Values are whole numbers, strings and names by language, so that a failure can be kept and told again in another
    language: instants as ``instants.local`` has them, amounts as in "80.00 EUR", names of an enum with ", " between.
    """

    key: str
    values: MappingProxyType[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def in_language(self, language: Language) -> str:
        values = {name: Value(value, language, _word) for name, value in self.values.items()}
        return _TEXTS[self.key][language.lower()].format(**values)


def text(key: str, **values: object) -> Text:
    """The sentence ``key`` with its placeholders filled by ``values``."""
    return Text(key, MappingProxyType(values))


def localised(name: Mapping[str, str], language: Language) -> str:
    """A name in ``language``, in French where it lacks that, else in whatever language it has."""
    return in_language(name, language)


def _word(key: str, language: Language) -> str | None:
    """The word of a vocabulary; None where the vocabulary has no such."""
    return _TEXTS[key][language.lower()] if key in _TEXTS else None
