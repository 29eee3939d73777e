"""Claims: with ``db.baskets.uses`` the only place where codes, limits, the ledger and the counts move for a sale.

The claim of a basket, or of several together, is one conditional statement. It takes everything (codes, custom-code
uses, quotas and contact shares of every level) or says what was missing, in which case the caller rolls back. Rows are
locked in one fixed order: codes, quotas, contact shares, counts, each by key. CHECK constraints stand behind every
limit.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets.code_uses import Release, ReleaseReason, of_ledger, record_released, released
from db.core.ids import next_id
from db.core.ledger import SLOT
from db.core.tables import NIL


class HeldTickets(NamedTuple):
    """Tickets of one kind in a basket that profit from an offer; a row of the ledger.

    ``tickets`` count against limits. For the record of its use, ``covered`` are all that the code covers, also where
    another code of the offer counts them, and ``discount`` is what it takes off them, in minor units.
    """

    offer: UUID
    code: UUID | None
    holder: UUID | None
    product: UUID
    performance: UUID | None
    seat_category: UUID | None
    audience_sub_category: UUID
    tickets: int
    covered: int = 0
    discount: int = 0


class Claim(NamedTuple):
    """All that one basket is to hold. ``idle`` codes are entered, but do not apply."""

    basket: UUID
    contact: UUID | None
    holds: Sequence[HeldTickets]
    idle: Collection[UUID] = ()


class Claimed(NamedTuple):
    """What a claim did: the codes and the offers' limits that were ``missing``, none where it took everything, and the
    offers whose counts ``changed``.
    """

    missing_codes: frozenset[UUID]
    missing_limits: frozenset[UUID]
    changed: frozenset[UUID]

    @property
    def complete(self) -> bool:
        return not (self.missing_codes or self.missing_limits)


NEW = """
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:offers AS uuid[]), CAST(:codes AS uuid[]),
        CAST(:holders AS uuid[]), CAST(:products AS uuid[]), CAST(:performances AS uuid[]),
        CAST(:seat_categories AS uuid[]), CAST(:audience_sub_categories AS uuid[]), CAST(:tickets AS integer[]),
        CAST(:holding AS uuid[]), CAST(:contacts AS uuid[]), CAST(:covered AS integer[]), CAST(:discounts AS bigint[]))
    AS n(id, offer_id, code_id, holder_id, product_id, performance_id, seat_category_id, audience_sub_category_id,
        tickets, basket_id, contact_id, covered, discount)
