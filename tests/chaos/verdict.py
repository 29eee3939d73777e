"""What must be true when the storm is over, whatever happened in it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from typing import Any

import asyncpg
from tests.chaos.clients import Answer, Book, Intent, key_of
from tests.gala import BALANCE, Gala
from tests.ledger import breaches, connect

Ask = Callable[..., Awaitable[Answer]]

_BALANCES = """
    SELECT c.code, c.balance, $1 - coalesce(sum((o.pricing::json -> 'pricing' ->> 'balance_used')::bigint), 0)::bigint AS due
    FROM contacts c LEFT JOIN orders o ON o.contact_id = c.id AND o.state = 'CONFIRMED'
    WHERE c.kind = 'INDIVIDUAL' GROUP BY c.organisation_id, c.id
"""
_CODES_OF_ORDERS = """
    SELECT o.id::text, array_agg(DISTINCT coalesce(c.shown, c.code)) FILTER (WHERE c.code IS NOT NULL) AS codes
    FROM orders o LEFT JOIN redemptions r ON r.basket_id = o.basket_id LEFT JOIN codes c ON c.id = r.code_id GROUP BY 1
"""
_LEFT = """
    SELECT o.code || coalesce('/' || s.code, '') AS what, l.quota - coalesce(sum(r.tickets), 0)::integer AS left
    FROM offers o JOIN offer_limits l ON l.offer_id = o.id LEFT JOIN seat_categories s ON s.id = l.element_id
    LEFT JOIN redemptions r ON r.offer_id = o.id AND r.state = 'USED' AND (s.id IS NULL OR r.seat_category_id = s.id)
    WHERE l.quota IS NOT NULL GROUP BY 1, l.quota
"""
_USES_LEFT = """
    SELECT c.max_uses - count(DISTINCT r.basket_id)::integer FROM codes c
    LEFT JOIN redemptions r ON r.code_id = c.id AND r.state = 'USED' WHERE c.code LIKE 'F1VE%' GROUP BY c.max_uses
"""
_SHARES_LEFT = """
    SELECT 3 - coalesce(sum(r.tickets), 0)::integer FROM contacts c JOIN offers o ON o.code = 'SHARES'
    LEFT JOIN redemptions r ON r.contact_id = c.id AND r.offer_id = o.id AND r.state = 'USED'
    WHERE c.code = $1 GROUP BY c.id
"""
_FREE_CODES = """
    SELECT code FROM codes c WHERE batch_id = (SELECT id FROM batches WHERE code = 'B') AND status <> 'INVALIDATED'
        AND NOT EXISTS (SELECT FROM redemptions r WHERE r.code_id = c.id AND r.state = 'USED')
