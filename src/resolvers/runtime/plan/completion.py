"""Values as they are written into an answer, by the type of their field: what graphql-core calls their completion."""

from abc import abstractmethod
from collections.abc import AsyncIterable, Iterable, Iterator
from itertools import chain
from typing import Any, Protocol

from graphql.execution.executor import invalid_return_type_error
from graphql.pyutils import Undefined, is_iterable
from graphql.type import GraphQLAbstractType

from graphql import (
    GraphQLError,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    is_abstract_type,
    is_leaf_type,
    is_non_null_type,
)
from resolvers.runtime.plan.asked import AskedField
from resolvers.runtime.plan.info import PlannedInfo
from resolvers.runtime.plan.leaves import leaf
from resolvers.runtime.plan.places import Place
from resolvers.runtime.plan.running import Completion, Run, Waiting


class Selected(Protocol):
    """The fields that are asked of an object."""

    @abstractmethod
    def written(self, run: Run, source: Any, place: Place) -> dict[str, Any]:
        """The answer for an object. Raises GraphQLError where it must be null."""


class FieldOfObjects(AskedField):
    """A field whose values may be objects."""

    @abstractmethod
    def selection(self, run: Run, of: GraphQLObjectType) -> Selected:
        """The fields that are asked of its values of this type."""


def completion(of: GraphQLOutputType, field: FieldOfObjects) -> Completion:
    """How a value of this type is written. It raises what is wrong with the value."""
    if isinstance(of, GraphQLNonNull):
        return _non_null(completion(of.of_type, field), field)
    if isinstance(of, GraphQLList):
        return _nullable(_List(of.of_type, field))
    if is_leaf_type(of):
        return _nullable(_leaf(of))
    if is_abstract_type(of):
        return _nullable(_abstract(of, field))
    if isinstance(of, GraphQLObjectType):
        return _nullable(_object(of, field))
    raise TypeError(f"a field cannot have this type: {of}")


def _nullable(write: Completion) -> Completion:
    def written(run: Run, value: Any, place: Place) -> Any:
        if value is None or value is Undefined:
            return None
        if isinstance(value, Exception):
            raise value
        return write(run, value, place)

    return written


def _non_null(inner: Completion, field: FieldOfObjects) -> Completion:
    def written(run: Run, value: Any, place: Place) -> Any:
        found = inner(run, value, place)
        if found is None:
            raise TypeError(f"Cannot return null for non-nullable field {field.parent}.{field.name}.")
        return found

    return written


def _leaf(of: GraphQLLeafType) -> Completion:
    write = leaf(of)
    return lambda run, value, place: write(run.executor, value)


def _object(of: GraphQLObjectType, field: FieldOfObjects) -> Completion:
    is_type_of = of.is_type_of

    def written(run: Run, value: Any, place: Place) -> Any:
        if is_type_of is not None:
            is_one = is_type_of(value, PlannedInfo(run, field, place))  # type: ignore[arg-type]
            if run.is_awaitable(is_one):
                return run.wait(is_one, lambda run, found, place: checked(run, value, place, found), field, place)
            return checked(run, value, place, is_one)
        return field.selection(run, of).written(run, value, place)

    def checked(run: Run, value: Any, place: Place, is_one: object) -> Any:
        if not is_one:
            raise invalid_return_type_error(of, value, field.details)
        return field.selection(run, of).written(run, value, place)

    return written


def _abstract(of: GraphQLAbstractType, field: FieldOfObjects) -> Completion:
    by_type: dict[str, tuple[GraphQLObjectType, Completion]] = {}

    def written(run: Run, value: Any, place: Place) -> Any:
        resolve = of.resolve_type or run.executor.type_resolver
        name = resolve(value, PlannedInfo(run, field, place), of)  # type: ignore[arg-type]
        if run.is_awaitable(name):
            return run.wait(name, lambda run, found, place: as_type(run, value, place, found), field, place)
        return as_type(run, value, place, name)

    def as_type(run: Run, value: Any, place: Place, name: Any) -> Any:
        known = by_type.get(name) if isinstance(name, str) else None
        if known is None:
            info: Any = PlannedInfo(run, field, place)
            found = run.executor.ensure_valid_runtime_type(name, of, field.details, info, value)
            known = by_type[found.name] = found, _object(found, field)
        return known[1](run, value, place)

    return written


class _List:
    """Writes the items of a list one by one; in another turn of the loop, where this one has had its share."""

    def __init__(self, of: GraphQLOutputType, field: FieldOfObjects) -> None:
        self._field = field
        self._is_nullable = not is_non_null_type(of)
        self._complete = completion(of, field)

    def __call__(self, run: Run, value: Any, place: Place) -> Any:
        if not isinstance(value, list):
            if run.executor.is_async_iterable(value):
                return run.wait(_collected(value), self, self._field, place)
            if not is_iterable(value):
                field = self._field
                raise GraphQLError(f"Expected Iterable, but did not find one for field '{field.parent}.{field.name}'.")
        written: list[Any] = []
        mark = run.mark()
        items = enumerate(value)
        for each in items:
            if run.pacer.is_over():
                return self._later(run, chain([each], items), written, place, run.take(mark))
            self._write(run, *each, written, place, items)
        return written

    def _later(
        self, run: Run, items: Iterator[tuple[int, Any]], written: list[Any], place: Place, waiting: list[Waiting]
    ) -> list[Any]:
        run.wait(self._rest(run, items, written, place, waiting), None, self._field, place, waiting)
        return written

    async def _rest(
        self, run: Run, items: Iterator[tuple[int, Any]], written: list[Any], place: Place, waiting: list[Waiting]
    ) -> None:
        try:
            for each in items:
                if run.pacer.is_over():
                    await run.pacer.turn()
                mark = run.mark()
                self._write(run, *each, written, place, items)
                # All of them begin together, so that what they load is loaded together.
                waiting += run.take(mark)
        except BaseException:
            for other in waiting:
                other.drop()
            raise
        run.give(waiting)
        waiting.clear()

    def _write(
        self, run: Run, index: int, item: Any, written: list[Any], place: Place, items: Iterable[tuple[int, Any]]
    ) -> None:
        at = Place(place, written, index, self._is_nullable, None)
        mark = run.mark()
        try:
            if run.is_awaitable(item):
                written.append(run.wait(item, self._complete, self._field, at))
            else:
                written.append(self._complete(run, item, at))
        except Exception as error:  # noqa: BLE001 - an answer says what failed
            run.drop(mark)
            written.append(None)
            try:
                run.failed(error, self._field, at)
            except GraphQLError:
                for _, other in items:
                    if run.is_awaitable(other):
                        Waiting(other, None, self._field, at).drop()
                raise


async def _collected(items: AsyncIterable[Any]) -> list[Any]:
    return [item async for item in items]
