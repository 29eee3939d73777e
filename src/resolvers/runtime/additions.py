"""Fields that a room gives to a type of a room below it, which does not know what they lead to."""

from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField


def add_field(kind: type, field: StrawberryField) -> None:
    """Adds a field, which has a name and a resolver, to an object type of the schema, before that is built."""
    get_object_definition(kind, strict=True).fields.append(field)
