"""Each use of a code leaves a record that stays, whatever becomes of the code, the basket and the order."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from tests.services.theatre import House, build

from db.baskets import claims, uses
from db.baskets.code_uses import ReleaseReason
from db.core import tables
from db.core.sessions import Sessions
from services.core.expiry import Sweeper
from services.core.transactions import Transactions

BY = "staff:anna"


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


async def a_code(house: House) -> str:
    batch = await house.made(quantity=1)
    [code] = await house.codes(batch.id)
    return code


async def records(house: House) -> list[Any]:
    async with house.sessions.reading() as connection:
        return list(await connection.execute(select(tables.code_uses).order_by(tables.code_uses.c.id)))


async def basket_of(house: House, order: UUID) -> UUID:
    async with house.sessions.reading() as connection:
        query = select(tables.orders.c.basket_id).where(tables.orders.c.id == order)
        return UUID(str(await connection.scalar(query)))


async def give_back(house: House, order: UUID) -> None:
    basket = await basket_of(house, order)
    async with house.sessions.writing() as connection:
        nothing = claims.Claim(basket, None, [])
        assert (await uses.keep(connection, house.theatre.organisation, order, nothing, by=BY))[1]


async def held_since(house: House, basket: UUID) -> datetime:
    async with house.sessions.reading() as connection:
        query = select(tables.redemptions.c.held_at).where(tables.redemptions.c.basket_id == basket)
        since: datetime = (await connection.execute(query)).scalar_one()
        return since


async def test_what_a_basket_holds_leaves_no_record_yet(house: House) -> None:
    await house.hold(await a_code(house))
    assert await records(house) == []


async def test_a_use_stays_recorded_after_its_order_was_cancelled(house: House) -> None:
    order = await house.use(await a_code(house))
    [used] = await records(house)
    assert (used.order_id, used.offer_id, used.holder_id) == (order, house.theatre.promotyd, house.theatre.secutix)
    assert used.held_at <= used.used_at
    assert used.released_at is None

    await give_back(house, order)
    [released] = await records(house)
    assert released.used_at == used.used_at
    assert (released.release_reason, released.released_by) == (ReleaseReason.ORDER_CANCELLED, BY)


async def test_a_code_that_its_offer_keeps_stays_used_by_the_cancelled_order(house: House) -> None:
    async with house.sessions.writing() as connection:
        await connection.execute(update(tables.offers).values(returns_codes=False))
    order = await house.use(await a_code(house))
    await give_back(house, order)
    [kept] = await records(house)
    assert kept.released_at is None


async def test_the_next_use_of_a_code_is_a_record_of_its_own(house: House) -> None:
    code = await a_code(house)
    await give_back(house, await house.use(code))
    again = await house.use(code)
    first, second = await records(house)
    assert first.released_at is not None
    assert (second.order_id, second.released_at) == (again, None)


async def test_a_custom_code_leaves_a_record_for_each_of_its_orders(house: House) -> None:
    orders = {await house.use_chosen("COUPON3%") for _ in range(3)}
    assert {record.order_id for record in await records(house)} == orders


async def test_a_code_that_is_taken_out_was_held_from_the_first_claim_on(house: House) -> None:
    code = await a_code(house)
    basket = await house.hold(code)
    since = await held_since(house, basket)
    organisation = house.theatre.organisation
    async with house.sessions.writing() as connection:
        [hold] = await connection.execute(select(tables.redemptions))
        kind = (hold.product_id, None, None, hold.audience_sub_category_id)
        again = claims.HeldTickets(hold.offer_id, hold.code_id, hold.holder_id, *kind, tickets=1, covered=1, discount=7)
        assert (await claims.claim(connection, organisation, [claims.Claim(basket, None, [again])], by=BY)).complete
    assert await records(house) == []
    async with house.sessions.writing() as connection:
        assert (await claims.claim(connection, organisation, [claims.Claim(basket, None, [])], by=BY)).complete
    [record] = await records(house)
    assert (record.held_at, record.used_at, record.order_id) == (since, None, None)
    assert (record.tickets, record.discount) == (1, 7)
    assert (record.release_reason, record.released_by) == (ReleaseReason.TAKEN_OUT, BY)


async def test_a_code_that_is_entered_still_no_longer_applies(house: House) -> None:
    basket = await house.hold(await a_code(house))
    async with house.sessions.writing() as connection:
        held = (await connection.execute(select(tables.redemptions.c.code_id))).scalar_one()
        without = claims.Claim(basket, None, [], idle=[held])
        assert (await claims.claim(connection, house.theatre.organisation, [without], by=BY)).complete
    [record] = await records(house)
    assert record.release_reason == ReleaseReason.NO_LONGER_APPLIES


async def test_a_cancelled_basket_had_held_its_codes_until_then(house: House) -> None:
    basket = await house.hold(await a_code(house))
    async with house.sessions.writing() as connection:
        await claims.release(connection, house.theatre.organisation, [basket], by=BY)
    [record] = await records(house)
    assert (record.basket_id, record.release_reason, record.released_by) == (
        basket,
        ReleaseReason.BASKET_CANCELLED,
        BY,
    )


async def test_a_sweep_records_what_all_expired_baskets_had_held_until_their_end(house: House) -> None:
    batch = await house.made(quantity=3)
    baskets = {await house.hold(code) for code in await house.codes(batch.id)}
    async with house.sessions.writing() as connection:
        await connection.execute(text("UPDATE redemptions SET held_at = now() - interval '9 minutes'"))
        await connection.execute(text("UPDATE baskets SET expires_at = now() - interval '5 minutes'"))
        ends = set((await connection.scalars(select(tables.baskets.c.expires_at))).all())
    await Sweeper(house.sessions, Transactions(house.sessions, lambda *_: None)).sweep(datetime.now(UTC))
    found = await records(house)
    assert {record.basket_id for record in found} == baskets
    assert {record.release_reason for record in found} == {ReleaseReason.BASKET_EXPIRED}
    assert {record.released_by for record in found} == {None}
    assert {record.released_at for record in found} == ends


async def test_an_invalidated_code_leaves_the_basket_that_held_it(house: House) -> None:
    code = await a_code(house)
    basket = await house.hold(code)
    await house.tracked.invalidate(house.staff, code, "stolen", datetime.now(UTC))
    [record] = await records(house)
    assert (record.basket_id, record.release_reason) == (basket, ReleaseReason.INVALIDATED)
    assert record.released_by == house.staff.actor


async def test_an_order_of_which_tickets_are_cancelled_keeps_what_is_left_of_its_uses(house: House) -> None:
    batch = await house.made(quantity=2)
    first, second = await house.codes(batch.id)
    order = await house.use(first, second)
    basket, organisation = await basket_of(house, order), house.theatre.organisation
    async with house.sessions.writing() as connection:
        query = select(tables.redemptions).join(tables.codes, tables.codes.c.id == tables.redemptions.c.code_id)
        row = (await connection.execute(query.where(tables.codes.c.code == first))).one()
        kind = (row.product_id, None, None, row.audience_sub_category_id)
        rest = claims.HeldTickets(row.offer_id, row.code_id, row.holder_id, *kind, tickets=1, covered=1, discount=500)
        reason = ReleaseReason.TICKETS_CANCELLED
        kept = claims.Claim(basket, None, [rest])
        assert (await uses.keep(connection, organisation, order, kept, reason=reason, by=BY))[1]
    found = {record.code_id: record for record in await records(house)}
    left = found.pop(row.code_id)
    assert (left.tickets, left.discount, left.released_at) == (1, 500, None)
    [gone] = found.values()
    assert (gone.release_reason, gone.released_by) == (ReleaseReason.TICKETS_CANCELLED, BY)
