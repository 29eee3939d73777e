"""Relay global ids: base64 of ``Type:uuid``. Services see UUIDs only.

An id that is none, or of another kind of thing, is answered like one that nothing has: where that is NotFound,
``decode`` raises it, and where it is a problem with the input, ``Ids`` remembers one (docs/domain.md, Failures).
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from uuid import UUID

import strawberry

from services.core.errors import InvalidInput, NotFound, Path, Problem
from services.core.problems import Problems
from services.core.texts import Text, text

OFFER = ("Advantage", "PromotionalCode")
"""The kinds behind an id of the interface Offer."""

_NIL = UUID(int=0)


@strawberry.interface(description="Whatever has a global id.")
class Node:
    id: strawberry.ID


class NoId(NotFound):
    """The id of what an operation is about is none, or of another kind: found by no look, and so no guess."""


class WrongId(InvalidInput):
    """Ids within an input that are none, or of another kind. A union without InvalidInput answers with NotFound."""


def encode(kind: str, key: UUID) -> strawberry.ID:
    """The global id of the thing of GraphQL type ``kind`` with this key."""
    return strawberry.ID(b64encode(f"{kind}:{key}".encode()).decode())


def decode(global_id: str, *kinds: str, path: Path) -> UUID:
    """The key behind the id of what an operation is about, of one of ``kinds``; raises NoId that names ``path``."""
    kind, key = decode_any(global_id, path)
    if kind not in kinds:
        raise NoId(path, _of_another_kind(kinds))
    return key


def decode_named(global_id: str | None, former: tuple[str, str], *kinds: str, path: Path) -> UUID:
    """The key behind an id that has a new name, or behind what was sent under its former one: name and id, empty where
    it was not sent. Raises WrongId where neither was sent, or both and they differ.
    """
    name, former_id = former
    if global_id is None and former_id:
        return decode(former_id, *kinds, path=(name,))
    if global_id is None:
        raise WrongId([Problem(path, text("field_missing"))])
    if former_id and former_id != global_id:
        raise WrongId([Problem((name,), text("named_twice", name=path[-1], former=name))])
    return decode(global_id, *kinds, path=path)


def decode_all(global_ids: Sequence[str], *kinds: str, path: Path) -> tuple[UUID, ...]:
    """The keys behind the ids of what an operation is about; raises NoId that names the place of the first that is
    none.
    """
    return tuple(decode(each, *kinds, path=(*path, str(position))) for position, each in enumerate(global_ids))


def decode_any(global_id: str, path: Path) -> tuple[str, UUID]:
    """The kind and the key behind an id of any kind; raises NoId that names ``path``."""
    found = _parsed(global_id)
    if found is None:
        raise NoId(path, text("malformed_id"))
    return found


class Ids:
    """Reads the ids of one input and remembers every one that is wrong, so that ``check`` can list them all."""

    def __init__(self) -> None:
        self._problems = Problems()

    def read(self, global_id: str, *kinds: str, path: Path) -> UUID:
        """The key behind the id; a key that nothing has where the id is wrong."""
        found = _parsed(global_id)
        if found is None:
            self._problems.add(path, text("malformed_id"))
        elif found[0] not in kinds:
            self._problems.add(path, _of_another_kind(kinds))
        else:
            return found[1]
        return _NIL

    def maybe(self, global_id: str | None, *kinds: str, path: Path) -> UUID | None:
        return None if global_id is None else self.read(global_id, *kinds, path=path)

    def all(self, global_ids: Sequence[str], *kinds: str, path: Path) -> tuple[UUID, ...]:
        """The keys behind a list of ids, whose path has each id's position at its end."""
        return tuple(self.read(each, *kinds, path=(*path, str(position))) for position, each in enumerate(global_ids))

    def refuse(self, path: Path, reason: Text) -> None:
        """Remembers that the ids at ``path`` are not read."""
        self._problems.add(path, reason)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem met so far, for services that list them with their own."""
        return tuple(self._problems)

    def check(self) -> None:
        """Raises WrongId with every problem met."""
        if self._problems:
            raise WrongId(self._problems)


def _of_another_kind(kinds: Sequence[str]) -> Text:
    return text("id_of_another_kind", kinds=", ".join(kinds))


def _parsed(global_id: str) -> tuple[str, UUID] | None:
    try:
        kind, _, key = b64decode(global_id, validate=True).decode("ascii").partition(":")
        parsed = UUID(key)
    except ValueError:
        return None
    # One thing has one id: other spellings of the same are none.
    return (kind, parsed) if encode(kind, parsed) == global_id else None
