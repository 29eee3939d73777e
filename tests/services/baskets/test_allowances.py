"""How much a customer, and a whole shop, may have open at once; and whose a key is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from tests.back_door import expire_baskets
from tests.conftest import NOW, SECRET
from tests.gala import build

from resolvers.runtime.context import Services
from services.baskets.basket import Basket
from services.baskets.basket_input import BasketChange, BasketRequest, LineRequest
from services.catalogue.snapshot import Catalogue, by_code
from services.core.errors import Conflict, TooMany
from services.core.failure_codes import FailureCode
from services.core.viewer import Audience, StaffRole, Viewer
from sesame.composition import House, build_services, house
from sesame.settings import Settings

HERE, THERE = "203.0.113.7", "203.0.113.8"


class Shop:
    """The services of one process, and who may come."""

    def __init__(self, own: House, services: Services, catalogue: Catalogue) -> None:
        self.own = own
        self.services = services
        self._catalogue = catalogue
        self.shop = by_code(catalogue.points_of_sale)["SHOP"].id
        self._about = (catalogue.organisation.id, catalogue.organisation.code)

    def shopper(self, address: str = HERE) -> Viewer:
        return Viewer(Audience.SHOPPER, *self._about, "shopper:SHOP", point_of_sale=self.shop, address=address)

    def contact(self, number: int = 0) -> Viewer:
        key = self.contacts[f"C{number}"]
        return replace(self.shopper(), audience=Audience.CONTACT, actor=f"contact:C{number}", contact=key)

    def partner(self) -> Viewer:
        key = self.contacts["MAKER"]
        return replace(self.shopper(), audience=Audience.PARTNER, actor="partner:MAKER", contact=key)

    def staff(self) -> Viewer:
        return replace(self.shopper(), audience=Audience.STAFF, actor="staff:ada", roles=frozenset(StaffRole))

    contacts: dict[str, UUID]

    def lines(self, tickets: int) -> tuple[LineRequest, ...]:
        seat = by_code(self._catalogue.seat_categories)["CAT1"].id
        tariff = by_code(self._catalogue.audience_sub_categories)["FULL"].id
        return (LineRequest(by_code(self._catalogue.performances)["PLAIN"].id, None, seat, tariff, tickets),)

    async def basket(self, viewer: Viewer, tickets: int = 1, key: str | None = None) -> Basket:
        return await self.services.baskets.create(viewer, BasketRequest(self.lines(tickets)), NOW, key)

    async def grow(self, viewer: Viewer, basket: Basket, tickets: int) -> Basket:
        return await self.services.baskets.update(viewer, basket.id, BasketChange(lines=self.lines(tickets)), NOW)


@pytest.fixture
async def small(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop where a customer may have three baskets with ten tickets, and all customers five with thirty."""
    await build(database_url)
    settings = Settings(
        database_url=SecretStr(database_url),
        secret_key=SecretStr(SECRET),
        data_dir=tmp_path,
        client_baskets=3,
        client_tickets=10,
        shop_baskets=5,
        shop_tickets=30,
    )
    async with _opened(settings) as shop:
        yield shop


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Shop]:
    async with house(settings) as own:
        services = build_services(own)
        shop = Shop(own, services, await services.catalogues.find("gala"))
        async with own.sessions.reading() as connection:
            rows = await connection.exec_driver_sql("SELECT code, id FROM contacts")
            shop.contacts = {row.code: row.id for row in rows}
        yield shop


async def refused(shop: Shop, viewer: Viewer, tickets: int = 1) -> TooMany:
    with pytest.raises(TooMany) as told:
        await shop.basket(viewer, tickets)
    assert told.value.code is FailureCode.TOO_MANY
    return told.value


async def test_a_customer_opens_no_more_baskets_than_allowed_and_is_told_when_to_come_back(small: Shop) -> None:
    for _ in range(3):
        await small.basket(small.shopper())
    told = await refused(small, small.shopper())
    assert told.text.key == "too_many_baskets"
    assert told.retry_after is not None
    assert 0 < told.retry_after <= 15 * 60
    await small.basket(small.shopper(THERE))


@pytest.mark.parametrize("end", ["cancelled", "expired"])
async def test_a_basket_that_has_ended_makes_room(small: Shop, end: str) -> None:
    baskets = [await small.basket(small.shopper()) for _ in range(3)]
    if end == "cancelled":
        await small.services.baskets.cancel(small.shopper(), baskets[0].id, NOW)
    else:
        await expire_baskets(small.own.sessions)
    await small.basket(small.shopper())


