"""Entering codes into many baskets at once: one transaction for all whose codes are entered at the same moment.

Each basket gets its own answer. Together they are only what makes no difference to any of them; wherever one could
stand in another's way, each is done by itself, as it would have been alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.baskets import baskets as db
from db.baskets.baskets import BasketContent
from services.baskets import stored_pricing
from services.baskets.basket import Basket, BasketState, opened
from services.baskets.holds import Holder, hold
from services.baskets.quotes import Priceable, Quote, Quotes
from services.codes.format import normalise
from services.core.coalescing import Coalescing
from services.core.errors import CodeRefused, Failure
from services.core.idempotency import IdempotentRequest, keep
from services.core.transactions import Overtaken, Transactions
from services.core.viewer import Viewer
from services.pricing.result import PricedCode, Pricing
from services.pricing.values import value


@value
class CodeEntry:
    """A code that a customer enters into a basket."""

    viewer: Viewer
    basket: UUID
    code: str
    now: datetime
    once: IdempotentRequest


@value
class CodeEntered:
    """The basket after a code was entered, and the offer that it opened."""

    basket: Basket
    offer: UUID


class _Apart(Exception):  # noqa: N818 - a signal, not an error
    """One of the entries could stand in another's way."""


@value
class _Change:
    """What becomes of a basket whose code is accepted."""

    basket: db.LockedBasket
    content: BasketContent
    quote: Quote
    offer: UUID


class CodeEntries:
    """Enters codes for customers; ``alone`` does it for one."""

    def __init__(
        self, transactions: Transactions, prices: Quotes, alone: Callable[[CodeEntry], Awaitable[CodeEntered]]
    ) -> None:
        self._transactions = transactions
        self._prices = prices
        self._alone = alone
        self._gathering = Coalescing(self._enter_all)

    async def enter(self, entry: CodeEntry) -> CodeEntered:
        """Raises CodeRefused with every reason, NotFound, Conflict."""
        with suppress(_Apart):
            return await self._gathering.add(entry.viewer.organisation_id, entry)
        return await self._alone(entry)

    async def _enter_all(self, entries: Sequence[CodeEntry]) -> Sequence[CodeEntered | Failure | _Apart]:
        """The answer to each, _Apart to those whose baskets somebody else keeps right now.

        Raises _Apart, whatever went wrong: alone, each has its own answer, or its own fault.
        """
        if len({entry.basket for entry in entries}) < len(entries):
            raise _Apart
        try:
            return await self._together(entries)
        except Exception as error:
            raise _Apart from error

    async def _together(self, entries: Sequence[CodeEntry]) -> Sequence[CodeEntered | Failure | _Apart]:
        organisation = entries[0].viewer.organisation_id

        async def attempt(connection: AsyncConnection, changed: set[UUID]) -> Sequence[CodeEntered | Failure | _Apart]:
            answers = await self._priced(connection, organisation, entries)
            changes = [answer for answer in answers if isinstance(answer, _Change)]
            _check_apart(changes)
            holders = [(Holder(change.basket.id, change.content.contact), change.quote) for change in changes]
            try:
                if holders:
                    await hold(connection, changed, organisation, holders)
            except Overtaken:
                raise _Apart from None
            made = iter(await _save(connection, organisation, changes) if changes else ())
            told = [next(made) if isinstance(answer, _Change) else answer for answer in answers]
            kept = [
                (entry.once, answer if isinstance(answer, Failure) else {"offer": answer.offer})
                for entry, answer in zip(entries, told, strict=True)
                if not isinstance(answer, _Apart)
            ]
            if not await keep(connection, organisation, kept):
                raise _Apart
            return told

        return await self._transactions.run(organisation, attempt)

    async def _priced(
        self, connection: AsyncConnection, organisation: UUID, entries: Sequence[CodeEntry]
    ) -> list[_Change | Failure | _Apart]:
        """What becomes of each basket, all of them locked; or why nothing does, here."""
        rows = await db.lock_free(connection, organisation, [entry.basket for entry in entries])
        answers: dict[UUID, _Change | Failure | _Apart] = {}
        wanted: list[tuple[CodeEntry, db.LockedBasket, Priceable]] = []
        for entry in entries:
            if entry.basket not in rows:
                answers[entry.basket] = _Apart()
                continue
            try:
                row = opened(entry.viewer, rows[entry.basket])
            except Failure as failure:
                answers[entry.basket] = failure
            else:
                content = with_code(row.content, entry.code)
                before = row.content.codes
                priceable = Priceable(entry.viewer, content, entry.now, basket=row.id, entered_before=before)
                wanted.append((entry, row, priceable))
        quotes = await self._prices.quotes(connection, organisation, [each for *_, each in wanted]) if wanted else []
        for (entry, row, priceable), quote in zip(wanted, quotes, strict=True):
            try:
                if isinstance(quote, Failure):
                    raise quote
                answers[row.id] = _Change(row, priceable.content, quote, opened_offer(quote.pricing, entry.code))
            except Failure as failure:
                answers[row.id] = failure
        return [answers[entry.basket] for entry in entries]


def with_code(content: BasketContent, code: str) -> BasketContent:
    """The content with the code among its codes, once in any spelling."""
    present = any(normalise(other) == normalise(code) for other in content.codes)
    return content if present else replace(content, codes=(*content.codes, code))


def opened_offer(pricing: Pricing, code: str) -> UUID:
    """The offer that an entered code opened. Raises CodeRefused with every reason where it did nothing."""
    found = priced_code(pricing, code)
    if not found.applied or found.offer is None:
        raise CodeRefused(found.refusals)
    return found.offer


def priced_code(pricing: Pricing, code: str) -> PricedCode:
    """What an entered code did, in any spelling."""
    return next(priced for priced in pricing.codes if normalise(priced.text) == normalise(code))


def _check_apart(changes: Sequence[_Change]) -> None:
    """Raises _Apart where two baskets want the same single-use code."""
    wanted = [code for change in changes for code in change.quote.single_use_codes]
    if len(set(wanted)) < len(wanted):
        raise _Apart


async def _save(connection: AsyncConnection, organisation: UUID, changes: Sequence[_Change]) -> list[CodeEntered]:
    saved = [
        db.CodesEntered(
            change.basket.id,
            change.content.codes,
            stored_pricing.dump(change.quote.pricing, change.quote.single_use_codes),
            change.quote.catalogue.organisation.basket_minutes,
        )
        for change in changes
    ]
    expiry = await db.save_codes(connection, organisation, saved)
    return [
        CodeEntered(
            Basket(
                change.basket.id,
                BasketState.OPEN,
                change.content.contact,
                expiry[change.basket.id],
                change.quote.pricing,
                None,
            ),
            change.offer,
        )
        for change in changes
    ]
