"""Every sentence that people read, in five languages.

The sentences stand in ``texts.toml``, the five languages side by side, so that a translator sees them together.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType
from typing import Final


class Language(StrEnum):
    """The languages that names and messages come in."""

    FR = "FR"
    EN = "EN"
    DE = "DE"
    ES = "ES"
    IT = "IT"


_TEXTS: Final[dict[str, dict[str, str]]] = tomllib.loads(
    files("services.core").joinpath("texts.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence by its key in ``texts.toml``, with the values of its placeholders."""

    key: str
    values: MappingProxyType[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def in_language(self, language: Language) -> str:
        return _TEXTS[self.key][language.lower()].format(**self.values)


def text(key: str, **values: object) -> Text:
    """The sentence ``key`` with its placeholders filled by ``values``."""
    return Text(key, MappingProxyType(values))


def localised(name: Mapping[str, str], language: Language) -> str:
    """A name in ``language``, in French where it lacks that, else in whatever language it has."""
    return name.get(language.lower()) or name.get("fr") or next(iter(name.values()), "")
