"""Clients who buy, change their minds, lose their connections, and ask again by the same key until they are answered."""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import asyncpg
import httpx
from tests.chaos.held_prices import HeldPrices
from tests.chaos.staff import Staff
from tests.gala import ENDING, Fault, Gala, send
from tests.ledger import connect

from resolvers.runtime.ids import decode

Answer = dict[str, Any]

PATIENCE = 8.0
"""Seconds that a client waits for an answer before it asks again."""

_LOST = (Fault, httpx.TransportError, TimeoutError)


PASSING = {"CODE_HELD", "NOT_STARTED", "TOO_MANY_ATTEMPTS"}


@dataclass
class Intent:
    """One thing that a client wants done once: what it sends, and the answer that it got in the end."""

    token: str
    operation: str
    wanted: dict[str, object]
    answer: Answer | None = None

    @property
    def essence(self) -> object:
        return None if self.answer is None else essence(self.answer)


@dataclass
class Book:
    """What all clients asked and were told; ``problems`` are what they saw to be wrong themselves."""

    intents: list[Intent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    invalidated: set[str] = field(default_factory=set)
    sold: dict[str, Answer] = field(default_factory=dict)
    """The last price that a basket's owner was told before it became an order."""
    over: dict[str, int] = field(default_factory=dict)
    """The performances whose offers do not run, as staff was told, each time with another number."""
    prices: HeldPrices = field(default_factory=HeldPrices)
    lost: int = 0
    """Requests whose outcome their client did not learn."""

    def told(self, operation: str, *kinds: str) -> list[Intent]:
        """The intents of an operation that were answered by one of these kinds."""
        return [
            each
            for each in self.intents
            if each.operation == operation and each.answer is not None and each.answer["__typename"] in kinds
        ]


def passes(answer: Answer) -> bool:
    """Whether it is a refusal that ends by itself: it leaves the key free (docs/domain.md, Failures)."""
    refusals = answer.get("refusals") or []
    return bool(refusals) and all(each["code"] in PASSING for each in refusals)


def essence(answer: Answer) -> object:
    """What must be the same whenever the same is asked by the same key: not what a basket has become since."""
    match answer["__typename"]:
        case "Basket":
            return "Basket", answer["id"]
        case "AdvantageCodeApplied":
            return "Applied", answer["basket"]["id"], answer["offer"]["id"]
        case "Order":
            return "Order", answer["id"], answer["number"], tuple(ticket["barcode"] for ticket in answer["tickets"])
        case "CodeRefused":
            return "CodeRefused", tuple(refusal["code"] for refusal in answer["refusals"])
        case "Ticket":
            return "Ticket", answer["id"], answer["controlledAt"]
        case kind:
            return kind, answer.get("message")


def key_of(wire: str, kind: str) -> str:
    return str(decode(wire, kind, path=()))


def favours(basket: Answer) -> tuple[int, int]:
    """How many tickets of a basket have an advantage, and how many a share of a promotional code."""
    tickets = [ticket for line in basket["pricing"]["lines"] for ticket in line["tickets"]]
    shares = [ticket for ticket in tickets if ticket["promotionShare"]["amount"] != "0.00"]
    return sum(ticket["advantage"] is not None for ticket in tickets), len(shares)


class Client:
    """One of them; everything it does follows from its random numbers."""

    def __init__(self, gala: Gala, http: httpx.AsyncClient, book: Book, url: str, random: Random) -> None:
        self._gala = gala
        self._http = http
        self._book = book
        self._url = url
        self._random = random

    async def live(self, until: float) -> None:
        """Goes from one sale to the next until it is time."""
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            ways = (self._by_code, self._stampede, self._few, self._elements, self._shares, self._coupons, self._ending)
            way = self._random.choices((*ways, self._look_back), (4, 4, 2, 2, 2, 3, 4, 2))[0]
            await way()

    async def meddle(self, until: float) -> None:
        """As staff: changes what is being sold."""
        staff = Staff(self._gala, self.ask, self._url, self._random, self._book.over, self._book.problems)
        await staff.live(until)

    async def ask(self, operation: str, token: str | None = None, **wanted: object) -> Answer:
        """The answer, however often it takes to get it."""
        wanted["idempotencyKey"] = f"{self._random.getrandbits(64):x}"
        intent = Intent(token or self._gala.shopper, operation, wanted)
        self._book.intents.append(intent)
        chance = self._random.random()
        if chance < 0.1:
            await self._abort(intent)
        elif chance < 0.2:
            await self._twice(intent)
        return await self.insist(intent)

    async def insist(self, intent: Intent) -> Answer:
        """Asks until it is answered; compares with the answer that there was before."""
        while True:
            try:
                answer = await self._send(intent)
            except _LOST:
                self._book.lost += 1
                await asyncio.sleep(self._random.uniform(0.02, 0.3))
            else:
                self._compare(intent, answer)
                return answer

    def _compare(self, intent: Intent, answer: Answer) -> None:
        if intent.answer is None or passes(intent.answer):
            intent.answer = answer
        elif essence(answer) != intent.essence:
            self._book.problems.append(f"same key, other answer: {intent.operation} {intent.answer} then {answer}")

    async def _send(self, intent: Intent) -> Answer:
        sending = send(self._http, intent.token, intent.operation, {"input": intent.wanted})
        answer: Answer = await asyncio.wait_for(sending, PATIENCE)
        return answer

    async def _abort(self, intent: Intent) -> None:
        """Sends it and goes away before the answer, or nearly."""
        with suppress(*_LOST):
            sending = send(self._http, intent.token, intent.operation, {"input": intent.wanted})
            self._compare(intent, await asyncio.wait_for(sending, self._random.uniform(0.001, 0.03)))

    async def _twice(self, intent: Intent) -> None:
        """Sends it twice at once."""
        answers = await asyncio.gather(self._send(intent), self._send(intent), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, dict):
                self._compare(intent, answer)
            elif not isinstance(answer, _LOST):
                raise answer

    async def _by_code(self) -> None:
        basket = await self._basket("BY-CODE", self._random.randint(1, 3))
        codes = self._random.sample(self._gala.codes[:8], 2)
        for code in codes:
            basket = await self._apply(basket, code)
        if self._random.random() < 0.15:
            answer = await self.ask("removeAdvantageCode", basketId=basket["id"], code=codes[0])
            basket = self._kept(answer, basket, without=codes[:1])
        if self._random.random() < 0.04:
            await self._invalidate(codes[1])
        await self._finish(basket)

    async def _stampede(self) -> None:
        """Several baskets want one code at once."""
        baskets = await asyncio.gather(*(self._basket("BY-CODE", 1) for _ in range(3)))
        code = self._random.choice(self._gala.codes)
        baskets = await asyncio.gather(*(self._apply(basket, code) for basket in baskets))
        await asyncio.gather(*map(self._finish, baskets))

    async def _few(self) -> None:
        basket = await self._basket("FEW", self._random.randint(1, 5))
        if self._random.random() < 0.3:
            lines = [self._gala.line("FEW", quantity=self._random.randint(1, 8))]
            basket = await self._changed(basket, lines=lines)
        await self._finish(basket)

    async def _elements(self) -> None:
        seat = self._random.choice(("CAT1", "CAT2"))
        await self._finish(await self._basket("ELEMENTS", self._random.randint(1, 3), seat))

    async def _shares(self) -> None:
        token = self._random.choice(self._gala.customers[:3])
        balance = self._random.random() < 0.5
        quantity = self._random.randint(1, 3)
        await self._finish(await self._basket("SHARES", quantity, "CAT1", token, useBalance=balance), token)

    async def _coupons(self) -> None:
        basket = await self._basket("COUPONS", self._random.randint(1, 3))
        for code in self._random.sample(("THIRTY-SEVEN-CODE", "TWO-CODE", "FIVE-USES-CODE"), 2):
            basket = await self._apply(basket, code)
        await self._finish(basket)

    async def _ending(self) -> None:
        """A basket grows while its offers end: of an offer that is over it has no more than it held before."""
        which = self._random.choice(ENDING)
        over = self._book.over.get(which)
        basket = await self._basket(which, self._random.randint(1, 3))
        self._check_favours(which, over, (0, 0), basket)
        if self._random.random() < 0.6:
            before, over = favours(basket), self._book.over.get(which)
            basket = await self._apply(basket, f"{which}-CODE")
            self._check_favours(which, over, before, basket)
        for _ in range(self._random.randint(1, 3)):
            for _ in range(self._random.randint(0, 10)):
                if which not in self._book.over:
                    await asyncio.sleep(0.15)
            if self._random.random() < 0.5:
                basket = await self._look_at(basket)
            before, over = favours(basket), self._book.over.get(which)
            lines = [self._gala.line(which, quantity=self._random.randint(1, 12))]
            basket = await self._changed(basket, lines=lines)
            self._check_favours(which, over, before, basket)
        await self._finish(basket)

    def _check_favours(self, which: str, over: int | None, before: tuple[int, int], basket: Answer) -> None:
        """Where the offers were over from before the question until after the answer."""
        if over is None or over != self._book.over.get(which):
            return
        after = favours(basket)
        if after[0] > before[0] or after[1] > before[1]:
            self._book.problems.append(f"offers of {which} are over, and yet {before} grew to {after}: {basket['id']}")

    async def _look_back(self) -> None:
        """A replay that comes late."""
        answered = [intent for intent in self._book.intents[-400:] if intent.answer is not None]
        if answered:
            await self.insist(self._random.choice(answered))

    async def _basket(
        self, performance: str, quantity: int, seat: str = "CAT1", token: str | None = None, **others: object
    ) -> Answer:
        lines = [self._gala.line(performance, seat, quantity)]
        return self._book.prices.told(await self.ask("createBasket", token, lines=lines, **others))

    async def _apply(self, basket: Answer, code: str) -> Answer:
        answer = await self.ask("applyAdvantageCode", basketId=basket["id"], code=code)
        return self._kept(answer.get("basket", answer), basket)

    async def _changed(self, basket: Answer, **change: Any) -> Answer:
        answer = await self.ask("updateBasket", basketId=basket["id"], **change)
        return self._kept(answer, basket)

    async def _look_at(self, basket: Answer) -> Answer:
        """A read, which is priced anew; where nobody answers, what was told before."""
        with suppress(*_LOST):
            answer = await asyncio.wait_for(self._read(basket), PATIENCE)
            return self._kept(answer or {"__typename": "nothing"}, basket)
        return basket

    async def _read(self, basket: Answer) -> Answer:
        answer: Answer = await send(self._http, self._gala.shopper, "basket", {"id": basket["id"]})
        return answer

    def _kept(self, answer: Answer, basket: Answer, without: Collection[str] = ()) -> Answer:
        """What a basket has become, which is what it was where the change was refused."""
        is_basket = answer.get("__typename", "Basket") == "Basket"
        return self._book.prices.told(answer, without=without) if is_basket else basket

    async def _finish(self, basket: Answer, token: str | None = None) -> None:
        """Concludes a sale in one of many ways."""
        wanted = {"basketId": basket["id"]}
        chance = self._random.random()
        if chance < 0.12:
            return
        if chance < 0.22:
            await self._expire(basket)
            return
        if chance < 0.32:
            await self.ask("cancelBasket", token, **wanted)
            return
        rivals: list[Sequence[str]] = [("confirmBasket",)]
        if chance < 0.5:
            rivals.append(self._random.choice((("confirmBasket",), ("cancelBasket",))))
        racing: list[Coroutine[Any, Any, Answer | None]] = [
            self.ask(operation, token, **wanted) for (operation,) in rivals
        ]
        if chance < 0.4:
            racing.append(self._expire(basket))
        answers = [answer for answer in await asyncio.gather(*racing) if answer is not None]
        orders = [answer for answer in answers if answer["__typename"] == "Order"]
        if len(orders) > 1:
            self._book.problems.append(f"two orders of one basket: {orders}")
        # Who is told that a code was invalidated confirms anew at the price without it: here the rival did.
        told_otherwise = any(answer["__typename"] == "CodeRefused" for answer in answers)
        for order in orders:
            self._book.sold[order["id"]] = order if told_otherwise else basket
            await self._after(order)

    async def _after(self, order: Answer) -> None:
        """What becomes of an order: most are cancelled, so that there is something to sell again."""
        doings = []
        if self._random.random() < 0.75:
            doings.append(self.ask("cancelOrder", self._gala.staff, orderId=order["id"]))
        if self._random.random() < 0.25:
            barcode = self._random.choice(order["tickets"])["barcode"]
            doings += [self.ask("controlTicket", self._gala.staff, barcode=barcode) for _ in range(2)]
        await asyncio.gather(*doings)

    async def _expire(self, basket: Answer) -> None:
        """Lets the basket's time be over, where the database can be reached."""
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await connect(self._url)
            try:
                expire = "UPDATE baskets SET expires_at = now() WHERE id = $1::text::uuid AND state = 'OPEN'"
                await connection.execute(expire, key_of(basket["id"], "Basket"))
            finally:
                await connection.close()

    async def _invalidate(self, code: str) -> None:
        """Has no key: who does not learn of its success learns of it when asking again."""
        wanted = {"input": {"code": code, "reason": "lost"}}
        while True:
            try:
                answer = await send(self._http, self._gala.staff, "invalidateCode", wanted)
            except _LOST:
                await asyncio.sleep(0.1)
                continue
            if answer["__typename"] == "AdvantageCode":
                self._book.invalidated.add(code)
            return
