"""Many at once, from two server processes on one PostgreSQL: nothing is sold twice, and nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Any

import httpx
import pytest
from tests.conftest import Databases
from tests.gala import BALANCE, Gala, build, send
from tests.ledger import breaches, connect
from tests.servers import two_processes
from tests.wire import NO_TLS

pytestmark = pytest.mark.processes

Answer = dict[str, Any]


class Crowd:
    """Clients of two server processes, each request to the other one than the last."""

    def __init__(self, gala: Gala, url: str, clients: list[httpx.AsyncClient]) -> None:
        self.gala = gala
        self._url = url
        self._turn = cycle(clients)
        self._codes: Iterator[str] = iter(gala.codes)

    def code(self) -> str:
        """A single-use code that no other test has."""
        return next(self._codes)

    async def ask(self, operation: str, token: str | None = None, **wanted: object) -> Answer:
        variables = wanted if operation == "basket" else {"input": wanted}
        answer: Answer = await send(next(self._turn), token or self.gala.shopper, operation, variables)
        return answer

    async def basket(self, performance: str, quantity: int = 1, token: str | None = None, **others: object) -> str:
        lines = [self.gala.line(performance, quantity=quantity)]
        return str((await self.ask("createBasket", token, lines=lines, **others))["id"])

    async def baskets(self, number: int, performance: str) -> list[str]:
        return await asyncio.gather(*(self.basket(performance) for _ in range(number)))

    async def apply(self, basket: str, code: str) -> str:
        """What became of it: Applied, or the reasons why not."""
        return told(await self.ask("applyAdvantageCode", basketId=basket, code=code))

    async def cancel_all(self, baskets: list[str]) -> None:
        await asyncio.gather(*(self.ask("cancelBasket", basketId=basket) for basket in baskets))

    async def execute(self, statement: str) -> None:
        connection = await connect(self._url)
        await connection.execute(statement)
        await connection.close()

    async def value(self, query: str) -> Any:
        connection = await connect(self._url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def status(self, code: str) -> str:
        wanted = code.replace(" ", "")
        return str(await self.value(f"SELECT status FROM codes WHERE code = '{wanted}'"))

    async def check(self) -> None:
        assert await breaches(self._url) == []


def told(answer: Answer) -> str:
    if answer["__typename"] == "CodeRefused":
        return "+".join(refusal["code"] for refusal in answer["refusals"])
    return str(answer["__typename"])


def with_advantage(answer: Answer) -> int:
    return sum(ticket["advantage"] is not None for line in answer["pricing"]["lines"] for ticket in line["tickets"])


@pytest.fixture(scope="module")
async def crowd(databases: Databases) -> AsyncIterator[Crowd]:
    async with databases.copy_of("migrated") as url, AsyncExitStack() as stack:
        gala = await build(url)
        addresses = stack.enter_context(two_processes(url, MUTATIONS_AT_ONCE="1000", QUERIES_AT_ONCE="1000"))
        limits = httpx.Limits(max_connections=60)
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=address, limits=limits, timeout=60, verify=NO_TLS)
            )
            for address in addresses
        ]
        yield Crowd(gala, url, clients)


async def test_of_50_baskets_one_gets_a_code_and_all_others_are_told_that_it_is_held(crowd: Crowd) -> None:
    code, baskets = crowd.code(), await crowd.baskets(50, "BY-CODE")
    answers = await asyncio.gather(*(crowd.apply(basket, code) for basket in baskets))
    assert Counter(answers) == {"AdvantageCodeApplied": 1, "CODE_HELD": 49}
    await crowd.check()
    await crowd.cancel_all(baskets)
    assert await crowd.status(code) == "AVAILABLE"
    await crowd.check()


async def test_of_200_baskets_37_get_a_coupon_with_a_quota_of_37(crowd: Crowd) -> None:
    baskets = await crowd.baskets(200, "COUPONS")
    answers = await asyncio.gather(*(crowd.apply(basket, "THIRTY-SEVEN-CODE") for basket in baskets))
    assert Counter(answers) == {"AdvantageCodeApplied": 37, "QUOTA_EXHAUSTED": 163}
    await crowd.check()
    await crowd.cancel_all(baskets)
    whole = await crowd.basket("COUPONS", 37)
    assert await crowd.apply(whole, "THIRTY-SEVEN-CODE") == "AdvantageCodeApplied"
    await crowd.cancel_all([whole])


async def test_of_200_baskets_37_get_an_advantage_with_a_quota_of_37(crowd: Crowd) -> None:
    lines = [crowd.gala.line("FEW")]
    baskets = await asyncio.gather(*(crowd.ask("createBasket", lines=lines) for _ in range(200)))
    assert Counter(map(with_advantage, baskets)) == {1: 37, 0: 163}
    await crowd.check()
    await crowd.cancel_all([basket["id"] for basket in baskets])
    whole = await crowd.ask("createBasket", lines=[crowd.gala.line("FEW", quantity=40)])
    assert with_advantage(whole) == 37
    await crowd.cancel_all([whole["id"]])


async def test_of_100_baskets_two_get_the_last_two_units_of_an_element(crowd: Crowd) -> None:
    baskets = await crowd.baskets(100, "COUPONS")
    answers = await asyncio.gather(*(crowd.apply(basket, "TWO-CODE") for basket in baskets))
    assert Counter(answers) == {"AdvantageCodeApplied": 2, "QUOTA_EXHAUSTED": 98}
    await crowd.check()
    await crowd.cancel_all(baskets)
    await crowd.check()


async def test_a_code_for_five_orders_is_in_five(crowd: Crowd) -> None:
    baskets = await crowd.baskets(40, "COUPONS")
    answers = await asyncio.gather(*(crowd.apply(basket, "FIVE-USES-CODE") for basket in baskets))
    assert Counter(answers) == {"AdvantageCodeApplied": 5, "QUOTA_EXHAUSTED": 35}
    await crowd.check()
    await crowd.cancel_all(baskets)
    await crowd.check()


async def test_a_contact_gets_their_share_in_many_baskets_at_once(crowd: Crowd) -> None:
    lines, token = [crowd.gala.line("SHARES", quantity=2)], crowd.gala.customers[0]
    baskets = await asyncio.gather(*(crowd.ask("createBasket", token, lines=lines) for _ in range(20)))
    assert sum(map(with_advantage, baskets)) == 3
    await crowd.check()
    await asyncio.gather(*(crowd.ask("cancelBasket", token, basketId=basket["id"]) for basket in baskets))
    await crowd.check()


async def _held(crowd: Crowd, number: int = 16) -> list[tuple[str, str]]:
    """Baskets that hold a code each."""
    codes, baskets = [crowd.code() for _ in range(number)], await crowd.baskets(number, "BY-CODE")
    assert await asyncio.gather(*map(crowd.apply, baskets, codes)) == ["AdvantageCodeApplied"] * number
    return list(zip(baskets, codes, strict=True))


async def _at_once(first: Callable[[], Awaitable[Answer]], second: Callable[[], Awaitable[Answer]]) -> list[str]:
    return [told(answer) for answer in await asyncio.gather(first(), second())]


async def test_cancelling_and_confirming_at_once_is_one_or_the_other(crowd: Crowd) -> None:
    async def race(basket: str, code: str) -> None:
        cancelled, confirmed = await _at_once(
            lambda: crowd.ask("cancelBasket", basketId=basket), lambda: crowd.ask("confirmBasket", basketId=basket)
        )
        assert {cancelled, confirmed} in ({"Basket", "Conflict"}, {"Conflict", "Order"})
        assert await crowd.status(code) == ("USED" if confirmed == "Order" else "AVAILABLE")

    await asyncio.gather(*(race(basket, code) for basket, code in await _held(crowd, 8)))
    await crowd.check()


async def test_a_basket_that_expires_while_it_is_confirmed_is_one_or_the_other(crowd: Crowd) -> None:
    async def race(basket: str, code: str, rival: str) -> None:
        expire = f"UPDATE baskets SET expires_at = now() WHERE id = '{_key(basket)}' AND state = 'OPEN'"
        _, confirmed, applied = await asyncio.gather(
            crowd.execute(expire), crowd.ask("confirmBasket", basketId=basket), crowd.apply(rival, code)
        )
        if confirmed["__typename"] == "Order":
            assert applied in {"CODE_HELD", "CODE_ALREADY_USED"}
        else:
            assert confirmed["__typename"] == "Conflict"
            assert await crowd.apply(rival, code) == "AdvantageCodeApplied"

    held = await _held(crowd, 8)
    rivals = await crowd.baskets(len(held), "BY-CODE")
    await asyncio.gather(*(race(basket, code, rival) for (basket, code), rival in zip(held, rivals, strict=True)))
    await crowd.cancel_all(rivals)
    await crowd.check()


async def test_a_code_that_is_invalidated_while_its_basket_is_confirmed_is_used_or_lost(crowd: Crowd) -> None:
    async def race(basket: str, code: str) -> None:
        invalidated, confirmed = await _at_once(
            lambda: crowd.ask("invalidateCode", crowd.gala.staff, code=code, reason="lost"),
            lambda: crowd.ask("confirmBasket", basketId=basket),
        )
        assert (invalidated, confirmed) in {("AdvantageCode", "CODE_INVALIDATED"), ("Conflict", "Order")}
        assert await crowd.status(code) == ("USED" if confirmed == "Order" else "INVALIDATED")

    await asyncio.gather(*(race(basket, code) for basket, code in await _held(crowd, 8)))
    await crowd.check()


async def test_a_basket_confirmed_in_two_processes_is_one_order(crowd: Crowd) -> None:
    async def race(basket: str, code: str) -> None:
        confirm = lambda: crowd.ask("confirmBasket", basketId=basket)  # noqa: E731
        assert sorted(await _at_once(confirm, confirm)) == ["Conflict", "Order"]

    await asyncio.gather(*(race(basket, code) for basket, code in await _held(crowd, 8)))
    await crowd.check()


async def test_a_code_that_comes_while_its_basket_is_confirmed_is_in_the_order_or_too_late(crowd: Crowd) -> None:
    async def race(basket: str, code: str) -> None:
        applied, confirmed = await _at_once(
            lambda: crowd.ask("applyAdvantageCode", basketId=basket, code=code),
            lambda: crowd.ask("confirmBasket", basketId=basket),
        )
        assert (applied, confirmed) in {("AdvantageCodeApplied", "Order"), ("Conflict", "Order")}
        assert await crowd.status(code) == ("USED" if applied == "AdvantageCodeApplied" else "AVAILABLE")

    codes, baskets = [crowd.code() for _ in range(8)], await crowd.baskets(8, "BY-CODE")
    await asyncio.gather(*map(race, baskets, codes))
    await crowd.check()


async def test_a_balance_that_two_baskets_count_on_is_spent_once(crowd: Crowd) -> None:
    token = crowd.gala.customers[1]
    baskets = [await crowd.basket("PLAIN", 6, token, useBalance=True) for _ in range(2)]
    answers = await _at_once(
        *(lambda basket=basket: crowd.ask("confirmBasket", token, basketId=basket) for basket in baskets)
    )
    assert sorted(answers) == ["Conflict", "Order"]
    assert await crowd.value("SELECT balance FROM contacts WHERE code = 'C1'") == BALANCE - 60_000
    await crowd.check()


# ── Tickets ──────────────────────────────────────────────────────────────────────────────────────


async def _order(crowd: Crowd, performance: str, quantity: int, token: str | None = None, **others: object) -> Answer:
    basket = await crowd.basket(performance, quantity, token, **others)
    if performance == "COUPONS":
        assert await crowd.apply(basket, "THIRTY-SEVEN-CODE") == "AdvantageCodeApplied"
    return await crowd.ask("confirmBasket", token, basketId=basket)


async def test_a_ticket_scanned_at_many_gates_at_once_is_let_in_once(crowd: Crowd) -> None:
    order = await _order(crowd, "COUPONS", 1)
    before = await crowd.value("SELECT sum(tickets_controlled) FROM redemption_counts")
    [ticket] = order["tickets"]
    scans = [crowd.ask("controlTicket", crowd.gala.staff, barcode=ticket["barcode"]) for _ in range(20)]
    answers = await asyncio.gather(*scans)
    assert Counter(answer.get("code", answer["__typename"]) for answer in answers) == {
        "Ticket": 1,
        "ALREADY_CONTROLLED": 19,
    }
    assert await crowd.value("SELECT sum(tickets_controlled) FROM redemption_counts") == before + 1
    await crowd.check()


async def test_a_pass_scanned_at_many_gates_at_once_is_let_in_as_often_as_it_allows(crowd: Crowd) -> None:
    order = await _order(crowd, "COUPONS", 1)
    await crowd.execute(f"UPDATE tickets SET entries_allowed = 7 WHERE id = '{_key(order['tickets'][0]['id'])}'")
    before = await crowd.value("SELECT sum(tickets_controlled) FROM redemption_counts")
    barcode = order["tickets"][0]["barcode"]
    answers = await asyncio.gather(*(crowd.ask("controlTicket", crowd.gala.staff, barcode=barcode) for _ in range(20)))
    assert sorted(answer["entries"] for answer in answers if "entries" in answer) == [1, 2, 3, 4, 5, 6, 7]
    assert Counter(answer["__typename"] for answer in answers) == {"Ticket": 7, "Conflict": 13}
    assert await crowd.value("SELECT sum(tickets_controlled) FROM redemption_counts") == before + 1
    await crowd.check()


async def test_one_key_at_many_gates_at_once_counts_one_entry(crowd: Crowd) -> None:
    order = await _order(crowd, "PLAIN", 1)
    await crowd.execute(f"UPDATE tickets SET entries_allowed = 7 WHERE id = '{_key(order['tickets'][0]['id'])}'")
    barcode = order["tickets"][0]["barcode"]
    scans = (crowd.ask("controlTicket", crowd.gala.staff, barcode=barcode, idempotencyKey="gate") for _ in range(6))
    answers = await asyncio.gather(*scans)
    assert {answer["entries"] for answer in answers} == {1}


async def test_a_ticket_scanned_while_it_is_cancelled_is_in_or_cancelled(crowd: Crowd) -> None:
    async def race(order: Answer) -> None:
        [first, _] = order["tickets"]
        cancelled, scanned = await _at_once(
            lambda: crowd.ask("cancelTickets", crowd.gala.staff, orderId=order["id"], ticketIds=[first["id"]]),
            lambda: crowd.ask("controlTicket", crowd.gala.staff, barcode=first["barcode"]),
        )
        assert {cancelled, scanned} in ({"Order", "Conflict"}, {"Conflict", "Ticket"})

    await asyncio.gather(*[race(await _order(crowd, "COUPONS", 2)) for _ in range(6)])
    await crowd.check()


async def test_overlapping_tickets_cancelled_at_once_are_given_back_once(crowd: Crowd) -> None:
    token, staff = crowd.gala.customers[2], crowd.gala.staff

    async def cancel(order: Answer, *tickets: int) -> Answer:
        ids = [order["tickets"][each]["id"] for each in tickets]
        return await crowd.ask("cancelTickets", staff, orderId=order["id"], ticketIds=ids)

    for _ in range(4):
        order = await _order(crowd, "SHARES", 3, token, useBalance=True)
        assert order["__typename"] == "Order"
        answers = await asyncio.gather(cancel(order, 0, 1), cancel(order, 1, 2), cancel(order, 2, 0))
        assert Counter(map(told, answers)) == {"Order": 1, "Conflict": 2}
        again = await asyncio.gather(
            *(crowd.ask("cancelOrder", staff, orderId=order["id"], idempotencyKey="rest") for _ in range(2)),
            *(cancel(order, each) for each in range(3)),
        )
        assert sum(told(answer) == "Order" for answer in again) in {1, 2}
        await crowd.check()
        await crowd.execute("DELETE FROM idempotency_keys WHERE key = 'rest'")
    assert await crowd.value("SELECT balance FROM contacts WHERE code = 'C2'") == BALANCE


async def test_an_offer_that_is_sold_while_its_tickets_are_cancelled_never_passes_its_quota(crowd: Crowd) -> None:
    orders = [await _order(crowd, "FEW", 6) for _ in range(6)]
    doings = [
        crowd.ask("cancelTickets", crowd.gala.staff, orderId=order["id"], ticketIds=[ticket["id"]])
        for order in orders
        for ticket in order["tickets"][:3]
    ]
    buying = [crowd.ask("createBasket", lines=[crowd.gala.line("FEW")]) for _ in range(40)]
    answers = await asyncio.gather(*doings, *buying)
    assert Counter(map(told, answers)) == {"Order": 18, "Basket": 40}
    await crowd.check()
    await crowd.cancel_all([answer["id"] for answer in answers[18:]])
    for order in orders:
        await crowd.ask("cancelOrder", crowd.gala.staff, orderId=order["id"])
    await crowd.check()


async def test_one_key_at_two_processes_at_once_makes_one_basket(crowd: Crowd) -> None:
    lines = [crowd.gala.line("PLAIN")]
    for number in range(10):
        twice = (crowd.ask("createBasket", lines=lines, idempotencyKey=f"same-{number}") for _ in range(2))
        first, second = await asyncio.gather(*twice)
        assert first == second


def _key(wire: str) -> str:
    from base64 import b64decode

    return b64decode(wire).decode().split(":")[1]
