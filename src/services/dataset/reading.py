"""JSON as a data file may hold it: stricter than the parser, which lets doubled keys and NaN pass."""

import json
from collections.abc import Iterator
from typing import Never

from services.core.errors import InvalidInput, Path, Problem
from services.core.texts import Text, text
from services.dataset.fields import shown


def read(content: bytes) -> object:
    """The document in ``content``, UTF-8 with or without a byte order mark.

    Raises InvalidInput: with the line and column where it stops being JSON, or with every key that an object has twice,
    of which a parser would quietly take the last.
    """
    doubled: list[tuple[dict[str, object], str]] = []

    def as_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            doubled.extend((made, key) for key in made if keys.count(key) > 1)
        return made

    try:
        document: object = json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=as_object, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise _unreadable(text("file_not_utf8", position=error.start)) from None
    except json.JSONDecodeError as error:
        raise _unreadable(text("file_not_json", line=error.lineno, column=error.colno)) from None
    except RecursionError:
        raise _unreadable(text("file_too_deep")) from None
    except ValueError as error:
        raise _unreadable(text("file_number", reason=str(error))) from None
    if doubled:
        paths = {id(each): path for path, each in _objects(document)}
        # An object under a doubled key itself may have been dropped already: its path then ends at nothing.
        raise InvalidInput(
            [Problem((*paths.get(id(each), ()), shown(key)), text("key_twice")) for each, key in doubled]
        )
    return document


def _objects(document: object) -> Iterator[tuple[Path, object]]:
    """Every object of the document with its path, without recursion."""
    found: list[tuple[Path, object]] = [((), document)]
    while found:
        path, value = found.pop()
        if isinstance(value, dict):
            yield path, value
            found += [((*path, shown(key)), each) for key, each in value.items()]
        elif isinstance(value, list):
            found += [((*path, str(position)), each) for position, each in enumerate(value)]


def _refuse_constant(name: str) -> Never:
    raise ValueError(name)


def _unreadable(reason: Text) -> InvalidInput:
    return InvalidInput([Problem((), reason)])
