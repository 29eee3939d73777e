"""What is taken of limits stays taken through every load, and what is limited for the first time is counted back."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, text
from tests.services.dataset.samples import changed, example

from db.core import tables
from db.core.ids import new_id
from db.core.sessions import Sessions
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import by_code
from services.core.errors import InvalidInput
from services.dataset import Datasets

ELEMENT = {"performance": "HELENE-1217"}


async def _sell(sessions: Sessions, offer: str, tickets: int, *, state: str = "USED", code: str | None = None) -> None:
    """Tickets of HELENE-1217 to BLANDINE, in the ledger as a sale leaves them there."""
    catalogue = await Catalogues(sessions).find("theatre")
    performance = by_code(catalogue.performances)["HELENE-1217"]
    own: dict[str, Any] = {"organisation_id": catalogue.organisation.id}
    async with sessions.writing() as connection:
        contact = (await connection.execute(text("SELECT id FROM contacts WHERE code = 'BLANDINE'"))).scalar_one()
        stored = await connection.execute(text("SELECT id FROM codes WHERE shown = :code"), {"code": code})
        basket = {
            **own,
            "id": new_id(),
            "point_of_sale_id": by_code(catalogue.points_of_sale)["SHOP"].id,
            "use_balance": False,
            "lines": [],
            "pricing": "{}",
            "expires_at": datetime.fromisoformat("2026-12-01T00:00:00+01:00"),
        }
        redemption = {
            **own,
            "id": new_id(),
            "basket_id": basket["id"],
            "offer_id": by_code(catalogue.offer_details)[offer].id,
            "code_id": stored.scalar_one_or_none(),
            "contact_id": contact,
            "product_id": performance.product_id,
            "performance_id": performance.id,
            "seat_category_id": by_code(catalogue.seat_categories)["CAT1"].id,
            "audience_sub_category_id": by_code(catalogue.audience_sub_categories)["FULL"].id,
            "tickets": tickets,
            "state": state,
        }
        await connection.execute(insert(tables.baskets).values(basket))
        await connection.execute(insert(tables.redemptions).values(redemption))


async def _load(sessions: Sessions, document: object, now: datetime) -> None:
    await Datasets(sessions).load(document, now=now)


async def _refused(sessions: Sessions, document: object, now: datetime) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        await _load(sessions, document, now)
    return {".".join(problem.path): problem.text.key for problem in refused.value.problems}


async def _limits(sessions: Sessions, offer: str) -> list[tuple[Any, ...]]:
    query = (
        "SELECT element_kind, quota, per_order, taken FROM offer_limits l "
        "JOIN offers o ON o.id = l.offer_id WHERE o.code = :offer ORDER BY element_kind NULLS FIRST"
    )
    async with sessions.reading() as connection:
        return [tuple(row) for row in await connection.execute(text(query), {"offer": offer})]


async def test_what_is_taken_stays_taken(loaded: Sessions, now: datetime) -> None:
    await _sell(loaded, "OPENING", 3)
    async with loaded.writing() as connection:
        await connection.execute(text("UPDATE offer_limits SET taken = 3 WHERE quota = 200"))
    await _load(loaded, example(), now)
    assert await _limits(loaded, "OPENING") == [(None, 200, 4, 3)]
    await _load(loaded, changed(("advantages.0.limits.quota", 150)), now)
    assert await _limits(loaded, "OPENING") == [(None, 150, 4, 3)]


async def test_a_quota_below_what_is_taken_is_refused(loaded: Sessions, now: datetime) -> None:
    await _sell(loaded, "OPENING", 3)
    problems = await _refused(loaded, changed(("advantages.0.limits.quota", 2)), now)
    assert problems == {"advantages.0.limits.quota": "below_taken"}


async def test_a_first_quota_starts_with_what_the_ledger_holds(loaded: Sessions, now: datetime) -> None:
    await _sell(loaded, "REVIVAL", 3)
    await _sell(loaded, "REVIVAL", 2, state="HELD")
    await _sell(loaded, "REVIVAL", 7, state="RETURNED")
    limits = {"quota": 10, "elements": [{**ELEMENT, "quota": 5}, {"seatCategory": "CAT2", "quota": 1}]}
    await _load(loaded, changed(("advantages.2.limits", limits)), now)
    assert await _limits(loaded, "REVIVAL") == [
        (None, 10, None, 5),
        ("PERFORMANCE", 5, None, 5),
        ("SEAT_CATEGORY", 1, None, 0),
    ]


async def test_a_first_quota_below_the_ledger_is_refused(loaded: Sessions, now: datetime) -> None:
    await _sell(loaded, "REVIVAL", 3)
    document = changed(("advantages.2.limits.elements", [{**ELEMENT, "quota": 2}]))
    assert await _refused(loaded, document, now) == {"advantages.2.limits.elements.0.quota": "below_taken"}


async def test_a_first_share_of_each_contact_starts_with_what_they_hold(loaded: Sessions, now: datetime) -> None:
    await _sell(loaded, "REVIVAL", 3)
    await _sell(loaded, "REVIVAL", 1)
    await _load(loaded, changed(("advantages.2.limits.perContact", 2)), now)
    async with loaded.reading() as connection:
        rows = await connection.execute(text("SELECT capacity, taken FROM contact_limits"))
        assert [tuple(row) for row in rows] == [(4, 4)]


async def test_a_limit_that_the_file_drops_is_gone(loaded: Sessions, now: datetime) -> None:
    document = example()
    del document["advantages"][0]["limits"]
    await _load(loaded, document, now)
    assert await _limits(loaded, "OPENING") == []


async def test_a_first_maximum_of_uses_counts_those_before(loaded: Sessions, now: datetime) -> None:
    await _sell(loaded, "COUPON3", 2, code="COUPON3%")
    await _sell(loaded, "COUPON3", 1, code="COUPON3%")
    path = "promotionalCodes.0.customCodes.0.maxUses"
    assert await _refused(loaded, changed((path, 1)), now) == {path: "below_taken"}
    await _load(loaded, changed((path, 5)), now)
    async with loaded.reading() as connection:
        rows = await connection.execute(text("SELECT uses, max_uses FROM codes WHERE shown = 'COUPON3%'"))
        assert [tuple(row) for row in rows] == [(2, 5)]
