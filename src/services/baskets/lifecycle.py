"""Baskets: priced, kept, and holding all that their price depends on until they are confirmed, cancelled or expire."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets import baskets as db
from db.baskets import claims
from db.baskets.baskets import BasketContent
from db.core.ids import new_id
from db.core.sessions import Sessions
from services.access.attempt_limits import AttemptLimits, CodeTries
from services.access.permissions import audit_sale, may_see, require_sale
from services.baskets import stored_pricing
from services.baskets.allowances import Allowances
from services.baskets.basket import Basket, BasketState, held, opened, taken_up
from services.baskets.basket_input import BasketChange, BasketRequest, apply_change, check
from services.baskets.code_entry import CodeEntries
from services.baskets.holds import Holder, hold
from services.baskets.pricing_facts import looked_up
from services.baskets.quotes import Priceable, Quotes
from services.baskets.simulation import NOTHING, Simulation
from services.catalogue.catalogues import Catalogues
from services.codes.format import normalise
from services.core.errors import CodeRefused, NotFound
from services.core.retries.idempotency import IdempotentRequest
from services.core.texts import text
from services.core.transactions import Done, Transaction, Transactions
from services.core.viewer import Viewer
from services.pricing.facts.refusals import RefusalCode
from services.pricing.result import Pricing

Edit = Callable[[BasketContent], BasketContent]
Accept = Callable[[db.LockedBasket, BasketContent, Pricing], None]
"""Given the basket as it was, and its content and price now, raises a failure where that must not be."""


class Baskets:
    """Use cases of baskets; each change is one transaction."""

    def __init__(
        self,
        sessions: Sessions,
        catalogues: Catalogues,
        transactions: Transactions,
        quotes: Quotes,
        attempts: AttemptLimits,
        allowances: Allowances,
    ) -> None:
        self._sessions = sessions
        self._catalogues = catalogues
        self._transactions = transactions
        self._quotes = quotes
        self._allowances = allowances
        self._attempts = attempts
        self._code_entries = CodeEntries(transactions, quotes, attempts)

    async def price(
        self, viewer: Viewer, request: BasketRequest, now: datetime, simulation: Simulation = NOTHING
    ) -> Pricing:
        """The price of a basket that is kept nowhere, with what staff may suppose of it.

        Raises InvalidInput with every problem, Forbidden where somebody else supposes anything.
        """
        content = check(request, viewer, await self._catalogues.seen_by(viewer), simulation)
        async with self._attempts.trying(viewer, looked_up(content.codes), now) as tries:
            wanted = Priceable(viewer, content, simulation.at or now, tries, simulation.include)
            async with self._sessions.reading() as connection:
                facts = await self._quotes.facts(connection, wanted)
            return (await self._quotes.priced(wanted, facts)).pricing

    async def create(self, viewer: Viewer, request: BasketRequest, now: datetime, key: str | None = None) -> Basket:
        """A new basket that holds what its price depends on.

        Raises InvalidInput with every problem, Conflict where the idempotency key came with another input, TooMany
        where the customer or the shop has too much open.
        """
        require_sale(viewer)
        once = IdempotentRequest(viewer, key, "createBasket", request)
        content = check(request, viewer, await self._catalogues.seen_by(viewer))
        async with self._attempts.trying(viewer, looked_up(content.codes), now) as tries:
            done = await self._transactions.once(once, now, self._create, viewer, content, tries)
        return done.value or await self._seen(viewer, done.answer["basket"], now)

    async def apply_code(
        self, viewer: Viewer, basket: UUID, code: str, now: datetime, key: str | None = None
    ) -> tuple[Basket, UUID]:
        """Enters a code into a basket and holds it; the basket, and the offer that the code opened.

        A code that is in the basket already changes nothing. Raises CodeRefused with every reason, NotFound, Conflict.
        """

        once = IdempotentRequest(viewer, key, "applyAdvantageCode", (basket, code), basket)
        entered = await self._code_entries.enter(viewer, basket, code, now, once)
        return entered.basket or await self._seen(viewer, basket, now), entered.offer

    async def remove_code(
        self, viewer: Viewer, basket: UUID, code: str, now: datetime, key: str | None = None
    ) -> Basket:
        """Takes a code out of a basket and gives it back. Raises NotFound where the basket does not have it."""

        def without(content: BasketContent) -> BasketContent:
            rest = tuple(other for other in content.codes if normalise(other) != normalise(code))
            if len(rest) == len(content.codes):
                raise NotFound(("code",), text("code_not_in_basket"))
            return replace(content, codes=rest)

        once = IdempotentRequest(viewer, key, "removeAdvantageCode", (basket, code), basket)
        return await self._change(once, now, viewer, basket, without, anything)

    async def update(
        self, viewer: Viewer, basket: UUID, change: BasketChange, now: datetime, key: str | None = None
    ) -> Basket:
        """Changes what is in a basket; what is left out stays as it is, at the terms that the basket holds.

        A change that would itself cost the basket a code that applies is refused with the reasons, so that no price
        rises unsaid: the code is to be taken out first. Taking tickets out is never refused. Raises InvalidInput with
        every problem, CodeRefused, NotFound, Conflict, TooMany.
        """
        once = IdempotentRequest(viewer, key, "updateBasket", (basket, change), basket)
        catalogue = await self._catalogues.seen_by(viewer)

        def changed(content: BasketContent) -> BasketContent:
            return apply_change(content, change, viewer, catalogue)

        return await self._change(once, now, viewer, basket, changed, _no_code_lost)

    async def cancel(self, viewer: Viewer, basket: UUID, now: datetime, key: str | None = None) -> Basket:
        """Ends a basket, which gives back all that it holds. Raises NotFound, Conflict."""
        once = IdempotentRequest(viewer, key, "cancelBasket", basket, basket)
        await self._transactions.once(once, now, self._cancel, viewer, basket)
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

    async def locked(self, transaction: Transaction, viewer: Viewer, basket: UUID) -> db.LockedBasket:
        """The open basket, kept from all other changes. Raises NotFound, or Conflict where it is no longer open."""
        rows = await db.lock(transaction.connection, transaction.organisation, [basket])
        return opened(viewer, rows.get(basket))

    async def reprice(
        self,
        transaction: Transaction,
        viewer: Viewer,
        row: db.LockedBasket,
        content: BasketContent,
        accept: Accept,
    ) -> Basket:
        """Gives a locked basket this content and its price now, if ``accept`` lets it pass, and holds just that."""
        connection, now = transaction.connection, transaction.now
        quote = await self._quotes.quote(connection, Priceable(viewer, content, now, CodeTries(), held=held(row)))
        accept(row, content, quote.pricing)
        await hold(transaction, [(Holder(row.id, content.contact), quote)], by=viewer.actor)
        pricing = stored_pricing.dump(quote.pricing, quote.single_use_codes)
        expires_at = await db.save(connection, row.organisation, row.id, content, pricing, quote.lifespan)
        return Basket(row.id, BasketState.OPEN, content, expires_at, quote.pricing, None)

    async def _create(
        self, transaction: Transaction, viewer: Viewer, content: BasketContent, tries: CodeTries
    ) -> Done[Basket]:
        connection, basket = transaction.connection, new_id()
        client = await self._allowances.open(transaction, viewer, content)
        quote = await self._quotes.quote(connection, Priceable(viewer, content, transaction.now, tries))
        pricing = stored_pricing.dump(quote.pricing, quote.single_use_codes)
        expires_at = await db.add(
            connection, transaction.organisation, basket, content, pricing, quote.lifespan, client
        )
        if quote.pricing.holds:
            await hold(transaction, [(Holder(basket, content.contact), quote)])
        await audit_sale(transaction, viewer, "createBasket", "Basket", basket, {})
        made = Basket(basket, BasketState.OPEN, content, expires_at, quote.pricing, None)
        return Done({"basket": basket}, made)

    async def _cancel(self, transaction: Transaction, viewer: Viewer, basket: UUID) -> Done[None]:
        row = await self.locked(transaction, viewer, basket)
        changed = await claims.release(transaction.connection, row.organisation, [basket], by=viewer.actor)
        transaction.changed.update(changed)
        await db.end(transaction.connection, row.organisation, [basket], BasketState.CANCELLED)
        await audit_sale(transaction, viewer, "cancelBasket", "Basket", basket, {})
        return Done({"basket": basket})

    async def _change(
        self, once: IdempotentRequest, now: datetime, viewer: Viewer, basket: UUID, edit: Edit, accept: Accept
    ) -> Basket:
        done = await self._transactions.once(once, now, self._edit, viewer, basket, edit, accept, once.operation)
        return done.value or await self._seen(viewer, basket, now)

    async def _edit(
        self, transaction: Transaction, viewer: Viewer, basket: UUID, edit: Edit, accept: Accept, action: str
    ) -> Done[Basket]:
        row = await self.locked(transaction, viewer, basket)
        content = taken_up(edit(row.content), viewer)
        await self._allowances.grow(transaction, viewer, row, content)
        changed = await self.reprice(transaction, viewer, row, content, accept)
        await audit_sale(transaction, viewer, action, "Basket", basket, {})
        return Done({"basket": basket}, changed)

    async def _seen(self, viewer: Viewer, basket: UUID, now: datetime) -> Basket:
        return (await self.find(viewer, [basket], now))[basket]

    async def _basket(self, connection: AsyncConnection, viewer: Viewer, row: db.Basket, now: datetime) -> Basket:
        stored = stored_pricing.load(row.pricing)
        pricing = stored.pricing
        if row.state is BasketState.OPEN and not stored.held_codes <= row.held_codes:
            wanted = Priceable(viewer, row.content, now, CodeTries(), held=held(row))
            pricing = (await self._quotes.quote(connection, wanted)).pricing
        return Basket(row.id, row.state, row.content, row.expires_at, pricing, row.order)


def anything(before: db.LockedBasket, content: BasketContent, after: Pricing) -> None:
    """Lets every change pass."""


_DEAD: Final = {RefusalCode.CODE_INVALIDATED, RefusalCode.CODE_ALREADY_USED, RefusalCode.CODE_HELD}
"""Why a basket lost a code that it held by no change of its own."""


def _no_code_lost(before: db.LockedBasket, content: BasketContent, after: Pricing) -> None:
    """Raises CodeRefused where the change costs the basket a code that applied before, with every reason."""
    if _only_takes_out(before.content, content):
        return
    given = stored_pricing.load(before.pricing).pricing
    applied = {normalise(priced.text) for priced in given.codes if priced.applied}
    lost = [
        priced
        for priced in after.codes
        if not priced.applied
        and normalise(priced.text) in applied
        and _DEAD.isdisjoint(refusal.code for refusal in priced.refusals)
    ]
    if lost:
        raise CodeRefused([refusal for priced in lost for refusal in priced.refusals])


def _only_takes_out(before: BasketContent, after: BasketContent) -> bool:
    """Whether a change takes tickets out and does nothing else."""
    return replace(before, lines=()) == replace(after, lines=()) and not _tickets(after) - _tickets(before)


def _tickets(content: BasketContent) -> Counter[db.BasketLine]:
    counts = Counter[db.BasketLine]()
    for line in content.lines:
        counts[replace(line, quantity=1)] += line.quantity
    return counts
