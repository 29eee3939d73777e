"""The snapshot of a catalogue: all of one state, shared by all who ask, and replaced when its version moves."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.back_door import change_offer, touch
from tests.counting import counted

from db.catalogue import catalogue as db
from db.core.sessions import Sessions
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue, SalesChannelKind, by_code
from services.core.errors import NotFound
from services.pricing.facts.offers import OfferState
from services.pricing.facts.tickets import ProductFamily

NOWHERE = UUID(int=0)


async def _snapshot(sessions: Sessions) -> Catalogue:
    return await Catalogues(sessions).find("theatre")


async def test_a_product_has_its_performances_from_the_earliest(loaded: Sessions) -> None:
    async with loaded.writing() as connection:
        await connection.execute(
            text("UPDATE performances SET starts_at = '2026-12-16T20:00Z' WHERE code = 'HELENE-1218'")
        )
    helene = by_code((await _snapshot(loaded)).products)["HELENE"]
    assert [performance.code for performance in helene.performances] == ["HELENE-1218", "HELENE-1217"]


async def test_a_channel_has_its_fee_and_points_of_sale(loaded: Sessions) -> None:
    web = by_code((await _snapshot(loaded)).sales_channels)["WEB"]
    assert (web.kind, web.processing_fee) == (SalesChannelKind.INTERNET, 200)
    assert [point.code for point in web.points_of_sale] == ["SHOP"]


async def test_a_rate_table_keeps_the_order_in_which_it_was_given(loaded: Sessions) -> None:
    catalogue = await _snapshot(loaded)
    rates = catalogue.rates[by_code(catalogue.performances)["HELENE-1217"].id]
    assert list(rates.values()) == [8000, 6400, 5500, 1990]


async def test_a_ticket_for_a_performance_knows_all_that_pricing_asks(loaded: Sessions) -> None:
    catalogue = await _snapshot(loaded)
    seat, tariff = by_code(catalogue.seat_categories)["CAT1"], by_code(catalogue.audience_sub_categories)["FULL"]
    performance = by_code(catalogue.performances)["HELENE-1217"]
    kind = catalogue.ticket_kind(performance.id, seat.id, tariff.id)
    assert kind is not None
    assert (kind.full_price, kind.family, kind.performance) == (8000, ProductFamily.EVENT, performance.id)
    assert (kind.product, kind.starts_at) == (performance.product_id, performance.starts_at)
    assert kind.season == by_code(catalogue.seasons)["2026-27"].id


async def test_a_pass_is_sold_without_performance_and_seat(loaded: Sessions) -> None:
    catalogue = await _snapshot(loaded)
    full = by_code(catalogue.audience_sub_categories)["FULL"].id
    kind = catalogue.ticket_kind(by_code(catalogue.products)["PASS"].id, None, full)
    assert kind is not None
    assert (kind.full_price, kind.performance, kind.starts_at) == (15000, None, None)


async def test_what_is_not_sold_is_no_ticket(loaded: Sessions) -> None:
    catalogue = await _snapshot(loaded)
    seats, tariffs = by_code(catalogue.seat_categories), by_code(catalogue.audience_sub_categories)
    performance = by_code(catalogue.performances)["HELENE-1217"].id
    assert catalogue.ticket_kind(performance, seats["CAT1"].id, tariffs["STUDENT"].id) is None
    assert catalogue.ticket_kind(performance, None, tariffs["FULL"].id) is None
    assert catalogue.ticket_kind(by_code(catalogue.products)["HELENE"].id, seats["CAT1"].id, tariffs["FULL"].id) is None
    assert catalogue.ticket_kind(NOWHERE, None, tariffs["FULL"].id) is None


async def test_an_unmoved_version_costs_one_small_query(loaded: Sessions) -> None:
    catalogues = Catalogues(loaded)
    first = await catalogues.find("theatre")
    with counted(loaded) as statements:
        assert await catalogues.current(first.organisation.id) is first
    assert len(statements) == 1
    assert catalogues.cached(first.organisation.id) is first


async def test_a_moved_version_brings_a_new_snapshot(loaded: Sessions) -> None:
    catalogues = Catalogues(loaded)
    before = await catalogues.find("theatre")
    await change_offer(loaded, "OPENING", state="SUSPENDED")
    after = await catalogues.current(before.organisation.id)
    opening = by_code(before.offer_details)["OPENING"].id
    assert (before.offers[opening].state, after.offers[opening].state) == (OfferState.RUNNING, OfferState.SUSPENDED)


async def test_callers_at_once_share_one_load(loaded: Sessions) -> None:
    organisation = (await _snapshot(loaded)).organisation
    catalogues = Catalogues(loaded)
    with counted(loaded) as statements:
        snapshots = await asyncio.gather(
            *(catalogues.at_version(organisation.id, organisation.version) for _ in range(20))
        )
    assert len(set(map(id, snapshots))) == 1
    assert sum("FROM offers" in statement for statement in statements) == 1


async def test_a_caller_who_goes_away_does_not_take_the_others_load_along(loaded: Sessions) -> None:
    organisation = (await _snapshot(loaded)).organisation
    catalogues = Catalogues(loaded)
    leaving, staying = (
        asyncio.create_task(catalogues.at_version(organisation.id, organisation.version)) for _ in range(2)
    )
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).organisation == organisation


async def test_a_snapshot_is_of_one_instant(loaded: Sessions) -> None:
    organisation = (await _snapshot(loaded)).organisation
    async with loaded.writing() as connection:
        await db.read_as_one(connection)
        before = await db.version(connection, organisation.id)
        await touch(loaded)
        assert await db.version(connection, organisation.id) == before


async def test_an_organisation_that_is_not_there_is_not_found(loaded: Sessions) -> None:
    with pytest.raises(NotFound):
        await Catalogues(loaded).find("opera")
    with pytest.raises(NotFound):
        await Catalogues(loaded).current(NOWHERE)
