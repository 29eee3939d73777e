"""Looking for orders reads no more than what is found, however many there are."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.services.theatre import NOW, Theatre, build
from tests.wire import Json

from db.baskets import order_pages
from db.baskets.order_pages import OrderFilter
from db.baskets.orders import Order, OrderState
from db.core.keyset import Place, Stretch
from db.core.sessions import Sessions

ORDERS = 6_000
CONTACTS = 3_000
MOST = 400
"""Rows that a page of twenty may touch: of what it finds, of the batch that a plan takes along, never of all."""

_FILL = """
INSERT INTO contacts (organisation_id, id, code, kind, name, email)
SELECT CAST(:own AS uuid), md5('contact' || n)::uuid, 'C' || n, 'INDIVIDUAL', md5('name' || n), md5('at' || n) || '@example.com'
FROM generate_series(1, :contacts) n;
INSERT INTO baskets (organisation_id, id, state, point_of_sale_id, contact_id, use_balance, lines, pricing, expires_at)
SELECT CAST(:own AS uuid), md5('basket' || n)::uuid, 'CONFIRMED', :shop, md5('contact' || n % :contacts + 1)::uuid, false, '[]', '{}', :now
FROM generate_series(1, :orders) n;
INSERT INTO orders (organisation_id, id, number, state, basket_id, contact_id, point_of_sale_id, pricing, confirmed_at)
SELECT CAST(:own AS uuid), md5('order' || n)::uuid, lpad(n::text, 8, '0'), CASE n % 500 WHEN 0 THEN 'CANCELLED' ELSE 'CONFIRMED' END,
    md5('basket' || n)::uuid, md5('contact' || n % :contacts + 1)::uuid, :shop, '{}', CAST(:now AS timestamptz) + n * interval '1 second'
FROM generate_series(1, :orders) n;
INSERT INTO order_subjects (organisation_id, subject_id, confirmed_at, order_id)
SELECT CAST(:own AS uuid), CASE n % 100 WHEN 0 THEN CAST(:rare AS uuid) ELSE CAST(:common AS uuid) END,
    CAST(:now AS timestamptz) + n * interval '1 second', md5('order' || n)::uuid FROM generate_series(1, :orders) n;
INSERT INTO tickets (organisation_id, id, order_id, barcode, line, position, price, redeemed, product_id,
    audience_sub_category_id, full_price)