"""
"""The rows that a claim is to write."""

_ELEMENTS = """CROSS JOIN LATERAL (VALUES (CAST(:nil AS uuid)), (r.product_id), (r.performance_id),
        (r.seat_category_id), (r.audience_sub_category_id)) e(element_id)"""

# The wanted change of every limit that exists, then the rows that could be moved. Each step counts the rows of the one
# before it, which makes it wait for that, so that all claims lock in the same order.
LIMITS = f"""
change AS (
    SELECT offer_id, element_id, contact_id, sum(tickets) AS tickets FROM (
        SELECT r.offer_id, e.element_id, r.contact_id, r.tickets FROM new r {_ELEMENTS}
        UNION ALL
        SELECT r.offer_id, e.element_id, r.contact_id, -r.tickets FROM old r {_ELEMENTS}
    ) moves WHERE element_id IS NOT NULL GROUP BY 1, 2, 3 HAVING sum(tickets) <> 0
), quota_wanted AS (
    SELECT l.offer_id, l.element_id, c.tickets FROM offer_limits l
    JOIN (SELECT offer_id, element_id, sum(tickets) AS tickets FROM change GROUP BY 1, 2 HAVING sum(tickets) <> 0) c
        USING (offer_id, element_id)
    WHERE l.organisation_id = :organisation AND (SELECT count(*) FROM codes_moved) >= 0
    ORDER BY l.offer_id, l.element_id FOR UPDATE OF l
), quota_moved AS (
    UPDATE offer_limits l SET taken = l.taken + w.tickets FROM quota_wanted w
    WHERE l.organisation_id = :organisation AND (l.offer_id, l.element_id) = (w.offer_id, w.element_id)
        AND (w.tickets < 0 OR l.quota IS NULL OR l.taken + w.tickets <= l.quota)
    RETURNING l.offer_id, l.element_id
), share_wanted AS (
    SELECT c.offer_id, c.element_id, c.contact_id, c.tickets, l.per_contact FROM change c
    JOIN offer_limits l ON l.organisation_id = :organisation
        AND (l.offer_id, l.element_id) = (c.offer_id, c.element_id)
    WHERE c.contact_id IS NOT NULL AND l.per_contact IS NOT NULL AND (SELECT count(*) FROM quota_moved) >= 0
), share_given AS (
    UPDATE contact_limits s SET taken = s.taken + c.tickets
    FROM change c JOIN offer_limits l ON l.organisation_id = :organisation
        AND (l.offer_id, l.element_id) = (c.offer_id, c.element_id) AND l.per_contact IS NOT NULL
    WHERE s.organisation_id = :organisation AND c.tickets < 0
        AND (s.offer_id, s.element_id, s.contact_id) = (c.offer_id, c.element_id, c.contact_id)
    RETURNING s.offer_id
), share_taken AS (
    INSERT INTO contact_limits AS s (organisation_id, offer_id, element_id, contact_id, capacity, taken)
    SELECT :organisation, offer_id, element_id, contact_id, per_contact, tickets FROM share_wanted
    WHERE tickets > 0 AND tickets <= per_contact
    ORDER BY offer_id, element_id, contact_id
    ON CONFLICT (organisation_id, offer_id, element_id, contact_id) DO UPDATE
        SET taken = s.taken + excluded.taken, capacity = excluded.capacity
        WHERE s.taken + excluded.taken <= excluded.capacity
    RETURNING s.offer_id, s.element_id, s.contact_id
)"""


def _uses(taken: str, given: str) -> str:
    """By how much the uses of each code move, 0 where its baskets only keep it."""
    return f"""
    SELECT code_id, sum(uses) AS uses FROM (
        SELECT DISTINCT basket_id, code_id, 1 AS uses FROM {taken}
        UNION ALL SELECT DISTINCT basket_id, code_id, -1 FROM {given}
    ) moves WHERE code_id IS NOT NULL GROUP BY code_id
    """


def lock_codes(condition: str) -> str:
    """The codes that are ``asked`` for and meet a condition, kept from all other changes, in the order of their keys.

    They are found one by one: until the table is analysed, those of an organisation are thought few enough to be read
    all.
    """
    return f"""
    SELECT c.* FROM (SELECT * FROM asked ORDER BY code_id) a CROSS JOIN LATERAL (
        SELECT id, kind, offer_id, basket_id FROM codes
        WHERE organisation_id = :organisation AND id = a.code_id AND {condition} LIMIT 1 FOR UPDATE) c
    """


# How each use of a custom code counts (db.codes.chosen_counts): one without a maximum has always one more; one that is
# off has lost what comes back to it. Whoever gives a code its first maximum, or takes it away, keeps sales waiting.
CUSTOM_COUNTS = """
    SELECT offer_id, uses, CASE WHEN max_uses IS NULL THEN uses ELSE 0 END AS made,
        CASE WHEN max_uses IS NOT NULL AND status <> 'AVAILABLE' THEN -uses ELSE 0 END AS lost
    FROM custom_moved
    UNION ALL SELECT offer_id, uses, uses, 0 FROM custom WHERE max_uses IS NULL
