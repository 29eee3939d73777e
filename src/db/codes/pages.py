"""Pages of codes, by keyset, whose cost depends neither on how deep they are nor on how many codes there are.

The ids of a batch's codes are the batch's own, numbered in their last four bytes: the primary key has the codes of a
batch side by side, batches in the order of their making. What is asked of an offer, a contact or a season is asked of
one batch after the other until the page is full. Chosen codes, which come in no batch, have an index of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes.bulk import code_id
from db.codes.codes import EVER_WITH, Code, CodeFilter, CodeStatus, code_of
from db.codes.standing import STATUS, as_they_stand
from db.core.keyset import MOST_COUNTED, Page, Stretch, in_order

ListedCode = tuple[UUID, str, str | None, str]
"""Id, code, how it is shown and status of a code, as little as can be: lists have millions."""


def is_sought(wanted: CodeFilter) -> bool:
    """Whether codes have to be looked through for what the filter wants: no index leads to it."""
    return all(getattr(wanted, part) is None for part in _DIRECT) and any(
        getattr(wanted, part) is not None for part in _SOUGHT
    )


@dataclass(frozen=True, slots=True)
class TrackedCode:
    """A code with the names that stand for what it refers to: of a chosen one, its newest order and who had it.

    Names of offers by language.
    """

    code: Code
    offer_name: dict[str, str]
    contact_name: str | None
    used_by_name: str | None
    order_number: str | None


class _Shape(NamedTuple):
    """What makes the statement for one filter another than that for the next: which parts are set, and the statuses."""

    parts: frozenset[str]
    status: tuple[CodeStatus, ...]
    direction: str = "ASC"
    """Of ids: DESC for a page backwards."""

    @property
    def is_direct(self) -> bool:
        """Whether an index on the codes themselves leads to what is wanted."""
        return not self.parts.isdisjoint(_DIRECT) or self.parts.isdisjoint(_OF_BATCHES)


_USED_BY: Final = "SELECT u.code_id FROM code_uses u WHERE u.organisation_id = :organisation"
_USED_WHEN: Final = {"used_from": "used_at >= :used_from", "used_until": "used_at < :used_until"}
_INVALIDATED: Final = frozenset({"invalidated_by", "invalidated_from", "invalidated_until", "invalidation_reason"})
_SOUGHT: Final = _INVALIDATED | {"part"}
"""Parts of a filter that no index leads to."""
LOOKED_THROUGH: Final = 100_000
"""How many codes one statement looks through where it has to: some hundredths of a second."""
_DIRECT: Final = frozenset({"code", "buyer", "order_number", *_USED_WHEN})
_OF_BATCHES: Final = {
    "batch": "b.id = :batch",
    "offer": "b.offer_id = :offer",
    "contact": "b.contact_id = :contact",
    "season": "b.offer_id IN (SELECT id FROM offers WHERE organisation_id = :organisation AND season_id = :season)",
    # Batches before it have no codes after it, nor batches after it codes before it.
    "after": "b.id >= :batch_after",
    "before": "b.id <= :batch_before",
}
_OF_CODES: Final = {
    "code": f"c.id = ANY(ARRAY({EVER_WITH}))",
    # What follows a text that was given up is no part of it.
    "part": "strpos(split_part(c.code, ' ', 1), :part) > 0",
    "buyer": f"c.id IN ({_USED_BY} AND u.contact_id = :buyer AND u.order_id IS NOT NULL)",
    "order_number": f"""c.id IN ({_USED_BY} AND u.order_id = (
        SELECT id FROM orders WHERE organisation_id = :organisation AND number = :order_number))""",
    "invalidated_by": "strpos(lower(c.invalidated_by), lower(:invalidated_by)) > 0",
    "invalidated_from": "c.invalidated_at >= :invalidated_from",
    "invalidated_until": "c.invalidated_at < :invalidated_until",
    "invalidation_reason": "strpos(lower(c.invalidation_reason), lower(:invalidation_reason)) > 0",
    "until": "c.id <= :until",
    "after": "c.id > :after",
    "before": "c.id < :before",
}
_OF_ANY_CODES: Final = {
    "batch": "c.batch_id = :batch",
    "offer": "c.offer_id = :offer",
    "contact": "c.contact_id = :contact",
    "season": "c.offer_id IN (SELECT id FROM offers WHERE organisation_id = :organisation AND season_id = :season)",
}
# Nothing else may narrow this down: a condition that few rows are thought to meet has PostgreSQL read a whole batch.
_IN_BATCH: Final = """c.organisation_id = :organisation
    AND c.id BETWEEN (left(b.id::text, 28) || '00000000')::uuid AND (left(b.id::text, 28) || 'ffffffff')::uuid"""


async def page(connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, page: Page) -> list[Code]:
    """A page of the codes that the filter lets through, in order of id; its code is normalised."""
    rows = await connection.execute(_page(_shape(wanted, page), "*"), _parameters(organisation, wanted, page))
    return await as_they_stand(connection, organisation, in_order(map(code_of, rows), page))


async def search(
    connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, page: Page
) -> tuple[list[UUID], UUID | None]:
    """The ids of the next codes of a page, or backwards of those before, where no index leads to them: the codes are
    looked through, so many at the most; and the last one looked at, None where there are no further ones.
    """
    statement = _search(_shape(wanted, page))
    parameters = _parameters(organisation, wanted, page) | {"looked_through": LOOKED_THROUGH}
    rows = (await connection.execute(statement, parameters)).all()
    looked, last = rows[0].looked, rows[0].last
    return [row.id for row in rows if row.id is not None], last if looked == LOOKED_THROUGH else None


async def tracked(
    connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, after: UUID | None, most: int
) -> list[TrackedCode]:
    """A page of codes, each with the names of its offer, contact and buyer, as the tracking list shows them."""
    page = Stretch(after, most)
    statement, parameters = _tracked(_shape(wanted, page)), _parameters(organisation, wanted, page)
    rows = (await connection.execute(statement, parameters)).all()
    codes = await as_they_stand(connection, organisation, [code_of(row) for row in rows])
    return [TrackedCode(code, *row[-4:]) for code, row in zip(codes, rows, strict=True)]


async def of_batch(
    connection: AsyncConnection, organisation: UUID, batch: UUID, after: UUID | None, most: int
) -> Sequence[ListedCode]:
    """The next codes of a batch's list, in order of id."""
    wanted, page = CodeFilter(batch=batch), Stretch(after, most)
    statement = _page(_shape(wanted, page), "id, code, shown, status")
    found = await connection.execute(statement, _parameters(organisation, wanted, page))
    return cast("Sequence[ListedCode]", found.all())


