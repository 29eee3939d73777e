"""The life of baskets, codes and orders, in any order that anybody may think of, against a model in memory."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pydantic import SecretStr
from sqlalchemy import text
from tests.conftest import NOW, Databases
from tests.gala import SECRET, build
from tests.ledger import breaches

from resolvers.runtime.context import Services
from services.baskets.basket import Basket
from services.baskets.basket_input import BasketChange, BasketRequest, LineRequest
from services.catalogue.snapshot import Catalogue, by_code
from services.core.errors import CodeRefused, Conflict, NotFound
from services.core.expiry import Sweeper
from services.core.viewer import Audience, StaffRole, Viewer
from sesame.composition import House, build_services, house
from sesame.settings import Settings

Result = TypeVar("Result")
Failed = TypeVar("Failed", bound=Exception)

FULL, BY_CODE, OFF, COUPON = 10_000, 5_000, 1_000, 500
UNITS, USES = 2, 5
COUPON_CODE = "FIVE-USES-CODE"

_RESET = (
    "TRUNCATE redemptions, code_uses, tickets, cancellations, order_subjects, orders, contact_limits, audit_entries, "
    "idempotency_keys, baskets",
    "UPDATE codes SET status = 'AVAILABLE', basket_id = NULL, order_id = NULL, uses = 0, used_at = NULL",
    "UPDATE offer_limits SET taken = 0",
    "UPDATE redemption_counts SET held = 0, used = 0, invalidated = 0, tickets_held = 0, tickets_sold = 0",
)


@dataclass
class Sale:
    """A basket as it should be. ``entered`` are its codes, ``applied`` those that lower its price."""

    id: UUID
    performance: str
    tickets: int
    state: str = "OPEN"
    entered: list[str] = field(default_factory=list)
    applied: set[str] = field(default_factory=set)
    lost: bool = False
    units: int = 0
    order: UUID | None = None

    @property
    def total(self) -> int:
        coupons = self.tickets * COUPON if COUPON_CODE in self.applied else 0
        return self.tickets * FULL - len(self.applied - {COUPON_CODE}) * BY_CODE - self.units * OFF - coupons


class World:
    """The services on a database of their own, on a loop of their own."""

    def __init__(self, url: str, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._url = url
        self.run(self._open(folder))

    async def _open(self, folder: Path) -> None:
        own = Settings(database_url=SecretStr(self._url), secret_key=SecretStr(SECRET), data_dir=folder)
        self.own: House = await self._stack.enter_async_context(house(own))
        self.services: Services = build_services(self.own)
        self.catalogue: Catalogue = await self.services.catalogues.find("gala")
        place = by_code(self.catalogue.points_of_sale)["SHOP"].id
        about = (self.catalogue.organisation.id, "gala")
        self.shopper = Viewer(Audience.SHOPPER, *about, "shopper:SHOP", point_of_sale=place)
        self.staff = Viewer(Audience.STAFF, *about, "staff:ada", point_of_sale=place, roles=frozenset(StaffRole))

    def run(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(doing)

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._runner.close()

    def execute(self, *statements: str) -> None:
        async def all_of_them() -> None:
            async with self.own.sessions.writing() as connection:
                for statement in statements:
                    await connection.execute(text(statement))

        self.run(all_of_them())

    def breaches(self) -> list[str]:
        return self.run(breaches(self._url))

    def lines(self, performance: str, tickets: int) -> tuple[LineRequest, ...]:
        seat = by_code(self.catalogue.seat_categories)["CAT1"].id
        tariff = by_code(self.catalogue.audience_sub_categories)["FULL"].id
        return (LineRequest(by_code(self.catalogue.performances)[performance].id, None, seat, tariff, tickets),)


class Life(RuleBasedStateMachine):
    """What anybody may do, and what must come of it."""

    world: World
    codes: tuple[str, ...]
    sales = Bundle("sales")

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Sale] = []
        self.used: dict[str, Sale] = {}
        self.invalidated: set[str] = set()

    @initialize()
    def begin(self) -> None:
        self.world.execute(*_RESET)

    @rule(target=sales, performance=some.sampled_from(("BY-CODE", "ELEMENTS", "COUPONS")), tickets=some.integers(1, 3))
    def create(self, performance: str, tickets: int) -> Sale:
        request = BasketRequest(self.world.lines(performance, tickets))
        basket = self.world.run(self.world.services.baskets.create(self.world.shopper, request, _now()))
        sale = Sale(basket.id, performance, tickets)
        self.known.append(sale)
        self._reprice(sale)
        self._check(sale, basket)
        return sale

    @rule(sale=sales, at=some.integers(0, 2))
    def apply(self, sale: Sale, at: int) -> None:
        code = COUPON_CODE if sale.performance == "COUPONS" else self.codes[at]
        doing = self.world.services.baskets.apply_code(self.world.shopper, sale.id, code, _now())
        if sale.state != "OPEN":
            self._refused(doing, Conflict)
            return
        reason = self._against(sale, code)
        if reason is not None:
            assert reason in {each.code for each in self._refused(doing, CodeRefused).refusals}
            return
        basket, _ = self.world.run(doing)
        if code not in sale.entered:
            sale.entered.append(code)
        self._reprice(sale)
        self._check(sale, basket)

    @rule(sale=sales, at=some.integers(0, 2))
    def remove(self, sale: Sale, at: int) -> None:
        code = COUPON_CODE if sale.performance == "COUPONS" else self.codes[at]
        doing = self.world.services.baskets.remove_code(self.world.shopper, sale.id, code, _now())
        if sale.state != "OPEN":
            self._refused(doing, Conflict)
        elif code not in sale.entered:
            self._refused(doing, NotFound)
        else:
            basket = self.world.run(doing)
            sale.entered.remove(code)
            sale.applied.discard(code)
            self._reprice(sale)
            self._check(sale, basket)

    @rule(sale=sales, tickets=some.integers(1, 3))
    def change(self, sale: Sale, tickets: int) -> None:
        change = BasketChange(lines=self.world.lines(sale.performance, tickets))
        doing = self.world.services.baskets.update(self.world.shopper, sale.id, change, _now())
        if sale.state != "OPEN":
            self._refused(doing, Conflict)
        else:
            basket = self.world.run(doing)
            sale.tickets = tickets
            self._reprice(sale)
            self._check(sale, basket)

    @rule(sale=sales)
    def cancel(self, sale: Sale) -> None:
        doing = self.world.services.baskets.cancel(self.world.shopper, sale.id, _now())
        if sale.state != "OPEN":
            self._refused(doing, Conflict)
        else:
            self.world.run(doing)
            sale.state = "CANCELLED"

    @rule(sale=sales)
    def expire(self, sale: Sale) -> None:
        self.world.execute(f"UPDATE baskets SET expires_at = now() WHERE id = '{sale.id}'")
        if sale.state == "OPEN":
            sale.state = "EXPIRED"

    @rule()
    def sweep(self) -> None:
        self.world.run(Sweeper(self.world.own.sessions, self.world.own.transactions).sweep(NOW))

    @rule(sale=sales)
    def confirm(self, sale: Sale) -> None:
        doing = self.world.services.orders.confirm(self.world.shopper, sale.id, None, _now())
        if sale.state != "OPEN":
            self._refused(doing, Conflict)
        elif sale.lost:
            refusals = self._refused(doing, CodeRefused).refusals
            assert {refusal.code for refusal in refusals} == {"CODE_INVALIDATED"}
            self._reprice(sale)
        else:
            order = self.world.run(doing)
            assert order.pricing.total == sale.total
            sale.state, sale.order = "CONFIRMED", order.id
            self.used.update(dict.fromkeys(sale.applied - {COUPON_CODE}, sale))

    @rule(sale=sales)
    def cancel_order(self, sale: Sale) -> None:
        if sale.order is None:
            return
        doing = self.world.services.cancellations.cancel_order(self.world.staff, sale.order, None, NOW)
        if sale.state == "RETURNED":
            self._refused(doing, Conflict)
            return
        self.world.run(doing)
        sale.state = "RETURNED"
        self.used = {code: user for code, user in self.used.items() if user is not sale}

    @rule(at=some.integers(0, 2))
    def invalidate(self, at: int) -> None:
        code = self.codes[at]
        doing = self.world.services.codes.invalidate(self.world.staff, code, "lost", _now())
        if code in self.used or code in self.invalidated:
            self._refused(doing, Conflict)
            return
        self.world.run(doing)
        self.invalidated.add(code)
        for sale in self._holders(code):
            sale.applied.discard(code)
            sale.lost = True

    @invariant()
    def everything_shows_what_it_is(self) -> None:
        baskets = self.world.services.baskets
        found = self.world.run(baskets.find(self.world.shopper, [sale.id for sale in self.known], _now()))
        for sale in self.known:
            basket = found[sale.id]
            assert basket.state == {"RETURNED": "CONFIRMED"}.get(sale.state, sale.state)
            if sale.state == "OPEN":
                self._check(sale, basket)

    def teardown(self) -> None:
        assert self.world.breaches() == []

    def _check(self, sale: Sale, basket: Basket) -> None:
        assert basket.pricing.total == sale.total
        assert {priced.text for priced in basket.pricing.codes if priced.applied} == sale.applied

    def _refused(self, doing: Coroutine[Any, Any, Any], kind: type[Failed]) -> Failed:
        with pytest.raises(kind) as raised:
            self.world.run(doing)
        return raised.value

    def _against(self, sale: Sale, code: str) -> str | None:
        """Why the code does not apply to an open basket."""
        if code == COUPON_CODE:
            holders = [other for other in self._holding() if COUPON_CODE in other.applied and other is not sale]
            return "QUOTA_EXHAUSTED" if len(holders) == USES else None
        if code in self.invalidated:
            return "CODE_INVALIDATED"
        if code in self.used:
            return "CODE_ALREADY_USED"
        if any(holder is not sale for holder in self._holders(code)):
            return "CODE_HELD"
        if sale.performance != "BY-CODE":
            return "NO_ELIGIBLE_TICKET"
        return None if code in self._applying(sale, [*sale.entered, code]) else "NO_BENEFIT"

    def _applying(self, sale: Sale, entered: list[str]) -> set[str]:
        """The codes that apply, those that do already first, each to one ticket."""
        if sale.performance == "COUPONS":
            return set(entered) & {COUPON_CODE} if self._against(sale, COUPON_CODE) is None else set()
        gone = self.invalidated | self.used.keys()
        free = [code for code in entered if code not in gone and all(each is sale for each in self._holders(code))]
        free.sort(key=lambda code: code not in sale.applied)
        return set(free[: sale.tickets])

    def _holders(self, code: str) -> list[Sale]:
        return [sale for sale in self.known if sale.state == "OPEN" and code in sale.applied]

    def _holding(self) -> list[Sale]:
        return [sale for sale in self.known if sale.state in {"OPEN", "CONFIRMED"}]

    def _reprice(self, sale: Sale) -> None:
        """A change gives the basket what is free now, and takes note of what it lost."""
        sale.lost = False
        sale.applied = self._applying(sale, sale.entered)
        if sale.performance == "ELEMENTS":
            free = UNITS - sum(other.units for other in self._holding() if other is not sale)
            sale.units = min(sale.tickets, free)


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
async def gala(databases: Databases) -> AsyncIterator[tuple[str, tuple[str, ...]]]:
    async with databases.copy_of("migrated") as url:
        yield url, (await build(url)).codes


def test_baskets_live_as_the_model_says(gala: tuple[str, tuple[str, ...]], tmp_path: Path) -> None:
    url, codes = gala
    world = World(url, tmp_path)
    life = type("LifeInWorld", (Life,), {"world": world, "codes": codes[:3]})
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    try:
        run_state_machine_as_test(
            life,
            settings=settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=checks),
        )
    finally:
        world.close()