async def test_tickets_are_counted_over_all_baskets_of_a_customer(small: Shop) -> None:
    first = await small.basket(small.shopper(), 6)
    assert (await refused(small, small.shopper(), 5)).text.key == "too_many_held_tickets"
    await small.basket(small.shopper(), 4)
    with pytest.raises(TooMany):
        await small.grow(small.shopper(), first, 7)
    await small.grow(small.shopper(), first, 5)


async def test_waiting_does_not_help_who_wants_more_than_anybody_may_have(small: Shop) -> None:
    assert (await refused(small, small.shopper(), 11)).retry_after is None


async def test_a_contact_is_counted_by_themselves_wherever_they_are(small: Shop) -> None:
    for address in (HERE, THERE, HERE):
        await small.basket(replace(small.contact(), address=address))
    await refused(small, replace(small.contact(), address=THERE))
    await small.basket(small.contact(1))
    await small.basket(small.shopper())


async def test_a_partner_has_what_a_shop_has(small: Shop) -> None:
    for _ in range(5):
        await small.basket(small.partner())
    await refused(small, small.partner())


async def test_the_staff_are_not_counted(small: Shop) -> None:
    for _ in range(8):
        await small.basket(small.staff(), 50)
    await small.basket(small.shopper())


async def test_all_customers_of_a_shop_together_have_their_limit(small: Shop) -> None:
    for number in range(5):
        await small.basket(small.shopper(f"203.0.113.{number}"))
    small.own.allowances._counted.clear()  # As a second later.
    assert (await refused(small, small.shopper(HERE))).text.key == "shop_too_busy"
    await small.basket(small.staff())


async def test_an_ipv6_customer_is_a_household(small: Shop) -> None:
    for end in ("ab01::1", "ab02::1", "abff::7"):
        await small.basket(small.shopper(f"2001:db8:0:{end}"))
    await refused(small, small.shopper("2001:db8:0:ab99::1"))
    await small.basket(small.shopper("2001:db8:0:ac00::1"))


async def test_at_once_no_more_get_in_than_one_by_one(small: Shop) -> None:
    tries = await asyncio.gather(*(small.basket(small.shopper(), 3) for _ in range(12)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in tries) == ["Basket"] * 3 + ["TooMany"] * 9


async def test_who_was_refused_may_ask_again_by_the_same_key(small: Shop) -> None:
    baskets = [await small.basket(small.shopper()) for _ in range(3)]
    key = str(uuid4())
    with pytest.raises(TooMany):
        await small.basket(small.shopper(), 1, key)
    await small.services.baskets.cancel(small.shopper(), baskets[0].id, NOW)
    basket = await small.basket(small.shopper(), 1, key)
    assert (await small.basket(small.shopper(), 1, key)).id == basket.id


async def test_an_address_is_known_no_longer_than_its_basket_is_open(small: Shop) -> None:
    basket = await small.basket(small.shopper())
    await small.services.orders.confirm(small.shopper(), basket.id, None, NOW)
    async with small.own.sessions.reading() as connection:
        found = await connection.exec_driver_sql("SELECT client FROM baskets")
        assert found.scalars().all() == [None]


# ── Whose a key is ───────────────────────────────────────────────────────────────────────────────


async def test_a_plain_key_is_of_who_is_at_an_address(small: Shop) -> None:
    mine = await small.basket(small.shopper(HERE), 1, "basket-1")
    assert (await small.basket(small.shopper(HERE), 1, "basket-1")).id == mine.id
    theirs = await small.basket(small.shopper(THERE), 1, "basket-1")
    assert theirs.id != mine.id
    others = await small.basket(small.shopper("198.51.100.1"), 2, "basket-1")
    assert others.id not in {mine.id, theirs.id}


async def test_a_key_that_is_a_random_uuid_is_good_at_another_address(small: Shop) -> None:
    key = str(uuid4())
    basket = await small.basket(small.shopper(HERE), 1, key)
    assert (await small.basket(small.shopper(THERE), 1, key)).id == basket.id


async def test_a_key_of_a_change_is_of_its_basket(small: Shop) -> None:
    first, second = await small.basket(small.shopper(HERE)), await small.basket(small.shopper(THERE))
    for basket in (first, second):
        changed = BasketChange(lines=small.lines(2))
        update = small.services.baskets.update
        assert (await update(small.shopper(HERE), basket.id, changed, NOW, "a")).id == basket.id
        # From another address, after the first answer was lost.
        again = await update(small.shopper("198.51.100.1"), basket.id, changed, NOW, "a")
        assert again.id == basket.id
        with pytest.raises(Conflict) as reused:
            await update(small.shopper(HERE), basket.id, BasketChange(lines=small.lines(3)), NOW, "a")
        assert reused.value.code is FailureCode.IDEMPOTENCY_KEY_REUSED
