"""Execution in slices: whoever has a large answer made keeps nobody else waiting for it.

And instants are told with the offset of whoever they are told by.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import AwaitableOrValue, Path, gather_with_cancel
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter

from graphql import GraphQLLeafType, GraphQLOutputType, GraphQLResolveInfo
from resolvers.runtime.context import Context
from services.core.instants import at_home
from services.core.pacing import Pacer


@dataclass(frozen=True, slots=True)
class _List:
    """A list under way: what graphql-core is told of it, and what there is so far, the values of some still to come."""

    item_type: GraphQLOutputType
    fields: FieldDetailsList
    info: GraphQLResolveInfo[Any]
    path: Path
    position: Any
    completed: list[Any] = field(default_factory=list)
    awaited: list[int] = field(default_factory=list)


class SlicedExecution(StrawberryGraphQLCoreExecutionContext):
    """Completes lists as graphql-core does, but goes on in another turn of the loop where it has taken its share.

    Instants come in UTC, as the database has them, and leave with the organisation's offset.
    """

    @property
    def strawberry(self) -> Any:
        """The schema as Strawberry knows it, with what all its operations share."""
        return self.schema.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]

    @property
    def pacer(self) -> Pacer:
        pacer: Pacer = self.strawberry.pacer
        return pacer

    # graphql-core's own is static, for it needs nothing of the operation.
    def complete_leaf_value(self, return_type: GraphQLLeafType, result: Any) -> Any:  # type: ignore[override]
        if isinstance(result, datetime) and result.tzinfo is not None and isinstance(self.context_value, Context):
            zone = self.context_value.zone
            result = result if zone is None else at_home(result, zone)
        return super().complete_leaf_value(return_type, result)

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> AwaitableOrValue[list[Any]]:
        pacer = self.pacer
        of = _List(item_type, field_details_list, info, path, position_context)
        places = enumerate(items)
        for place in places:
            if pacer.is_over():
                return self._rest(of, chain([place], places))
            self._complete_item(of, *place)
        return self._awaited(of) if of.awaited else of.completed

    async def _rest(self, of: _List, places: Iterator[tuple[int, Any]]) -> list[Any]:
        pacer = self.pacer
        try:
            for place in places:
                if pacer.is_over():
                    await pacer.turn()
                self._complete_item(of, *place)
        except BaseException:
            for index in of.awaited:
                of.completed[index].close()
            raise
        return await self._awaited(of)

    async def _awaited(self, of: _List) -> list[Any]:
        values = await gather_with_cancel(*(of.completed[index] for index in of.awaited))
        for index, value in zip(of.awaited, values, strict=True):
            of.completed[index] = value
        return of.completed

    def _complete_item(self, of: _List, index: int, item: Any) -> None:
        path = of.path.add_key(index, None)
        if self.is_awaitable(item):
            of.completed.append(
                self.complete_awaitable_list_item_value(item, of.item_type, of.fields, of.info, path, of.position)
            )
            of.awaited.append(index)
            return
        try:
            waits = self.complete_list_item_value(
                item, of.completed, of.item_type, of.fields, of.info, path, of.position
            )
        except Exception:
            self.settle_in_background([of.completed[index] for index in of.awaited])
            of.awaited.clear()
            raise
        if waits:
            of.awaited.append(index)