SELECT CAST(:own AS uuid), md5('ticket' || n)::uuid, md5('order' || n)::uuid, 'T' || n, 0, 0, 1, '[]', :own, :own, 1
FROM generate_series(1, :orders) n
"""


@dataclass(frozen=True)
class Season:
    """A theatre that has sold much, by an offer that most orders used and one that few did."""

    sessions: Sessions
    theatre: Theatre
    contact: UUID
    name: str


@pytest.fixture
async def season(sessions: Sessions) -> Season:
    theatre = await build(sessions)
    values = {
        "own": theatre.organisation,
        "shop": theatre.shop,
        "orders": ORDERS,
        "contacts": CONTACTS,
        "now": NOW,
        "common": theatre.opening,
        "rare": theatre.promotyd,
    }
    async with sessions.writing() as connection:
        for statement in _FILL.split(";"):
            names = {name for name in values if f":{name}" in statement}
            escaped = statement.replace("::", "\\:\\:")
            await connection.execute(text(escaped), {name: values[name] for name in names})
    async with sessions.reading() as connection:
        await connection.execute(text("ANALYZE"))
        [found] = await connection.execute(text("SELECT id, name FROM contacts WHERE code = 'C77'"))
    return Season(sessions, theatre, found.id, found.name)


def filters(season: Season) -> dict[str, OrderFilter]:
    deep = NOW + timedelta(seconds=ORDERS // 2)
    theatre = season.theatre
    common = OrderFilter(offer=theatre.opening)
    return {
        "everything": OrderFilter(),
        "number": OrderFilter(number="00003000"),
        "no such number": OrderFilter(number="99999999"),
        "barcode": OrderFilter(barcode="T3000"),
        "no such barcode": OrderFilter(barcode="NONE"),
        "contact": OrderFilter(contact=season.contact),
        "no such contact": OrderFilter(contact=theatre.organisation),
        "an offer of most": common,
        "an offer of few": OrderFilter(offer=theatre.promotyd),
        "no such offer": OrderFilter(offer=theatre.organisation),
        "a code of many": OrderFilter(codes=(theatre.opening,)),
        "no such code": OrderFilter(codes=()),
        "from": OrderFilter(since=deep),
        "until": OrderFilter(until=deep),
        "from, when nothing was": OrderFilter(since=deep + timedelta(days=9)),
        "until, when nothing was": OrderFilter(until=NOW),
        "confirmed ones": OrderFilter(state=OrderState.CONFIRMED),
        "cancelled ones": OrderFilter(state=OrderState.CANCELLED),
        "a part of a name": OrderFilter(search=season.name[:7].upper()),
        "a part of an address": OrderFilter(search=season.name[3:9]),
        "a part of a number": OrderFilter(search="0300"),
        "a part of many numbers": OrderFilter(search="00"),
        "a part of all addresses": OrderFilter(search="@example"),
        "a part of nothing": OrderFilter(search="nothing like it"),
        "a letter of nothing": OrderFilter(search="ø"),
        "an offer of most, in a time": replace(common, since=deep, until=deep + timedelta(minutes=1)),
        "an offer of most, of a contact": replace(common, contact=season.contact),
        "a contact's cancelled ones": OrderFilter(contact=season.contact, state=OrderState.CANCELLED),
        "a part of a name, cancelled ones": OrderFilter(search=season.name[:7], state=OrderState.CANCELLED),
    }


async def test_no_filter_goes_through_all_orders(season: Season) -> None:
    organisation = season.theatre.organisation
    deep = (NOW + timedelta(seconds=2_000), organisation)
    pages = {
        "from the start": Stretch(None, 20),
        "deep": Stretch(deep, 20),
        "from the end": Stretch(None, 20, backwards=True),
        "deep, backwards": Stretch(None, 20, before=deep, backwards=True),
    }
    async with season.sessions.reading() as connection:
        for name, wanted in filters(season).items():
            for where, page in pages.items():
                found = await order_pages._found(connection, organisation, wanted)
                statement = order_pages._page(order_pages._shape(wanted, page, found)).text
                parameters = order_pages._parameters(organisation, wanted, page, found)
                plan = await connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"), parameters)
                assert most_rows(plan.scalar_one()[0]["Plan"]) <= MOST, (name, where)
                orders = await order_pages.page(connection, organisation, wanted, page)
                assert orders == sorted(orders, key=lambda order: (order.confirmed_at, order.id), reverse=True)


async def test_pages_backwards_are_those_forwards(season: Season) -> None:
    async with season.sessions.reading() as connection:
        for name in ("an offer of few", "a part of a name", "cancelled ones", "contact"):
            wanted, organisation = filters(season)[name], season.theatre.organisation
            forwards = await order_pages.page(connection, organisation, wanted, Stretch(None, 1_000))
            back: list[Order] = []
            place: Place | None = None
            while page := await order_pages.page(
                connection, organisation, wanted, Stretch(None, 7, before=place, backwards=True)
            ):
                back = [*page, *back]
                place = (page[0].confirmed_at, page[0].id)
            assert back == forwards != [], name


async def test_what_leads_a_search_is_found_by_an_index(season: Season) -> None:
    statement = text(f"EXPLAIN (FORMAT JSON) {order_pages._FOUND.text}")
    parameters = {"organisation": season.theatre.organisation, "search": "nothing like it", "most": 1001}
    async with season.sessions.reading() as connection:
        plan = (await connection.execute(statement, parameters)).scalar_one()[0]["Plan"]
    assert {each for each in kinds(plan) if "Scan" in each} <= {"Bitmap Heap Scan", "Bitmap Index Scan", "CTE Scan"}


async def test_filters_find_what_they_should(season: Season) -> None:
    expected = {
        "everything": ORDERS,
        "number": 1,
        "barcode": 1,
        "contact": 2,
        "an offer of most": ORDERS - ORDERS // 100,
        "an offer of few": ORDERS // 100,
        "no such offer": 0,
        "a code of many": ORDERS - ORDERS // 100,
        "from": ORDERS // 2 + 1,
        "until": ORDERS // 2 - 1,
        "cancelled ones": ORDERS // 500,
        "a part of a name": 2,
        "a part of all addresses": ORDERS,
        "a part of nothing": 0,
        "an offer of most, in a time": 59,
    }
    async with season.sessions.reading() as connection:
        for name, number in expected.items():
            wanted = filters(season)[name]
            found = await order_pages.count(connection, season.theatre.organisation, wanted, 2 * ORDERS)
            assert found == number, name
            assert await order_pages.count(connection, season.theatre.organisation, wanted, 10) == min(number, 10)


async def test_orders_of_another_organisation_are_found_by_nothing(season: Season) -> None:
    other = await build(season.sessions, "other")
    async with season.sessions.reading() as connection:
        for name, wanted in filters(season).items():
            assert await order_pages.page(connection, other.organisation, wanted, Stretch(None, 20)) == [], name


def most_rows(node: Json) -> float:
    """The most rows that any step of a plan has read, those that it threw away included."""
    thrown: float = sum(node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck", "Join Filter"))
    own: float = (node["Actual Rows"] + thrown) * node["Actual Loops"]
    return max([own, *map(most_rows, node.get("Plans", []))])


def kinds(node: Json) -> set[str]:
    """The kinds of steps in a plan."""
    return {str(node["Node Type"])}.union(*map(kinds, node.get("Plans", [])))
