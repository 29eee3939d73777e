"""Baskets: priced, kept, and holding all that their price depends on until they are confirmed, cancelled or expire."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets import baskets as db
from db.baskets import claims
from db.baskets.baskets import BasketContent
from db.core.ids import new_id
from db.core.sessions import Sessions
from services.access.permissions import audit_sale, is_audited, may_see, require_sale
from services.baskets import stored_pricing
from services.baskets.basket import Basket, BasketState, opened
from services.baskets.basket_input import BasketChange, BasketRequest, apply_change, check
from services.baskets.code_entry import CodeEntered, CodeEntries, CodeEntry, opened_offer, with_code
from services.baskets.holds import Holder, hold
from services.baskets.quotes import Priceable, Quotes
from services.baskets.simulation import NOTHING, Simulation
from services.catalogue.catalogues import Catalogues
from services.codes.format import normalise
from services.core.errors import CodeRefused, NotFound
from services.core.idempotency import Answer, IdempotentRequest
from services.core.texts import text
from services.core.transactions import Transactions
from services.core.viewer import Viewer
from services.pricing.result import Pricing

Edit = Callable[[BasketContent], BasketContent]
Accept = Callable[[db.LockedBasket, Pricing], Answer]
"""Given the basket as it was and its price now, the answer, or a failure raised."""


class Baskets:
    """Use cases of baskets; each change is one transaction."""

    def __init__(self, sessions: Sessions, catalogues: Catalogues, transactions: Transactions, prices: Quotes) -> None:
        self._sessions = sessions
        self._catalogues = catalogues
        self._transactions = transactions
        self._prices = prices
        self._entering = CodeEntries(transactions, prices, self._enter)

    async def price(
        self, viewer: Viewer, request: BasketRequest, now: datetime, trial: Simulation = NOTHING
    ) -> Pricing:
        """The price of a basket that is kept nowhere, with what staff may suppose of it.

        Raises InvalidInput with every problem, Forbidden where somebody else supposes anything.
        """
        content = check(request, viewer, await self._catalogues.seen_by(viewer), trial)

        async with self._sessions.reading() as connection:
            instant, include = trial.at or now, trial.include
            return (await self._prices.quote(connection, Priceable(viewer, content, instant, include))).pricing

    async def create(self, viewer: Viewer, request: BasketRequest, now: datetime, key: str | None = None) -> Basket:
        """A new basket that holds what its price depends on.

        Raises InvalidInput with every problem, Conflict where the idempotency key came with another input.
        """
        require_sale(viewer)
        content = check(request, viewer, await self._catalogues.seen_by(viewer))
        once = IdempotentRequest(viewer, key, "createBasket", request)

        made: tuple[Answer, Basket] | None = None

        async def attempt(connection: AsyncConnection, changed: set[UUID]) -> Answer:
            nonlocal made
            basket = new_id()
            quote = await self._prices.quote(connection, Priceable(viewer, content, now))
            pricing = stored_pricing.dump(quote.pricing, quote.single_use_codes)
            minutes = quote.catalogue.organisation.basket_minutes
            expires_at = await db.add(connection, viewer.organisation_id, basket, content, pricing, minutes)
            if quote.pricing.holds:
                await hold(connection, changed, viewer.organisation_id, [(Holder(basket, content.contact), quote)])
            await audit_sale(connection, viewer, "createBasket", "Basket", basket, {})
            answer = {"basket": basket}
            made = answer, Basket(basket, BasketState.OPEN, content.contact, expires_at, quote.pricing, None)
            return answer

        answer = await self._transactions.once(viewer.organisation_id, once, attempt)
        return await self._as_made(viewer, answer["basket"], answer, made, now)

    async def apply_code(
        self, viewer: Viewer, basket: UUID, code: str, now: datetime, key: str | None = None
    ) -> tuple[Basket, UUID]:
        """Enters a code into a basket and holds it; the basket, and the offer that the code opened.

        A code that is in the basket already changes nothing. Raises CodeRefused with every reason, NotFound, Conflict.
        """

        once = IdempotentRequest(viewer, key, "applyAdvantageCode", (basket, code))
        entry = CodeEntry(viewer, basket, code, now, once)
        entered = await (self._enter(entry) if is_audited(viewer) else self._entering.enter(entry))
        return entered.basket, entered.offer

    async def _enter(self, entry: CodeEntry) -> CodeEntered:
        def edit(content: BasketContent) -> BasketContent:
            return with_code(content, entry.code)

        def accept(_: db.LockedBasket, pricing: Pricing) -> Answer:
            return {"offer": opened_offer(pricing, entry.code)}

        basket, answer = await self._change(entry.viewer, entry.basket, edit, accept, entry.now, entry.once)
        return CodeEntered(basket, answer["offer"])

    async def remove_code(
        self, viewer: Viewer, basket: UUID, code: str, now: datetime, key: str | None = None
    ) -> Basket:
        """Takes a code out of a basket and gives it back. Raises NotFound where the basket does not have it."""

        def without(content: BasketContent) -> BasketContent:
            rest = tuple(other for other in content.codes if normalise(other) != normalise(code))
            if len(rest) == len(content.codes):
                raise NotFound(("code",), text("code_not_in_basket"))
            return replace(content, codes=rest)

        once = IdempotentRequest(viewer, key, "removeAdvantageCode", (basket, code))
        return (await self._change(viewer, basket, without, anything, now, once))[0]

    async def update(
        self, viewer: Viewer, basket: UUID, change: BasketChange, now: datetime, key: str | None = None
    ) -> Basket:
        """Changes what is in a basket; what is left out stays as it is.

        A change that would cost the basket a code that applies is refused with the reasons, so that no price rises
        unsaid: the code is to be taken out first. Raises InvalidInput with every problem, CodeRefused, NotFound,
        Conflict.
        """
        once = IdempotentRequest(viewer, key, "updateBasket", (basket, change))
        catalogue = await self._catalogues.seen_by(viewer)

        def changed(content: BasketContent) -> BasketContent:
            return apply_change(content, change, viewer, catalogue)

        return (await self._change(viewer, basket, changed, _no_code_lost, now, once))[0]

    async def cancel(self, viewer: Viewer, basket: UUID, now: datetime, key: str | None = None) -> Basket:
        """Ends a basket, which gives back all that it holds. Raises NotFound, Conflict."""
        once = IdempotentRequest(viewer, key, "cancelBasket", basket)

        async def attempt(connection: AsyncConnection, changed: set[UUID]) -> Answer:
            row = await self.locked(connection, viewer, basket)
            changed |= await claims.release(connection, row.organisation, [basket])
            await db.end(connection, row.organisation, [basket], BasketState.CANCELLED)
            await audit_sale(connection, viewer, "cancelBasket", "Basket", basket, {})
            return {"basket": basket}

        await self._transactions.once(viewer.organisation_id, once, attempt)
        return await self._seen(viewer, basket, now)

    async def find(self, viewer: Viewer, ids: Sequence[UUID], now: datetime) -> dict[UUID, Basket]:
        """The baskets among ``ids`` that the viewer may see.

        A basket that lost a code to its invalidation shows the price without it, and says so at the code.
        """
        async with self._sessions.reading() as connection:
            rows = await db.get(connection, viewer.organisation_id, ids)
            return {
                row.id: await self._basket(connection, viewer, row, now)
                for row in rows.values()
                if may_see(viewer, row.content.contact)
            }

    async def locked(self, connection: AsyncConnection, viewer: Viewer, basket: UUID) -> db.LockedBasket:
        """The open basket, kept from all other changes. Raises NotFound, or Conflict where it is no longer open."""
        rows = await db.lock(connection, viewer.organisation_id, [basket])
        return opened(viewer, rows.get(basket))

    async def reprice(
        self,
        connection: AsyncConnection,
        changed: set[UUID],
        viewer: Viewer,
        row: db.LockedBasket,
        content: BasketContent,
        now: datetime,
        accept: Accept,
    ) -> tuple[Answer, Basket]:
        """Gives a locked basket this content and its price now, if ``accept`` lets it pass, and holds just that."""
        wanted = Priceable(viewer, content, now, basket=row.id, entered_before=row.content.codes)
        quote = await self._prices.quote(connection, wanted)
        answer = accept(row, quote.pricing)
        await hold(connection, changed, row.organisation, [(Holder(row.id, content.contact), quote)])
        pricing = stored_pricing.dump(quote.pricing, quote.single_use_codes)
        minutes = quote.catalogue.organisation.basket_minutes
        expires_at = await db.save(connection, row.organisation, row.id, content, pricing, minutes)
        return answer, Basket(row.id, BasketState.OPEN, content.contact, expires_at, quote.pricing, None)

    async def _change(
        self, viewer: Viewer, basket: UUID, edit: Edit, accept: Accept, now: datetime, once: IdempotentRequest
    ) -> tuple[Basket, Answer]:
        made: tuple[Answer, Basket] | None = None

        async def attempt(connection: AsyncConnection, changed: set[UUID]) -> Answer:
            nonlocal made
            row = await self.locked(connection, viewer, basket)
            made = await self.reprice(connection, changed, viewer, row, edit(row.content), now, accept)
            await audit_sale(connection, viewer, once.operation, "Basket", basket, {})
            return made[0]

        answer = await self._transactions.once(viewer.organisation_id, once, attempt)
        return await self._as_made(viewer, basket, answer, made, now), answer

    async def _as_made(
        self, viewer: Viewer, basket: UUID, answer: Answer, made: tuple[Answer, Basket] | None, now: datetime
    ) -> Basket:
        """The basket as the attempt that gave ``answer`` left it; who comes again by the same key sees it as it is."""
        if made is not None and made[0] is answer:
            return made[1]
        return await self._seen(viewer, basket, now)

    async def _seen(self, viewer: Viewer, basket: UUID, now: datetime) -> Basket:
        return (await self.find(viewer, [basket], now))[basket]

    async def _basket(self, connection: AsyncConnection, viewer: Viewer, row: db.Basket, now: datetime) -> Basket:
        stored = stored_pricing.load(row.pricing)
        pricing = stored.pricing
        if row.state is BasketState.OPEN and not stored.held_codes <= row.held_codes:
            wanted = Priceable(viewer, row.content, now, basket=row.id, entered_before=row.content.codes)
            pricing = (await self._prices.quote(connection, wanted)).pricing
        return Basket(row.id, row.state, row.content.contact, row.expires_at, pricing, row.order)


def anything(before: db.LockedBasket, after: Pricing) -> Answer:
    return {}


def _no_code_lost(before: db.LockedBasket, after: Pricing) -> Answer:
    """Raises CodeRefused where a code that applied before does not any more, with every reason."""
    given = stored_pricing.load(before.pricing).pricing
    applied = {normalise(priced.text) for priced in given.codes if priced.applied}
    lost = [priced for priced in after.codes if not priced.applied and normalise(priced.text) in applied]
    if lost:
        raise CodeRefused([refusal for priced in lost for refusal in priced.refusals])
    return {}
