"""The dashboard: what became of codes, by contact and offer."""

import pytest
from tests.services.theatre import NOW, House, build

from db.core.ids import new_id
from db.core.sessions import Sessions
from db.counts.counts import RedemptionCounts
from services.catalogue.catalogues import Catalogues
from services.core.errors import Forbidden, NotFound
from services.core.viewer import StaffRole, Viewer
from services.counts.counts import Counts
from services.counts.dashboard import Dashboard, DashboardRow, Dashboards


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


async def dashboard(house: House, viewer: Viewer | None = None, *, by_contact: bool = True) -> Dashboard:
    boards = Dashboards(house.held_now, Catalogues(house.sessions))
    return await boards.of_season(viewer or house.staff, house.theatre.season, by_contact=by_contact)


def codes(row: DashboardRow) -> tuple[int, int, int, int, int]:
    counts = row.counts
    return counts.generated, counts.available, counts.held, counts.used, counts.invalidated


async def test_one_used_code_of_a_batch_shows_in_row_subtotal_and_total(house: House) -> None:
    batch = await house.made(quantity=150)
    await house.use((await house.codes(batch.id))[0])
    found = await dashboard(house)
    (row,), (subtotal,) = found.rows, found.subtotals
    assert codes(row) == codes(subtotal) == (150, 149, 0, 1, 0)
    assert row.counts == subtotal.counts == found.total
    assert (row.contact, row.offer) == (house.theatre.secutix, house.theatre.promotyd)
    assert (subtotal.contact, subtotal.offer) == (house.theatre.secutix, None)


async def test_a_code_is_counted_through_its_whole_life(house: House) -> None:
    batch = await house.made(quantity=4)
    held, used, lost, _ = await house.codes(batch.id)
    await house.hold(held)
    await house.use(used)
    await house.tracked.invalidate(house.staff, lost, "lost", NOW)
    (row,) = (await dashboard(house)).rows
    assert codes(row) == (4, 1, 1, 1, 1)
    assert (row.counts.tickets_held, row.counts.tickets_sold, row.counts.tickets_controlled) == (1, 1, 0)


async def test_every_change_moves_the_version(house: House) -> None:
    batch = await house.made(quantity=1)
    before = (await dashboard(house)).total.version
    await house.use((await house.codes(batch.id))[0])
    assert (await dashboard(house)).total.version > before


async def test_rows_are_by_contact_and_offer(house: House) -> None:
    theatre = house.theatre
    await house.made(quantity=2, contact=theatre.tyd)
    await house.made(quantity=3)
    await house.made(quantity=4, offer=theatre.random_coupon)
    found = await dashboard(house)
    assert [(row.contact, row.offer, row.counts.generated) for row in found.rows] == [
        (theatre.secutix, theatre.promotyd, 3),
        (theatre.secutix, theatre.random_coupon, 4),
        (theatre.tyd, theatre.promotyd, 2),
    ]
    assert [(row.contact, row.counts.generated) for row in found.subtotals] == [(theatre.secutix, 7), (theatre.tyd, 2)]
    assert found.total.generated == 9


async def test_without_detail_by_contact_there_is_one_row_an_offer(house: House) -> None:
    theatre = house.theatre
    await house.made(quantity=2, contact=theatre.tyd)
    await house.made(quantity=3)
    found = await dashboard(house, by_contact=False)
    assert [(row.contact, row.offer, row.counts.generated) for row in found.rows] == [(None, theatre.promotyd, 5)]
    assert found.subtotals == ()
    assert found.total.generated == 5


async def test_an_offer_without_generated_codes_has_no_row(house: House) -> None:
    assert await dashboard(house) == Dashboard((), (), RedemptionCounts())


async def test_a_partner_sees_its_own_rows_only(house: House) -> None:
    theatre = house.theatre
    await house.made(quantity=2, contact=theatre.tyd)
    await house.made(quantity=3)
    found = await dashboard(house, theatre.partner(theatre.tyd))
    assert [(row.contact, row.counts.generated) for row in found.rows] == [(theatre.tyd, 2)]
    assert found.total.generated == 2


async def test_the_dashboard_is_for_those_who_follow_codes(house: House) -> None:
    for viewer in (house.theatre.shopper(), house.theatre.staff(StaffRole.SALES)):
        with pytest.raises(Forbidden):
            await dashboard(house, viewer)


async def test_an_unknown_season_is_not_found(house: House) -> None:
    boards = Dashboards(house.held_now, Catalogues(house.sessions))
    with pytest.raises(NotFound):
        await boards.of_season(house.staff, new_id(), by_contact=True)


async def test_the_counts_of_an_offer_add_up_over_contacts(house: House) -> None:
    theatre = house.theatre
    await house.made(quantity=2, contact=theatre.tyd)
    await house.made(quantity=3)
    counts = Counts(house.held_now)
    offers = [theatre.promotyd, theatre.opening]
    everything = await counts.of_offers(theatre.staff(StaffRole.CATALOGUE), offers)
    own = await counts.of_offers(theatre.partner(theatre.tyd), offers)
    assert [everything[offer].generated for offer in offers] == [5, 0]
    assert [own[offer].generated for offer in offers] == [2, 0]


async def test_how_an_offer_sells_is_not_a_shoppers_business(house: House) -> None:
    with pytest.raises(Forbidden):
        await Counts(house.held_now).of_offers(house.theatre.shopper(), [house.theatre.promotyd])
