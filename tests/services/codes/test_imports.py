"""Taking in codes that exist already."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from tests.services.theatre import NOW, House, build

from db.core import tables
from db.core.keyset import Stretch
from db.core.sessions import Sessions
from services.codes.batches import BatchState
from services.codes.imports import ImportRequest, Imports, OnDuplicate
from services.codes.tracking import CodeFilter, shown
from services.core.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem
from services.core.texts import Language
from services.core.viewer import StaffRole


class Desk(House):
    """A house where codes are taken in."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.imports = Imports(self.transactions)
        self.request_ = ImportRequest(self.theatre.promotyd, self.theatre.secutix)

    async def take_in(self, *codes: str, key: str | None = None, **changes: Any) -> UUID:
        wanted = ImportRequest(**{"offer": self.theatre.promotyd, "contact": self.theatre.secutix, **changes})
        return await self.imports.take_in(self.staff, wanted, codes, NOW, key)

    async def problems(self, *codes: str, **changes: Any) -> list[tuple[str, str]]:
        with pytest.raises(InvalidInput) as caught:
            await self.take_in(*codes, **changes)
        return said(caught.value.problems)


def said(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    return [(".".join(problem.path), problem.text.key) for problem in problems]


@pytest.fixture
async def desk(sessions: Sessions) -> Desk:
    return Desk(sessions, await build(sessions))


async def test_imported_codes_are_there_as_they_were_written(desk: Desk) -> None:
    batch = await desk.take_in("Membre n° 12-345", "Membre n° 67-890")
    shown = select(tables.codes.c.shown).where(tables.codes.c.batch_id == batch).order_by(tables.codes.c.id)
    async with desk.sessions.reading() as connection:
        assert list((await connection.scalars(shown)).all()) == ["Membre n° 12-345", "Membre n° 67-890"]


async def test_an_imported_code_is_found_in_any_spelling(desk: Desk) -> None:
    await desk.take_in("TYD-OOL1-2026")
    (found,) = await desk.tracked.page(desk.staff, CodeFilter(code="tyd 0011 2026"), Stretch(None, 2))
    assert (found.shown, found.contact) == ("TYD-OOL1-2026", desk.theatre.secutix)


async def test_an_import_is_a_batch_that_is_done_and_counted(desk: Desk) -> None:
    batch = await desk.batch(await desk.take_in("AAAA-1", "AAAA-2", remark="club"))
    assert (batch.state, batch.quantity, batch.generated) == (BatchState.DONE, 2, 2)
    assert (await desk.counts()).available == 2
    assert desk.changed == [{desk.theatre.promotyd, batch.id}]


async def test_an_imported_code_can_be_used(desk: Desk) -> None:
    await desk.take_in("MEMBER-1234567")
    await desk.use("MEMBER-1234567")
    assert (await desk.counts()).used == 1


async def test_every_problem_is_named_with_its_line(desk: Desk) -> None:
    (known,) = await desk.codes((await desk.made(quantity=1)).id)
    assert await desk.problems("GOOD-1", known, "x1", "good 1", ";1", "кот-123", "A" * 65, "Coupon3%", "TYD-1\0") == [
        ("codes.1", "code_known_alike"),
        ("codes.2", "code_too_short"),
        ("codes.3", "code_twice_in_list_alike"),
        ("codes.4", "code_empty"),
        ("codes.5", "code_characters"),
        ("codes.6", "code_too_long"),
        ("codes.7", "code_known_alike"),
        ("codes.8", "code_characters"),
    ]


async def test_a_code_can_be_known_and_stand_twice(desk: Desk) -> None:
    await desk.take_in("KNOWN-1")
    found = await desk.problems("KNOWN-1", "KNOWN-1")
    assert sorted(found) == [("codes.0", "code_known"), ("codes.1", "code_known"), ("codes.1", "code_twice_in_list")]


async def test_a_title_above_the_header_is_no_code_and_is_named(desk: Desk) -> None:
    assert await desk.problems("Export du 1er janvier", "Code;Date", "AAAA-1;2027-01-01") == [
        ("codes.0", "list_line_above_header")
    ]


async def test_duplicates_and_look_alikes_are_named_with_both_lines(desk: Desk) -> None:
    await desk.take_in("MEMBER-O1")
    with pytest.raises(InvalidInput) as caught:
        await desk.take_in(
            "Code;Nom", "TYD-1O;Ada", "tyd 10;Bob", "ABC;Eve", "# more", "ABC;Eve", "TYD10;Kim", "member 01;x"
        )
    assert [problem.text.in_language(Language.EN) for problem in caught.value.problems] == [
        "Line 3: tyd 10 reads like TYD-1O on line 2.",
        "Line 6: the code ABC stands on line 4 already.",
        "Line 7: TYD10 reads like TYD-1O on line 2.",
        "member 01 reads like MEMBER-O1, which exists already.",
    ]
    assert [path for path, _ in said(caught.value.problems)] == ["codes.2", "codes.5", "codes.6", "codes.7"]


async def test_codes_that_are_there_already_are_left_out_where_that_is_asked_for_and_counted(desk: Desk) -> None:
    await desk.take_in("KNOWN-1")
    lines = ("Code", "KNOWN-1", "NEW-1", "new 1", "NEW-2")
    batch = await desk.batch(await desk.take_in(*lines, on_duplicate=OnDuplicate.SKIP))
    assert (batch.quantity, batch.generated, batch.skipped) == (2, 2, 2)
    assert await desk.codes(batch.id) == ["NEW1", "NEW2"]
    assert (await desk.counts()).generated == 3


async def test_a_list_without_anything_new_is_told_so(desk: Desk) -> None:
    await desk.take_in("KNOWN-1")
    found = await desk.problems("KNOWN-1", "known 1", on_duplicate=OnDuplicate.SKIP)
    assert found == [("codes", "codes_all_known")]


async def test_what_is_no_code_is_never_left_out(desk: Desk) -> None:
    assert await desk.problems("x", "NEW-1", "NEW-1", on_duplicate=OnDuplicate.SKIP) == [("codes.0", "code_too_short")]


async def test_two_who_take_the_same_codes_in_and_leave_out_what_is_there_have_them_once(desk: Desk) -> None:
    lists = ([f"MEMBER-{number:07}" for number in range(start, start + 200)] for start in (0, 100))
    batches = await asyncio.gather(*(desk.take_in(*codes, on_duplicate=OnDuplicate.SKIP) for codes in lists))
    found = [await desk.batch(batch) for batch in batches]
    assert sum(batch.quantity for batch in found) == 300
    assert sum(batch.skipped for batch in found) == 100


async def test_codes_are_taken_in_from_the_named_column_and_kept_as_a_keyboard_has_them(desk: Desk) -> None:
    batch = await desk.take_in("\ufeffName;Number", "Ada;TYD\u20112026\u00a01\u200b", column="number")
    [code] = await desk.tracked.page(desk.staff, CodeFilter(batch=batch), Stretch(None, 2))
    assert (code.code, shown(code)) == ("TYD20261", "TYD-2026 1")


async def test_nothing_is_taken_in_unless_all_can_be(desk: Desk) -> None:
    await desk.problems("GOOD-1", "GOOD-2", "x")
    assert (await desk.counts()).generated == 0
    assert await desk.tracked.page(desk.staff, CodeFilter(offer=desk.theatre.promotyd), Stretch(None, 9)) == []


async def test_codes_of_others_are_taken_in_whatever_our_check_says_and_shown_as_they_were_written(desk: Desk) -> None:
    numbers = [f"1001{number:012}" for number in range(100_000, 100_000 + 99)]
    hexadecimal = [f"{number:016x}" for number in range(1 << 60, (1 << 60) + 99)]
    batch = await desk.take_in(*numbers, *hexadecimal, accept_guessable=True)
    found = [shown(code) for code in await desk.tracked.page(desk.staff, CodeFilter(batch=batch), Stretch(None, 200))]
    assert sorted(found) == sorted([*numbers, *hexadecimal])


@pytest.mark.parametrize("number", [0, 10_001])
async def test_a_call_takes_one_to_ten_thousand_codes(desk: Desk, number: int) -> None:
    assert await desk.problems(*(f"A-{each:06}-{each:06}" for each in range(number))) == [("codes", "import_of_codes")]


async def test_ten_thousand_codes_are_taken_in_by_one_call(desk: Desk) -> None:
    batch = await desk.take_in(*(f"MEMBER-{number:08}" for number in range(10_000)))
    assert len(await desk.codes(batch)) == (await desk.counts()).generated == 10_000


async def test_a_list_that_is_easy_to_guess_is_refused(desk: Desk) -> None:
    assert await desk.problems(*(f"TYD-{number:03}" for number in range(500))) == [("codes", "codes_guessable")]


async def test_a_list_that_is_easy_to_guess_is_taken_where_that_is_accepted(desk: Desk) -> None:
    await desk.take_in(*(f"TYD-{number:03}" for number in range(500)), accept_guessable=True)
    assert (await desk.counts()).generated == 500


async def test_problems_with_offer_contact_and_codes_come_together(desk: Desk) -> None:
    theatre = desk.theatre
    assert await desk.problems("x", offer=theatre.opening, contact=theatre.blandine, remark="\0") == [
        ("offerId", "offer_takes_no_codes"),
        ("contactId", "contact_is_no_structure"),
        ("remark", "text_characters"),
        ("codes.0", "code_too_short"),
    ]


async def test_a_closed_offer_takes_no_codes_in(desk: Desk) -> None:
    with pytest.raises(Conflict):
        await desk.take_in("GOOD-1", offer=desk.theatre.closed)


async def test_only_staff_who_follow_codes_take_codes_in(desk: Desk) -> None:
    theatre = desk.theatre
    for viewer in (theatre.staff(StaffRole.VIEWER), theatre.partner(theatre.secutix), theatre.shopper()):
        with pytest.raises(Forbidden):
            await desk.imports.take_in(viewer, desk.request_, ["GOOD-1"], NOW)


async def test_codes_of_another_organisation_are_no_obstacle(desk: Desk) -> None:
    other = Desk(desk.sessions, await build(desk.sessions, "other"))
    await other.take_in("MEMBER-1")
    await desk.take_in("MEMBER-1")
    with pytest.raises(NotFound):
        await desk.take_in("MEMBER-2", contact=other.theatre.secutix)


async def test_the_same_key_takes_codes_in_once(desk: Desk) -> None:
    first = await desk.take_in("MEMBER-1", key="key")
    assert await desk.take_in("MEMBER-1", key="key") == first


async def test_two_who_take_the_same_codes_in_are_told_apart(desk: Desk) -> None:
    codes = [f"MEMBER-{number:07}" for number in range(300)]
    outcomes = await asyncio.gather(*(desk.take_in(*codes) for _ in range(2)), return_exceptions=True)
    (refusal,) = [outcome for outcome in outcomes if isinstance(outcome, InvalidInput)]
    assert {problem.text.key for problem in refusal.problems} == {"code_known"}
    assert (await desk.counts()).generated == 300


async def test_an_import_leaves_an_audit_entry(desk: Desk) -> None:
    batch = await desk.take_in("MEMBER-1")
    async with desk.sessions.reading() as connection:
        entry = (await connection.execute(select(tables.audit_entries))).one()
    assert (entry.actor, entry.action, entry.subject_id) == ("staff:ada", "importCodes", batch)


# ── From a file ──────────────────────────────────────────────────────────────────────────────────


async def test_a_file_has_one_code_a_line_and_may_have_empty_ones(desk: Desk) -> None:
    batch = await desk.imports.take_in_file(desk.staff, desk.request_, ["MEMBER-1\n", "\n", " MEMBER-2 \n"], NOW, print)
    assert await desk.codes(batch) == ["MEMBER1", "MEMBER2"]


async def test_problems_with_a_file_are_reported_one_by_one_with_the_line_that_people_count(desk: Desk) -> None:
    reported: list[Problem] = []
    with pytest.raises(InvalidInput) as caught:
        await desk.imports.take_in_file(
            desk.staff, desk.request_, ["A-1\n", "\n", "x\n", "a 1\n"], NOW, reported.append
        )
    assert said(reported) == [("line 1", "code_too_short"), ("line 3", "code_too_short"), ("line 4", "code_too_short")]
    assert said(caught.value.problems) == [("", "nothing_taken_in")]


async def test_a_file_may_be_longer_than_a_call(desk: Desk) -> None:
    lines = [f"MEMBER-{number:09}\n" for number in range(25_000)]
    batch = await desk.imports.take_in_file(desk.staff, desk.request_, lines, NOW, print)
    assert len(await desk.codes(batch)) == 25_000
