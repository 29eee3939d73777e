"""Uses of codes, one row each, kept for ever: which basket or order had which code, for what, from when until when.

A use begins when a basket first holds a code. While it is held the ledger alone knows it (``redemptions.held_at``), so
that a claim writes nothing more than it has to; its record is written in the statement that makes it a use of an order,
or gives it back unused. What becomes of an order's uses later is noted in their records.
"""

from enum import StrEnum
from typing import Final


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


def released(rows: str, condition: str, reason: str) -> str:
    """Records what these rows of the ledger held and no longer do, in the statement that gives it back.

    A basket past its time had held it no longer than that, whenever somebody noticed; nobody did that. A transaction
    that had to wait may have begun before the code was held.
    """
    return f"""
    INSERT INTO code_uses (organisation_id, {COLUMNS}, released_at, released_by, release_reason)
    SELECT :organisation, u.*, e.at, CASE WHEN e.reason <> 'BASKET_EXPIRED' THEN CAST(:by AS text) END, e.reason
    FROM ({of_ledger(rows, condition)}) u CROSS JOIN LATERAL (
        SELECT greatest(u.held_at, least(now(), b.expires_at)) AS at, {reason} AS reason FROM baskets b
        WHERE b.organisation_id = :organisation AND b.id = u.basket_id) e
    """


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
