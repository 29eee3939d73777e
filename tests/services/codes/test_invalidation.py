"""Invalidating many codes at once."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from tests.services.theatre import NOW, House, build

from db.core import tables
from db.core.ids import new_id
from db.core.keyset import Stretch
from db.core.sessions import Sessions
from services.codes.invalidation import Invalidation, InvalidationOutcome, InvalidationSelection
from services.codes.tracking import CodeFilter, CodeStatus
from services.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from services.core.viewer import StaffRole, Viewer


class Desk(House):
    """A house where codes are invalidated, a few in each chunk."""

    async def invalidate(
        self, viewer: Viewer | None = None, *, dry_run: bool = False, **selection: object
    ) -> InvalidationOutcome:
        invalidation = Invalidation(self.sessions, self.transactions, chunk=3)
        chosen = InvalidationSelection(**selection)  # type: ignore[arg-type]
        return await invalidation.run(viewer or self.staff, chosen, " stolen ", NOW, dry_run=dry_run)

    async def statuses(self) -> list[CodeStatus]:
        found = await self.tracked.page(self.staff, CodeFilter(offer=self.theatre.promotyd), Stretch(None, 100))
        return [code.status for code in found]


@pytest.fixture
async def desk(sessions: Sessions) -> Desk:
    return Desk(sessions, await build(sessions))


async def test_a_batch_is_invalidated_as_a_whole(desk: Desk) -> None:
    batch = (await desk.made(quantity=10)).id
    assert await desk.invalidate(batch=batch) == InvalidationOutcome(10, 0, 0, 0)
    assert set(await desk.statuses()) == {CodeStatus.INVALIDATED}


async def test_who_when_and_why_stay_with_each_code(desk: Desk) -> None:
    batch = (await desk.made(quantity=1)).id
    await desk.invalidate(batch=batch)
    (code,) = await desk.tracked.page(desk.staff, CodeFilter(batch=batch), Stretch(None, 9))
    assert (code.invalidated_by, code.invalidated_at, code.invalidation_reason) == ("staff:ada", NOW, "stolen")


async def test_used_and_invalidated_codes_are_left_as_they_are(desk: Desk) -> None:
    batch = (await desk.made(quantity=5)).id
    used, held, lost, *_ = await desk.codes(batch)
    await desk.use(used)
    await desk.hold(held)
    await desk.tracked.invalidate(desk.staff, lost, "lost", NOW - timedelta(days=1))
    assert await desk.invalidate(batch=batch) == InvalidationOutcome(3, 1, 1, 1)
    (earlier,) = await desk.tracked.page(desk.staff, CodeFilter(code=lost), Stretch(None, 1))
    assert earlier.invalidation_reason == "lost"


async def test_counts_follow(desk: Desk) -> None:
    batch = (await desk.made(quantity=5)).id
    used, held, *_ = await desk.codes(batch)
    await desk.use(used)
    await desk.hold(held)
    await desk.invalidate(batch=batch)
    found = await desk.counts()
    assert (found.available, found.held, found.used, found.invalidated) == (0, 0, 1, 4)
    assert (found.tickets_held, found.tickets_sold) == (0, 1)


async def test_a_basket_loses_the_code_that_it_held(desk: Desk) -> None:
    batch = (await desk.made(quantity=1)).id
    (held,) = await desk.codes(batch)
    await desk.hold(held)
    await desk.invalidate(batch=batch)
    async with desk.sessions.reading() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM redemptions")) == 0
        assert await connection.scalar(text("SELECT count(*) FROM codes WHERE basket_id IS NOT NULL")) == 0


async def test_a_dry_run_says_what_would_happen_and_does_nothing(desk: Desk) -> None:
    batch = (await desk.made(quantity=5)).id
    used, held, *_ = codes = await desk.codes(batch)
    await desk.use(used)
    await desk.hold(held)
    for selection in ({"batch": batch}, {"codes": tuple(codes)}, {"filter": CodeFilter(offer=desk.theatre.promotyd)}):
        assert await desk.invalidate(dry_run=True, **selection) == InvalidationOutcome(4, 1, 1, 0)
    assert CodeStatus.INVALIDATED not in await desk.statuses()


async def test_what_a_filter_finds_is_invalidated_and_nothing_else(desk: Desk) -> None:
    theatre = desk.theatre
    await desk.made(quantity=4)
    other = (await desk.made(quantity=4, contact=theatre.tyd)).id
    assert await desk.invalidate(filter=CodeFilter(contact=theatre.tyd, season=theatre.season)) == InvalidationOutcome(
        4, 0, 0, 0
    )
    left = await desk.tracked.page(desk.staff, CodeFilter(status=(CodeStatus.INVALIDATED,)), Stretch(None, 100))
    assert {code.batch for code in left} == {other}


async def test_a_filter_by_status_spares_the_other_ones(desk: Desk) -> None:
    batch = (await desk.made(quantity=4)).id
    held, *_ = await desk.codes(batch)
    await desk.hold(held)
    only_held = CodeFilter(batch=batch, status=(CodeStatus.HELD,))
    assert await desk.invalidate(filter=only_held) == InvalidationOutcome(1, 1, 0, 0)
    assert await desk.invalidate(filter=CodeFilter(batch=batch, status=(CodeStatus.USED,))) == InvalidationOutcome(
        0, 0, 0, 0
    )


async def test_an_empty_filter_is_refused(desk: Desk) -> None:
    await desk.made(quantity=1)
    with pytest.raises(InvalidInput):
        await desk.invalidate(filter=CodeFilter())


async def test_a_list_is_taken_in_any_spelling_and_says_what_it_does_not_know(desk: Desk) -> None:
    first, second, *_ = await desk.codes((await desk.made(quantity=3)).id)
    outcome = await desk.invalidate(codes=(first.lower(), f" {second} ", second, "UNKNOWN", "\0", "COUPON3%"))
    assert outcome == InvalidationOutcome(3, 0, 0, 0, ("UNKNOWN", "\0"))


@pytest.mark.parametrize("number", [0, 10_001])
async def test_a_list_has_one_to_ten_thousand_codes(desk: Desk, number: int) -> None:
    with pytest.raises(InvalidInput):
        await desk.invalidate(codes=("A",) * number)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "\0"])
async def test_a_reason_is_needed(desk: Desk, reason: str) -> None:
    with pytest.raises(InvalidInput):
        await Invalidation(desk.sessions, desk.transactions).run(
            desk.staff, InvalidationSelection(codes=("A",)), reason, NOW
        )


async def test_a_batch_that_is_being_made_is_in_the_way(desk: Desk) -> None:
    with pytest.raises(Conflict):
        await desk.invalidate(batch=await desk.request())


async def test_an_unknown_batch_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.invalidate(batch=new_id())


async def test_a_partner_invalidates_its_own_codes_only(desk: Desk) -> None:
    theatre = desk.theatre
    own = (await desk.made(quantity=2)).id
    others = (await desk.made(quantity=2, contact=theatre.tyd)).id
    partner = theatre.partner(theatre.secutix)
    listed = tuple(await desk.codes(others))
    with pytest.raises(NotFound):
        await desk.invalidate(partner, batch=others)
    assert await desk.invalidate(partner, codes=listed) == InvalidationOutcome(0, 0, 0, 0, listed)
    assert await desk.invalidate(partner, filter=CodeFilter(contact=theatre.tyd)) == InvalidationOutcome(0, 0, 0, 0)
    assert await desk.invalidate(partner, filter=CodeFilter(offer=theatre.promotyd)) == InvalidationOutcome(2, 0, 0, 0)
    assert await desk.invalidate(dry_run=True, batch=own) == InvalidationOutcome(0, 0, 0, 2)


async def test_others_may_not(desk: Desk) -> None:
    for viewer in (desk.theatre.staff(StaffRole.VIEWER), desk.theatre.shopper()):
        with pytest.raises(Forbidden):
            await desk.invalidate(viewer, codes=("A",))


async def test_one_audit_entry_tells_of_all(desk: Desk) -> None:
    batch = (await desk.made(quantity=10)).id
    await desk.invalidate(batch=batch)
    query = select(tables.audit_entries).where(tables.audit_entries.c.action == "invalidateCodes")
    async with desk.sessions.reading() as connection:
        entry = (await connection.execute(query)).one()
    assert (entry.actor, entry.subject_id, entry.details["reason"]) == ("staff:ada", batch, "stolen")


async def test_sales_and_an_invalidation_at_once_leave_counts_and_codes_in_agreement(desk: Desk) -> None:
    batch = (await desk.made(quantity=60)).id
    codes = await desk.codes(batch)

    async def sell(code: str) -> bool:
        try:
            await desk.use(code)
        except AssertionError:
            return False
        return True

    outcome, sold = await asyncio.gather(
        desk.invalidate(batch=batch), asyncio.gather(*(sell(code) for code in codes[::4]))
    )
    found = await desk.counts()
    assert (found.used, found.invalidated, found.held, found.available) == (sum(sold), 60 - sum(sold), 0, 0)
    assert outcome.invalidated == 60 - sum(sold)


async def test_a_sale_goes_on_while_many_codes_are_invalidated(desk: Desk) -> None:
    """It holds another code of the very batch, further on than what is being invalidated."""
    batch = (await desk.made(quantity=9)).id
    first, *_, last = await desk.codes(batch)
    async with desk.sessions.writing() as connection:
        await connection.execute(text("SELECT FROM codes WHERE code = :code FOR UPDATE"), {"code": first})
        waiting = asyncio.create_task(desk.invalidate(batch=batch))
        await desk.use(last)
    assert (await waiting).invalidated == 8