"""


async def kept(book: Book, url: str) -> list[str]:
    """What differs between what the clients were told and what the database holds."""
    unanswered = [f"never answered: {each.operation}" for each in book.intents if each.answer is None]
    connection = await connect(url)
    try:
        return [*unanswered, *[problem async for problem in _differences(book, connection)], *await breaches(url)]
    finally:
        await connection.close()


async def _differences(book: Book, connection: asyncpg.Connection) -> AsyncIterator[str]:
    async def column(query: str) -> list[str]:
        return [str(row[0]) for row in await connection.fetch(query)]

    sets = {
        "baskets": ("SELECT id FROM baskets", _ids(book.told("createBasket", "Basket"), "Basket")),
        "cancelled baskets": (
            "SELECT id FROM baskets WHERE state = 'CANCELLED'",
            _ids(book.told("cancelBasket", "Basket"), "Basket"),
        ),
        "orders": ("SELECT id FROM orders", _ids(book.told("confirmBasket", "Order"), "Order")),
        "cancelled orders": (
            "SELECT id FROM orders WHERE state = 'CANCELLED'",
            _ids(book.told("cancelOrder", "Order"), "Order"),
        ),
        "scanned tickets": (
            "SELECT id FROM tickets WHERE controlled_at IS NOT NULL",
            _ids(book.told("controlTicket", "Ticket"), "Ticket"),
        ),
        "cancellations in the audit": (
            "SELECT subject_id FROM audit_entries WHERE action = 'cancelOrder'",
            _ids(book.told("cancelOrder", "Order"), "Order"),
        ),
        "scans in the audit": (
            "SELECT subject_id FROM audit_entries WHERE action = 'controlTicket'",
            _ids(book.told("controlTicket", "Ticket"), "Ticket"),
        ),
        "invalidations in the audit": (
            "SELECT subject_id FROM audit_entries WHERE action = 'invalidateCode'",
            await column("SELECT id FROM codes WHERE status = 'INVALIDATED'"),
        ),
    }
    for what, (query, told) in sets.items():
        for problem in _difference(what, await column(query), told):
            yield problem
    invalid = await column("SELECT code FROM codes WHERE status = 'INVALIDATED'")
    for code in book.invalidated - {_grouped(code) for code in invalid}:
        yield f"an acknowledged invalidation is lost: {code}"
    for row in await connection.fetch(_BALANCES, BALANCE):
        if row["balance"] != row["due"]:
            yield f"balance: {dict(row)}"
    codes = {row["id"]: set(row["codes"] or ()) for row in await connection.fetch(_CODES_OF_ORDERS)}
    for problem in _as_shown(book, codes):
        yield problem


def _ids(intents: Collection[Intent], kind: str) -> list[str]:
    return [key_of(each.answer["id"], kind) for each in intents if each.answer is not None]


def _difference(what: str, found: list[str], told: list[str]) -> Iterator[str]:
    """As often as told, no more and no less."""
    there, said = Counter(found), Counter(told)
    for key, number in (said - there).items():
        yield f"{what}: acknowledged {number} times too often, or lost: {key}"
    for key, number in (there - said).items():
        yield f"{what}: there {number} times too often, never acknowledged: {key}"


def _as_shown(book: Book, codes: dict[str, set[str]]) -> Iterator[str]:
    """The price and the codes of each order are those that the basket showed."""
    for intent in book.told("confirmBasket", "Order"):
        order = intent.answer
        assert order is not None
        shown = book.sold.get(order["id"], order)["pricing"]
        if order["pricing"]["total"] != shown["total"]:
            yield f"paid {order['pricing']['total']}, shown {shown['total']}: {order['id']}"
        key = key_of(order["id"], "Order")
        applied = {code["code"] for code in shown.get("codes", ()) if code["applied"]}
        if "codes" in shown and {_grouped(code) for code in codes.get(key, ())} != applied:
            yield f"codes of an order: {codes.get(key)}, shown {applied}"


def _grouped(code: str) -> str:
    """A random code in four groups of four, a chosen one as it is."""
    return code if "-" in code else " ".join(code[at : at + 4] for at in range(0, 16, 4))


async def sellable(gala: Gala, url: str, ask: Ask) -> list[str]:
    """What cannot be sold though nobody has it: every open basket expires, and then everything is bought up."""
    connection = await connect(url)
    try:
        await connection.execute("UPDATE baskets SET expires_at = now() - interval '1 second' WHERE state = 'OPEN'")
        left = {row["what"]: row["left"] for row in await connection.fetch(_LEFT)}
        uses = await connection.fetchval(_USES_LEFT)
        shares = [await connection.fetchval(_SHARES_LEFT, f"C{number}") for number in range(3)]
        codes = [row["code"] for row in await connection.fetch(_FREE_CODES)]
    finally:
        await connection.close()
    buyer = _Buyer(gala, ask)
    await buyer.advantages("FEW", left["FEW"], gala.line("FEW", quantity=45))
    first = min(left["ELEMENTS"], left["ELEMENTS/CAT1"])
    await buyer.advantages("ELEMENTS/CAT1", first, gala.line("ELEMENTS", "CAT1", 4))
    await buyer.advantages("ELEMENTS", left["ELEMENTS"] - first, gala.line("ELEMENTS", "CAT2", 9))
    for token, share in zip(gala.customers, shares, strict=False):
        await buyer.advantages("SHARES", min(share, 2), gala.line("SHARES", quantity=5), token=token)
        await buyer.advantages("SHARES", max(share - 2, 0), gala.line("SHARES", quantity=5), token=token)
    await buyer.coupon("THIRTY-SEVEN-CODE", left["THIRTY-SEVEN"])
    await buyer.coupon("TWO-CODE", left["TWO/CAT1"])
    for _ in range(uses):
        await buyer.coupon("FIVE-USES-CODE", 1)
    await asyncio.gather(*(buyer.code(code) for code in codes))
    return [*buyer.problems, *await breaches(url)]


class _Buyer:
    """Buys what is left, and says what it does not get."""

    def __init__(self, gala: Gala, ask: Ask) -> None:
        self._gala = gala
        self._ask = ask
        self.problems: list[str] = []

    async def advantages(self, what: str, due: int, line: dict[str, object], token: str | None = None) -> None:
        basket = await self._ask("createBasket", token, lines=[line])
        tickets: list[Any] = basket["pricing"]["lines"][0]["tickets"]
        got = sum(ticket["advantage"] is not None for ticket in tickets)
        if got != due:
            self.problems.append(f"{what}: {due} left, {got} sold")

    async def coupon(self, code: str, tickets: int) -> None:
        if tickets:
            await self._apply(code, self._gala.line("COUPONS", quantity=tickets))

    async def code(self, code: str) -> None:
        await self._apply(code, self._gala.line("BY-CODE"))

    async def _apply(self, code: str, line: dict[str, object]) -> None:
        basket = await self._ask("createBasket", None, lines=[line])
        answer = await self._ask("applyAdvantageCode", None, basketId=basket["id"], code=code)
        if answer["__typename"] != "AdvantageCodeApplied":
            self.problems.append(f"{code} should be free: {answer}")
