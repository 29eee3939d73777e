"""The fields of a document, and how each is resolved and written; put together once for each type that has them."""

from collections.abc import Generator
from typing import Any

from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet, collect_subfields

from graphql import GraphQLField, GraphQLObjectType, get_nullable_type, is_leaf_type, is_non_null_type
from resolvers.runtime.plan.calls import attribute, call
from resolvers.runtime.plan.completion import FieldOfObjects, completion
from resolvers.runtime.plan.inputs import Conversions
from resolvers.runtime.plan.leaves import Leaf, as_it_is, leaf
from resolvers.runtime.plan.places import Place
from resolvers.runtime.plan.running import Run
from resolvers.runtime.slices import SlicedExecution


class PlannedField(FieldOfObjects):
    """A field, and how it is resolved and written."""

    def __init__(
        self,
        key: str,
        details: FieldDetailsList,
        definition: GraphQLField,
        parent: GraphQLObjectType,
        conversions: Conversions,
    ) -> None:
        super().__init__(key, details, definition, parent)
        self.nullable = not is_non_null_type(definition.type)
        self.attribute = attribute(definition, conversions.converter)
        self._conversions = conversions
        self._call = call(self, conversions)
        self._complete = completion(definition.type, self)
        self._selections: dict[GraphQLObjectType, Selection] = {}

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
            found = self._selections[of] = Selection(collected.grouped_field_set, of, run, self._conversions)
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

    Where they are attributes of an object and of objects in it, they are read in one go. If anything is not as it
    should be, they are read once more, one by one, and what is wrong is found where it is.
    """

    def __init__(self, grouped: GroupedFieldSet, of: GraphQLObjectType, run: Run, conversions: Conversions) -> None:
        self.fields: list[PlannedField] = []
        for key, details in grouped.items():
            definition = run.executor.schema.get_field(of, details[0].node.name.value)
            if definition is not None:
                self.fields.append(PlannedField(key, details, definition, of, conversions))
        steps = [_step(field, run) for field in self.fields]
        self._steps = [(field, *step) for field, step in zip(self.fields, steps, strict=True)]
        self.is_plain = all(step[0] is not None for step in steps)

    def written(self, run: Run, source: Any, place: Place | None) -> dict[str, Any]:
        """The answer for an object. Raises GraphQLError where it must be null."""
        if self.is_plain:
            try:
                return self.read(run.executor, source)
            except Exception:  # noqa: BLE001, S110 - it comes up again, where its place is known
                pass
        written: dict[str, Any] = {}
        executor = run.executor
        for field, read, exact, write in self._steps:
            if read is not None:
                try:
                    value = getattr(source, read)
                    if type(value) is exact:
                        written[field.key] = value
                        continue
                    if value is not None:
                        written[field.key] = write(executor, value)
                        continue
                except Exception:  # noqa: BLE001, S110 - it comes up again, where its place is known
                    pass
            field.write(run, source, written, place)
        return written

    def read(self, executor: SlicedExecution, source: Any) -> dict[str, Any]:
        """The same where all fields are attributes. Raises whatever is wrong, without saying where."""
        written: dict[str, Any] = {}
        for field, read, exact, write in self._steps:
            value = getattr(source, read)
            if type(value) is exact:
                written[field.key] = value
            elif value is not None:
                written[field.key] = write(executor, value)
            elif field.nullable:
                written[field.key] = None
            else:
                raise TypeError("null where none may be")
        return written


class _Plain:
    """Writes values, once it is seen that those of their class neither come later nor are failures."""

    def __init__(self, write: Leaf) -> None:
        self._write = write
        self._seen: type | None = None

    def __call__(self, executor: SlicedExecution, value: Any) -> Any:
        kind = type(value)
        if kind is not self._seen:
            if isinstance(value, Exception | Generator) or executor.is_awaitable(value):
                raise TypeError("a value of its own kind")
            self._seen = kind
        return self._write(executor, value)


def _step(field: PlannedField, run: Run) -> tuple[Any, type | None, Any]:
    """The attribute of a field that can be read in one go, the class of values that are written as they are, and what
    writes the others. No attribute: it cannot be.
    """
    if field.attribute is None:
        return None, None, None
    of = get_nullable_type(field.definition.type)
    if is_leaf_type(of):
        return field.attribute, as_it_is(of), _Plain(leaf(of))
    if isinstance(of, GraphQLObjectType) and of.is_type_of is None:
        selection = field.selection(run, of)
        if selection.is_plain:
            return field.attribute, None, _Plain(selection.read)
    return None, None, None
