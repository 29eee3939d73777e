"""Codes that were taken in as our own lists defuse them are found by what stands in the lists."""

from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from tests.services.theatre import Theatre, build

import db.migrations
from db.core import tables
from db.core.ids import new_id
from db.core.sessions import Sessions
from services.codes.format import normalise, tidied

SCRIPT = Path(db.migrations.__file__).parent / "versions" / "0008_codes_of_lists.sql"


async def add(sessions: Sessions, theatre: Theatre, code: str, shown: str | None) -> None:
    async with sessions.writing() as connection:
        await connection.execute(
            insert(tables.codes).values(
                organisation_id=theatre.organisation,
                id=new_id(),
                code=code,
                shown=shown,
                kind="CUSTOM",
                status="AVAILABLE",
                offer_id=theatre.custom_coupon,
            )
        )


async def migrated(sessions: Sessions) -> set[tuple[str, str | None]]:
    update, _, _ = SCRIPT.read_text(encoding="utf-8").partition("-- Lines of an imported list")
    async with sessions.writing() as connection:
        await connection.execute(text(update))
        found = await connection.execute(select(tables.codes.c.code, tables.codes.c.shown))
        return {(row.code, row.shown) for row in found if row.shown != "COUPON3%"}


@pytest.mark.parametrize(
    ("code", "shown", "listed"),
    [
        ("'50FF", "'-5OFF", "-5OFF"),
        ("'=ABC", None, "=ABC"),
        ("'+33123", "' +33 123", "+33 123"),
        ("'@H0ME", "'@home", "@home"),
        ("''50FF", "'-'5OFF", "-'5OFF"),
    ],
)
async def test_a_defused_code_gets_the_text_by_which_it_is_looked_up(
    sessions: Sessions, code: str, shown: str | None, listed: str
) -> None:
    await add(sessions, await build(sessions), code, shown)
    assert await migrated(sessions) == {(normalise(listed), listed)}
    assert normalise(shown or code) == normalise(listed)


async def test_other_codes_stay_as_they_are(sessions: Sessions) -> None:
    theatre = await build(sessions)
    others = {("'TWAS", None), ("1'ÉTÉ", "L'été"), ("'50FF", "'5OFF"), ("50FF", "-5OFF"), ("'50N", "-'-5ON")}
    for code, shown in others:
        await add(sessions, theatre, code, shown)
        assert normalise(shown or code) == code
        assert tidied(shown or code) == (shown or code)
    assert await migrated(sessions) == others


async def test_a_defused_code_stays_where_the_code_that_the_list_meant_is_there(sessions: Sessions) -> None:
    theatre = await build(sessions)
    both = {("'50FF", "'-5OFF"), ("50FF", "-5OFF")}
    for code, shown in both:
        await add(sessions, theatre, code, shown)
    assert await migrated(sessions) == both