async def ids(
    connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, after: UUID | None, most: int
) -> list[UUID]:
    """The ids of the next codes that the filter lets through, in order."""
    page = Stretch(after, most)
    statement = _page(_shape(wanted, page), "id")
    return list((await connection.scalars(statement, _parameters(organisation, wanted, page))).all())


async def count(connection: AsyncConnection, organisation: UUID, wanted: CodeFilter) -> dict[CodeStatus, int]:
    """How many codes of each status the filter lets through."""
    everything: Stretch[UUID] = Stretch(None, 0)
    statement = _count(_shape(wanted, everything))
    rows = await connection.execute(statement, _parameters(organisation, wanted, everything))
    return {CodeStatus(row.status): int(row.number) for row in rows}


async def bounded_count(connection: AsyncConnection, organisation: UUID, wanted: CodeFilter) -> int | None:
    """How many codes the filter lets through; None where they are more than ``MOST_COUNTED``, or more have to be looked
    through than one statement does.
    """
    counted: Stretch[UUID] = Stretch(None, MOST_COUNTED + 1)
    if is_sought(wanted):
        ids, last = await search(connection, organisation, wanted, counted)
        return len(ids) if last is None and len(ids) <= MOST_COUNTED else None
    statement = text(f"SELECT count(*) FROM ({_page_text(_shape(wanted, counted), 'id')}) counted")
    found = int(await connection.scalar(statement, _parameters(organisation, wanted, counted)) or 0)
    return found if found <= MOST_COUNTED else None


