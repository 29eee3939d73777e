"""What loading does to the codes that customers enter: none is doubled, none comes back by itself."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from tests import back_door
from tests.services.dataset.samples import changed, example

from db.codes import chosen_codes
from db.codes.chosen_codes import ChosenCode
from db.codes.codes import CodeKind, CodeStatus
from db.core.ids import new_id
from db.core.sessions import Sessions
from db.core.tables import offers
from db.offers import offers as db_offers
from services.core.errors import InvalidInput
from services.dataset import Datasets


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


def _with_batch_of(document: Any, promotional_code: str) -> Any:
    batch = {"code": "EXAMPLE-2", "promotionalCode": promotional_code, "contact": "SECUTIX", "quantity": 1}
    document["batches"].append({**batch, "documentType": "NO_EMAIL", "language": "FR"})
    return document


async def test_random_codes_are_not_for_a_promotional_code_that_has_chosen_ones(
    loaded: Sessions, now: datetime
) -> None:
    document = {name: part for name, part in example().items() if name in {"organisation", "batches"}}
    refused = await _refused(loaded, _with_batch_of(document, "COUPON3"), now)
    assert refused == {"batches.1.promotionalCode": "offer_takes_no_codes"}


async def test_chosen_codes_are_not_for_a_promotional_code_that_has_random_ones(
    loaded: Sessions, now: datetime
) -> None:
    document = changed(("promotionalCodes.3", {**example()["promotionalCodes"][0], "code": "NEW", "customCodes": []}))
    await _load(loaded, _with_batch_of(document, "NEW"), now)
    document["promotionalCodes"][3]["customCodes"] = [{"code": "CHOSEN"}]
    assert await _refused(loaded, document, now) == {
        "promotionalCodes.3.customCodes": "offer_has_random_codes",
        "batches.1.promotionalCode": "offer_takes_no_codes",
    }


async def test_single_use_codes_keep_the_target_that_they_were_made_for(loaded: Sessions, now: datetime) -> None:
    document = changed(("advantages.4.targetType", "PUBLIC"), ("advantages.4.target", {}))
    del document["batches"]
    assert document["advantages"][4]["code"] == "PROMOTYD"
    assert await _refused(loaded, document, now) == {"advantages.4.targetType": "target_has_codes"}


async def test_a_file_and_staff_at_once_give_a_promotional_code_one_kind_of_codes(
    loaded: Sessions, now: datetime
) -> None:
    document = changed(("promotionalCodes.3", {**example()["promotionalCodes"][0], "code": "NEW", "customCodes": []}))
    await _load(loaded, document, now)
    async with loaded.writing() as connection:
        organisation, offer = (
            await back_door.organisation(connection),
            await back_door.key_of(connection, offers, "NEW"),
        )
        await db_offers.lock(connection, organisation, offer)
        chosen = ChosenCode(new_id(), "CH0SEN", "CHOSEN", CodeKind.CUSTOM, offer, None, CodeStatus.AVAILABLE)
        await chosen_codes.add(connection, organisation, chosen)
        loading = asyncio.create_task(_load(loaded, _with_batch_of(document, "NEW"), now))
        await back_door.somebody_waits(loaded)
    with pytest.raises(InvalidInput):
        await loading
