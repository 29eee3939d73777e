"""Counts against guessing what clients name that does not exist: things by their ids, tickets by their barcodes."""

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.base import get_object_definition

from resolvers.runtime.context import Context
from resolvers.runtime.ids import NoId
from services.access.attempt_counts import Limit
from services.access.misses import OF_IDS
from services.core.errors import NotFound, Path


class AskedById(FieldExtension):
    """On a field that answers null, or fails with NotFound, where nothing has the id that was given to it.

    The field fails with TooMany where that was so too often for the client, by ``limit``.
    """

    def __init__(self, limit: Limit = OF_IDS) -> None:
        self._limit = limit

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        context: Context = info.context
        viewer = await context.viewer()
        misses = context.services.misses
        misses.check(self._limit, viewer, context.now)
        try:
            found = await next_(source, info, **kwargs)
        except NotFound as failure:
            if not isinstance(failure, NoId) and _names_a_thing(failure.path):
                await misses.count(self._limit, viewer, context.now)
            raise
        if found is None:
            await misses.count(self._limit, viewer, context.now)
        return found


def counted(mutation: type) -> type:
    """The root type of mutations, each of which counts what it is asked for in vain."""
    for field in get_object_definition(mutation, strict=True).fields:
        if not any(isinstance(extension, AskedById) for extension in field.extensions):
            field.extensions.append(AskedById())
    return mutation


def _names_a_thing(path: Path) -> bool:
    """Whether an id or a barcode stands at this place of the input: codes are counted where they are looked up."""
    return path[-1] in {"id", "barcode"} or path[-1].endswith("Id")
