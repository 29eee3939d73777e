"""What must not be read in a log is taken out of every line, wherever it came from: our words, a library's, an error's.

Passwords, keys and tokens, mail addresses, codes and barcodes are known by their shape, the secrets of the settings by
their value, and what a client sent by having been sent. Ids of faults and requests, times and UUIDs stay.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from structlog.typing import EventDict, WrappedLogger

from services.codes.format import has_valid_check, normalise
from services.core.sent import Sent

MASK: Final = "***"

_KEPT: Final = frozenset({"timestamp", "level", "logger", "request_id", "id", "fault"})
_SECRET_NAME: Final = re.compile(r"password|passwd|secret|token|authorization|cookie|e-?mail", re.IGNORECASE)
_LONGEST: Final = 4_096  # Characters of one text that are written.
_SHORTEST_SECRET: Final = 4
_SHORTEST_SENT: Final = 3  # No chosen code is shorter.

# ── Shapes ───────────────────────────────────────────────────────────────────────────────────────

# Repetitions are bounded: a client chooses the paths that are logged, and could make an unbounded one take seconds.
# Up to the last @: passwords hold any character, and not everybody encodes them.
_IN_ADDRESS: Final = re.compile(r"""://(?:[^\s:/@'"]{0,128}:[^\s'"]{0,256}@|[^\s/?#'"@]{0,256}@)""")
_MAIL: Final = re.compile(r"""[^\s@<>()\[\]{},;:"'=/*]{1,64}(?:@|%40)[^\s@<>()\[\]{},;:"'=&/?]+""")
_NAMED: Final = re.compile(
    r"""((?:pass(?:word|wd|phrase)|secret|token|api[_-]?key|authorization|cookie|credential|input_value)[\w-]{0,20}
        ['"]?\s*(?:=|:(?!//))\s*)
        (?:b?"(?:[^"\\]|\\.){0,512}"|b?'(?:[^'\\]|\\.){0,512}'|(?:bearer|basic|digest|negotiate)\s+[^\s,;"'&]+|[^\s,;&"')\]}]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_BEARER: Final = re.compile(r"\b((?:bearer|negotiate)\s+)[^\s,;\"']{8,}|\b(basic\s+)[\w+/=-]{16,}", re.IGNORECASE)
# Whole or cut short; names of modules have no digits and capitals.
_KEY: Final = re.compile(r"\bsesame\.\S{1,128}?\.(?=[\w-]*[A-Z])(?=[\w-]*[0-9])[\w-]{12,}", re.ASCII)
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*")
_TOKEN: Final = re.compile(
    r"(?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*[0-9])[\w-]{32,}", re.ASCII
)  # As ids on the wire are too, some of which open a basket.
_BARCODE: Final = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{20}(?![0-9A-Za-z])")

# What PostgreSQL, its driver and SQLAlchemy quote of rows and parameters.
_QUOTED: Final = re.compile(r"\b(DETAIL|CONTEXT|QUERY):.*?(?=\n(?:HINT:|\[SQL)|\Z)", re.DOTALL)
_PARAMETERS: Final = re.compile(r"\[parameters: .*?\](?=\n|\Z)", re.DOTALL)
_INVALID: Final = re.compile(r"(invalid input [^:\n]*|out of range): .*")

_LETTER: Final = "[0-9A-TV-Za-tv-z]"  # Of Crockford's base 32, and those that are read alike.
_GAP: Final = r"(?:[\s_.+\u00ad\u2010-\u2015\u2212\u200b-\u200d\u2060\ufeff-]|%20|%2[dD])"
_CODE: Final = re.compile(rf"(?<![0-9A-Za-z]){_LETTER}(?:{_GAP}{{0,3}}{_LETTER}){{15}}(?![0-9A-Za-z])")
_GAPS: Final = re.compile(f"{_GAP}+")
_SPAN_ID: Final = re.compile("[0-9a-f]{16}")
_NO_CODE: Final = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|\d{1,3}(?:\.\d{1,3}){3}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?"
)


class Masking:
    """The step before the last of each line. ``secrets`` are masked wherever they stand, whatever they look like."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        known = sorted((each for each in secrets if len(each) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._known = re.compile("|".join(map(_by_itself, known))) if known else None

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        sent = event.pop("sent", None)
        for name, value in event.items():
            if name not in _KEPT:
                event[name] = MASK if value is not None and _is_secret(name) else self._value(value)
        if isinstance(sent, Sent):
            # Our own words hold nothing that was sent; those of an error and of a library may.
            words = _OF_LIBRARIES if "logger" in event else _OF_FAULTS
            told = {name: event[name] for name in words if name in event}
            if told:
                event.update(_without(told, _known_of(sent, told)))
        return event

    def text(self, text: str) -> str:
        """The text with everything masked that is known by its shape or its value."""
        if len(text) > _LONGEST:
            # The first lines of a traceback say where it began, the last ones what it was.
            half = _LONGEST // 2
            text = f"{text[:half]} … ({len(text) - 2 * half} more characters) … {text[-half:]}"
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if "@" in text or "%40" in text:
            text = _MAIL.sub(MASK, _IN_ADDRESS.sub(f"://{MASK}@", text))
        if "=" in text or ":" in text:
            text = _without_quotes(_NAMED.sub(rf"\1{MASK}", text))
        return _without_tokens(text) if len(text) >= 16 else text

    def _value(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | int | float | UUID | datetime):
            return value
        if isinstance(value, Mapping):
            return {self.text(str(name)): self._value(each) for name, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(each) for each in value]
        return self.text(str(value))


_OF_FAULTS: Final = ("exception", "reason")
_OF_LIBRARIES: Final = ("event", *_OF_FAULTS)

_OF_PROGRAM: Final = frozenset({"exc_type", "filename", "name", "module"})
"""What a traceback says of the program, and not of what it was given."""


def _known_of(sent: Iterable[str], told: EventDict) -> list[str]:
    """What was sent and is told again, in whatever spelling, the longest first: one may be a part of another."""
    haystack = "\n".join(_texts(told)).casefold()
    given = {each for each in sent if len(each) >= _SHORTEST_SENT}
    spellings = given | {short for each in given if len(short := normalise(each)) >= _SHORTEST_SENT}
    return sorted((each for each in spellings if each.casefold() in haystack), key=len, reverse=True)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name not in _OF_PROGRAM:
                yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _without(value: Any, hidden: Sequence[str]) -> Any:
    """The same with ``hidden`` masked in what ``_texts`` finds."""
    if isinstance(value, str):
        for each in hidden:
            value = re.sub(_by_itself(each), MASK, value, flags=re.IGNORECASE)
        return value
    if isinstance(value, Mapping):
        return {name: each if name in _OF_PROGRAM else _without(each, hidden) for name, each in value.items()}
    return [_without(each, hidden) for each in value] if isinstance(value, list) else value


@lru_cache(1_024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _by_itself(text: str) -> str:
    return rf"(?<![0-9A-Za-z]){re.escape(text)}(?![0-9A-Za-z])"


def _without_quotes(text: str) -> str:
    if "DETAIL:" in text or "CONTEXT:" in text or "QUERY:" in text:
        text = _QUOTED.sub(rf"\1: {MASK}", text)
    if "[parameters: " in text:
        text = _PARAMETERS.sub(f"[parameters: {MASK}]", text)
    return _INVALID.sub(rf"\1: {MASK}", text) if "invalid input" in text or "out of range" in text else text


def _without_tokens(text: str) -> str:
    text = _BEARER.sub(rf"\1\2{MASK}", text)
    text = _TOKEN.sub(MASK, _KEY.sub(MASK, text))
    text = _BARCODE.sub(MASK, _JWT.sub(MASK, text) if "eyJ" in text else text)
    return _without_codes(text)


def _without_codes(text: str) -> str:
    candidates = list(_candidates(text))
    spans: list[tuple[int, int]] = []
    # Whole codes first: one with a typing error is looked for in what they leave.
    for is_meant in (_is_code, _may_be_mistyped):
        for each in candidates:
            start, end = each.span()
            free = all(end <= begun or ended <= start for begun, ended in spans)
            if free and is_meant(each[0]) and not _is_known(text, each):
                spans.append((start, end))
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start]}{MASK}{text[end:]}"
    return text