@lru_cache
def _page(shape: _Shape, columns: str) -> TextClause:
    return text(_page_text(shape, columns))


@lru_cache
def _search(shape: _Shape) -> TextClause:
    of_invalidated = {"invalidated"} if not shape.parts.isdisjoint(_INVALIDATED) else set()
    base = _Shape((shape.parts - _SOUGHT) | of_invalidated, shape.status, shape.direction)
    onwards, back = ("ASC", "DESC") if shape.direction == "ASC" else ("DESC", "ASC")
    looked_at = _page_text(base, "id, code, invalidated_at, invalidated_by, invalidation_reason")
    sought = [condition for name, condition in _OF_CODES.items() if name in shape.parts & _SOUGHT]
    return text(f"""
WITH looked_at AS MATERIALIZED ({looked_at.replace(":most", ":looked_through")})
SELECT w.looked, w.last, c.id FROM (
    SELECT count(*) AS looked, (SELECT id FROM looked_at ORDER BY id {back} LIMIT 1) AS last FROM looked_at
) w LEFT JOIN (SELECT id FROM looked_at c WHERE {_all(*sought)} ORDER BY id {onwards} LIMIT :most) c ON true
ORDER BY c.id {onwards}
""")


@lru_cache
def _tracked(shape: _Shape) -> TextClause:
    return text(f"""
SELECT c.*, o.public_name, holder.name, buyer.name, bought.number FROM ({_page_text(shape, "*")}) c
JOIN offers o ON (o.organisation_id, o.id) = (c.organisation_id, c.offer_id)
LEFT JOIN contacts holder ON (holder.organisation_id, holder.id) = (c.organisation_id, c.contact_id)
LEFT JOIN LATERAL (
    SELECT order_id, contact_id FROM code_uses u
    WHERE c.kind <> 'SINGLE_USE' AND u.organisation_id = :organisation AND u.code_id = c.id AND u.released_at IS NULL
    ORDER BY u.id DESC LIMIT 1
) newest ON true
LEFT JOIN contacts buyer ON (buyer.organisation_id, buyer.id)
    = (c.organisation_id, coalesce(c.used_by, newest.contact_id))
LEFT JOIN orders bought ON (bought.organisation_id, bought.id)
    = (c.organisation_id, coalesce(c.order_id, newest.order_id))
ORDER BY c.id
""")


@lru_cache
def _count(shape: _Shape) -> TextClause:
    if shape.is_direct:
        parts = _branches(shape, "status")
    else:
        inner = f"SELECT status FROM codes c WHERE {_all(_IN_BATCH, _own(shape))}"
        parts = [f"SELECT c.status FROM batches b CROSS JOIN LATERAL ({inner}) c WHERE {_batches(shape)}"]
        parts += [_chosen(shape, "status")] * _has_chosen(shape)
    return text(f"SELECT status, count(*) AS number FROM ({' UNION ALL '.join(parts)}) found GROUP BY status")


def _page_text(shape: _Shape, columns: str) -> str:
    order, turned = f"ORDER BY c.id {shape.direction}", f"ORDER BY id {shape.direction}"
    if shape.is_direct:
        pages = [f"({branch} {order} LIMIT :most)" for branch in _branches(shape, columns)]
    else:
        inner = f"SELECT {columns} FROM codes c WHERE {_all(_IN_BATCH, _own(shape))} {order} LIMIT :most"
        # Batches come in order, and their codes in order within: the sort ends with the page.
        pages = [
            f"""(SELECT c.* FROM batches b CROSS JOIN LATERAL ({inner}) c
WHERE {_batches(shape)} ORDER BY b.id {shape.direction}, c.id {shape.direction} LIMIT :most)"""
        ]
        pages += [f"({_chosen(shape, columns)} {order} LIMIT :most)"] * _has_chosen(shape)
    return pages[0] if len(pages) == 1 else f"SELECT * FROM ({' UNION ALL '.join(pages)}) found {turned} LIMIT :most"


