"""What loading does to the codes that customers enter: none is doubled, none comes back by itself."""

from datetime import datetime

import pytest
from dataset_samples import changed, example
from sqlalchemy import text

from db.sessions import Sessions
from services.dataset import Datasets
from services.errors import InvalidInput


async def _load(sessions: Sessions, document: object, now: datetime) -> None:
    await Datasets(sessions).load(document, now=now)


async def _refused(sessions: Sessions, document: object, now: datetime) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        await _load(sessions, document, now)
    return {".".join(problem.path): problem.text.key for problem in refused.value.problems}


async def _run(sessions: Sessions, statement: str) -> None:
    async with sessions.writing() as connection:
        await connection.execute(text(statement))


async def _statuses(sessions: Sessions) -> dict[str, str]:
    async with sessions.reading() as connection:
        rows = await connection.execute(text("SELECT shown, status FROM codes WHERE kind <> 'SINGLE_USE'"))
        return {shown: str(status) for shown, status in rows}


async def test_chosen_codes_are_kept_normalised_and_as_written(loaded: Sessions) -> None:
    async with loaded.reading() as connection:
        rows = await connection.execute(
            text("SELECT code, shown, kind, max_uses FROM codes WHERE kind <> 'SINGLE_USE'")
        )
        assert {tuple(row) for row in rows} == {
            ("C0UP0N3%", "COUPON3%", "CUSTOM", None),
            ("MERC110", "MERCI10", "CUSTOM", 100),
            ("1ETTRE", "LETTRE", "CUSTOM", None),
            ("TYDSTAFF", "TYD-STAFF", "ACCESS", None),
        }


async def test_a_code_that_staff_switched_off_stays_off(loaded: Sessions, now: datetime) -> None:
    await _run(loaded, "UPDATE codes SET status = 'INVALIDATED', invalidated_by = 'staff:ada' WHERE shown = 'LETTRE'")
    await _load(loaded, example(), now)
    assert (await _statuses(loaded))["LETTRE"] == "INVALIDATED"


async def test_the_file_can_switch_a_code_off_and_on(loaded: Sessions, now: datetime) -> None:
    await _load(loaded, changed(("promotionalCodes.2.customCodes.0.active", False)), now)
    assert (await _statuses(loaded))["LETTRE"] == "INVALIDATED"
    await _load(loaded, example(), now)
    assert (await _statuses(loaded))["LETTRE"] == "AVAILABLE"


async def test_a_code_that_was_invalidated_for_good_cannot_be_switched_on(loaded: Sessions, now: datetime) -> None:
    await _run(
        loaded,
        "UPDATE codes SET status = 'INVALIDATED', invalidated_by = 'staff:ada', invalidation_reason = 'leaked' "
        "WHERE shown IN ('LETTRE', 'TYD-STAFF')",
    )
    problems = await _refused(loaded, changed(("promotionalCodes.2.customCodes.0.active", True)), now)
    assert problems == {
        "promotionalCodes.2.customCodes.0.code": "code_gone",
        "advantages.3.target.accessCode": "code_gone",
    }


async def test_an_access_code_replaces_the_one_before(loaded: Sessions, now: datetime) -> None:
    await _load(loaded, changed(("advantages.3.target.accessCode", "TYD-2027")), now)
    statuses = await _statuses(loaded)
    assert (statuses["TYD-STAFF"], statuses["TYD-2027"]) == ("INVALIDATED", "AVAILABLE")

    await _load(loaded, example(), now)
    statuses = await _statuses(loaded)
    assert (statuses["TYD-STAFF"], statuses["TYD-2027"]) == ("AVAILABLE", "INVALIDATED")


async def test_a_code_of_another_offer_is_not_taken_away(loaded: Sessions, now: datetime) -> None:
    document = {
        "organisation": example()["organisation"],
        "promotionalCodes": [
            {**example()["promotionalCodes"][0], "code": "NEW", "customCodes": [{"code": "merc1-1o"}]}
        ],
    }
    assert await _refused(loaded, document, now) == {"promotionalCodes.0.customCodes.0.code": "code_taken"}


async def test_a_random_code_is_not_taken_for_a_chosen_one(loaded: Sessions, now: datetime) -> None:
    async with loaded.reading() as connection:
        code = (await connection.execute(text("SELECT code FROM codes WHERE kind = 'SINGLE_USE' LIMIT 1"))).scalar_one()
    document = changed(("promotionalCodes.0.customCodes.0.code", code))
    assert await _refused(loaded, document, now) == {"promotionalCodes.0.customCodes.0.code": "code_taken"}
