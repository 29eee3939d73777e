"""Pages of orders, the last one first, whose cost depends neither on how deep they are nor on how many there are.

Each filter that is asked for alone has an index that ends in the order of the list. Of several, the one that leaves the
fewest leads to the orders, and the others are asked of each of these.

A search for a part of a text is led by the pieces of texts. A part that many contacts or numbers have is looked for
among all orders instead, from the last one on: there, a page of them is found soon.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets.orders import COLUMNS, WITH_BASKET, Order, OrderState, order_of
from db.contacts.search import LED_BY_NAME, NAMED
from db.core.keyset import PageBy, Place, Stretch, in_order

MOST_FOUND: Final = 1_000
"""Contacts, and numbers, that a part may be found in to lead to their orders."""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders are asked for; what is None is not asked about. ``since`` is included, ``until`` is not.

    ``search`` is a part of the number, or of the contact's name or address; the ``offer`` and one of the ``codes`` were
    used.
    """

    search: str | None = None
    number: str | None = None
    barcode: str | None = None
    contact: UUID | None = None
    offer: UUID | None = None
    codes: tuple[UUID, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: OrderState | None = None


_SUBJECT: Final = """EXISTS (SELECT FROM order_subjects s WHERE s.organisation_id = o.organisation_id
    AND s.subject_id = {0} AND s.confirmed_at = o.confirmed_at AND s.order_id = o.id)"""
_CONDITIONS: Final = {
    "number": "o.number = :number",
    "barcode": """o.id = (SELECT t.order_id FROM tickets t WHERE t.organisation_id = :organisation
    AND t.barcode = :barcode)""",
    "contact": "o.contact_id = :contact",
    "offer": _SUBJECT.format(":offer"),
    "codes": _SUBJECT.format("ANY(CAST(:codes AS uuid[]))"),
    # No EXISTS, for which PostgreSQL may gather all contacts that have the part.
    "search": f"""(strpos(o.number, :search) > 0 OR (SELECT {NAMED} FROM contacts c
    WHERE c.organisation_id = o.organisation_id AND c.id = o.contact_id))""",
    "state": "o.state = :state",
    "since": "o.confirmed_at >= :since",
    "until": "o.confirmed_at < :until",
    "after": "(o.confirmed_at, o.id) < (:after_confirmed_at, :after_id)",
    "before": "(o.confirmed_at, o.id) > (:before_confirmed_at, :before_id)",
}
_FEW: Final = ("number", "barcode", "contact")
"""What leads to few orders by itself, whatever else is asked."""
_SUBJECTS: Final = {"codes": "CAST(:codes AS uuid[])", "offer": "ARRAY[CAST(:offer AS uuid)]"}
_PLACES: Final = frozenset({"since", "until", "after", "before"})
_ALL_LATEST: Stretch[Place] = Stretch(None, 0)
"""The list from its beginning."""

# MATERIALIZED, so that the index is chosen as if all were wanted: a limit has PostgreSQL go through the table instead.
_FOUND: Final = text(f"""
WITH people AS MATERIALIZED (
    SELECT id FROM contacts WHERE organisation_id = :organisation AND {NAMED} AND {LED_BY_NAME}
), numbered AS MATERIALIZED (
    SELECT id FROM orders WHERE organisation_id = :organisation AND strpos(number, :search) > 0
        AND pieces_of(organisation_id, number) @> pieces_of(:organisation, :search)
)
SELECT ARRAY(SELECT id FROM people LIMIT :most) AS people, ARRAY(SELECT id FROM numbered LIMIT :most) AS numbered
""")
_NUMBERED: Final = text("SELECT id, contact_id FROM orders WHERE organisation_id = :organisation AND number = :number")


async def page(
    connection: AsyncConnection, organisation: UUID, wanted: OrderFilter, page: PageBy[Place]
) -> list[Order]:
    """A page of the orders that the filter lets through, the last one first."""
    found = await _found(connection, organisation, wanted)
    statement = _page(_shape(wanted, page, found))
    rows = await connection.execute(statement, _parameters(organisation, wanted, page, found))
    return in_order(map(order_of, rows), page)


async def count(connection: AsyncConnection, organisation: UUID, wanted: OrderFilter, most: int) -> int:
    """How many orders the filter lets through, counted up to ``most``."""
    found = await _found(connection, organisation, wanted)
    counted: Stretch[Place] = Stretch(None, most)
    statement = _count(_shape(wanted, counted, found))
    return int(await connection.scalar(statement, _parameters(organisation, wanted, counted, found)) or 0)


async def of_contacts(
    connection: AsyncConnection, organisation: UUID, contacts: Sequence[UUID], page: PageBy[Place]
) -> dict[UUID, list[Order]]:
    """That page of the orders of each of the contacts, the last one first."""
    shape = _shape(OrderFilter(), page, None)
    inner = shape.orders("o.contact_id = each.id", *_conditions(shape.parts))
    statement = text(f"""
SELECT {COLUMNS} FROM unnest(CAST(:contacts AS uuid[])) each(id) CROSS JOIN LATERAL ({inner}) o {WITH_BASKET}
{shape.order()}
""")
    parameters = _parameters(organisation, OrderFilter(), page, None)
    found: dict[UUID, list[Order]] = {contact: [] for contact in contacts}
    for row in in_order(await connection.execute(statement, {**parameters, "contacts": list(contacts)}), page):
        found[row.contact_id].append(order_of(row))
    return found


async def count_of_contacts(
    connection: AsyncConnection, organisation: UUID, contacts: Sequence[UUID], most: int
) -> dict[UUID, int]:
    """How many orders each of the contacts has, counted up to ``most``."""
    statement = text("""
SELECT each.id, (SELECT count(*) FROM (SELECT FROM orders o WHERE o.organisation_id = :organisation
    AND o.contact_id = each.id LIMIT :most) counted) AS number
FROM unnest(CAST(:contacts AS uuid[])) each(id)
""")
    parameters = {"organisation": organisation, "contacts": list(contacts), "most": most}
    return {row.id: row.number for row in await connection.execute(statement, parameters)}


async def numbered(connection: AsyncConnection, organisation: UUID, number: str) -> tuple[UUID, UUID | None] | None:
    """The order with this number, and whose it is."""
    row = (await connection.execute(_NUMBERED, {"organisation": organisation, "number": number})).one_or_none()
    return None if row is None else (row.id, row.contact_id)


class _Found(NamedTuple):
    """The contacts, and the orders by their number, that have what is searched for."""

    people: list[UUID]
    numbered: list[UUID]


async def _found(connection: AsyncConnection, organisation: UUID, wanted: OrderFilter) -> _Found | None:
    """What a search is led by; None where something else leads, or there is too much of it."""
    parts = _shape(wanted, _ALL_LATEST, None).parts
    if "search" not in parts or not parts.isdisjoint((*_FEW, *_SUBJECTS)):
        return None
    parameters = {"organisation": organisation, "search": wanted.search, "most": MOST_FOUND + 1}
    people, numbers = (await connection.execute(_FOUND, parameters)).one()
    return None if max(len(people), len(numbers)) > MOST_FOUND else _Found(people, numbers)


class _Shape(NamedTuple):
    """What makes the statement for one page another than that for the next."""

    parts: frozenset[str]
    is_found: bool
    backwards: bool

    def order(self, instant: str = "o.confirmed_at", key: str = "o.id") -> str:
        """The last one first; of a page backwards the first one."""
        direction = "ASC" if self.backwards else "DESC"
        return f"ORDER BY {instant} {direction}, {key} {direction}"

    def orders(self, *conditions: str) -> str:
        wanted = " AND ".join(["o.organisation_id = :organisation", *conditions])
        return f"SELECT o.* FROM orders o WHERE {wanted} {self.order()} LIMIT :most"


@lru_cache
def _page(shape: _Shape) -> TextClause:
    return text(f"SELECT {COLUMNS} FROM ({_page_text(shape)}) o {WITH_BASKET} {shape.order()}")


@lru_cache
def _count(shape: _Shape) -> TextClause:
    return text(f"SELECT count(*) FROM ({_page_text(shape)}) counted")


def _page_text(shape: _Shape) -> str:
    """The rows of a page: what leads to the orders, and what is asked of each."""
    if shape.is_found:
        return _page_of_found(shape, shape.parts - {"search"})
    subject = next((each for each in _SUBJECTS if each in shape.parts), None)
    if subject is None or not shape.parts.isdisjoint(_FEW):
        return shape.orders(*_conditions(shape.parts))
    return _page_of_subject(shape, subject)


def _page_of_subject(shape: _Shape, subject: str) -> str:
    """From its own table, where the orders of an offer or a code stand side by side in the order of the list."""
    parts = shape.parts - {subject}
    places = [
        each.replace("o.confirmed_at", "s.confirmed_at").replace("o.id", "s.order_id")
        for each in _conditions(parts & _PLACES)
    ]
    wanted = ["s.organisation_id = :organisation AND s.subject_id = each.id", *places, *_conditions(parts - _PLACES)]
    inner = f"""SELECT o.* FROM order_subjects s
JOIN orders o ON (o.organisation_id, o.id) = (s.organisation_id, s.order_id)
WHERE {" AND ".join(wanted)} {shape.order("s.confirmed_at", "s.order_id")} LIMIT :most"""
    return f"""SELECT DISTINCT ON (o.confirmed_at, o.id) o.*
FROM unnest({_SUBJECTS[subject]}) each(id) CROSS JOIN LATERAL ({inner}) o
{shape.order()} LIMIT :most"""


def _page_of_found(shape: _Shape, parts: frozenset[str]) -> str:
    conditions = _conditions(parts)
    of_each = shape.orders("o.contact_id = each.id", *conditions)
    others = "(o.contact_id IS NULL OR o.contact_id <> ALL(CAST(:people AS uuid[])))"
    of_numbers = shape.orders("o.id = ANY(CAST(:numbered AS uuid[]))", others, *conditions)
    return f"""SELECT o.* FROM (
    SELECT o.* FROM unnest(CAST(:people AS uuid[])) each(id) CROSS JOIN LATERAL ({of_each}) o
    UNION ALL ({of_numbers})
) o {shape.order()} LIMIT :most"""


def _conditions(parts: frozenset[str]) -> list[str]:
    return [condition for name, condition in _CONDITIONS.items() if name in parts]


def _shape(wanted: OrderFilter, page: PageBy[Place], found: _Found | None) -> _Shape:
    parts = {name for name in OrderFilter.__dataclass_fields__ if getattr(wanted, name) is not None}
    parts |= {name for name in ("after", "before") if getattr(page, name) is not None}
    return _Shape(frozenset(parts), found is not None, page.backwards)


def _parameters(
    organisation: UUID, wanted: OrderFilter, page: PageBy[Place], found: _Found | None
) -> dict[str, object]:
    given: dict[str, object] = {name: getattr(wanted, name) for name in OrderFilter.__dataclass_fields__}
    given["codes"] = list(wanted.codes or ())
    for name, place in (("after", page.after), ("before", page.before)):
        if place is not None:
            given |= {f"{name}_confirmed_at": place[0], f"{name}_id": place[1]}
    return {"organisation": organisation, "most": page.most, **given, **(found._asdict() if found else {})}
