"""The fields of a document, and how each is resolved and written; put together once for each type that has them."""

from collections.abc import Iterable
from typing import Any, Final

from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet, collect_subfields
from strawberry.schema.schema_converter import GraphQLCoreConverter

from graphql import GraphQLField, GraphQLObjectType, GraphQLOutputType, get_nullable_type, is_leaf_type, is_non_null_type
from resolvers.runtime.plan.arguments import arguments
from resolvers.runtime.plan.calls import attribute, call
from resolvers.runtime.plan.completion import completion
from resolvers.runtime.plan.leaves import Leaf, as_it_is, leaf
from resolvers.runtime.plan.places import Place
from resolvers.runtime.plan.running import Run

_TYPENAME: Final = "__typename"


class PlannedField:
    """A field of one type, under one name of the answer."""

    def __init__(
        self,
        key: str,
        details: FieldDetailsList,
        definition: GraphQLField,
        parent: GraphQLObjectType,
        converter: GraphQLCoreConverter,
    ) -> None:
        self.key = key
        self.details = details
        self.nodes = [each.node for each in details]
        self.name = self.nodes[0].name.value
        self.definition = definition
        self.parent = parent
        self.nullable = not is_non_null_type(definition.type)
        self.attribute = attribute(definition, converter)
        self.arguments = arguments(definition, self.nodes[0])
        self._converter = converter
        self._call = call(self, converter)
        self._complete = completion(definition.type, self)
        self._selections: dict[GraphQLObjectType, Selection] = {}

    @property
    def leaf(self) -> Leaf | None:
        """How its values are written, where they are scalars or enums."""
        of = get_nullable_type(self.definition.type)
        return leaf(of) if is_leaf_type(of) else None

    @property
    def exact(self) -> type | None:
        """The class of values that are written as they are."""
        of = get_nullable_type(self.definition.type)
        return as_it_is(of) if is_leaf_type(of) else None

    @property
    def object_type(self) -> GraphQLObjectType | None:
        """The type of its objects, where no look at them is needed to know it."""
        of: GraphQLOutputType = get_nullable_type(self.definition.type)
        return of if isinstance(of, GraphQLObjectType) and of.is_type_of is None else None

    def selection(self, run: Run, of: GraphQLObjectType) -> "Selection":
        """The fields that are asked of its values of this type."""
        found = self._selections.get(of)
        if found is None:
            executor = run.executor
            collected = collect_subfields(
                executor.schema,
                executor.fragments,
                executor.variable_values,
                executor.operation,
                of,
                self.details,
                executor.hide_suggestions,
            )
            found = self._selections[of] = Selection(collected.grouped_field_set, of, run, self._converter)
        return found

    def write(self, run: Run, source: Any, written: dict[str, Any], above: Place | None) -> None:
        """Resolves it for an object, and writes what comes of it into the answer."""
        place = Place(above, written, self.key, self.nullable, self.parent.name)
        mark = run.mark()
        try:
            value = self._call(run, source, place) if self.attribute is None else getattr(source, self.attribute)
            if run.is_awaitable(value):
                written[self.key] = run.wait(value, self._complete, self, place)
            else:
                written[self.key] = self._complete(run, value, place)
        except Exception as error:  # noqa: BLE001 - an answer says what failed
            run.drop(mark)
            run.failed(error, self, place)
            written[self.key] = None


class Selection:
    """The fields of one type that are asked for in one place of a document.

    Where these are attributes of an object, and of objects in it, they are read in one go; if anything is not as it
    should be, they are read once more, one by one, and whatever is wrong is found where it is.
    """

    def __init__(
        self, grouped: GroupedFieldSet, of: GraphQLObjectType, run: Run, converter: GraphQLCoreConverter
    ) -> None:
        self.fields: list[PlannedField] = []
        for key, details in grouped.items():
            definition = run.executor.schema.get_field(of, details[0].node.name.value)
            if definition is not None:
                self.fields.append(PlannedField(key, details, definition, of, converter))

    def written(self, run: Run, source: Any, place: Place | None) -> dict[str, Any]:
        """The answer for an object. Raises GraphQLError where it must be null."""
        written: dict[str, Any] = {}
        for field in self.fields:
            field.write(run, source, written, place)
        return written
