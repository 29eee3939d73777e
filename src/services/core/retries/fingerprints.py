"""Fingerprints of requests: equal for the same input, whatever the code that holds it is called by then.

A fingerprint is one byte that says which form it is of, and the SHA-256 of the request in that form. The form is JSON
of the values alone. Of records it has their fields by name, without those that are at their default. So these change no
fingerprint: another name or module for a class, another order of fields, a field that is new and has a default, and a
field that is renamed and says so by ``canonical_name``. A default that changes, or a value that is written otherwise,
changes them, and asks for the next version: keys that are open under this one are then to be compared in this one.
"""

from collections.abc import Mapping, Set
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache, singledispatch
from hashlib import sha256
from json import JSONEncoder
from typing import Final, cast
from uuid import UUID

from services.core.unset import Unset

VERSION: Final = b"\x01"

_NAME: Final = "canonical_name"
_JSON: Final = JSONEncoder(ensure_ascii=False)


def canonical_name(name: str) -> Mapping[str, str]:
    """Metadata of a dataclass's field that goes by another name in fingerprints: the one that it had at first."""
    return {_NAME: name}


def fingerprint(operation: str, request: object) -> bytes:
    """Which request of an operation it is, in 33 bytes. Raises TypeError where ``request`` holds what has no form."""
    written = form((operation, *arguments(request)))
    return VERSION + sha256(written.encode("utf-8", "surrogatepass")).digest()


def arguments(request: object) -> tuple[object, ...]:
    """The arguments that a request consists of: one, or those of a tuple, without any None at their end.

    So an operation can take another argument after those that it has, None where nobody gives it.
    """
    given = request if isinstance(request, tuple) else (request,)
    while given and given[-1] is None:
        given = given[:-1]
    return given


@singledispatch
def form(value: object) -> str:
    """The canonical form of a value: the same for equal ones, another for all others of its type and of other types.

    Strings, whole numbers, truth values, None and sequences are those of JSON; all else is an object whose one key says
    what it is. A decimal and an instant are what was written: 80.0 and 80.00 are two, and so is an instant under two
    offsets. A member of an enum of strings is its string. Raises TypeError for a type that has no form.
    """
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"no canonical form of {type(value).__name__}")
    written = ((field, form(getattr(value, field.attribute))) for field in record_fields(type(value)))
    given = sorted((field.name, own) for field, own in written if own != field.default)
    return _tagged("record", f"{{{','.join(f'{_string(name)}:{own}' for name, own in given)}}}")


@form.register
def _(value: None) -> str:
    return "null"


@form.register
def _(value: bool) -> str:
    return "true" if value else "false"


@form.register
def _(value: int) -> str:
    return int.__repr__(value)


@form.register
def _string(value: str) -> str:
    return _JSON.encode(value)


@form.register
def _(value: Decimal) -> str:
    return _tagged("decimal", _string(str(value)))


@form.register
def _(value: datetime) -> str:
    return _tagged("instant", _string(value.isoformat()))


@form.register
def _(value: UUID) -> str:
    return _tagged("uuid", _string(str(value)))


@form.register
def _(value: Enum) -> str:
    return _tagged("enum", form(value.value))


@form.register
def _(value: Unset) -> str:
    return _tagged("unset", "null")


@form.register(tuple)
@form.register(list)
def _(value: tuple[object, ...] | list[object]) -> str:
    return f"[{','.join(map(form, value))}]"


@form.register(Set)
def _(value: Set[object]) -> str:
    return _tagged("set", f"[{','.join(sorted(map(form, value)))}]")


@form.register(Mapping)
def _(value: Mapping[object, object]) -> str:
    pairs = sorted(f"[{form(key)},{form(own)}]" for key, own in value.items())
    return _tagged("map", f"[{','.join(pairs)}]")


def _tagged(tag: str, written: str) -> str:
    return f'{{"{tag}":{written}}}'


@dataclass(frozen=True, slots=True)
class RecordField:
    """A field of a dataclass: its name in fingerprints and in the code, and its default's form if it has one."""

    name: str
    attribute: str
    default: str | None


@cache
def record_fields(record: type) -> tuple[RecordField, ...]:
    """The fields of a dataclass. Raises TypeError where two go by the same name in fingerprints."""
    found = []
    for each in fields(record):
        default: str | None = None
        if each.default is not MISSING:
            default = form(each.default)
        elif each.default_factory is not MISSING:
            default = form(each.default_factory())
        found.append(RecordField(cast(str, each.metadata.get(_NAME, each.name)), each.name, default))
    if len({each.name for each in found}) < len(found):
        raise TypeError(f"two fields of {record.__name__} have the same canonical name")
    return tuple(found)
