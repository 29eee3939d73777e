"""Everything that is wrong with a data file is said at once, with its path, and nothing is taken in."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select
from tests.services.dataset.samples import changed, example, without

from db.core import tables
from db.core.sessions import Sessions
from services.core.errors import InvalidInput
from services.core.texts import Language
from services.dataset import Datasets, read

if TYPE_CHECKING:
    from tests.conftest import Databases

STRANGER = {"seatCategory": "CAT9", "audienceSubCategory": "FULL", "price": "1.00"}
PRICE = {"seatCategory": "CAT1", "audienceSubCategory": "FULL", "price": "1.00"}
PERFORMANCE = {"code": "NIGHT", "startsAt": "2026-12-24T20:00:00+01:00", "venue": "Foyer", "prices": []}
BATCH = {"code": "B2", "advantage": "PROMOTYD", "contact": "TYD", "quantity": 1}


@pytest.fixture(scope="module")
async def sessions(databases: "Databases") -> AsyncIterator[Sessions]:
    """On one database for all: what is refused leaves nothing behind."""
    async with databases.copy_of("migrated") as url:
        sessions = Sessions(url)
        yield sessions
        await sessions.close()


async def _problems(sessions: Sessions, document: object, now: datetime) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        await Datasets(sessions).load(document, now=now)
    for problem in refused.value.problems:
        for language in Language:
            assert problem.text.in_language(language)
    return {".".join(problem.path): problem.text.key for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("organisation.currency", "EURO", "currency_unknown"),
        ("organisation.currency", "DEM", "currency_unknown"),
        ("organisation.timezone", "Europe/Pariz", "time_zone_unknown"),
        ("organisation.timezone", "../../etc/passwd", "time_zone_unknown"),
        ("organisation.basketMinutes", 0, "number_too_small"),
        ("organisation.basketMinutes", 15.0, "not_integer"),
        ("organisation.basketMinutes", True, "not_integer"),
        ("organisation.basketMaximumMinutes", 14, "basket_maximum_too_short"),
        ("organisation.basketMaximumMinutes", 24 * 60 + 1, "number_too_large"),
        ("organisation.entryOpensMinutes", -1, "number_too_small"),
        ("organisation.entryClosesMinutes", 366 * 24 * 60 + 1, "number_too_large"),
        ("organisation.returnsFees", "yes", "not_boolean"),
        ("products.0.entriesAllowed", 0, "number_too_small"),
        ("products.0.entriesAllowed", 1_000_001, "number_too_large"),
        ("advantages.0.cancellationPolicy", "SOMETIMES", "not_one_of"),
        ("organisation.code", " theatre", "text_padded"),
        ("organisation.surprise", 1, "field_unknown"),
        ("surprise", [], "field_unknown"),
        ("batches", {}, "not_list"),
        ("batches.0", None, "not_object"),
        ("seasons.0.startsOn", "2026-09-01T00:00:00", "instant_without_offset"),
        ("seasons.0.startsOn", "2026-09-31T00:00:00+02:00", "instant_malformed"),
        ("seasons.0.startsOn", "1 September", "instant_malformed"),
        ("seasons.0.startsOn", 1788220800, "instant_malformed"),
        ("seasons.0.endsOn", "2026-09-01T00:00:00+02:00", "ends_before_begins"),
        ("seasons.0.name", {}, "name_missing"),
        ("seasons.0.name.fr", "", "text_blank"),
        ("seasons.0.name.fr", "a\0b", "text_characters"),
        ("seasons.0.name.fr", "\ud800", "text_characters"),
        ("seasons.0.name.fr", "x" * 501, "text_too_long"),
        ("seasons.0.name.pt", "Temporada", "field_unknown"),
        ("deliveryModes.1.code", "PRINT", "code_twice"),
        ("salesChannels.0.kind", "WEB", "not_one_of"),
        ("salesChannels.0.processingFee", "2.001", "amount_too_precise"),
        ("salesChannels.0.processingFee", 2, "not_decimal"),
        ("salesChannels.0.processingFee", "-2.00", "amount_negative"),
        ("salesChannels.0.processingFee", "1e2", "not_decimal"),
        ("salesChannels.0.processingFee", "9" * 20, "amount_too_large"),
        ("salesChannels.0.pointsOfSale.0.url", "javascript:alert(1)", "url_malformed"),
        ("salesChannels.1.pointsOfSale.0.code", "SHOP", "code_twice"),
        ("indicators.0.levels", [], "list_empty"),
        ("counterProfiles", {}, "not_list"),
        ("products.0.season", "2025-26", "reference_unknown"),
        ("products.0.family", "CONCERT", "not_one_of"),
        ("products.0.prices", [PRICE], "prices_misplaced"),
        ("products.0.performances.1.prices.0.price", "80.001", "amount_too_precise"),
        ("products.0.performances.1.prices.0.seatCategory", "CAT9", "reference_unknown"),
        ("products.0.performances.0.prices.4", PRICE, "price_twice"),
        ("products.2.performances", [PERFORMANCE], "performances_misplaced"),
        ("contacts.0.email", "a\nb@example.org", "not_a_mail_address"),
        ("contacts.2.balance", "175.00 €", "not_decimal"),
        ("contacts.2.indicators.ASSIDUITY", "DAILY", "level_unknown"),
        ("contacts.2.indicators.LOYALTY", "HIGH", "reference_unknown"),
        ("contacts.2.newsletter", "yes", "not_boolean"),
        ("campaigns.0.contacts.1", "NOBODY", "reference_unknown"),
        ("advantages.0.benefit.amountOff", "0.00", "amount_zero"),
        ("advantages.0.scope.performances.0", "ZINMAN", "reference_unknown"),
        ("advantages.0.scope.products", ["PASS"], "outside_family"),
        ("advantages.0.limits.quota", -1, "number_too_small"),
        ("advantages.0.limits.quota", 2**31, "number_too_large"),
        ("advantages.0.target", {"level": "REGULAR"}, "target_field_unused"),
        ("advantages.1.target.level", "DAILY", "level_unknown"),
        ("advantages.1.benefit.percentOff", "0", "percentage_range"),
        ("advantages.1.benefit.percentOff", "-5", "percentage_range"),
        ("advantages.1.benefit.percentOff", "100.01", "percentage_range"),
        ("advantages.1.benefit.percentOff", "3.00001", "percentage_too_precise"),
        ("advantages.1.benefit", {}, "exactly_one_of"),
        ("advantages.1.benefit.amountOff", "1.00", "exactly_one_of"),
        ("advantages.1.validUntil", "2026-01-01T00:00:00", "instant_without_offset"),
        ("advantages.2.target", {}, "target_field_missing"),
        ("advantages.2.benefit.rates", [], "list_empty"),
        ("advantages.2.benefit.rates.2", PRICE, "price_twice"),
        ("advantages.2.benefit.rates.2", STRANGER, "reference_unknown"),
        ("advantages.3.target.accessCode", "mercl-1O", "code_twice"),
        ("advantages.4.target.ticketsPerCode", 0, "number_too_small"),
        ("advantages.4.limits.elements", [{"quota": 1}], "exactly_one_of"),
        ("advantages.4.limits.elements", [{"product": "HELENE"}], "limit_missing"),
        ("advantages.4.limits.elements", [{"product": "PASS", "quota": 1}], "outside_family"),
        ("advantages.4.limits.elements", [{"product": "HELENE", "quota": 1}] * 2, "limit_twice"),
        ("promotionalCodes.0.customCodes.0.code", "\u041cERCI", "code_characters"),
        ("promotionalCodes.0.customCodes.1", {"code": "cou-pon 3%"}, "code_twice"),
        ("promotionalCodes.0.restrictedTo", {"contacts": ["NOBODY"]}, "reference_unknown"),
        ("batches.0.quantity", "150", "not_integer"),
        ("batches.0.quantity", 5_000_001, "number_too_large"),
        ("batches.0.contact", "BLANDINE", "contact_is_no_structure"),
        ("batches.0.advantage", "OPENING", "offer_takes_no_codes"),
        ("batches.0.promotionalCode", "COUPON3", "exactly_one_of"),
    ],
)
async def test_a_wrong_value_is_named_by_its_path(
    sessions: Sessions, now: datetime, path: str, value: object, reason: str
) -> None:
    problems = await _problems(sessions, changed((path, value)), now)
    [(place, found)] = problems.items()
    assert found == reason
    assert place.startswith(path.rpartition(".")[0])


async def test_every_problem_is_listed_at_once(sessions: Sessions, now: datetime) -> None:
    document = changed(
        ("seasons.0.endsOn", "2026-01-01T00:00:00+01:00"),
        ("products.0.performances.1.prices.0.price", "80.001"),
        ("products.0.performances.0.prices.0.audienceSubCategory", "CHILD"),
        ("advantages.0.target", {"campaign": "REVIVAL", "accessCode": "OPEN"}),
        ("advantages.3.target.accessCode", "MERCI10"),
        ("batches.0.quantity", "150"),
    )
    assert await _problems(sessions, document, now) == {
        "seasons.0.endsOn": "ends_before_begins",
        "products.0.performances.1.prices.0.price": "amount_too_precise",
        "products.0.performances.0.prices.0.audienceSubCategory": "reference_unknown",
        "advantages.0.target.accessCode": "target_field_unused",
        "advantages.0.target.campaign": "target_field_unused",
        "advantages.3.target.accessCode": "code_twice",
        "batches.0.quantity": "not_integer",
    }


async def test_codes_that_read_alike_are_named_with_both_places(sessions: Sessions, now: datetime) -> None:
    document = changed(("promotionalCodes.0.customCodes", [{"code": "GRUß 1O"}, {"code": "gruss\u20111\u200b0"}]))
    with pytest.raises(InvalidInput) as refused:
        await Datasets(sessions).load(document, now=now)
    [problem] = refused.value.problems
    assert problem.path == ("promotionalCodes", "0", "customCodes", "1", "code")
    assert "GRUß 1O at “promotionalCodes.0.customCodes.0.code”" in problem.text.in_language(Language.EN)


async def test_what_names_a_broken_thing_is_not_to_blame(sessions: Sessions, now: datetime) -> None:
    document = changed(("products.0.name", 1), ("seasons.0.name", 1), ("campaigns.0.name", 1), ("contacts.0.name", 1))
    assert set(await _problems(sessions, document, now)) == {
        "products.0.name",
        "seasons.0.name",
        "campaigns.0.name",
        "contacts.0.name",
    }


@pytest.mark.parametrize("path", ["organisation", "organisation.code", "products.0.family"])
async def test_a_missing_field_is_named(sessions: Sessions, now: datetime, path: str) -> None:
    assert await _problems(sessions, without(path), now) == {path: "field_missing"}


@pytest.mark.parametrize("document", [None, [], 1, "x", {"organisation": []}])
async def test_any_json_gets_an_answer(sessions: Sessions, now: datetime, document: object) -> None:
    assert "organisation" in await _problems(sessions, document, now)


async def test_a_mistake_in_the_last_line_leaves_nothing_behind(sessions: Sessions, now: datetime) -> None:
    await _problems(sessions, changed(("batches.0.quantity", "150")), now)
    async with sessions.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(tables.organisations))).scalar_one() == 0


async def test_a_family_without_its_performances_is_named(sessions: Sessions, now: datetime) -> None:
    document = changed(("products.3", {**example()["products"][2], "code": "EMPTY", "family": "VISIT", "prices": []}))
    assert await _problems(sessions, document, now) == {"products.3.performances": "performances_missing"}


async def test_a_batch_that_is_mailed_needs_an_address(sessions: Sessions, now: datetime) -> None:
    document = changed(("batches.1", BATCH))
    del document["contacts"][1]["email"]
    assert await _problems(sessions, document, now) == {"batches.1.destination": "no_mail_address"}


async def test_codes_of_an_advantage_are_made_for_a_structure(sessions: Sessions, now: datetime) -> None:
    assert await _problems(sessions, without("batches.0.contact"), now) == {"batches.0.contact": "structure_missing"}


async def test_codes_for_nobody_that_are_mailed_need_an_address(sessions: Sessions, now: datetime) -> None:
    batch = {"code": "FLYER", "promotionalCode": "COUPON3", "quantity": 5}
    document = changed(("batches.1", batch))
    assert await _problems(sessions, document, now) == {"batches.1.destination": "no_mail_address"}


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        (b'{"a": 1, "b": [{"c": 1, "c": 2}], "a": 2}', {"a": "key_twice", "b.0.c": "key_twice"}),
        (b'{"a": NaN}', {"": "file_number"}),
        (b'{"a": -Infinity}', {"": "file_number"}),
        (b'{"a": ' + b"1" * 5000 + b"}", {"": "file_number"}),
        (b'{"a": "\xff"}', {"": "file_not_utf8"}),
        (b"{", {"": "file_not_json"}),
        (b"", {"": "file_not_json"}),
        (b"[" * 100_000, {"": "file_too_deep"}),
    ],
)
def test_what_is_not_json_is_refused(content: bytes, problems: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(content)
    assert {".".join(each.path): each.text.key for each in refused.value.problems} == problems


def test_a_byte_order_mark_is_no_problem() -> None:
    assert read(b'\xef\xbb\xbf{"a": "\xc3\xa9"}') == {"a": "é"}


async def test_a_restriction_names_a_profile_of_the_list_where_there_is_one(
    database_url: str, sessions: Sessions, now: datetime
) -> None:
    restricted = ("promotionalCodes.2.restrictedTo", {"counterProfiles": ["DESK", "BOSS"]})
    profiles = ("counterProfiles", [{"code": "DESK", "name": {"en": "Front desk"}}])
    assert await _problems(sessions, changed(restricted, profiles), now) == {
        "promotionalCodes.2.restrictedTo.counterProfiles.1": "reference_unknown"
    }
    own = Sessions(database_url)
    assert (await Datasets(own).load(changed(restricted), now=now)).made
    await own.close()
