"""What loading does to the codes that customers enter: none is doubled, none comes back by itself."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from tests.services.dataset.samples import changed, example

from db.core.sessions import Sessions
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
    await _run(loaded, "UPDATE codes SET status = 'SWITCHED_OFF', invalidated_by = 'staff:ada' WHERE shown = 'LETTRE'")
    await _load(loaded, example(), now)
    assert (await _statuses(loaded))["LETTRE"] == "SWITCHED_OFF"


async def test_the_file_can_switch_a_code_off_and_on(loaded: Sessions, now: datetime) -> None:
    await _load(loaded, changed(("promotionalCodes.2.customCodes.0.active", False)), now)
    assert (await _statuses(loaded))["LETTRE"] == "SWITCHED_OFF"
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
    assert (statuses["TYD-STAFF"], statuses["TYD-2027"]) == ("SWITCHED_OFF", "AVAILABLE")

    await _load(loaded, example(), now)
    statuses = await _statuses(loaded)
    assert (statuses["TYD-STAFF"], statuses["TYD-2027"]) == ("AVAILABLE", "SWITCHED_OFF")


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


async def test_a_promotional_code_has_chosen_and_random_codes_side_by_side(loaded: Sessions, now: datetime) -> None:
    document = changed(("promotionalCodes.3", {**example()["promotionalCodes"][0], "code": "NEW", "customCodes": []}))
    await _load(loaded, _with_batch_of(document, "NEW"), now)
    document["promotionalCodes"][3]["customCodes"] = [{"code": "CHOSEN"}]
    await _load(loaded, document, now)
    assert (await _statuses(loaded))["CHOSEN"] == "AVAILABLE"


async def test_random_codes_without_a_structure_are_the_organisations_own(loaded: Sessions, now: datetime) -> None:
    document = changed(
        ("batches.1", {"code": "FLYER", "promotionalCode": "COUPON3", "quantity": 5, "destination": "ada@example.org"})
    )
    for _ in range(2):
        await _load(loaded, document, now)
    async with loaded.reading() as connection:
        found = await connection.execute(
            text("""SELECT c.code, c.kind, c.name, b.quantity, b.destination FROM batches b
            JOIN contacts c USING (organisation_id) WHERE b.code = 'FLYER' AND c.id = b.contact_id""")
        )
        assert [tuple(row) for row in found] == [("theatre", "STRUCTURE", "Théâtre de la Ville", 5, "ada@example.org")]


async def test_single_use_codes_keep_the_target_that_they_were_made_for(loaded: Sessions, now: datetime) -> None:
    document = changed(("advantages.4.targetType", "PUBLIC"), ("advantages.4.target", {}))
    del document["batches"]
    assert document["advantages"][4]["code"] == "PROMOTYD"
    assert await _refused(loaded, document, now) == {"advantages.4.targetType": "target_has_codes"}


# ── Codes of offers that are over ────────────────────────────────────────────────────────────────


def _coupon(code: str, state: str, *codes: str) -> Any:
    custom = [{"code": each} for each in codes]
    return {**example()["promotionalCodes"][0], "code": code, "state": state, "customCodes": custom}


async def _owners(sessions: Sessions) -> set[tuple[str, str, bool]]:
    """Offer, code as it is shown, and whether a customer can still enter it."""
    async with sessions.reading() as connection:
        rows = await connection.execute(
            text("""SELECT o.code, c.shown, strpos(c.code, ' ') = 0 FROM codes c
            JOIN offers o ON o.organisation_id = c.organisation_id AND o.id = c.offer_id WHERE c.kind <> 'SINGLE_USE'""")
        )
        return {(offer, shown, entered) for offer, shown, entered in rows}


async def test_a_file_gives_the_codes_of_an_offer_that_it_closes_to_another_one(
    loaded: Sessions, now: datetime
) -> None:
    document = changed(
        ("promotionalCodes.0", _coupon("COUPON3", "CLOSED", "COUPON3%")),
        ("promotionalCodes.3", _coupon("COUPON4", "RUNNING", "coupon3%")),
    )
    for _ in range(2):
        await _load(loaded, document, now)
        owners = await _owners(loaded)
        assert {each for each in owners if each[1].upper() == "COUPON3%"} == {
            ("COUPON3", "COUPON3%", False),
            ("COUPON4", "coupon3%", True),
        }


async def test_a_file_takes_over_a_code_whose_closed_offer_it_leaves_out(loaded: Sessions, now: datetime) -> None:
    await _run(loaded, "UPDATE offers SET state = 'CLOSED' WHERE code IN ('COUPON3', 'STAFFTYD')")
    document = {
        "organisation": example()["organisation"],
        "promotionalCodes": [_coupon("COUPON4", "RUNNING", "COUPON3%", "TYD-STAFF")],
    }
    await _load(loaded, document, now)
    owners = await _owners(loaded)
    assert {("COUPON4", "COUPON3%", True), ("COUPON4", "TYD-STAFF", True)} <= owners
    assert {("COUPON3", "COUPON3%", False), ("STAFFTYD", "TYD-STAFF", False)} <= owners


async def test_a_file_may_have_one_code_of_several_closed_offers_and_of_a_new_one(
    loaded: Sessions, now: datetime
) -> None:
    document = changed(
        ("promotionalCodes.3", _coupon("A", "CLOSED", "AGAIN")),
        ("promotionalCodes.4", _coupon("B", "CLOSED", "AGAIN")),
        ("promotionalCodes.5", _coupon("C", "RUNNING", "AGAIN")),
    )
    for _ in range(2):
        await _load(loaded, document, now)
    owners = {each for each in await _owners(loaded) if each[1] == "AGAIN"}
    assert owners == {("A", "AGAIN", False), ("B", "AGAIN", False), ("C", "AGAIN", True)}


async def test_two_open_offers_of_a_file_do_not_have_one_code(loaded: Sessions, now: datetime) -> None:
    document = changed(
        ("promotionalCodes.3", _coupon("A", "SUSPENDED", "AGAIN")),
        ("promotionalCodes.4", _coupon("B", "RUNNING", "again")),
    )
    assert await _refused(loaded, document, now) == {"promotionalCodes.4.customCodes.0.code": "code_twice"}
