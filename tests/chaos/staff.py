"""Staff who change what is being sold: offers suspended, mispriced, run again, expired and closed, and price lists."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
from tests.gala import ENDING, Gala
from tests.ledger import connect

Answer = dict[str, Any]
Ask = Callable[..., Awaitable[Answer]]

_REPRICE = """
WITH changed AS (
    UPDATE rates SET price = $2 FROM performances p
    WHERE p.organisation_id = rates.organisation_id AND p.id = rates.performance_id AND p.code = $1
    RETURNING rates.organisation_id
)
UPDATE organisations SET catalogue_version = catalogue_version + 1 WHERE id IN (SELECT organisation_id FROM changed)
"""
_SOON = timedelta(seconds=0.4)


class Staff:
    """``over`` are the performances whose offers certainly do not run, each time with another number."""

    def __init__(
        self, gala: Gala, ask: Ask, url: str, random: Random, over: MutableMapping[str, int], problems: list[str]
    ) -> None:
        self._gala = gala
        self._ask = ask
        self._url = url
        self._random = random
        self._over = over
        self._problems = problems

    async def live(self, until: float) -> None:
        """One change after the other, until it is time."""
        loop = asyncio.get_running_loop()
        left = list(ENDING)
        while loop.time() < until:
            which = self._random.choice(left or ENDING)
            acts = (self._suspend, self._expire) if left else (self._reprice,)
            await self._reprice(which)
            if await self._random.choice(acts)(which):
                left.remove(which)
            await asyncio.sleep(self._random.uniform(0.2, 1.0))

    async def _suspend(self, which: str) -> bool:
        """Until it runs again with another benefit, or is closed for good."""
        await self._state(which, "SUSPENDED")
        self._over[which] = self._random.getrandbits(64)
        await asyncio.sleep(self._random.uniform(0.5, 1.2))
        if self._random.random() < 0.5:
            await self._misprice(which)
        await self._reprice(which)
        await asyncio.sleep(self._random.uniform(0.3, 1.0))
        if self._random.random() < 0.3:
            await self._state(which, "CLOSED")
            return True
        del self._over[which]
        await self._state(which, "RUNNING")
        return False

    async def _expire(self, which: str) -> bool:
        """Its validity passes while baskets hold it, and is prolonged."""
        end = datetime.now(UTC) + _SOON
        if await self._change(which, validUntil=end.isoformat()):
            await asyncio.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()) + 0.1)
            self._over[which] = self._random.getrandbits(64)
            await asyncio.sleep(self._random.uniform(0.5, 1.2))
            del self._over[which]
        if not await self._change(which, validUntil=None):
            self._problems.append(f"the offers of {which} are not prolonged")
        return False

    async def _reprice(self, which: str) -> bool:
        """Another price list, where the database can be reached: up or down."""
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await connect(self._url)
            try:
                await connection.execute(_REPRICE, which, self._random.randrange(9_000, 15_000))
            finally:
                await connection.close()
        return False

    async def _state(self, which: str, state: str) -> None:
        for offer in self._gala.endings[which]:
            answer = await self._ask("changeOfferState", self._gala.staff, offerId=offer, state=state)
            if answer["__typename"] != "OfferStateChanged":
                self._problems.append(f"an offer does not become {state}: {answer}")

    async def _misprice(self, which: str) -> None:
        off = f"{self._random.randint(1, 85)}.00"
        advantage, coupon = self._gala.endings[which]
        await self._ask("updateAdvantage", self._gala.staff, id=advantage, benefit={"amountOff": off})
        await self._ask("updatePromotionalCode", self._gala.staff, id=coupon, benefit={"amountOffPerTicket": off})

    async def _change(self, which: str, **change: object) -> bool:
        """Whether both were changed: an end that has passed when it is heard of is refused."""
        advantage, coupon = self._gala.endings[which]
        answers = [
            await self._ask("updateAdvantage", self._gala.staff, id=advantage, **change),
            await self._ask("updatePromotionalCode", self._gala.staff, id=coupon, **change),
        ]
        return [answer["__typename"] for answer in answers] == ["Advantage", "PromotionalCode"]
