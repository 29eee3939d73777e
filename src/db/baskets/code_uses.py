"""Uses of codes, one row each, kept for ever: which basket or order had which code, for what, from when until when.

A use begins when a basket first holds a code. While it is held the ledger alone knows it (``redemptions.held_at``), so
that a claim writes nothing more than it has to; its record is written in the statement that makes it a use of an order,
or in the transaction that gives it back unused. What becomes of an order's uses later is noted in their records.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


class ReleaseReason(StrEnum):
    """What ended a use. The code is then as if it had not been used by that basket or order."""

    TAKEN_OUT = "TAKEN_OUT"
    NO_LONGER_APPLIES = "NO_LONGER_APPLIES"
    BASKET_CANCELLED = "BASKET_CANCELLED"
    BASKET_EXPIRED = "BASKET_EXPIRED"
    INVALIDATED = "INVALIDATED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    TICKETS_CANCELLED = "TICKETS_CANCELLED"


def of_ledger(rows: str, condition: str = "true") -> str:
    """One line for each basket and code among these rows of the ledger: the columns that every record has.

    A record has the key of the first of its rows, which no other record of the code has.
    """
    return f"""
    SELECT r.code_id, (array_agg(r.id ORDER BY r.id))[1] AS id, r.offer_id, r.holder_id, r.basket_id, r.contact_id,
        sum(r.covered) AS tickets, sum(r.discount) AS discount, min(r.held_at) AS held_at
    FROM {rows} r WHERE r.code_id IS NOT NULL AND {condition}
    GROUP BY r.code_id, r.offer_id, r.holder_id, r.basket_id, r.contact_id
    """


COLUMNS: Final = "code_id, id, offer_id, holder_id, basket_id, contact_id, tickets, discount, held_at"
"""Those of ``of_ledger``."""


def released(uses: str, reason: str) -> str:
    """SQL that records these uses, of the columns of ``of_ledger``, which are over and were never used.

    A basket past its time had held them no longer than that, whenever somebody noticed; nobody did that. A transaction
    that had to wait may have begun before the code was held.
    """
    return f"""
    INSERT INTO code_uses (organisation_id, {COLUMNS}, released_at, released_by, release_reason)
    SELECT :organisation, {COLUMNS}, e.at, CASE WHEN e.reason <> 'BASKET_EXPIRED' THEN CAST(:by AS text) END, e.reason
    FROM ({uses}) u CROSS JOIN LATERAL (
        SELECT greatest(u.held_at, least(now(), b.expires_at)) AS at, {reason} AS reason FROM baskets b
        WHERE b.organisation_id = :organisation AND b.id = u.basket_id) e
    """


_RELEASED = text(
    released(
        """SELECT * FROM jsonb_to_recordset(CAST(:uses AS jsonb)) AS r(code_id uuid, id uuid, offer_id uuid,
        holder_id uuid, basket_id uuid, contact_id uuid, tickets integer, discount bigint, held_at timestamptz)""",
        """CASE WHEN u.basket_id = ANY(:ending) THEN CAST(:ended_as AS text)
        WHEN (u.basket_id, u.code_id) IN (SELECT * FROM unnest(CAST(:idle_in AS uuid[]), CAST(:idle AS uuid[])))
        THEN 'NO_LONGER_APPLIES' ELSE 'TAKEN_OUT' END""",
    )
)


class Release(NamedTuple):
    """Why baskets give codes back: those that are ``ending`` as they do; of the others, ``idle`` are codes that are
    entered still, each with its basket. ``by`` is who has it done, where that is known.
    """

    ending: Sequence[UUID]
    ended_as: ReleaseReason
    idle: Sequence[tuple[UUID, UUID]]
    by: str | None


async def record_released(connection: AsyncConnection, organisation: UUID, uses: object, release: Release) -> None:
    """Records what a claim says that it gave back: all of it in one statement, in the claim's transaction.

    Apart from the claim, which nearly always gives nothing back and is the faster for not having to be able to.
    """
    parameters = {
        "organisation": organisation,
        "uses": orjson.dumps(uses).decode(),
        "ending": list(release.ending),
        "ended_as": release.ended_as,
        "idle_in": [basket for basket, _ in release.idle],
        "idle": [code for _, code in release.idle],
        "by": release.by,
    }
    await connection.execute(_RELEASED, parameters)


KEPT_OF_ORDER: Final = """
    UPDATE code_uses u SET tickets = n.tickets, discount = n.discount
    FROM (SELECT code_id, sum(covered) AS tickets, sum(discount) AS discount FROM new
        WHERE code_id IS NOT NULL GROUP BY code_id) n
    WHERE u.organisation_id = :organisation AND u.order_id = :order AND u.code_id = n.code_id
        AND u.released_at IS NULL AND (u.tickets, u.discount) <> (n.tickets, n.discount)
"""
"""SQL: the uses of an order are of what ``new`` rows of the ledger its codes still have."""

# A single-use code that its offer keeps stays used, although none of its tickets is left.
RELEASED_OF_ORDER: Final = """
    UPDATE code_uses u SET released_at = greatest(now(), u.used_at), released_by = :by, release_reason = :reason
    FROM asked a JOIN codes c ON c.organisation_id = :organisation AND c.id = a.code_id
    WHERE (c.kind <> 'SINGLE_USE' OR c.id IN (SELECT id FROM single_use_moved))
        AND u.organisation_id = :organisation AND u.order_id = :order AND u.code_id = a.code_id
        AND u.released_at IS NULL
"""
"""SQL: the codes that are ``asked`` for are no longer used by the order; what they covered at last stays recorded."""
