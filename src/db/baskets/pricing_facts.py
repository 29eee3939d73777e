"""What must be exact at this instant to price baskets, in one round trip."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes.codes import CodeKind, CodeStatus
from db.core.ids import uuid_of, uuid_or_none


class ContactFact(NamedTuple):
    """A contact as targeting sees it: indicators as (indicator, level), campaigns by id, balance in minor units."""

    id: UUID
    has_ordered: bool
    newsletter: bool
    balance: int
    indicators: tuple[tuple[UUID, str], ...]
    campaigns: tuple[UUID, ...]


class CodeFact(NamedTuple):
    """A stored code that somebody entered. ``holder`` is the structure contact it was generated for.

    ``is_gone``: it was invalidated for good, not only switched off or replaced by another one. While ``basket`` holds
    it, that does so until then, for a contact where it has one.
    """

    id: UUID
    code: str
    kind: CodeKind
    status: CodeStatus
    offer: UUID
    holder: UUID | None
    basket: UUID | None
    uses: int
    max_uses: int | None
    is_gone: bool
    held_until: datetime | None
    held_for: UUID | None


class TakenFact(NamedTuple):
    """Tickets that count against a quota, or against the contact's share of it; ``element`` None is the whole offer."""

    offer: UUID
    element_kind: str | None
    element: UUID | None
    of_contact: bool
    tickets: int


class FreeHold(NamedTuple):
    """What is held and yet free: the basket's ``own``, which it gives back when it is priced anew, and what baskets
    past their time hold.
    """

    own: bool
    offer: UUID
    contact: UUID | None
    elements: tuple[UUID, ...]
    tickets: int


class StoredFacts(NamedTuple):
    """``taken`` counts all holds, those that are ``free`` too; codes that are free are so already."""

    catalogue_version: int
    contact: ContactFact | None
    codes: tuple[CodeFact, ...]
    taken: tuple[TakenFact, ...]
    free: tuple[FreeHold, ...]


# As JSON: each basket has lists of its own length, which PostgreSQL's arrays of arrays cannot have.
_FACTS = text("""
WITH expired AS MATERIALIZED (
    -- Of every organisation: until the table is analysed, the baskets of one are thought few enough to be read all.
    SELECT organisation_id, id FROM baskets WHERE state = 'OPEN' AND expires_at <= now()
)
SELECT f.* FROM jsonb_to_recordset(CAST(:wanted AS jsonb))
    AS q(position integer, basket uuid, contact uuid, codes text[], offers uuid[])
CROSS JOIN LATERAL (
WITH entered AS (
    -- One by one: until the table is analysed, the codes of an organisation are thought few enough to be read all.
    SELECT c.* FROM unnest(q.codes) e(code) CROSS JOIN LATERAL (
        SELECT * FROM codes WHERE organisation_id = :organisation AND code = e.code LIMIT 1) c
), targeted AS (
    SELECT o.id FROM campaign_contacts c CROSS JOIN LATERAL (
        SELECT id FROM offers WHERE organisation_id = :organisation AND campaign_id = c.campaign_id
            AND state = 'RUNNING' OFFSET 0) o
    WHERE c.organisation_id = :organisation AND c.contact_id = q.contact
    UNION ALL
    SELECT o.id FROM contact_indicators i CROSS JOIN LATERAL (
        SELECT id FROM offers WHERE organisation_id = :organisation AND indicator_id = i.indicator_id
            AND indicator_level = i.level AND state = 'RUNNING' OFFSET 0) o
    WHERE i.organisation_id = :organisation AND i.contact_id = q.contact
), relevant AS (
    SELECT unnest(q.offers) AS id
    UNION ALL SELECT offer_id FROM entered UNION ALL SELECT id FROM targeted
), free AS (
    SELECT true AS own, * FROM redemptions
    WHERE organisation_id = :organisation AND basket_id = q.basket AND state = 'HELD'
    UNION ALL
    SELECT false, r.* FROM expired e JOIN redemptions r ON r.basket_id = e.id
    WHERE e.organisation_id = :organisation AND e.id IS DISTINCT FROM q.basket
        AND r.organisation_id = :organisation AND r.state = 'HELD' AND r.offer_id IN (SELECT id FROM relevant)
)
SELECT
    (SELECT catalogue_version FROM organisations WHERE id = :organisation) AS catalogue_version,
    (SELECT json_build_array(has_ordered, newsletter, balance) FROM contacts
        WHERE organisation_id = :organisation AND id = q.contact) AS contact,
    (SELECT json_agg(json_build_array(indicator_id, level)) FROM contact_indicators
        WHERE organisation_id = :organisation AND contact_id = q.contact) AS indicators,
    (SELECT json_agg(campaign_id) FROM campaign_contacts
        WHERE organisation_id = :organisation AND contact_id = q.contact) AS campaigns,
    (SELECT json_agg(json_build_array(id, code, kind,
        CASE WHEN status = 'HELD' AND basket_id IN (
            SELECT id FROM expired WHERE organisation_id = :organisation AND id IS DISTINCT FROM q.basket
        ) THEN 'AVAILABLE' ELSE status END,
        offer_id, contact_id, basket_id,
        uses - (SELECT count(DISTINCT basket_id) FROM free WHERE code_id = entered.id), max_uses,
        status = 'INVALIDATED', holding))
        FROM entered LEFT JOIN LATERAL (
            SELECT json_build_array(b.expires_at, b.contact_id) AS holding FROM baskets b
            WHERE b.organisation_id = :organisation AND b.id = entered.basket_id AND entered.status = 'HELD'
        ) b ON true) AS codes,
    (SELECT json_agg(json_build_array(offer_id, element_kind, element_id, false, taken)) FROM offer_limits
        WHERE organisation_id = :organisation AND quota IS NOT NULL
            AND offer_id IN (SELECT id FROM relevant)) AS quotas,
    (SELECT json_agg(json_build_array(c.offer_id, l.element_kind, c.element_id, true, c.taken)) FROM contact_limits c
        JOIN offer_limits l USING (organisation_id, offer_id, element_id)
        WHERE c.organisation_id = :organisation AND c.contact_id = q.contact
            AND c.offer_id IN (SELECT id FROM relevant)) AS shares,
    (SELECT json_agg(json_build_array(own, offer_id, contact_id, product_id, performance_id, seat_category_id,
        audience_sub_category_id, tickets)) FROM free) AS free
) f ORDER BY q.position
""")


