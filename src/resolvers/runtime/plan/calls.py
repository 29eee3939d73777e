"""How the value of a field is come by: by reading an attribute, or by calling its resolver with what that asks for."""

from collections.abc import Callable
from typing import Any, NoReturn

from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from graphql import GraphQLField
from resolvers.runtime.plan.asked import AskedField
from resolvers.runtime.plan.info import PlannedInfo
from resolvers.runtime.plan.inputs import Conversions
from resolvers.runtime.plan.places import Place
from resolvers.runtime.plan.running import Run

Call = Callable[[Run, Any, Place], Any]
"""Answers the value of the field of an object, or an awaitable of it."""


def attribute(definition: GraphQLField, converter: GraphQLCoreConverter) -> str | None:
    """The attribute that a field reads; None where it has a resolver, or something around it."""
    field = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(field, StrawberryField) or not field.is_basic_field or field.default_resolver is not getattr:
        return None
    return None if converter._get_field_exception_handlers(field) else field.python_name


def call(planned: AskedField, conversions: Conversions) -> Call:
    """How a field is resolved; by Strawberry itself where extensions or handlers of exceptions stand around it."""
    field = planned.definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if (
        isinstance(field, StrawberryField)
        and not field.is_subscription
        and not field.extensions
        and isinstance(field.base_resolver, StrawberryResolver)
        and callable(field.base_resolver.wrapped_func)
        and not conversions.converter._get_field_exception_handlers(field)
    ):
        return _direct(planned, field, field.base_resolver, conversions)
    return _by_strawberry(planned)


def _by_strawberry(planned: AskedField) -> Call:
    resolve = planned.definition.resolve

    def called(run: Run, source: Any, place: Place) -> Any:
        given = run.arguments.get(planned)
        if given is None:
            given = run.arguments[planned] = planned.arguments(run.executor)
        return (resolve or run.executor.field_resolver)(source, PlannedInfo(run, planned, place), **given)

    return called


def _direct(
    planned: AskedField, field: StrawberryField, resolver: StrawberryResolver[Any], conversions: Conversions
) -> Call:
    function = resolver.wrapped_func
    takes_source = resolver.self_parameter is not None
    by_name = [each.name for each in (resolver.parent_parameter, resolver.root_parameter) if each is not None]
    info_name = resolver.info_parameter.name if resolver.info_parameter else None
    info_class = conversions.converter.config.info_class
    if takes_source and not by_name and not info_name and not field.arguments:
        return lambda run, source, place: function(source)  # type: ignore[operator]
    converted = _converted(planned, field, conversions)

    def called(run: Run, source: Any, place: Place) -> Any:
        info = None
        if info_name is not None:
            info = info_class(_raw_info=PlannedInfo(run, planned, place), _field=field)  # type: ignore[arg-type]
        given = converted(run, place)
        if isinstance(given, Exception):
            if field.is_async:
                # Strawberry converts arguments inside the coroutine.
                return _raising(given)
            raise given
        for name in by_name:
            given[name] = source
        if info_name is not None:
            given[info_name] = info
        return function(source, **given) if takes_source else function(**given)  # type: ignore[operator]

    return called


def _converted(
    planned: AskedField, field: StrawberryField, conversions: Conversions
) -> Callable[[Run, Place], dict[str, Any] | Exception]:
    """Arguments as Python has them, anew for each call; what cannot be converted is answered, not raised."""
    converter = conversions.converter
    known = conversions.of_arguments(field.arguments)

    def converted(run: Run, place: Place) -> dict[str, Any] | Exception:
        given = run.arguments.get(planned)
        if given is None:
            given = run.arguments[planned] = planned.arguments(run.executor)
        try:
            if known is not None:
                return {python_name: convert(given[name]) for name, python_name, convert in known if name in given}
            return convert_arguments(
                given,
                field.arguments,
                scalar_registry=converter.scalar_registry,
                config=converter.config,
                info=converter.config.info_class(_raw_info=PlannedInfo(run, planned, place), _field=field),  # type: ignore[arg-type]
            )
        except Exception as error:  # noqa: BLE001 - a failure of the field
            return error

    return converted


async def _raising(error: Exception) -> NoReturn:
    raise error
