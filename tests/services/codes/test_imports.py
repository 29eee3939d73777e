"""Taking in codes that exist already."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from tests.services.theatre import NOW, House, build

from db.core import tables
from db.core.sessions import Sessions
from services.codes.batches import BatchState
from services.codes.imports import ImportRequest, Imports
from services.codes.tracking import CodeFilter
from services.core.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem
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
    (found,) = await desk.tracked.page(desk.staff, CodeFilter(code="tyd 0011 2026"), None, 2)
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
    assert await desk.problems("GOOD-1", known, "x1", "good 1", "", "кот-123", "A" * 65, "COUPON3%", "TYD-1\0") == [
        ("codes.1", "code_known"),
        ("codes.2", "code_too_short"),
        ("codes.3", "code_twice"),
        ("codes.4", "code_empty"),
        ("codes.5", "code_characters"),
        ("codes.6", "code_too_long"),
        ("codes.7", "code_known"),
        ("codes.8", "code_characters"),
    ]


async def test_a_code_can_be_known_and_stand_twice(desk: Desk) -> None:
    await desk.take_in("KNOWN-1")
    found = await desk.problems("KNOWN-1", "KNOWN-1")
    assert sorted(found) == [("codes.0", "code_known"), ("codes.1", "code_known"), ("codes.1", "code_twice")]


async def test_nothing_is_taken_in_unless_all_can_be(desk: Desk) -> None:
    await desk.problems("GOOD-1", "GOOD-2", "x")
    assert (await desk.counts()).generated == 0
    assert await desk.tracked.page(desk.staff, CodeFilter(offer=desk.theatre.promotyd), None, 9) == []


async def test_what_looks_like_a_mistyped_random_code_is_not_allowed(desk: Desk) -> None:
    assert await desk.problems("48MK SKBN TYDE 3920") == [("codes.0", "code_like_mistyped")]


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
        ("remark", "remark_unusable"),
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
