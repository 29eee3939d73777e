"""Connections of the Relay cursor specification, by keyset: a cursor is the key of the last thing seen.

Forwards by ``first`` (20 by default, 100 at most) and ``after``, backwards by ``last`` and ``before``. Either way the
edges stand in the list's own order. ``hasPreviousPage`` of a page forwards says that ``after`` was given, and
``hasNextPage`` of one backwards that ``before`` was: what a cursor names stands on the other side of it.
"""

from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Generic, Self, TypeVar
from uuid import UUID

import strawberry

from services.core.problems import Problems
from services.core.texts import text

DEFAULT_FIRST = 20
MOST_FIRST = 100
SIZES: Final = ("first", "last")
"""The arguments that say how large a page is."""

N = TypeVar("N")
R = TypeVar("R")
K = TypeVar("K")

Count = Callable[[], Awaitable[int | None]]
"""Counts the things of a list, None where they are too many to be counted; called where somebody asks."""


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether something comes after this page.")
    has_previous_page: bool = strawberry.field(description="Whether something comes before this page.")
    start_cursor: str | None = strawberry.field(description="For `before`; null where the page is empty.")
    end_cursor: str | None = strawberry.field(description="For `after`; null where the page is empty.")


@strawberry.type(description="A thing at its place in a list.")
class Edge(Generic[N]):
    cursor: str = strawberry.field(description="The place, for `after` or `before`.")
    node: N = strawberry.field(description="The thing itself.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[N]):
    edges: list[Edge[N]] = strawberry.field(description="In the order of the list, backwards too.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    count: strawberry.Private[Count | None] = None

    @strawberry.field(
        description="How many things the whole list has, whatever the page; null where counting them would cost more "
        "than the page does: beyond 10,000 of those that are kept in the database."
    )
    async def total_count(self) -> int | None:
        return None if self.count is None else await self.count()


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
        try:
            place[0].astimezone(UTC)
        except OverflowError as error:
            raise ValueError("no instant that a database has") from error
        return place

    def __str__(self) -> str:
        return f"{self[0].isoformat()} {self[1]}"


@dataclass(frozen=True, slots=True)
class Window(Generic[K]):
    """Which page is asked for: ``first`` things after the key ``after``, from the start where that is None; or, where
    it is ``backwards``, as many before the key ``before``, from the end where that is None.
    """

    first: int
    after: K | None
    before: K | None = None
    backwards: bool = False

    @property
    def most(self) -> int:
        """How many rows to fetch: one more than are shown tells whether there is another page."""
        return self.first + 1


def window(
    first: int | None,
    after: str | None,
    key: Callable[[str], K],
    *,
    last: int | None = None,
    before: str | None = None,
) -> Window[K]:
    """Reads the arguments; ``key`` reads the text in a cursor and raises ValueError where it is not one.

    ``before`` alone means what comes right before it. Raises InvalidInput that names every argument at fault.
    """
    problems = Problems()
    for name, size in zip(SIZES, (first, last), strict=True):
        if size is not None and not 1 <= size <= MOST_FIRST:
            problems.add((name,), text("first_out_of_range", most=MOST_FIRST))
    if first is not None and last is not None:
        problems.add(("last",), text("first_and_last"))
    found: dict[str, K | None] = {"after": None, "before": None}
    for name, cursor in (("after", after), ("before", before)):
        try:
            found[name] = None if cursor is None else key(_key_text(cursor))
        except ValueError:
            problems.add((name,), text("malformed_cursor"))
    problems.check()
    backwards = last is not None or (before is not None and first is None and after is None)
    size = last if backwards else first
    return Window(DEFAULT_FIRST if size is None else size, found["after"], found["before"], backwards)


def connection(
    rows: Sequence[R],
    page: Window[Any],
    node: Callable[[R], N],
    cursor: Callable[[R], object],
    count: Count | None = None,
) -> Connection[N]:
    """A page of ``rows``, in the order of the list, of which ``page.most`` were fetched: at the end of the page, or
    backwards at its start, one more than it shows, to tell whether there is another.

    ``cursor`` gives a row's key, whose text ``key`` of the window reads again.
    """
    there_is_more = len(rows) > page.first
    shown = rows[-page.first :] if page.backwards else rows[: page.first]
    edges = [Edge(cursor=_cursor(cursor(row)), node=node(row)) for row in shown]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=page.before is not None if page.backwards else there_is_more,
            has_previous_page=there_is_more if page.backwards else page.after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        count=count,
    )


def goes_on(found: Connection[N], key: object, page: Window[Any]) -> Connection[N]:
    """What was found, of which the next page comes after this key, or backwards before it: further things have not been
    looked at.
    """
    if page.backwards:
        info = replace(found.page_info, has_previous_page=True, start_cursor=_cursor(key))
    else:
        info = replace(found.page_info, has_next_page=True, end_cursor=_cursor(key))
    return Connection(edges=found.edges, page_info=info, count=found.count)


def connection_in_memory(
    rows: Sequence[R], page: Window[Any], node: Callable[[R], N], cursor: Callable[[R], Any]
) -> Connection[N]:
    """A page of ``rows``, all at hand and in ascending order of ``cursor``."""
    start = 0 if page.after is None else bisect_right(rows, page.after, key=cursor)
    end = len(rows) if page.before is None else bisect_left(rows, page.before, key=cursor)
    if page.backwards:
        start = max(start, end - page.most)
    else:
        end = min(end, start + page.most)

    async def count() -> int:
        return len(rows)

    return connection(rows[start : max(start, end)], page, node, cursor, count)


def _key_text(cursor: str) -> str:
    key = b64decode(cursor, altchars=b"-_", validate=True).decode()
    if not key.isprintable():
        raise ValueError("no key has control characters")
    return key


def _cursor(key: object) -> str:
    return urlsafe_b64encode(str(key).encode()).decode()
