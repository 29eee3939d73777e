"""The reference of the API: what the schema says of itself, as clients read it by introspection and in the SDL.

Code says ``description=`` where a name is made. What is alike in many places, or would drown the code, stands in a
``descriptions.toml`` a room. A table is a type, a key in it what the type has: ``self`` is the type itself, ``name``
a field, an input field or an enum value, ``"name(argument:)"`` an argument. Both may be patterns with ``*``, so that a
new list or mutation has its words by itself. The words at a name win; then those of the tables, of the type before
those of its interfaces, and these before patterns, of which the one with the most letters says it best.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Final, NamedTuple, Protocol, Self

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    is_introspection_type,
    is_specified_scalar_type,
)

FILE: Final = "descriptions.toml"
ITSELF: Final = "self"
"""The key of the type's own description."""


class Describable(Protocol):
    """What of a schema can have a description."""

    description: str | None


class Coordinate(NamedTuple):
    """Where something stands in the schema: a type, and what the type has."""

    type: str
    member: str

    def __str__(self) -> str:
        return self.type if self.member == ITSELF else f"{self.type}.{self.member}"

    @property
    def letters(self) -> int:
        """How much a pattern says: the characters of it that are no ``*``."""
        return sum(character != "*" for character in self.type + self.member)

    def is_pattern(self) -> bool:
        return "*" in self.type + self.member

    def matches(self, other: Self) -> bool:
        """Whether this, read as a pattern, is about the other one."""
        return fnmatchcase(other.type, self.type) and fnmatchcase(other.member, self.member)


@dataclass(frozen=True, slots=True)
class Descriptions:
    """The words of all rooms, by where they belong."""

    exact: Mapping[Coordinate, str]
    patterns: Mapping[Coordinate, str]

    @classmethod
    def read(cls) -> Self:
        """The files of the rooms. Raises ValueError where two of them describe the same."""
        found: dict[Coordinate, str] = {}
        for room in sorted(files("resolvers").iterdir(), key=lambda each: each.name):
            file = room.joinpath(FILE)
            if not file.is_file():
                continue
            for kind, members in tomllib.loads(file.read_text(encoding="utf-8")).items():
                for member, words in members.items():
                    place = Coordinate(kind, member)
                    if found.setdefault(place, words) is not words:
                        raise ValueError(f"{place} is described twice, the second time in {room.name}/{FILE}")
        return cls.made(found)

    @classmethod
    def made(cls, words: Mapping[Coordinate, str]) -> Self:
        """Of entries in any order."""
        patterns = sorted(filter(Coordinate.is_pattern, words), key=lambda each: -each.letters)
        return cls(
            {place: said for place, said in words.items() if not place.is_pattern()},
            {place: words[place] for place in patterns},
        )

    def of(self, place: Coordinate, interfaces: tuple[str, ...] = ()) -> Coordinate | None:
        """Under which entry the words for a place stand; None where there are none."""
        for kind in (place.type, *interfaces):
            if (exact := Coordinate(kind, place.member)) in self.exact:
                return exact
        return next((pattern for pattern in self.patterns if pattern.matches(place)), None)

    def words(self, entry: Coordinate) -> str:
        return self.exact.get(entry) or self.patterns[entry]


def described(schema: GraphQLSchema) -> Iterator[tuple[Coordinate, tuple[str, ...], Describable]]:
    """All of a schema that is to have a description: where it is, its type's interfaces, and itself.

    What GraphQL itself brings, such as introspection and String, describes itself.
    """
    for kind in schema.type_map.values():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        interfaces = _interfaces(kind)
        for member, each in _members(kind):
            yield Coordinate(kind.name, member), interfaces, each
    for directive in schema.directives:
        yield Coordinate(f"@{directive.name}", ITSELF), (), directive
        for name, argument in directive.args.items():
            yield Coordinate(f"@{directive.name}", f"({name}:)"), (), argument


def describe(schema: GraphQLSchema, descriptions: Descriptions) -> set[Coordinate]:
    """Gives words to all that has none, and says which entries were wanted."""
    wanted: set[Coordinate] = set()
    for place, interfaces, each in described(schema):
        entry = None if each.description else descriptions.of(place, interfaces)
        if entry is not None:
            wanted.add(entry)
            each.description = descriptions.words(entry)
    return wanted


def _interfaces(kind: GraphQLNamedType) -> tuple[str, ...]:
    """Of a type, those that say most first: an interface before those that it implements itself."""
    if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        return ()
    return tuple(each.name for each in sorted(kind.interfaces, key=lambda each: -len(each.interfaces)))


def _members(kind: GraphQLNamedType) -> Iterator[tuple[str, Describable]]:
    yield ITSELF, kind
    if isinstance(kind, GraphQLEnumType):
        yield from kind.values.items()
    elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        for name, field in kind.fields.items():
            yield name, field
            if isinstance(field, GraphQLField):
                for argument, each in field.args.items():
                    yield f"{name}({argument}:)", each


DESCRIPTIONS: Final = Descriptions.read()