"""

_GIVEN_BACK = of_ledger(
    "old", "NOT EXISTS (SELECT FROM new n WHERE n.basket_id = r.basket_id AND n.code_id = r.code_id)"
)

_CLAIM = text(f"""
WITH new AS ({NEW}), held AS (
    SELECT basket_id, code_id FROM redemptions
    WHERE organisation_id = :organisation AND basket_id = ANY(:baskets) AND state = 'HELD'
), asked AS ({_uses("new", "held")}), locked AS (
    {lock_codes("(kind = 'SINGLE_USE' OR (max_uses IS NOT NULL AND a.uses <> 0))")}
), old AS (
    -- Not before the codes, which whoever invalidates one takes before what holds it.
    DELETE FROM redemptions
    WHERE organisation_id = :organisation AND basket_id = ANY(:baskets) AND state = 'HELD'
        AND (SELECT count(*) FROM locked) >= 0
    RETURNING *
), single_use AS (
    SELECT l.id, n.basket_id, coalesce(l.basket_id = ANY(:baskets), false) AS mine
    FROM locked l LEFT JOIN (SELECT DISTINCT code_id, basket_id FROM new) n ON n.code_id = l.id
    WHERE l.kind = 'SINGLE_USE'
), single_use_moved AS (
    UPDATE codes c
    SET status = CASE WHEN s.basket_id IS NULL THEN 'AVAILABLE' ELSE 'HELD' END, basket_id = s.basket_id
    FROM single_use s WHERE c.organisation_id = :organisation AND c.id = s.id
        AND (c.status = 'AVAILABLE' OR (c.status = 'HELD' AND c.basket_id = ANY(:baskets)))
    RETURNING c.id, c.offer_id, c.contact_id, c.status, s.mine
), custom AS (
    SELECT c.id, c.offer_id, c.max_uses, w.uses FROM ({_uses("new", "old")}) w CROSS JOIN LATERAL (
        SELECT id, offer_id, max_uses FROM codes
        WHERE organisation_id = :organisation AND id = w.code_id AND kind = 'CUSTOM' LIMIT 1) c
    WHERE w.uses <> 0
), custom_moved AS (
    UPDATE codes c SET uses = c.uses + w.uses FROM custom w
    WHERE c.organisation_id = :organisation AND c.id = w.id AND w.max_uses IS NOT NULL
        AND (w.uses < 0 OR (c.status = 'AVAILABLE' AND c.uses + w.uses <= c.max_uses))
    RETURNING c.id, c.offer_id, c.max_uses, c.status, w.uses
), codes_moved AS (
    SELECT id FROM single_use_moved UNION ALL SELECT id FROM custom_moved
), {LIMITS}, counted AS (
    INSERT INTO redemption_counts AS t
        (organisation_id, offer_id, contact_id, slot, held, generated, invalidated, tickets_held, version)
    SELECT :organisation, offer_id, holder_id, {SLOT}, sum(held), sum(made), sum(lost), sum(tickets), 1 FROM (
        SELECT offer_id, coalesce(holder_id, :nil) AS holder_id, 0 AS held, 0 AS made, 0 AS lost, tickets FROM new
        UNION ALL SELECT offer_id, holder_id, 0, 0, 0, -tickets FROM old
        UNION ALL
        SELECT offer_id, coalesce(contact_id, :nil), CASE status WHEN 'HELD' THEN 1 ELSE -1 END, 0, 0, 0
        FROM single_use_moved WHERE (status = 'HELD') <> mine
        UNION ALL SELECT offer_id, :nil, uses, made, lost, 0 FROM ({CUSTOM_COUNTS}) c
    ) moves WHERE (SELECT count(*) FROM share_taken) + (SELECT count(*) FROM share_given) >= 0
    GROUP BY offer_id, holder_id
    HAVING sum(held) <> 0 OR sum(tickets) <> 0 OR sum(made) <> 0 OR sum(lost) <> 0
    ORDER BY offer_id, holder_id
    ON CONFLICT (organisation_id, offer_id, contact_id, slot) DO UPDATE
        SET held = t.held + excluded.held, generated = t.generated + excluded.generated,
            invalidated = t.invalidated + excluded.invalidated, tickets_held = t.tickets_held + excluded.tickets_held,
            version = t.version + 1
    RETURNING offer_id
), recorded AS (
    INSERT INTO redemptions (organisation_id, id, basket_id, offer_id, code_id, holder_id, contact_id, product_id,
        performance_id, seat_category_id, audience_sub_category_id, tickets, covered, discount, held_at)
    SELECT :organisation, n.id, n.basket_id, n.offer_id, n.code_id, coalesce(n.holder_id, :nil), n.contact_id,
        n.product_id, n.performance_id, n.seat_category_id, n.audience_sub_category_id, n.tickets, n.covered,
        n.discount, coalesce(since.held_at, now())
    FROM new n LEFT JOIN (SELECT basket_id, code_id, min(held_at) AS held_at FROM old GROUP BY basket_id, code_id) since
        ON since.basket_id = n.basket_id AND since.code_id = n.code_id
)
SELECT
    ARRAY(
        (SELECT id FROM single_use WHERE basket_id IS NOT NULL EXCEPT SELECT id FROM single_use_moved)
        UNION (SELECT id FROM custom WHERE max_uses IS NOT NULL EXCEPT SELECT id FROM custom_moved)) AS codes,
    ARRAY(
        (SELECT offer_id FROM (SELECT offer_id, element_id FROM quota_wanted
            EXCEPT SELECT offer_id, element_id FROM quota_moved) q)
        UNION
        (SELECT offer_id FROM (SELECT offer_id, element_id, contact_id FROM share_wanted WHERE tickets > 0
            EXCEPT SELECT offer_id, element_id, contact_id FROM share_taken) s)) AS limits,
    ARRAY(SELECT DISTINCT offer_id FROM counted) AS changed,
    (SELECT json_agg(g) FROM ({_GIVEN_BACK}) g) AS given_back