class WantedFacts(NamedTuple):
    """What a basket's price asks about: its contact, its entered codes (normalised), and the ``offers`` whose limits
    matter, besides the contact's own offers and those that the codes open.
    """

    basket: UUID | None
    contact: UUID | None
    codes: Collection[str]
    offers: Collection[UUID]


async def read(connection: AsyncConnection, organisation: UUID, wanted: Sequence[WantedFacts]) -> list[StoredFacts]:
    """The facts for each basket in turn, all of one instant; with what it holds already."""
    questions = [
        {
            "position": position,
            "basket": each.basket,
            "contact": each.contact,
            "codes": list(each.codes),
            "offers": list(each.offers),
        }
        for position, each in enumerate(wanted)
    ]
    parameters = {
        "organisation": organisation,
        "wanted": orjson.dumps(questions, default=str).decode(),
    }
    rows = await connection.execute(_FACTS, parameters)
    return [
        StoredFacts(
            catalogue_version=row.catalogue_version,
            contact=_contact(each.contact, row.contact, row.indicators, row.campaigns),
            codes=tuple(map(_code, row.codes or ())),
            taken=tuple(map(_taken, (row.quotas or []) + (row.shares or []))),
            free=tuple(map(_free, row.free or ())),
        )
        for each, row in zip(wanted, rows, strict=True)
    ]


def _contact(
    contact: UUID | None,
    row: tuple[bool, bool, int] | None,
    indicators: list[tuple[str, str]] | None,
    campaigns: list[str] | None,
) -> ContactFact | None:
    if contact is None or row is None:
        return None
    has_ordered, newsletter, balance = row
    return ContactFact(
        contact,
        has_ordered,
        newsletter,
        balance,
        tuple((uuid_of(indicator), level) for indicator, level in indicators or ()),
        tuple(map(uuid_of, campaigns or ())),
    )


_CodeRow = tuple[str, str, str, str, str, str | None, str | None, int, int | None, bool, tuple[str, str | None] | None]


def _code(row: _CodeRow) -> CodeFact:
    key, code, kind, status, offer, holder, basket, uses, max_uses, is_gone, holding = row
    held_until, held_for = holding or (None, None)
    # By their names, which are their values: in a third of the time.
    return CodeFact(
        uuid_of(key),
        code,
        CodeKind[kind],
        CodeStatus[status],
        uuid_of(offer),
        uuid_or_none(holder),
        uuid_or_none(basket),
        uses,
        max_uses,
        is_gone,
        None if held_until is None else datetime.fromisoformat(held_until),
        uuid_or_none(held_for),
    )


def _taken(row: tuple[str, str | None, str, bool, int]) -> TakenFact:
    offer, kind, element, of_contact, tickets = row
    return TakenFact(uuid_of(offer), kind, None if kind is None else uuid_of(element), of_contact, tickets)


def _free(row: tuple[bool, str, str | None, str, str | None, str | None, str, int]) -> FreeHold:
    own, offer, contact, *elements, tickets = row
    present = tuple(uuid_of(element) for element in elements if isinstance(element, str))
    return FreeHold(own, uuid_of(offer), uuid_or_none(contact), present, int(tickets))
