"""A data file is taken in whole; loading again updates by code, doubles nothing and undoes nothing that life did."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Table, func, select, text
from tests.services.dataset.samples import changed, example, without

from db.core import tables
from db.core.sessions import Sessions
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue, by_code
from services.core.errors import InvalidInput
from services.dataset import Datasets, Loaded

LATER_PRODUCT = {
    "code": "TOSCA",
    "season": "2026-27",
    "family": "EVENT",
    "name": {"fr": "Tosca"},
    "performances": [
        {
            "code": "TOSCA-0301",
            "startsAt": "2027-03-01T20:00:00+01:00",
            "venue": "Grande salle",
            "prices": [{"seatCategory": "CAT1", "audienceSubCategory": "FULL", "price": "95.00"}],
        }
    ],
}


async def _load(sessions: Sessions, document: object, now: datetime) -> Loaded:
    return await Datasets(sessions).load(document, now=now)


async def _refused(sessions: Sessions, document: object, now: datetime) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        await _load(sessions, document, now)
    return {".".join(problem.path): problem.text.key for problem in refused.value.problems}


async def _snapshot(sessions: Sessions) -> Catalogue:
    return await Catalogues(sessions).find("theatre")


async def _query(sessions: Sessions, statement: str) -> list[Any]:
    async with sessions.reading() as connection:
        return [tuple(row) if len(row) > 1 else row[0] for row in await connection.execute(text(statement))]


async def _run(sessions: Sessions, statement: str) -> None:
    async with sessions.writing() as connection:
        await connection.execute(text(statement))


async def _rows(sessions: Sessions, table: Table) -> int:
    async with sessions.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def test_what_was_loaded_is_counted(sessions: Sessions, now: datetime) -> None:
    loaded = await _load(sessions, example(), now)
    assert loaded.organisation_code == "theatre"
    assert (loaded.counts["performances"], loaded.counts["contacts"], loaded.counts["batches"]) == (3, 4, 1)
    assert loaded.made == (loaded.batches["EXAMPLE-1"],)


async def test_loading_again_doubles_nothing(sessions: Sessions, now: datetime) -> None:
    first = await _load(sessions, example(), now)
    before = {table.name: await _rows(sessions, table) for table in tables.metadata.sorted_tables}
    second = await _load(sessions, example(), now)
    assert {table.name: await _rows(sessions, table) for table in tables.metadata.sorted_tables} == before
    assert await _query(sessions, "SELECT count(*) FROM pgqueuer") == [1]
    assert (second.organisation_id, second.batches, second.made) == (first.organisation_id, first.batches, ())


async def test_two_loads_at_once_double_nothing_either(sessions: Sessions, now: datetime) -> None:
    first, second = await asyncio.gather(_load(sessions, example(), now), _load(sessions, example(), now))
    assert first.organisation_id == second.organisation_id
    assert len(first.made + second.made) == 1
    assert await _rows(sessions, tables.contacts) == 4


async def test_a_load_moves_the_version_once(loaded: Sessions, now: datetime) -> None:
    before = await _snapshot(loaded)
    await _load(loaded, example(), now)
    after = await _snapshot(loaded)
    assert after.organisation.version == before.organisation.version + 1
    assert after.offer_details == before.offer_details


async def test_loading_again_updates_by_code(loaded: Sessions, now: datetime) -> None:
    before = await _snapshot(loaded)
    document = changed(
        ("organisation.name", "Théâtre"),
        ("products.0.name.de", "Die schöne Helena"),
        ("advantages.1.benefit.percentOff", "12.5"),
    )
    await _load(loaded, document, now)
    after = await _snapshot(loaded)
    assert after.organisation.name == "Théâtre"
    helene, regulars = by_code(after.products)["HELENE"], by_code(after.offer_details)["REGULARS"]
    assert (helene.id, helene.name["de"]) == (by_code(before.products)["HELENE"].id, "Die schöne Helena")
    assert regulars.offer.benefit.ten_thousandths == 125_000  # type: ignore[union-attr]
    assert (regulars.version, by_code(after.offer_details)["OPENING"].version) == (2, 1)


async def test_what_the_file_leaves_out_stays(loaded: Sessions, now: datetime) -> None:
    await _load(loaded, {"organisation": example()["organisation"], "products": [LATER_PRODUCT]}, now)
    catalogue = await _snapshot(loaded)
    assert set(by_code(catalogue.products)) == {"HELENE", "ZINMAN", "PASS", "TOSCA"}
    assert len(catalogue.offers) == 8


async def test_a_rate_table_in_the_file_replaces_the_one_before(loaded: Sessions, now: datetime) -> None:
    prices = example()["products"][0]["performances"][0]["prices"]
    prices[0]["price"] = "81.00"
    await _load(loaded, changed(("products.0.performances.0.prices", [prices[2], prices[0]])), now)
    catalogue = await _snapshot(loaded)
    performances = by_code(catalogue.performances)
    assert list(catalogue.rates[performances["HELENE-1217"].id].values()) == [5500, 8100]
    assert list(catalogue.rates[performances["HELENE-1218"].id].values()) == [8500]


async def test_a_campaign_targets_the_contacts_of_the_file_alone(loaded: Sessions, now: datetime) -> None:
    await _load(loaded, changed(("campaigns.0.contacts", ["NOUVEAU"])), now)
    members = "SELECT code FROM campaign_contacts m JOIN contacts c ON c.id = m.contact_id"
    assert await _query(loaded, members) == ["NOUVEAU"]


async def test_loading_again_gives_no_spent_money_back(loaded: Sessions, now: datetime) -> None:
    await _run(loaded, "UPDATE contacts SET balance = 4200, has_ordered = true WHERE code = 'BLANDINE'")
    await _load(loaded, changed(("contacts.2.email", "blandine@example.com")), now)
    facts = "SELECT email, balance, has_ordered FROM contacts WHERE code = 'BLANDINE'"
    assert await _query(loaded, facts) == [("blandine@example.com", 4200, True)]


async def test_a_contact_is_at_the_level_of_the_file(loaded: Sessions, now: datetime) -> None:
    await _load(loaded, changed(("contacts.2.indicators.ASSIDUITY", "CONSTANT")), now)
    assert await _query(loaded, "SELECT level FROM contact_indicators") == ["CONSTANT"]


@pytest.mark.parametrize(
    ("path", "value"), [("organisation.currency", "USD"), ("products.0.family", "VISIT"), ("products.0.code", "HELEN")]
)
async def test_what_amounts_and_tickets_stand_on_cannot_change(
    loaded: Sessions, now: datetime, path: str, value: str
) -> None:
    document = changed((path, value))
    document["advantages"] = []
    problems = await _refused(loaded, document, now)
    assert set(problems.values()) <= {"fixed_once_loaded", "performance_of_another_product"}


async def test_a_closed_offer_stays_closed(loaded: Sessions, now: datetime) -> None:
    await _run(loaded, "UPDATE offers SET state = 'CLOSED' WHERE code = 'OPENING'")
    assert await _refused(loaded, example(), now) == {"advantages.0.state": "state_unreachable"}


async def test_a_batch_that_was_made_is_not_made_otherwise(loaded: Sessions, now: datetime) -> None:
    assert await _refused(loaded, changed(("batches.0.quantity", 151)), now) == {"batches.0": "batch_made"}


async def test_a_file_says_when_gates_open_how_often_tickets_let_in_and_what_becomes_of_those_that_stay(
    sessions: Sessions, now: datetime
) -> None:
    await _load(sessions, without("products.2.entriesAllowed"), now)
    usual = await _snapshot(sessions)
    document = changed(
        ("organisation.entryOpensMinutes", 45),
        ("organisation.entryClosesMinutes", 20),
        ("organisation.returnsFees", False),
        ("products.2.entriesAllowed", 5),
        ("advantages.0.cancellationPolicy", "ANEW"),
    )
    await _load(sessions, document, now)
    own = await _snapshot(sessions)

    def said(catalogue: Catalogue) -> tuple[object, ...]:
        organisation = catalogue.organisation
        [opening] = [each for each in catalogue.offer_details.values() if each.code == "OPENING"]
        return (
            organisation.entry_opens_minutes,
            organisation.entry_closes_minutes,
            organisation.returns_fees,
            by_code(catalogue.products)["PASS"].entries_allowed,
            opening.cancellation_policy,
        )

    assert said(usual) == (180, 1440, True, 1, "KEEP")
    assert said(own) == (45, 20, False, 5, "ANEW")
