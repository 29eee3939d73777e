"""Entering codes into baskets: one transaction for all whose codes are entered at the same moment.

Each basket gets its own answer, and would have got the same alone. What a group cannot do together is done by smaller
groups, in the end by one entry in its own time: by the same code, which then waits for what others have locked.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog

from db.baskets import baskets as db
from db.baskets.baskets import BasketContent
from db.core.sessions import is_lock_timeout
from services.access.attempt_limits import AttemptLimits, CodeTries
from services.access.permissions import audit_sale
from services.baskets import stored_pricing
from services.baskets.basket import Basket, BasketState, held, opened, taken_up
from services.baskets.holds import Holder, hold
from services.baskets.pricing_facts import looked_up
from services.baskets.quotes import Priceable, Quote, Quotes
from services.baskets.sale_input import MAXIMUM_CODES
from services.baskets.unknown_codes import bar, count
from services.codes.format import normalise
from services.core.coalescing import Coalescing
from services.core.errors import CodeRefused, Conflict, Failure, is_outage
from services.core.pacing import TookTooLong
from services.core.retries import idempotency
from services.core.retries.idempotency import IdempotentRequest
from services.core.sent import Sent
from services.core.texts import text
from services.core.transactions import Overtaken, Transaction, Transactions
from services.core.viewer import Viewer
from services.pricing.result import PricedCode, Pricing
from services.pricing.values import value

_log = structlog.get_logger()


@value
class CodeEntry:
    """A code that somebody enters into a basket, if ``tries`` lets it be looked up."""

    viewer: Viewer
    basket: UUID
    code: str
    now: datetime
    once: IdempotentRequest
    tries: CodeTries


@value
class CodeEntered:
    """The basket after a code was entered, and the offer that it opened.

    The basket is None where the same request was answered before: it may have changed since.
    """

    basket: Basket | None
    offer: UUID


class _LeftOut(Exception):  # noqa: N818 - a signal, not an error
    """The entry is to be done by itself: it, or what it needs, stood in the way of a group."""


class _Apart(Exception):  # noqa: N818 - a signal, not an error
    """The entries of a group cannot all be done in one transaction."""


Answer = CodeEntered | Failure | _LeftOut


@value
class _Asked:
    """An entry with its basket, which is open and locked."""

    entry: CodeEntry
    basket: db.LockedBasket
    priceable: Priceable

    @classmethod
    def of(cls, entry: CodeEntry, basket: db.LockedBasket) -> "_Asked":
        """The basket with the code among its codes, once in any spelling.

        Raises Conflict where it would have more codes than any may.
        """
        content, code = taken_up(basket.content, entry.viewer), normalise(entry.code)
        if not any(normalise(other) == code for other in content.codes):
            if len(content.codes) >= MAXIMUM_CODES:
                raise Conflict(text("too_many_codes", maximum=MAXIMUM_CODES))
            content = replace(content, codes=(*content.codes, entry.code))
        return cls(entry, basket, Priceable(entry.viewer, content, entry.now, entry.tries, held=held(basket)))


@value
class _Change:
    """What becomes of a basket whose code is accepted."""

    basket: db.LockedBasket
    content: BasketContent
    quote: Quote
    offer: UUID


class CodeEntries:
    """Enters codes into baskets."""

    def __init__(self, transactions: Transactions, quotes: Quotes, attempts: AttemptLimits) -> None:
        self._transactions = transactions
        self._quotes = quotes
        self._attempts = attempts
        self._coalescing = Coalescing(self._enter_unlike)

    async def enter(
        self, viewer: Viewer, basket: UUID, code: str, now: datetime, once: IdempotentRequest
    ) -> CodeEntered:
        """Enters a code into a basket, with whatever others enter at the same moment.

        Raises CodeRefused with every reason, NotFound, Conflict, Forbidden.
        """
        async with self._attempts.trying(viewer, looked_up((code,)), now, in_basket=True) as tries:
            return await self._enter(CodeEntry(viewer, basket, code, now, once, tries))

    async def _enter(self, entry: CodeEntry) -> CodeEntered:
        with suppress(_LeftOut):
            return await self._coalescing.add(entry.viewer.organisation_id, entry)
        [answer] = await self._write([entry], waits=True)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _enter_unlike(self, entries: Sequence[CodeEntry]) -> list[Answer]:
        """The answers of a group, in which one basket or one idempotency key can occur but once."""
        unlike = list(_unlike(entries))
        answers = iter(await self._enter_group([entries[place] for place in unlike]))
        return [next(answers) if place in unlike else _LeftOut() for place in range(len(entries))]

    async def _enter_group(self, entries: Sequence[CodeEntry]) -> list[Answer]:
        """The answers of a group, of which nobody waits long for anybody else."""
        alone: list[Answer] = [_LeftOut() for _ in entries]
        try:
            return await self._write(entries, waits=False)
        except _Apart:
            if len(entries) == 1:
                return alone
        except Exception as error:
            # Smaller groups would wait again, one after the other, for what one of them may need.
            if is_lock_timeout(error):
                return alone
            # An outage is everybody's: each by itself would only wait for the same once more.
            if len(entries) == 1 or is_outage(error):
                raise
            # Each entry then has its own answer, or its own fault.
            sent = Sent([entry.code for entry in entries])
            _log.error("codes were not entered together", entries=len(entries), exc_info=error, sent=sent)
            return alone
        middle = len(entries) // 2
        return [*await self._enter_group(entries[:middle]), *await self._enter_group(entries[middle:])]

    async def _write(self, entries: Sequence[CodeEntry], *, waits: bool) -> list[Answer]:
        organisation, now = entries[0].viewer.organisation_id, entries[0].now
        return await self._transactions.run(organisation, now, self._together, entries, waits=waits)

    async def _together(self, transaction: Transaction, entries: Sequence[CodeEntry], *, waits: bool) -> list[Answer]:
        """Enters all codes that can be entered, and keeps each answer under its key.

        Where it does not ``wait``, what others have locked is left out, and any other wait ends soon. Raises _Apart
        where the baskets together want more than there is.
        """
        connection, organisation = transaction.connection, transaction.organisation
        known = await idempotency.begin(connection, organisation, [entry.once for entry in entries], waits=waits)
        new = [entry for entry, answer in zip(entries, known, strict=True) if answer is None]
        answers = iter(await self._enter_new(transaction, new, waits=waits) if new else ())
        return [next(answers) if answer is None else _again(answer) for answer in known]

    async def _enter_new(self, transaction: Transaction, entries: Sequence[CodeEntry], *, waits: bool) -> list[Answer]:
        outcomes = await self._priced(transaction, entries, waits=waits)
        changes = [(entry, each) for entry, each in zip(entries, outcomes, strict=True) if isinstance(each, _Change)]
        baskets = iter(await _carry_out(transaction, [change for _, change in changes]) if changes else ())
        for entry, _ in changes:
            await audit_sale(transaction, entry.viewer, entry.once.operation, "Basket", entry.basket, {})
        answers = [
            CodeEntered(next(baskets), outcome.offer) if isinstance(outcome, _Change) else outcome
            for outcome in outcomes
        ]
        await _keep(transaction, entries, answers)
        return answers

    async def _priced(
        self, transaction: Transaction, entries: Sequence[CodeEntry], *, waits: bool
    ) -> list[_Change | Failure | _LeftOut]:
        """What becomes of each basket, all of them locked; or why nothing does, here."""
        lock = db.lock if waits else db.lock_free
        rows = await lock(transaction.connection, transaction.organisation, [entry.basket for entry in entries])
        outcomes: dict[UUID, _Change | Failure | _LeftOut] = {}
        asked: list[_Asked] = []
        for entry in entries:
            row = rows.get(entry.basket)
            if row is None and not waits:
                outcomes[entry.basket] = _LeftOut()
                continue
            try:
                basket = opened(entry.viewer, row)
                bar(entry.viewer, basket, entry.code, entry.tries, entry.now)
                asked.append(_Asked.of(entry, basket))
            except Failure as failure:
                outcomes[entry.basket] = failure
        wanted = [each.priceable for each in asked]
        connection, organisation = transaction.connection, transaction.organisation
        quotes = await self._quotes.quotes(connection, organisation, wanted, alone=waits) if wanted else []
        taken: set[UUID] = set()
        for each, quote in zip(asked, quotes, strict=True):
            outcomes[each.basket.id] = _outcome(each, quote, taken)
        looked = [each.entry for each in asked if not isinstance(outcomes[each.basket.id], _LeftOut)]
        await count(transaction, [(each.viewer, each.basket, each.tries) for each in looked])
        return [outcomes[entry.basket] for entry in entries]


def priced_code(pricing: Pricing, code: str) -> PricedCode:
    """What an entered code did, in any spelling."""
    return next(priced for priced in pricing.codes if normalise(priced.text) == normalise(code))


def _outcome(asked: _Asked, quote: Quote | Failure | TookTooLong, taken: set[UUID]) -> _Change | Failure | _LeftOut:
    """What the price says of one entry; ``taken`` are the single-use codes of the entries before it, and then its."""
    if isinstance(quote, TookTooLong):
        return _LeftOut()
    if isinstance(quote, Failure):
        return quote
    try:
        offer = opened_offer(quote.pricing, asked.entry.code)
    except CodeRefused as refused:
        return refused
    if not taken.isdisjoint(quote.single_use_codes):
        return _LeftOut()
    taken |= quote.single_use_codes
    return _Change(asked.basket, asked.priceable.content, quote, offer)


def opened_offer(pricing: Pricing, code: str) -> UUID:
    """The offer that an entered code opened. Raises CodeRefused with every reason where it did nothing."""
    found = priced_code(pricing, code)
    if not found.applied or found.offer is None:
        raise CodeRefused(found.refusals)
    return found.offer


def _unlike(entries: Sequence[CodeEntry]) -> Iterator[int]:
    """The places of the entries whose basket and key no entry before them has."""
    seen: set[object] = set()
    for place, entry in enumerate(entries):
        marks = {entry.basket, entry.once.name} - {None}
        if seen.isdisjoint(marks):
            yield place
        seen |= marks


def _again(answer: idempotency.Answer | Failure) -> Answer:
    """What is told again under a key."""
    return answer if isinstance(answer, Failure) else CodeEntered(None, answer["offer"])


async def _keep(transaction: Transaction, entries: Sequence[CodeEntry], answers: Sequence[Answer]) -> None:
    """Keeps the answers under their keys. What was left out, or is to come back later, has none: its key is free."""
    kept: list[tuple[IdempotentRequest, idempotency.Answer | Failure]] = []
    free: list[IdempotentRequest] = []
    for entry, answer in zip(entries, answers, strict=True):
        if isinstance(answer, _LeftOut) or _is_too_early(answer):
            free.append(entry.once)
        else:
            kept.append((entry.once, answer if isinstance(answer, Failure) else {"offer": answer.offer}))
    await idempotency.finish(transaction.connection, transaction.organisation, kept)
    await idempotency.give_up(transaction.connection, transaction.organisation, free)


def _is_too_early(answer: Answer) -> bool:
    """Whether waiting mends it."""
    return isinstance(answer, Failure) and answer.passes


async def _carry_out(transaction: Transaction, changes: Sequence[_Change]) -> list[Basket]:
    """Makes the baskets hold what their prices take, and writes them. Raises _Apart where they want too much."""
    try:
        await hold(transaction, [(Holder(each.basket.id, each.content.contact), each.quote) for each in changes])
    except Overtaken:
        if len(changes) == 1:
            raise
        raise _Apart from None
    saved = [
        db.CodesEntered(
            change.basket.id,
            change.content.codes,
            change.content.contact,
            change.content.counter_profile,
            stored_pricing.dump(change.quote.pricing, change.quote.single_use_codes),
            change.quote.lifespan,
        )
        for change in changes
    ]
    expiry = await db.save_codes(transaction.connection, transaction.organisation, saved)
    return [
        Basket(
            change.basket.id,
            BasketState.OPEN,
            change.content,
            expiry[change.basket.id],
            change.quote.pricing,
            None,
        )
        for change in changes
    ]
