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
from db.codes.codes import Code, CodeFilter, CodeStatus, code_of

ListedCode = tuple[UUID, str, str | None, str]
"""Id, code, how it is shown and status of a code, as little as can be: lists have millions."""


@dataclass(frozen=True, slots=True)
class TrackedCode:
    """A code with the names that stand for what it refers to. Names of offers by language."""

    code: Code
    offer_name: dict[str, str]
    contact_name: str | None
    used_by_name: str | None
    order_number: str | None


class _Shape(NamedTuple):
    """What makes the statement for one filter another than that for the next: which parts are set, and the statuses."""

    parts: frozenset[str]
    status: tuple[CodeStatus, ...]

    @property
    def is_direct(self) -> bool:
        """Whether an index on the codes themselves leads to what is wanted."""
        return not self.parts.isdisjoint({"code", "used_from", "used_until"}) or self.parts.isdisjoint(_OF_BATCHES)


_OF_BATCHES: Final = {
    "batch": "b.id = :batch",
    "offer": "b.offer_id = :offer",
    "contact": "b.contact_id = :contact",
    "season": "b.offer_id IN (SELECT id FROM offers WHERE organisation_id = :organisation AND season_id = :season)",
    # Batches before it have no codes after it.
    "after": "b.id >= :batch_after",
}
_OF_CODES: Final = {
    "code": "c.code = :code",
    "used_from": "c.used_at >= :used_from",
    "used_until": "c.used_at < :used_until",
    "until": "c.id <= :until",
    "after": "c.id > :after",
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


async def page(
    connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, after: UUID | None, most: int
) -> list[Code]:
    """The next codes that the filter lets through, in order of id; its code is normalised."""
    statement = _page(_shape(wanted, after), "*")
    parameters = _parameters(organisation, wanted, after, most)
    return [code_of(row) for row in await connection.execute(statement, parameters)]


async def tracked(
    connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, after: UUID | None, most: int
) -> list[TrackedCode]:
    """A page of codes, each with the names of its offer, contact and buyer, as the tracking list shows them."""
    statement = _tracked(_shape(wanted, after))
    parameters = _parameters(organisation, wanted, after, most)
    return [TrackedCode(code_of(row), *row[-4:]) for row in await connection.execute(statement, parameters)]


async def of_batch(
    connection: AsyncConnection, organisation: UUID, batch: UUID, after: UUID | None, most: int
) -> Sequence[ListedCode]:
    """The next codes of a batch's list, in order of id."""
    wanted = CodeFilter(batch=batch)
    statement = _page(_shape(wanted, after), "id, code, shown, status")
    found = await connection.execute(statement, _parameters(organisation, wanted, after, most))
    return cast("Sequence[ListedCode]", found.all())


async def ids(
    connection: AsyncConnection, organisation: UUID, wanted: CodeFilter, after: UUID | None, most: int
) -> list[UUID]:
    """The ids of the next codes that the filter lets through, in order."""
    statement = _page(_shape(wanted, after), "id")
    return list((await connection.scalars(statement, _parameters(organisation, wanted, after, most))).all())


async def count(connection: AsyncConnection, organisation: UUID, wanted: CodeFilter) -> dict[CodeStatus, int]:
    """How many codes of each status the filter lets through."""
    rows = await connection.execute(_count(_shape(wanted, None)), _parameters(organisation, wanted, None, 0))
    return {CodeStatus(row.status): int(row.number) for row in rows}


@lru_cache
def _page(shape: _Shape, columns: str) -> TextClause:
    return text(_page_text(shape, columns))


@lru_cache
def _tracked(shape: _Shape) -> TextClause:
    return text(f"""
SELECT c.*, o.public_name, holder.name, buyer.name, bought.number FROM ({_page_text(shape, "*")}) c
JOIN offers o ON (o.organisation_id, o.id) = (c.organisation_id, c.offer_id)
LEFT JOIN contacts holder ON (holder.organisation_id, holder.id) = (c.organisation_id, c.contact_id)
LEFT JOIN contacts buyer ON (buyer.organisation_id, buyer.id) = (c.organisation_id, c.used_by)
LEFT JOIN orders bought ON (bought.organisation_id, bought.id) = (c.organisation_id, c.order_id)
ORDER BY c.id
""")


@lru_cache
def _count(shape: _Shape) -> TextClause:
    if shape.is_direct:
        parts = [_codes(shape, "status", _OF_ANY_CODES)]
    else:
        inner = f"SELECT status FROM codes c WHERE {_all(_IN_BATCH, _own(shape))}"
        parts = [f"SELECT c.status FROM batches b CROSS JOIN LATERAL ({inner}) c WHERE {_batches(shape)}"]
        parts += [_chosen(shape, "status")] * _has_chosen(shape)
    return text(f"SELECT status, count(*) AS number FROM ({' UNION ALL '.join(parts)}) found GROUP BY status")


def _page_text(shape: _Shape, columns: str) -> str:
    if shape.is_direct:
        return f"{_codes(shape, columns, _OF_ANY_CODES)} ORDER BY c.id LIMIT :most"
    inner = f"SELECT {columns} FROM codes c WHERE {_all(_IN_BATCH, _own(shape))} ORDER BY c.id LIMIT :most"
    # Batches come in order, and their codes in order within: the sort ends with the page.
    batched = f"""(SELECT c.* FROM batches b CROSS JOIN LATERAL ({inner}) c
WHERE {_batches(shape)} ORDER BY b.id, c.id LIMIT :most)"""
    if not _has_chosen(shape):
        return batched
    chosen = f"({_chosen(shape, columns)} ORDER BY c.id LIMIT :most)"
    return f"SELECT * FROM ({batched} UNION ALL {chosen}) found ORDER BY id LIMIT :most"


def _has_chosen(shape: _Shape) -> bool:
    return shape.parts.isdisjoint({"batch", "contact"})


def _chosen(shape: _Shape, columns: str) -> str:
    return f"{_codes(shape, columns, _OF_ANY_CODES)} AND c.kind <> 'SINGLE_USE'"


def _codes(shape: _Shape, columns: str, more: dict[str, str]) -> str:
    further = [condition for name, condition in more.items() if name in shape.parts]
    return f"SELECT {columns} FROM codes c WHERE {_all('c.organisation_id = :organisation', *further, _own(shape))}"


def _own(shape: _Shape) -> str:
    """What the codes themselves must be. Statuses as literals, for the sake of partial indexes."""
    conditions = [condition for name, condition in _OF_CODES.items() if name in shape.parts]
    if not shape.parts.isdisjoint({"used_from", "used_until"}):
        conditions.append("c.used_at IS NOT NULL")
    if shape.status:
        conditions.append(f"c.status IN ({', '.join(repr(status.value) for status in shape.status)})")
        conditions += ["c.status <> 'AVAILABLE'"] * (CodeStatus.AVAILABLE not in shape.status)
    return _all(*conditions)


def _batches(shape: _Shape) -> str:
    further = [condition for name, condition in _OF_BATCHES.items() if name in shape.parts]
    return _all("b.organisation_id = :organisation", *further)


def _all(*conditions: str) -> str:
    return " AND ".join(filter(None, conditions))


def _shape(wanted: CodeFilter, after: UUID | None) -> _Shape:
    parts = {name for name in CodeFilter.__dataclass_fields__ if name != "status" and getattr(wanted, name) is not None}
    return _Shape(frozenset(parts | ({"after"} if after is not None else set())), wanted.status)


def _parameters(organisation: UUID, wanted: CodeFilter, after: UUID | None, most: int) -> dict[str, object]:
    return {
        "organisation": organisation,
        "most": most,
        "after": after,
        "batch_after": after and code_id(after, 0),
        "batch": wanted.batch,
        "offer": wanted.offer,
        "contact": wanted.contact,
        "season": wanted.season,
        "code": wanted.code,
        "used_from": wanted.used_from,
        "used_until": wanted.used_until,
        "until": wanted.until,
    }
