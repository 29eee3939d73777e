"""Pages of codes: each filter finds what it should, in order, whole, wherever the page begins."""

from uuid import UUID

import pytest
from sqlalchemy import text
from tests.services.theatre import NOW, House, build

from db.codes import pages as code_pages
from db.codes.codes import CodeFilter, CodeStatus
from db.core.keyset import Stretch
from db.core.sessions import Sessions


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


async def walked(house: House, wanted: CodeFilter, size: int) -> list[str]:
    """All codes that a filter finds, page after page."""
    found: list[str] = []
    after: UUID | None = None
    while page := await house.tracked.page(house.staff, wanted, Stretch(after, size)):
        found += [code.code for code in page]
        after = page[-1].id
    return found


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_pages_follow_on_each_other(house: House, size: int) -> None:
    theatre = house.theatre
    first = await house.codes((await house.made(quantity=15)).id)
    other = await house.codes((await house.made(quantity=15, offer=theatre.random_coupon)).id)
    third = await house.codes((await house.made(quantity=15, contact=theatre.tyd)).id)
    assert await walked(house, CodeFilter(offer=theatre.promotyd), size) == first + third
    assert await walked(house, CodeFilter(contact=theatre.secutix), size) == first + other
    assert await walked(house, CodeFilter(season=theatre.season), size) == first + third
    assert await walked(house, CodeFilter(contact=theatre.secutix, offer=theatre.random_coupon), size) == other
    assert await walked(house, CodeFilter(), size) == ["C0UP0N3%", *first, *other, *third]


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_pages_backwards_are_those_forwards(house: House, size: int) -> None:
    theatre = house.theatre
    for offer in (theatre.promotyd, theatre.random_coupon):
        await house.made(quantity=9, offer=offer)
    available = CodeFilter(status=(CodeStatus.AVAILABLE,))
    for wanted in (CodeFilter(), CodeFilter(offer=theatre.promotyd), available, CodeFilter(part="C0UP")):
        back: list[str] = []
        before: UUID | None = None
        while page := await house.tracked.page(house.staff, wanted, Stretch(None, size, before, backwards=True)):
            back = [*(code.code for code in page), *back]
            before = page[0].id
        assert back == await walked(house, wanted, size) != []
        assert await house.tracked.count(house.staff, wanted) == len(back)


async def test_what_keeps_a_text_that_was_given_up_from_being_entered_is_no_part_of_it(house: House) -> None:
    async with house.sessions.writing() as connection:
        await connection.execute(text("UPDATE codes SET code = code || ' 99998888' WHERE kind = 'CUSTOM'"))
    assert await walked(house, CodeFilter(part="C0UP"), 9) == ["C0UP0N3% 99998888"]
    assert await walked(house, CodeFilter(part="9999"), 9) == []


async def test_more_codes_than_are_counted_are_many(house: House) -> None:
    wanted = CodeFilter(batch=(await house.made(quantity=10_001)).id)
    assert await house.tracked.count(house.staff, wanted) is None
    some = CodeFilter(
        batch=wanted.batch, until=(await house.tracked.page(house.staff, wanted, Stretch(None, 9)))[-1].id
    )
    assert await house.tracked.count(house.staff, some) == 9


async def test_chosen_codes_are_found_by_their_offer(house: House) -> None:
    assert await walked(house, CodeFilter(offer=house.theatre.custom_coupon), 3) == ["C0UP0N3%"]


async def test_codes_are_found_by_what_became_of_them(house: House) -> None:
    batch = (await house.made(quantity=6)).id
    left, held, used, lost, *rest = await house.codes(batch)
    await house.hold(held)
    await house.use(used)
    await house.tracked.invalidate(house.staff, lost, "lost", NOW)
    theatre = house.theatre
    for wanted in ({"batch": batch}, {"contact": theatre.secutix}, {"season": theatre.season}):
        expected = {
            (CodeStatus.AVAILABLE,): [left, *rest],
            (CodeStatus.HELD,): [held],
            (CodeStatus.USED,): [used],
            (CodeStatus.INVALIDATED, CodeStatus.USED): [used, lost],
            (CodeStatus.HELD, CodeStatus.AVAILABLE): [left, held, *rest],
        }
        for status, codes in expected.items():
            assert await walked(house, CodeFilter(status=status, **wanted), 2) == codes  # type: ignore[arg-type]


async def test_codes_are_found_by_when_they_were_used(house: House) -> None:
    batch = (await house.made(quantity=2)).id
    first, second = await house.codes(batch)
    for code in (first, second):
        await house.use(code)
    (when,) = [
        code.used_at for code in await house.tracked.page(house.staff, CodeFilter(code=second), Stretch(None, 1))
    ]
    assert await walked(house, CodeFilter(used_from=when), 9) == [second]
    assert await walked(house, CodeFilter(used_until=when, contact=house.theatre.secutix), 9) == [first]


async def test_codes_are_counted_as_they_are_found(house: House) -> None:
    theatre = house.theatre
    batch = (await house.made(quantity=5)).id
    await house.made(quantity=3, contact=theatre.tyd)
    used, *_ = await house.codes(batch)
    await house.use(used)
    async with house.sessions.reading() as connection:

        async def count(**wanted: object) -> dict[CodeStatus, int]:
            return await code_pages.count(connection, theatre.organisation, CodeFilter(**wanted))  # type: ignore[arg-type]

        assert await count(offer=theatre.promotyd) == {CodeStatus.AVAILABLE: 7, CodeStatus.USED: 1}
        assert await count(batch=batch) == {CodeStatus.AVAILABLE: 4, CodeStatus.USED: 1}
        assert await count(offer=theatre.custom_coupon) == {CodeStatus.AVAILABLE: 1}


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("filtered", ["offer", "contact", "season", "batch", "nothing"])
async def test_a_page_reads_no_more_than_itself_however_deep(house: House, filtered: str, backwards: bool) -> None:
    """Its plan touches a few hundred rows where there are thousands."""
    theatre = house.theatre
    batches = [(await house.made(quantity=4_000)).id for _ in range(3)]
    deep = (await house.tracked.page(house.staff, CodeFilter(batch=batches[2]), Stretch(None, 2_000)))[-1].id
    by = {"offer": theatre.promotyd, "contact": theatre.secutix, "season": theatre.season, "batch": batches[2]}
    wanted = CodeFilter(**{filtered: by[filtered]} if filtered in by else {})  # type: ignore[arg-type]
    page = Stretch(None, 100, before=deep, backwards=True) if backwards else Stretch(deep, 100)
    query = f"EXPLAIN (ANALYZE, FORMAT JSON) {code_pages._page_text(code_pages._shape(wanted, page), '*')}"
    parameters = code_pages._parameters(theatre.organisation, wanted, page)
    async with house.sessions.reading() as connection:
        await connection.execute(text("ANALYZE"))
        plan = (await connection.execute(text(query), parameters)).scalar_one()
    assert most_rows(plan[0]["Plan"]) <= 400


def most_rows(node: dict[str, object]) -> float:
    """The most rows that any step of a plan has read, those that it threw away included."""
    own = float(node["Actual Rows"]) * float(node["Actual Loops"]) + float(node.get("Rows Removed by Filter", 0))  # type: ignore[arg-type]
    return max([own, *(most_rows(each) for each in node.get("Plans", []))])  # type: ignore[attr-defined]
