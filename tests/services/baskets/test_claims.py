"""What claims read, and what they find missing where several baskets claim together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.services.theatre import NOW, House, build

from db.baskets import claims, uses
from db.core import tables
from db.core.ids import new_id
from db.core.sessions import Sessions
from services.codes.generation import MANY

_READ = text("""
SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_user_tables WHERE relname = 'codes'
""")


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


@asynccontextmanager
async def reading_few_codes(house: House) -> AsyncIterator[AsyncConnection]:
    """A transaction that may read ten codes at the most, however it finds them."""
    async with house.sessions.writing() as connection:
        before = await connection.scalar(_READ)
        yield connection
        assert 0 < await connection.scalar(_READ) - before <= 10


async def held_of_many(house: House) -> UUID:
    """A basket that holds a code of a large batch, made when claims were planned already, for a table of one code."""
    for quantity in (1, MANY):
        code, *_ = await house.codes((await house.made(quantity=quantity)).id)
        basket = await house.hold(code)
        async with house.sessions.writing() as connection:
            await uses.use(connection, house.theatre.organisation, basket, new_id(), None)
            await connection.rollback()
    return basket


async def test_a_claim_reads_its_own_codes_only_as_soon_as_a_batch_is_made(house: House) -> None:
    basket = await held_of_many(house)
    async with reading_few_codes(house) as connection:
        claimed = await claims.claim(connection, house.theatre.organisation, [claims.Claim(basket, None, ())])
    assert claimed.complete


async def test_a_use_reads_its_own_codes_only_as_soon_as_a_batch_is_made(house: House) -> None:
    basket = await held_of_many(house)
    async with reading_few_codes(house) as connection:
        used, _ = await uses.use(connection, house.theatre.organisation, basket, new_id(), None)
    assert len(used) == 1


@pytest.mark.parametrize("first", ["more than its share", "its share"])
async def test_of_several_contacts_each_is_held_to_its_own_share(house: House, first: str) -> None:
    theatre, product, tariff = house.theatre, new_id(), new_id()
    tickets = {"more than its share": (6, 1), "its share": (5, 5)}[first]
    buyers = [(new_id(), theatre.blandine), (new_id(), theatre.secutix)]
    limit = {"organisation_id": theatre.organisation, "offer_id": theatre.custom_coupon, "per_contact": 5}
    basket = {"point_of_sale_id": theatre.shop, "use_balance": False, "lines": [], "pricing": "{}", "expires_at": NOW}
    wanted = [
        claims.Claim(
            key, buyer, [claims.HeldTickets(theatre.custom_coupon, None, None, product, None, None, tariff, number)]
        )
        for (key, buyer), number in zip(buyers, tickets, strict=True)
    ]
    async with house.sessions.writing() as connection:
        await connection.execute(insert(tables.offer_limits).values(limit))
        for key, _ in buyers:
            row = {"organisation_id": theatre.organisation, "id": key, **basket}
            await connection.execute(insert(tables.baskets).values(row))
        claimed = await claims.claim(connection, theatre.organisation, wanted)
    assert claimed.complete == (first == "its share")
    assert claimed.missing_limits == (frozenset() if claimed.complete else {theatre.custom_coupon})