def _candidates(text: str) -> Iterator[re.Match[str]]:
    """Whatever is as long as a code. They overlap: a word before a code may be taken for its beginning."""
    at = 0
    while found := _CODE.search(text, at):
        yield found
        at = found.start() + 1


def _is_code(found: str) -> bool:
    """Whether it is a random code, in any grouping.

    Words are none that have no digit, or small letters beside capital ones, unless they are grouped as codes are; one
    code in four hundred has no digit.
    """
    letters = _GAPS.sub("", found)
    is_of_words = letters.isalpha() or not (letters.isupper() or letters.islower())
    if letters.isdigit() or (is_of_words and not _is_grouped(found)):
        return False
    return has_valid_check(normalise(letters))


def _may_be_mistyped(found: str) -> bool:
    """Whether it looks like a random code but for the check character: few tries lead from it to the code."""
    letters = _GAPS.sub("", found)
    mixed = not letters.isalpha() and not letters.isdigit()
    return mixed and _is_grouped(found) and not _SPAN_ID.fullmatch(found)


def _is_grouped(found: str) -> bool:
    """Whether it is written in one piece, or in four groups of four."""
    return [len(group) for group in _GAPS.split(found)] in ([16], [4, 4, 4, 4])


def _is_known(text: str, found: re.Match[str]) -> bool:
    """Whether it is a part of a UUID, an address or an instant."""
    return any(each.start() < found.end() and found.start() < each.end() for each in _NO_CODE.finditer(text))