""")

_RELEASE_CODES = text(f"""
WITH new AS (
    SELECT * FROM redemptions WHERE false
), old AS (
    DELETE FROM redemptions
    WHERE organisation_id = :organisation AND code_id = ANY(CAST(:codes AS uuid[])) AND state = 'HELD' RETURNING *
), codes_moved AS (
    SELECT id FROM old
), {LIMITS}, released AS ({released(of_ledger("old"), f"'{ReleaseReason.INVALIDATED}'")})
INSERT INTO redemption_counts AS t (organisation_id, offer_id, contact_id, slot, tickets_held, version)
SELECT :organisation, offer_id, holder_id, {SLOT}, -sum(tickets), 1 FROM old
WHERE (SELECT count(*) FROM share_given) >= 0 GROUP BY offer_id, holder_id
ON CONFLICT (organisation_id, offer_id, contact_id, slot) DO UPDATE
    SET tickets_held = t.tickets_held + excluded.tickets_held, version = t.version + 1
""")


async def claim(
    connection: AsyncConnection,
    organisation: UUID,
    claims: Sequence[Claim],
    ending: Sequence[UUID] = (),
    *,
    ended_as: ReleaseReason = ReleaseReason.BASKET_EXPIRED,
    by: str | None = None,
) -> Claimed:
    """Makes what each basket is to hold all that it holds: takes what is new, gives back what is no longer among it.

    No two of the baskets may want the same single-use code. All that the baskets ``ending`` hold is given back first,
    so that it can be taken. Where something was missing the caller must roll back: the rest has been taken by then.
    Codes that are given back leave a record of it, with whoever it was done ``by`` where that is known.
    """
    taken = [(claim, hold) for claim in claims for hold in claim.holds]
    baskets = [*(claim.basket for claim in claims), *ending]
    parameters = {"organisation": organisation, "baskets": baskets, **new_rows(taken)}
    row = (await connection.execute(_CLAIM, parameters)).one()
    if row.given_back:
        idle = [(claim.basket, code) for claim in claims for code in claim.idle]
        await record_released(connection, organisation, row.given_back, Release(ending, ended_as, idle, by))
    return Claimed(frozenset(row.codes), frozenset(row.limits), frozenset(row.changed))


def new_rows(taken: Sequence[tuple[Claim, HeldTickets]]) -> dict[str, object]:
    """The parameters of ``NEW``, by which claims write rows of the ledger."""
    return {
        "nil": UUID(NIL),
        "ids": [next_id() for _ in taken],
        "offers": [hold.offer for _, hold in taken],
        "codes": [hold.code for _, hold in taken],
        "holders": [hold.holder for _, hold in taken],
        "products": [hold.product for _, hold in taken],
        "performances": [hold.performance for _, hold in taken],
        "seat_categories": [hold.seat_category for _, hold in taken],
        "audience_sub_categories": [hold.audience_sub_category for _, hold in taken],
        "tickets": [hold.tickets for _, hold in taken],
        "holding": [claim.basket for claim, _ in taken],
        "contacts": [claim.contact for claim, _ in taken],
        "covered": [hold.covered for _, hold in taken],
        "discounts": [hold.discount for _, hold in taken],
    }


async def release(
    connection: AsyncConnection, organisation: UUID, baskets: Sequence[UUID], *, by: str | None = None
) -> frozenset[UUID]:
    """Gives back all that these baskets, which somebody cancels, hold; the offers that changed."""
    cancelled = ReleaseReason.BASKET_CANCELLED
    return (await claim(connection, organisation, (), baskets, ended_as=cancelled, by=by)).changed


async def release_codes(
    connection: AsyncConnection, organisation: UUID, codes: Sequence[UUID], *, by: str | None = None
) -> None:
    """Takes the tickets of codes that are invalidated out of whatever baskets hold them, with what they took of limits.

    The codes' own status and count are the caller's to move, in the same transaction and before this.
    """
    parameters = {
        "organisation": organisation,
        "codes": list(codes),
        "nil": UUID(NIL),
        "by": by,
    }
    await connection.execute(_RELEASE_CODES, parameters)
