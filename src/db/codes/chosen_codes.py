"""Codes that somebody chose: custom ones of promotional codes, access codes of advantages.

They are AVAILABLE, SWITCHED_OFF, or INVALIDATED for good. Those of a CLOSED offer are free for another one: who takes
one over leaves the old one in history, under a text that nobody can enter.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes import chosen_counts
from db.codes.codes import CodeKind, CodeStatus
from db.core.keyset import Page
from db.core.ledger import stop_sales
from db.core.tables import codes
from db.core.upsert import upsert


@dataclass(frozen=True, slots=True)
class ChosenCode:
    """A custom or access code; ``code`` is normalised, ``shown`` as it was chosen, ``max_uses`` counts orders."""

    id: UUID
    code: str
    shown: str | None
    kind: CodeKind
    offer_id: UUID
    max_uses: int | None
    status: CodeStatus
    invalidated_at: datetime | None = None
    invalidated_by: str | None = None
    invalidation_reason: str | None = None

    @property
    def is_active(self) -> bool:
        return self.status is CodeStatus.AVAILABLE

    @property
    def is_gone(self) -> bool:
        """Whether it was invalidated for good, not only switched off."""
        return self.status is CodeStatus.INVALIDATED

    @property
    def text(self) -> str:
        """The normalised text that it has, or had before another offer took it over."""
        return self.code.partition(" ")[0]

    @property
    def former(self) -> str:
        """Its text in history. The space keeps it from being entered, the id from being another's."""
        return f"{self.text} {self.id}"


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A code that exists; ``uses`` are the orders and baskets that use it, known while it has a maximum.

    ``is_free``: its offer is CLOSED, so that another one may take it over.
    """

    chosen: ChosenCode
    uses: int
    is_free: bool = False


_NAMES: Final = ", ".join(field.name for field in fields(ChosenCode))

IS_FREE: Final = """(c.kind <> 'SINGLE_USE' AND EXISTS (SELECT FROM offers o
    WHERE o.organisation_id = c.organisation_id AND o.id = c.offer_id AND o.state = 'CLOSED'))"""
"""Whether another offer may take a code ``c`` over: what is CLOSED stays so."""

_WITH_TEXT: Final = text(f"""
SELECT {_NAMES}, uses, {IS_FREE} AS is_free FROM codes c
WHERE organisation_id = :organisation AND code = ANY(CAST(:codes AS text[]))
""")
# Whoever comes second finds the row changed, and takes nothing over.
_GIVE_UP: Final = text(f"""
UPDATE codes c SET code = c.code || ' ' || c.id, shown = coalesce(c.shown, c.code)
WHERE c.organisation_id = :organisation AND c.code = ANY(CAST(:codes AS text[])) AND {IS_FREE}
""")
_ACCESS: Final = text(f"""
SELECT {_NAMES}, uses FROM codes
WHERE organisation_id = :organisation AND kind = 'ACCESS' AND offer_id = ANY(CAST(:offers AS uuid[]))
""")
# The ledger knows the uses of a code without a maximum too.
_CUSTOM: Final = text(f"""
SELECT {_NAMES}, (
    SELECT count(DISTINCT basket_id) FROM redemptions r
    WHERE r.organisation_id = :organisation AND r.code_id = c.id AND r.state <> 'RETURNED'
) AS uses
FROM codes c WHERE organisation_id = :organisation AND kind = 'CUSTOM' AND offer_id = ANY(CAST(:offers AS uuid[]))
ORDER BY id
""")
# Of each offer its next codes, which an index has side by side.
_CUSTOM_PAGES: Final = text(f"""
SELECT {_NAMES}, (
    SELECT count(DISTINCT basket_id) FROM redemptions r
    WHERE r.organisation_id = :organisation AND r.code_id = c.id AND r.state <> 'RETURNED'
) AS uses
FROM unnest(CAST(:offers AS uuid[])) wanted CROSS JOIN LATERAL (
    SELECT * FROM codes
    WHERE organisation_id = :organisation AND kind <> 'SINGLE_USE' AND kind = 'CUSTOM' AND offer_id = wanted
        AND (CAST(:after AS uuid) IS NULL OR id > :after) AND (CAST(:before AS uuid) IS NULL OR id < :before)
    ORDER BY id LIMIT :most
) c ORDER BY id
""")
_LAST_CUSTOM_PAGES: Final = text(_CUSTOM_PAGES.text.replace("ORDER BY id LIMIT", "ORDER BY id DESC LIMIT"))
_LOCKED_ACCESS: Final = text(f"{_ACCESS.text} FOR NO KEY UPDATE")
_LOCKED: Final = text(f"""
SELECT {_NAMES}, uses FROM codes WHERE organisation_id = :organisation AND id = :code FOR NO KEY UPDATE
""")
_COUNT_USES: Final = text("""
UPDATE codes c SET uses = (
    SELECT count(DISTINCT basket_id) FROM redemptions r
    WHERE r.organisation_id = :organisation AND r.code_id = c.id AND r.state <> 'RETURNED'
) WHERE organisation_id = :organisation AND id = :code
""")


async def with_text(connection: AsyncConnection, organisation_id: UUID, wanted: Collection[str]) -> list[StoredCode]:
    """The codes of any kind with these normalised texts."""
    rows = await connection.execute(_WITH_TEXT, {"organisation": organisation_id, "codes": list(wanted)})
    return [StoredCode(_chosen(row), row.uses, row.is_free) for row in rows]


async def access_codes(
    connection: AsyncConnection, organisation_id: UUID, offers: Collection[UUID], *, lock: bool = False
) -> list[StoredCode]:
    """The access codes of advantages, those that they had before included, kept from changes where asked for."""
    query = _LOCKED_ACCESS if lock else _ACCESS
    return _stored(await connection.execute(query, {"organisation": organisation_id, "offers": list(offers)}))


async def custom_codes(
    connection: AsyncConnection, organisation_id: UUID, offers: Collection[UUID]
) -> list[StoredCode]:
    """The custom codes of promotional codes in the order of their making, each with its uses by the ledger."""
    return _stored(await connection.execute(_CUSTOM, {"organisation": organisation_id, "offers": list(offers)}))


async def custom_pages(
    connection: AsyncConnection, organisation_id: UUID, offers: Collection[UUID], page: Page
) -> list[StoredCode]:
    """Of each promotional code that page of its custom codes, in the order of their making, with uses."""
    bounds = {"after": page.after, "before": page.before, "most": page.most}
    parameters = {"organisation": organisation_id, "offers": list(offers), **bounds}
    statement = _LAST_CUSTOM_PAGES if page.backwards else _CUSTOM_PAGES
    return _stored(await connection.execute(statement, parameters))


async def add(connection: AsyncConnection, organisation_id: UUID, code: ChosenCode) -> bool:
    """Adds a code, and counts it, unless its text is some code's of the organisation already that is not free.

    Whether it did.
    """
    await give_up(connection, organisation_id, [code.code])
    values = {"organisation_id": organisation_id} | {field.name: getattr(code, field.name) for field in fields(code)}
    statement = insert(codes).values(values).on_conflict_do_nothing(index_elements=["organisation_id", "code"])
    if (await connection.execute(statement.returning(codes.c.id))).first() is None:
        return False
    added = await chosen_counts.standings(connection, organisation_id, [code.id])
    await chosen_counts.move(connection, organisation_id, (), added.values())
    return True


async def give_up(connection: AsyncConnection, organisation_id: UUID, wanted: Collection[str]) -> None:
    """Has the codes of CLOSED offers with these texts give them up, to be another offer's; they stay in history.

    To be followed by the codes that take them over, in the same transaction.
    """
    await connection.execute(_GIVE_UP, {"organisation": organisation_id, "codes": list(wanted)})


async def save(connection: AsyncConnection, organisation_id: UUID, rows: Sequence[ChosenCode]) -> None:
    """Makes codes, or changes those that exist, and makes the counts follow."""
    ids = [row.id for row in rows]
    before = await chosen_counts.standings(connection, organisation_id, ids)
    await upsert(connection, organisation_id, codes, rows)
    after = await chosen_counts.standings(connection, organisation_id, ids)
    await chosen_counts.move(connection, organisation_id, before.values(), after.values())


async def count_uses(connection: AsyncConnection, organisation_id: UUID, code: UUID) -> None:
    """Makes the uses of a custom code what the ledger says, and keeps sales waiting until the transaction ends.

    To come before a first maximum: uses are only kept up while there is one.
    """
    await stop_sales(connection)
    await connection.execute(_COUNT_USES, {"organisation": organisation_id, "code": code})


async def lock(connection: AsyncConnection, organisation_id: UUID, code: UUID) -> StoredCode:
    """A code as it is now, kept from all other changes, sales that count against its maximum included."""
    [found] = _stored(await connection.execute(_LOCKED, {"organisation": organisation_id, "code": code}))
    return found


def _stored(rows: Iterable[Row[Any]]) -> list[StoredCode]:
    return [StoredCode(_chosen(row), row.uses) for row in rows]


def _chosen(row: Row[Any]) -> ChosenCode:
    return ChosenCode(
        id=row.id,
        code=row.code,
        shown=row.shown,
        kind=CodeKind(row.kind),
        offer_id=row.offer_id,
        max_uses=row.max_uses,
        status=CodeStatus(row.status),
        invalidated_at=row.invalidated_at,
        invalidated_by=row.invalidated_by,
        invalidation_reason=row.invalidation_reason,
    )
