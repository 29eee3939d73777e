"""Arguments as resolvers take them, made of what GraphQL coerced, by Strawberry's rules, looked up once a type."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

from strawberry.relay.types import GlobalID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, _is_leaf_type, _is_optional_leaf_type
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
    get_object_definition,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.lazy_type import LazyType
from strawberry.types.unset import UNSET

Conversion = Callable[[Any], Any]


class UnknownInput(Exception):  # noqa: N818 - an answer
    """Strawberry has to convert values of this type: they need more than themselves."""


def as_it_is(value: Any) -> Any:
    return value


class Conversions:
    """How values of the types of one schema are converted."""

    def __init__(self, converter: GraphQLCoreConverter) -> None:
        self.converter = converter
        self._registry = converter.scalar_registry
        self._names = converter.config.name_converter
        self._inputs: dict[type, _Input] = {}

    def of_arguments(self, arguments: list[StrawberryArgument]) -> list[tuple[str, str, Conversion]] | None:
        """Of each argument its name, its name in Python, and its conversion; None where Strawberry has to do it."""
        try:
            return [(self._names.from_argument(each), each.python_name, self.of(each.type)) for each in arguments]
        except UnknownInput:
            return None

    def of(self, kind: Any) -> Conversion:
        """Raises UnknownInput."""
        if isinstance(kind, StrawberryMaybe) or kind is GlobalID:
            raise UnknownInput
        if isinstance(kind, StrawberryOptional):
            return self.of(kind.of_type)
        if isinstance(kind, StrawberryList):
            return self._list(kind)
        if _is_leaf_type(kind, self._registry) or isinstance(kind, StrawberryEnumDefinition):
            return as_it_is
        if isinstance(kind, LazyType):
            return self.of(kind.resolve_type())
        if has_enum_definition(kind):
            return as_it_is
        if has_object_definition(kind):
            return self._input(kind)
        raise UnknownInput

    def _list(self, kind: StrawberryList) -> Conversion:
        inner = kind.of_type
        if _is_leaf_type(inner, self._registry, (GlobalID,)) or _is_optional_leaf_type(
            inner, self._registry, (GlobalID,)
        ):
            return lambda value: value if value is None or value is UNSET else list(value)
        convert = self.of(inner)
        return lambda value: value if value is None or value is UNSET else [convert(each) for each in value]

    def _input(self, kind: Any) -> Conversion:
        found = self._inputs.get(kind)
        if found is None:
            definition = get_object_definition(kind, strict=True)
            if definition.from_input is not None or not definition.is_input:
                raise UnknownInput
            found = self._inputs[kind] = _Input(kind, definition)
            try:
                # Known already while it is put together: inputs may hold their like.
                for each in definition.fields:
                    convert = self.of(each.resolve_type(type_definition=definition))
                    found.fields.append((self._names.from_field(each), each.python_name, convert))
            except UnknownInput:
                # Others may hold it by now.
                self._inputs.clear()
                raise
        return found


class _Input:
    """Makes an input object of what was given of it."""

    def __init__(self, kind: Any, definition: StrawberryObjectDefinition) -> None:
        self.fields: list[tuple[str, str, Conversion]] = []
        self._kind = kind
        self._nothing = {
            each.python_name: None
            for each in definition.fields
            if each.default_value is MISSING and each.default_factory is MISSING
        }

    def __call__(self, value: Mapping[str, Any] | None) -> Any:
        if value is None or value is UNSET:
            return value
        given: dict[str, Any] = dict(self._nothing)
        for name, python_name, convert in self.fields:
            if name in value:
                given[python_name] = convert(value[name])
        return self._kind(**given)
