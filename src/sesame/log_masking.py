"""What must not be read in a log is taken out of every line, wherever it came from: our words, a library's, an error's.

Passwords, keys and tokens, mail addresses, codes and barcodes are known by their shape, the secrets of the settings by
their value, and what a client sent by having been sent. Ids of faults and requests, times and UUIDs stay.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from structlog.typing import EventDict, WrappedLogger

from services.codes.format import has_valid_check, normalise
from services.core.sent import Sent

MASK: Final = "***"

_KEPT: Final = frozenset({"timestamp", "level", "logger", "request_id", "id", "fault"})
_SECRET_NAME: Final = re.compile(r"password|passwd|secret|token|authorization|cookie|e-?mail", re.IGNORECASE)
_LONGEST: Final = 8_192  # Characters of one text that are written.
_SHORTEST_SECRET: Final = 4
_SHORTEST_SENT: Final = 3  # No chosen code is shorter.

# ── Shapes ───────────────────────────────────────────────────────────────────────────────────────

# Up to the last @: passwords hold any character, and not everybody encodes them.
_IN_ADDRESS: Final = re.compile(r"""://(?:[^\s:/@'"]*:[^\s'"]*@|[^\s/?#'"@]*@)""")
_MAIL: Final = re.compile(r"""[^\s@<>()\[\]{},;:"'=/*]+(?:@|%40)[^\s@<>()\[\]{},;:"'=&/?]+""")
_NAMED: Final = re.compile(
    r"""((?:pass(?:word|wd|phrase)|secret|token|api[_-]?key|authorization|cookie|credential|input_value)[\w-]{0,20}
        ['"]?\s*(?:=|:(?!//))\s*)
        (?:b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*'|(?:bearer|basic|digest|negotiate)\s+[^\s,;"'&]+|[^\s,;&"')\]}]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_BEARER: Final = re.compile(r"\b((?:bearer|negotiate)\s+)[^\s,;\"']{8,}|\b(basic\s+)[\w+/=-]{16,}", re.IGNORECASE)
_KEY: Final = re.compile(r"\bsesame\.\S+?\.[A-Za-z0-9_-]{43}")
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
                event[name] = MASK if _SECRET_NAME.search(name) and value is not None else self._value(value)
        if isinstance(sent, Sent) and (texts := [name for name in _OF_FAULTS if name in event]):
            # Our own words hold nothing that was sent; those of an error and of a library may.
            if "logger" in event:
                texts.append("event")
            hide = _Hiding(sent)
            event.update({name: hide(event[name]) for name in texts})
        return event

    def text(self, text: str) -> str:
        """The text with everything masked that is known by its shape or its value."""
        if len(text) > _LONGEST:
            text = f"{text[:_LONGEST]}… ({len(text) - _LONGEST} more characters)"
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


class _Hiding:
    """Takes what was sent out of what an error says, in whatever spelling."""

    def __init__(self, sent: Iterable[str]) -> None:
        given = {each for each in sent if len(each) >= _SHORTEST_SENT}
        self._hidden = given | {short for each in given if len(short := normalise(each)) >= _SHORTEST_SENT}

    def __call__(self, value: object, name: str = "") -> object:
        if isinstance(value, str):
            return value if name in _OF_CODE else self._text(value)
        if isinstance(value, Mapping):
            return {key: self(each, str(key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self(each, name) for each in value]
        return value

    def _text(self, text: str) -> str:
        folded = text.casefold()
        for each in sorted((each for each in self._hidden if each.casefold() in folded), key=len, reverse=True):
            text = re.sub(_by_itself(each), MASK, text, flags=re.IGNORECASE)
        return text


_OF_CODE: Final = frozenset({"exc_type", "filename", "name", "module"})
"""What a traceback says of the program, and not of what it was given."""


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
    if len(text) >= 32:
        text = _TOKEN.sub(MASK, _KEY.sub(MASK, text))
    text = _BARCODE.sub(MASK, _JWT.sub(MASK, text) if "eyJ" in text else text)
    # Whole codes first: one with a typing error is looked for in what they leave.
    return _without_codes(_without_codes(text, mistyped=False), mistyped=True)


def _without_codes(text: str, *, mistyped: bool) -> str:
    pieces: list[str] = []
    done = at = 0
    while found := _CODE.search(text, at):
        at = found.start() + 1
        if (_may_be_mistyped(found[0]) if mistyped else _is_code(found[0])) and not _is_known(text, found):
            pieces += (text[done : found.start()], MASK)
            done = at = found.end()
    return "".join(pieces) + text[done:] if pieces else text


def _is_code(found: str) -> bool:
    """Whether it is a random code, in any grouping.

    Words without a digit are none, unless they are grouped as codes are; one code in four hundred has no digit.
    """
    letters = _GAPS.sub("", found)
    plain = letters.isalpha() and not _is_grouped(found)
    return not plain and not letters.isdigit() and has_valid_check(normalise(letters))


def _may_be_mistyped(found: str) -> bool:
    """Whether it looks like a random code but for the check character: few tries lead from it to the code."""
    letters = _GAPS.sub("", found)
    mixed = not letters.isalpha() and not letters.isdigit()
    return mixed and _is_grouped(found) and not _SPAN_ID.fullmatch(found)


def _is_grouped(found: str) -> bool:
    """Whether it is written in one piece, or in four groups of four."""
    return [len(group) for group in _GAPS.split(found)] in ([16], [4, 4, 4, 4])


def _is_known(text: str, found: re.Match[str]) -> bool:
    """Whether it is a part of a UUID or an instant."""
    return any(each.start() < found.end() and found.start() < each.end() for each in _NO_CODE.finditer(text))
