"""Following codes, and invalidating them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from tests.services.theatre import NOW, House, build

from db.core import tables
from db.core.ids import new_id
from db.core.keyset import Stretch
from db.core.sessions import Sessions
from services.codes.format import display
from services.codes.tracking import Code, CodeFilter, CodeStatus, shown
from services.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from services.core.viewer import StaffRole

ALL = CodeFilter()


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


async def listed(house: House, wanted: CodeFilter = ALL, most: int = 100) -> list[str]:
    return [code.code for code in await house.tracked.page(house.staff, wanted, Stretch(None, most))]


async def one_code(house: House, **changes: Any) -> str:
    (code,) = await house.codes((await house.made(quantity=1, **changes)).id)
    return code


async def invalidate(house: House, code: str, reason: str = "lost") -> Code:
    return await house.tracked.invalidate(house.staff, code, reason, NOW)


# ── Following ────────────────────────────────────────────────────────────────────────────────────


async def test_codes_are_listed_page_by_page(house: House) -> None:
    batch = await house.made(quantity=5)
    wanted = CodeFilter(batch=batch.id)
    first = await house.tracked.page(house.staff, wanted, Stretch(None, 3))
    rest = await house.tracked.page(house.staff, wanted, Stretch(first[-1].id, 3))
    assert [code.code for code in (*first, *rest)] == await house.codes(batch.id)


async def test_each_part_of_the_filter_narrows_the_list(house: House) -> None:
    theatre = house.theatre
    ours = await house.codes((await house.made(quantity=2)).id)
    others = await house.codes((await house.made(quantity=1, contact=theatre.tyd)).id)
    coupons = await house.codes((await house.made(quantity=1, offer=theatre.random_coupon)).id)
    assert await listed(house, CodeFilter(season=theatre.season)) == [*ours, *others]
    assert await listed(house, CodeFilter(offer=theatre.random_coupon)) == coupons
    assert await listed(house, CodeFilter(contact=theatre.tyd)) == others
    assert await listed(house, CodeFilter(contact=theatre.tyd, offer=theatre.random_coupon)) == []


async def test_codes_are_found_by_status(house: House) -> None:
    first, second = await house.codes((await house.made(quantity=2)).id)
    await house.use(first)
    assert await listed(house, CodeFilter(status=(CodeStatus.USED, CodeStatus.HELD))) == [first]
    assert second in await listed(house, CodeFilter(status=(CodeStatus.AVAILABLE,)))


async def test_codes_are_found_by_when_they_were_used(house: House) -> None:
    code = await one_code(house)
    await house.use(code)
    (used,) = await house.tracked.page(house.staff, CodeFilter(code=code), Stretch(None, 1))
    assert used.used_at is not None
    later = used.used_at + timedelta(seconds=1)
    assert await listed(house, CodeFilter(used_from=used.used_at, used_until=later)) == [code]
    assert await listed(house, CodeFilter(used_from=later)) == []
    assert await listed(house, CodeFilter(used_until=used.used_at)) == []


async def test_a_code_is_found_in_any_spelling(house: House) -> None:
    code = await one_code(house)
    assert await listed(house, CodeFilter(code=f" {display(code).lower()}")) == [code]


async def test_what_cannot_be_a_code_is_told_so(house: House) -> None:
    with pytest.raises(InvalidInput) as caught:
        await listed(house, CodeFilter(code="x" * 10_000))
    assert caught.value.problems[0].path == ("filter", "code")


async def test_a_chosen_code_is_shown_as_it_was_chosen(house: House) -> None:
    (code,) = await house.tracked.page(house.staff, CodeFilter(code="coupon3%"), Stretch(None, 1))
    assert shown(code) == "COUPON3%"


async def test_a_partner_follows_its_own_codes_only(house: House) -> None:
    theatre = house.theatre
    own = await house.made(quantity=1)
    others = await house.made(quantity=1, contact=theatre.tyd)
    partner = theatre.partner(theatre.secutix)
    seen = await house.tracked.page(partner, ALL, Stretch(None, 100))
    (foreign,) = await house.tracked.page(house.staff, CodeFilter(batch=others.id), Stretch(None, 1))
    assert [code.code for code in seen] == await house.codes(own.id)
    assert await house.tracked.page(partner, CodeFilter(contact=theatre.tyd), Stretch(None, 100)) == []
    assert await house.tracked.find(partner, [foreign.id, seen[0].id]) == {seen[0].id: seen[0]}


async def test_a_shopper_follows_no_codes(house: House) -> None:
    await house.made(quantity=1)
    (code, *_) = await house.tracked.page(house.staff, ALL, Stretch(None, 1))
    assert await house.tracked.find(house.theatre.shopper(), [code.id]) == {}
    with pytest.raises(Forbidden):
        await house.tracked.page(house.theatre.shopper(), ALL, Stretch(None, 1))


async def test_another_organisation_sees_no_code(house: House) -> None:
    code = await one_code(house)
    stranger = (await build(house.sessions, "other")).staff(StaffRole.CODES)
    assert await house.tracked.page(stranger, CodeFilter(code=code), Stretch(None, 1)) == []


async def test_scanned_tickets_are_counted_at_their_code(house: House) -> None:
    theatre = house.theatre
    own, other = await one_code(house), await one_code(house)
    coupon = await one_code(house, offer=theatre.random_coupon)
    order = await house.use(own, other, coupon)
    ids = {}
    for code in (own, other, coupon):
        (found,) = await house.tracked.page(house.staff, CodeFilter(code=code), Stretch(None, 1))
        ids[code] = found.id
    with_coupon = [[str(theatre.random_coupon), str(theatre.secutix)]]
    sold: tuple[tuple[UUID | None, UUID | None, list[list[str]], bool], ...] = (
        (theatre.promotyd, ids[own], with_coupon, True),
        (theatre.promotyd, ids[own], [], False),
        (theatre.promotyd, ids[other], with_coupon, True),
        (None, None, with_coupon, True),
        (None, None, [], True),
    )
    row = {"organisation_id": theatre.organisation, "order_id": order, "full_price": 0, "price": 0, "line": 0}
    row |= {"product_id": new_id(), "audience_sub_category_id": new_id()}
    async with house.sessions.writing() as connection:
        for position, (advantage, key, redeemed, scanned) in enumerate(sold):
            ticket = {"id": new_id(), "barcode": str(new_id()), "position": position}
            what = {"advantage_id": advantage, "code_id": key, "redeemed": redeemed}
            when = {"controlled_at": NOW if scanned else None, "entries": int(scanned)}
            await connection.execute(tables.tickets.insert().values(**row, **ticket, **what, **when))
    counted = await house.tracked.tickets_controlled(house.staff, list(ids.values()))
    assert counted == {ids[own]: 1, ids[other]: 1, ids[coupon]: 3}


# ── Invalidating ─────────────────────────────────────────────────────────────────────────────────


async def test_an_available_code_is_invalidated_by_somebody_at_an_instant_for_a_reason(house: House) -> None:
    code = await invalidate(house, await one_code(house))
    assert code.status is CodeStatus.INVALIDATED
    assert (code.invalidated_by, code.invalidated_at, code.invalidation_reason) == ("staff:ada", NOW, "lost")


async def test_a_code_is_invalidated_in_any_spelling(house: House) -> None:
    code = await one_code(house)
    assert (await invalidate(house, display(code).lower())).code == code


async def test_an_invalidated_code_is_counted(house: House) -> None:
    await invalidate(house, await one_code(house))
    found = await house.counts()
    assert (found.generated, found.available, found.invalidated) == (1, 0, 1)


async def test_a_basket_loses_a_code_that_is_invalidated(house: House) -> None:
    code = await one_code(house)
    await house.hold(code)
    await invalidate(house, code)
    found = await house.counts()
    async with house.sessions.reading() as connection:
        ledger = (await connection.execute(select(tables.redemptions))).all()
    assert ledger == []
    assert (found.held, found.invalidated, found.tickets_held) == (0, 1, 0)


async def test_a_used_code_is_not_invalidated(house: House) -> None:
    code = await one_code(house)
    await house.use(code)
    with pytest.raises(Conflict) as caught:
        await invalidate(house, code)
    assert caught.value.text.key == "code_used_already"


async def test_a_code_is_invalidated_once(house: House) -> None:
    code = await one_code(house)
    await invalidate(house, code)
    with pytest.raises(Conflict) as caught:
        await invalidate(house, code)
    assert caught.value.text.values["by"] == "staff:ada"
    assert (await house.counts()).invalidated == 1


async def test_a_chosen_code_without_a_maximum_is_counted_once_when_it_is_invalidated(house: House) -> None:
    code = await invalidate(house, "COUPON3%")
    assert code.status is CodeStatus.INVALIDATED
    assert (await house.counts()).invalidated == 1


async def test_an_unknown_code_is_told_from_a_typing_error(house: House) -> None:
    code = await one_code(house)
    mistyped = code[:-1] + ("0" if code[-1] != "0" else "1")
    for entered, key in (("NO-SUCH", "unknown_code"), (mistyped, "mistyped_code"), ("", "unknown_code")):
        with pytest.raises(NotFound) as caught:
            await invalidate(house, entered)
        assert caught.value.text.key == key


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\0b"])
async def test_a_reason_has_one_to_five_hundred_characters(house: House, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await invalidate(house, await one_code(house), reason)
    assert caught.value.problems[0].path == ("reason",)


async def test_a_partner_invalidates_its_own_codes_only(house: House) -> None:
    theatre = house.theatre
    partner = theatre.partner(theatre.secutix)
    own = await one_code(house)
    (others,) = await house.codes((await house.made(quantity=1, contact=theatre.tyd)).id)
    assert (await house.tracked.invalidate(partner, own, "left", NOW)).status is CodeStatus.INVALIDATED
    with pytest.raises(NotFound):
        await house.tracked.invalidate(partner, others, "left", NOW)


async def test_only_staff_who_follow_codes_invalidate_them(house: House) -> None:
    code = await one_code(house)
    for viewer in (house.theatre.staff(StaffRole.VIEWER), house.theatre.shopper()):
        with pytest.raises(Forbidden):
            await house.tracked.invalidate(viewer, code, "lost", NOW)


async def test_an_invalidation_leaves_an_audit_entry(house: House) -> None:
    code = await invalidate(house, await one_code(house))
    query = select(tables.audit_entries).where(tables.audit_entries.c.action == "invalidateCode")
    async with house.sessions.reading() as connection:
        entry = (await connection.execute(query)).one()
    assert (entry.actor, entry.subject_id) == ("staff:ada", code.id)
    assert entry.details == {"reason": "lost", "statusBefore": "AVAILABLE"}


async def test_watchers_are_told_of_an_invalidation(house: House) -> None:
    code = await one_code(house)
    house.changed.clear()
    await invalidate(house, code)
    assert house.changed == [{house.theatre.promotyd}]
