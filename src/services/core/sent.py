"""What a client sent, for whoever writes a log: none of it may be read there, and no shape tells a chosen code."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

_LITERAL: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


class Sent:
    """The texts of a request. Looked through only when a fault is logged: keeping it costs nothing."""

    __slots__ = ("_document", "_values")

    def __init__(self, values: object, document: str | None = None) -> None:
        self._values = values
        self._document = document

    def __iter__(self) -> Iterator[str]:
        """Each text among the values, however deep, and each that is written out in the document."""
        left = [self._values]
        while left:
            value = left.pop()
            if isinstance(value, str):
                yield value
            elif isinstance(value, Mapping):
                left.extend(value.values())
            elif isinstance(value, Iterable) and not isinstance(value, bytes):
                left.extend(value)
        yield from _LITERAL.findall(self._document or "")

    def __repr__(self) -> str:
        """Nothing of it: a log that was set up by somebody else might write it."""
        return "<what was sent>"
