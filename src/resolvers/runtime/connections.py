"""Connections of the Relay cursor specification, by keyset: a cursor is the key of the last thing seen.

Only forwards: ``first`` (20 by default, 100 at most) and ``after``. ``hasPreviousPage`` says that ``after`` was given.
"""

from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

import strawberry

from services.core.problems import Problems
from services.core.texts import text

DEFAULT_FIRST = 20
MOST_FIRST = 100

N = TypeVar("N")
R = TypeVar("R")
K = TypeVar("K")


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[N]):
    cursor: str
    node: N


@strawberry.type
class Connection(Generic[N]):
    edges: list[Edge[N]]
    page_info: PageInfo


class InstantAndKey(tuple[datetime, UUID]):
    """The place of a thing in a list by instants: its own, then its key, which tells things of one instant apart."""

    __slots__ = ()

    def __new__(cls, instant: datetime, key: UUID) -> Self:
        return super().__new__(cls, (instant, key))

    @classmethod
    def read(cls, cursor: str) -> Self:
        """The place that was written as a cursor. Raises ValueError where it is none."""
        instant, _, key = cursor.rpartition(" ")
        place = cls(datetime.fromisoformat(instant), UUID(key))
        if place[0].tzinfo is None:
            raise ValueError("no instant without an offset")
        return place

    def __str__(self) -> str:
        return f"{self[0].isoformat()} {self[1]}"


@dataclass(frozen=True, slots=True)
class Window(Generic[K]):
    """Which page is asked for: ``first`` things after the key ``after``, from the start where that is None."""

    first: int
    after: K | None


def window(first: int | None, after: str | None, key: Callable[[str], K]) -> Window[K]:
    """Reads the arguments; ``key`` reads the text in a cursor and raises ValueError where it is not one.

    Raises InvalidInput that names ``first`` or ``after``.
    """
    problems = Problems()
    if first is not None and not 1 <= first <= MOST_FIRST:
        problems.add(("first",), text("first_out_of_range", most=MOST_FIRST))
    found = None
    if after is not None:
        try:
            found = key(_key_text(after))
        except ValueError:
            problems.add(("after",), text("malformed_cursor"))
    problems.check()
    return Window(DEFAULT_FIRST if first is None else first, found)


def connection(
    rows: Sequence[R], page: Window[Any], node: Callable[[R], N], cursor: Callable[[R], object]
) -> Connection[N]:
    """A page of ``rows``, of which one more than ``page.first`` was fetched to tell whether there is a next page.

    ``cursor`` gives a row's key, whose text ``key`` of the window reads again.
    """
    edges = [Edge(cursor=_cursor(cursor(row)), node=node(row)) for row in rows[: page.first]]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(rows) > page.first,
            has_previous_page=page.after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
    )


def goes_on(page: Connection[N], after: object) -> Connection[N]:
    """The page, of which the next one comes after this key: further things have not been looked at."""
    return Connection(
        edges=page.edges, page_info=replace(page.page_info, has_next_page=True, end_cursor=_cursor(after))
    )


def connection_in_memory(
    rows: Sequence[R], page: Window[Any], node: Callable[[R], N], cursor: Callable[[R], Any]
) -> Connection[N]:
    """A page of ``rows``, all at hand and in ascending order of ``cursor``."""
    start = 0 if page.after is None else bisect_right(rows, page.after, key=cursor)
    return connection(rows[start : start + page.first + 1], page, node, cursor)


def _key_text(cursor: str) -> str:
    key = b64decode(cursor, altchars=b"-_", validate=True).decode()
    if not key.isprintable():
        raise ValueError("no key has control characters")
    return key


def _cursor(key: object) -> str:
    return urlsafe_b64encode(str(key).encode()).decode()
