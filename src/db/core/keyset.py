"""Pages of a list by keyset: what stands after or before a key, forwards from there or backwards."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

MOST_COUNTED: Final = 10_000
"""Rows of a list that are counted; of more it is told that they are more, or a count would cost what a page does not.
"""

R = TypeVar("R")
K_co = TypeVar("K_co", covariant=True)


class PageBy(Protocol[K_co]):
    """Which part of a list: the ``most`` rows after ``after`` and before ``before``, each where it is given, from the
    first on, or ``backwards`` from the last on.
    """

    @property
    def after(self) -> K_co | None: ...
    @property
    def before(self) -> K_co | None: ...
    @property
    def most(self) -> int: ...
    @property
    def backwards(self) -> bool: ...


Page: TypeAlias = PageBy[UUID]
"""A page of a list whose keys are ids."""

Place: TypeAlias = tuple[datetime, UUID]
"""The key of a list by instants: a thing's own, then its id, which tells things of one instant apart."""


@dataclass(frozen=True, slots=True)
class Stretch(Generic[R]):
    """A page that somebody asks for who goes through a list."""

    after: R | None
    most: int
    before: R | None = None
    backwards: bool = False


class _Everything:
    """All of a list."""

    after = None
    before = None
    most = 2**31 - 1
    backwards = False


EVERYTHING: Final = _Everything()
"""The page that is the whole list."""


def cut(query: Select[Any], page: Page, key: ColumnElement[UUID], *, descending: bool = False) -> Select[Any]:
    """The rows of the page, of a list in the order of ``key``; those of a page backwards come from the last on.

    ``in_order`` turns them.
    """
    for bound, is_after in ((page.after, True), (page.before, False)):
        if bound is not None:
            query = query.where(key > bound if is_after is not descending else key < bound)
    return query.order_by(key.desc() if descending is not page.backwards else key).limit(page.most)


def in_order(rows: Iterable[R], page: PageBy[Any]) -> list[R]:
    """The rows of a page in the order of their list."""
    found = list(rows)
    return found[::-1] if page.backwards else found


async def bounded_count(connection: AsyncConnection, query: Select[Any]) -> int | None:
    """How many rows the query finds; None where they are more than ``MOST_COUNTED``."""
    found = await connection.scalar(select(func.count()).select_from(query.limit(MOST_COUNTED + 1).subquery()))
    return found if found is not None and found <= MOST_COUNTED else None
