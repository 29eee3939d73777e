"""What keeps an offer from being put into operation, in a house that sells thousands of performances."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from tests.back_door import copy, touch

from db.core import tables
from db.core.sessions import Sessions
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue, by_code
from services.offers.states import without_tickets
from services.pricing.facts.offers import Advantage, FixedPrice, Scope

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MANY = 300
LATER = timedelta(days=10)


@pytest.fixture
async def catalogue(loaded: Sessions) -> Catalogue:
    """The example's with so many more performances, at the same prices as one that it has."""
    async with loaded.writing() as connection:
        await copy(connection, tables.performances, "HELENE-1217", MANY)
        await connection.execute(
            text("""
            INSERT INTO rates (organisation_id, id, product_id, performance_id, seat_category_id,
                audience_sub_category_id, price)
            SELECT r.organisation_id, gen_random_uuid(), r.product_id, p.id, r.seat_category_id,
                r.audience_sub_category_id, r.price
            FROM performances p CROSS JOIN performances model
            JOIN rates r ON r.performance_id = model.id
            WHERE model.code = 'HELENE-1217' AND p.code LIKE 'HELENE-1217-%'""")
        )
        last = text("UPDATE performances SET starts_at = starts_at + :later WHERE code = 'HELENE-1217-299'")
        await connection.execute(last, {"later": LATER})
    await touch(loaded)
    return await Catalogues(loaded).find("theatre")


def _offer(catalogue: Catalogue) -> Advantage:
    """For all events, at the price of one that nobody sells."""
    offer = by_code(catalogue.offer_details)["REGULARS"].offer
    assert isinstance(offer, Advantage)
    return replace(offer, benefit=FixedPrice(0))


async def test_tickets_that_are_alike_are_looked_at_once(catalogue: Catalogue) -> None:
    dear = replace(_offer(catalogue), benefit=FixedPrice(10**9))
    assert [problem.path for problem in without_tickets(dear, catalogue, NOW)] == [("benefit",)]
    assert len(catalogue.kinds) < MANY


async def test_one_that_starts_later_than_all_the_others_is_enough(catalogue: Catalogue) -> None:
    last = by_code(catalogue.performances)["HELENE-1217-299"]
    late = replace(_offer(catalogue), sale_end_tolerance=0, scope=Scope(products=frozenset({last.product_id})))
    assert without_tickets(late, catalogue, last.starts_at) == []
    over = without_tickets(late, catalogue, last.starts_at + timedelta(minutes=1))
    assert [problem.path for problem in over] == [("saleEnd",)]


async def test_only_what_the_scope_names_counts(catalogue: Catalogue) -> None:
    performances = by_code(catalogue.performances)
    offer = _offer(catalogue)
    named = Scope(performances=frozenset({performances["HELENE-1217-7"].id}))
    assert without_tickets(replace(offer, scope=named), catalogue, NOW) == []
    elsewhere = replace(named, products=frozenset({performances["ZINMAN-0119"].product_id}))
    nothing = without_tickets(replace(offer, scope=elsewhere), catalogue, NOW)
    assert [problem.path for problem in nothing] == [("scope",)]