def _branches(shape: _Shape, columns: str) -> list[str]:
    """The codes that an index on them leads to: in one go, or chosen ones apart where their uses decide."""
    if not shape.status and shape.parts.isdisjoint(_USED_WHEN):
        return [f"{_codes(columns, _own(shape), shape)}"]
    single_use = _codes(columns, _all("c.kind = 'SINGLE_USE'", _own(shape)), shape)
    return [single_use] + [_chosen(shape, columns)] * _has_chosen(shape)


def _has_chosen(shape: _Shape) -> bool:
    return shape.parts.isdisjoint({"batch", "contact"})


def _chosen(shape: _Shape, columns: str) -> str:
    return _codes(columns, _all("c.kind <> 'SINGLE_USE'", _own(shape, chosen=True)), shape)


def _codes(columns: str, own: str, shape: _Shape) -> str:
    further = [condition for name, condition in _OF_ANY_CODES.items() if name in shape.parts]
    return f"SELECT {columns} FROM codes c WHERE {_all('c.organisation_id = :organisation', *further, own)}"


def _own(shape: _Shape, *, chosen: bool = False) -> str:
    """What the codes themselves must be. Statuses as literals, for the sake of partial indexes."""
    conditions = [condition for name, condition in _OF_CODES.items() if name in shape.parts]
    used = [condition for name, condition in _USED_WHEN.items() if name in shape.parts]
    if used and chosen:
        live = _all("u.organisation_id = c.organisation_id AND u.code_id = c.id AND u.released_at IS NULL", *used)
        conditions.append(f"EXISTS (SELECT FROM code_uses u WHERE {live})")
    elif used:
        conditions += ["c.used_at IS NOT NULL", *(f"c.{condition}" for condition in used)]
    if not shape.parts.isdisjoint(_INVALIDATED | {"invalidated"}):
        conditions.append("c.status = 'INVALIDATED' AND c.status <> 'AVAILABLE' AND c.invalidated_at IS NOT NULL")
    if shape.status:
        status = STATUS if chosen else "c.status"
        conditions.append(f"{status} IN ({', '.join(repr(status.value) for status in shape.status)})")
        conditions += ["c.status <> 'AVAILABLE'"] * (CodeStatus.AVAILABLE not in shape.status and not chosen)
    return _all(*conditions)


def _batches(shape: _Shape) -> str:
    further = [condition for name, condition in _OF_BATCHES.items() if name in shape.parts]
    return _all("b.organisation_id = :organisation", *further)


def _all(*conditions: str) -> str:
    return " AND ".join(filter(None, conditions))


def _shape(wanted: CodeFilter, page: Page) -> _Shape:
    parts = {name for name in CodeFilter.__dataclass_fields__ if name != "status" and getattr(wanted, name) is not None}
    parts |= {name for name in ("after", "before") if getattr(page, name) is not None}
    return _Shape(frozenset(parts), wanted.status, "DESC" if page.backwards else "ASC")


def _parameters(organisation: UUID, wanted: CodeFilter, page: Page) -> dict[str, object]:
    return {
        "organisation": organisation,
        "most": page.most,
        "after": page.after,
        "before": page.before,
        "batch_after": page.after and code_id(page.after, 0),
        "batch_before": page.before and code_id(page.before, 2**32 - 1),
        "batch": wanted.batch,
        "offer": wanted.offer,
        "contact": wanted.contact,
        "season": wanted.season,
        "code": wanted.code,
        "used_from": wanted.used_from,
        "used_until": wanted.used_until,
        "until": wanted.until,
        "part": wanted.part,
        "buyer": wanted.buyer,
        "order_number": wanted.order_number,
        "invalidated_by": wanted.invalidated_by,
        "invalidated_from": wanted.invalidated_from,
        "invalidated_until": wanted.invalidated_until,
        "invalidation_reason": wanted.invalidation_reason,
    }
