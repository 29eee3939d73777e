"""Making a batch's codes and mailing their list: the work that a queue worker does, step by step.

Each step records how far the batch has come, so that whoever takes over, after whatever happened, goes on exactly
there.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes import batches as db
from db.codes import bulk as bulk_codes
from db.codes.batches import Batch, BatchState, DocumentType
from db.core.driver import UniqueViolation
from db.core.sessions import Sessions
from db.counts import counts
from db.counts.counts import RedemptionCounts
from db.offers import offers as db_offers
from services.codes.batch_csv import CodeList, CodeLists
from services.codes.batches import set_going
from services.codes.download_links import LIFETIME, DownloadLinks
from services.codes.format import random_codes
from services.codes.mail_template import Download, Enclosed, code_list_letter
from services.core.errors import NotFound
from services.core.mail import MOST_SECONDS, Mailer, MailRefused, MailTooLarge, MailUnavailable, size
from services.core.texts import Language, Text, text
from services.core.transactions import Transaction, Transactions

MakeCodes = Callable[[int], list[bytes]]

CHUNK: Final = 50_000
"""Codes made in one transaction: enough to be fast, few enough to be watched."""
MANY: Final = 10_000
"""Codes of a batch that change how the table is best read."""
LARGEST_MAIL: Final = 10 * 1024 * 1024
"""Bytes as it is sent, with the list attached in base64; a longer list is sent as a link."""

_COLLISIONS: Final = 5
# To read the list before, to write down after what became of it, and for clocks that do not agree.
_ALLOWANCE: Final = timedelta(minutes=2)


class BeingSent(Exception):  # noqa: N818 - says what was found
    """Somebody else is sending the list: to be looked at again after a ``pause``, should they not come to an end."""

    def __init__(self, pause: timedelta) -> None:
        super().__init__(f"for {pause} at the most")
        self.pause = pause


class Generation:
    """Takes batches from PENDING to DONE."""

    def __init__(
        self,
        sessions: Sessions,
        transactions: Transactions,
        links: DownloadLinks,
        mailer: Mailer,
        *,
        make_codes: MakeCodes = random_codes,
        chunk: int = CHUNK,
    ) -> None:
        self._lists = CodeLists(sessions)
        self._transactions = transactions
        self._links = links
        self._mailer = mailer
        self._make_codes = make_codes
        self._chunk = chunk

    async def advance(self, organisation: UUID, batch: UUID, now: datetime) -> BatchState:
        """Makes the next chunk of a batch's codes; the state that it is in then: FAILED where its offer is CLOSED.

        With the last chunk of one whose list is wanted, the job that mails it is added. Raises NotFound.
        """
        for _ in range(_COLLISIONS):
            # A random code that exists already is as good as impossible, a custom one that looks random is not: the
            # chunk is then made anew.
            with suppress(UniqueViolation):
                return await self._transactions.run(organisation, now, self._add_chunk, batch)
        return await self._transactions.run(organisation, now, self._add_chunk, batch)

    async def send(self, organisation: UUID, batch: UUID, now: datetime) -> BatchState:
        """Mails the list of a batch that is SENDING, outside of any transaction; the state that it is in then.

        Others leave it alone meanwhile. Once the server has taken the mail and that is committed, nothing sends it
        again; a process that ends in between leaves it to be sent a second time, with the same Message-ID, rather than
        never. A mail that is refused for good leaves the batch FAILED with the reason; its codes stay valid. Raises
        MailUnavailable where it is worth another try later, BeingSent, NotFound.
        """
        row = await self._transactions.run(organisation, now, _begin, batch)
        if row.state is not BatchState.SENDING:
            return row.state
        try:
            error = await self._mailed(row, now)
        except BaseException:
            # Where that cannot be written down, others wait until the time is over.
            with suppress(OSError, SQLAlchemyError):
                await self._transactions.run(organisation, now, _stop, row)
            raise
        return await self._transactions.run(organisation, now, _end, batch, row.resends, error)

    async def fail(self, organisation: UUID, batch: UUID, reason: Text, now: datetime) -> None:
        """Gives a batch up that is not at its end."""
        await self._transactions.run(organisation, now, _fail, batch, reason)

    async def _add_chunk(self, transaction: Transaction, batch: UUID) -> BatchState:
        connection, organisation = transaction.connection, transaction.organisation
        row = await _locked(connection, organisation, batch)
        if row.state not in {BatchState.PENDING, BatchState.GENERATING}:
            return row.state
        if await db_offers.is_closed(connection, organisation, row.offer):
            return await _give_up(transaction, row)
        number = min(self._chunk, row.quantity - row.generated)
        codes = await asyncio.to_thread(self._make_codes, number)
        await bulk_codes.add(connection, row, codes)
        state = _state_with(row, row.generated + number)
        if state is not BatchState.GENERATING and row.quantity >= MANY:
            await bulk_codes.analyse(connection)
        await db.advance(connection, organisation, batch, row.generated + number, state)
        await counts.move(connection, organisation, {(row.offer, row.contact): RedemptionCounts(generated=number)})
        if state is BatchState.SENDING:
            await set_going(connection, organisation, batch, state)
        transaction.changed.update((row.offer, batch))
        return state

    async def _mailed(self, batch: Batch, now: datetime) -> Text | None:
        """Sends the list; why it never will be, None where it was."""
        if batch.destination is None:
            return text("no_mail_address")
        codes = await self._lists.of_batch(batch.organisation, batch.id)
        letters = await self._letters(codes, batch.destination, now)
        try:
            async with asyncio.timeout(MOST_SECONDS):
                await self._send_first(letters)
        except MailRefused as refused:
            return text("mail_refused", answer=str(refused))
        except TimeoutError as error:
            raise MailUnavailable(f"the mail server took longer than {MOST_SECONDS} seconds") from error
        return None

    async def _send_first(self, letters: Sequence[EmailMessage]) -> None:
        """Sends the first of the letters that the server does not find too large. Raises as the mailer does."""
        for letter in letters[:-1]:
            try:
                await self._mailer.send(letter)
            except MailTooLarge:
                continue
            return
        await self._mailer.send(letters[-1])

    async def _letters(self, codes: CodeList, destination: str, now: datetime) -> list[EmailMessage]:
        """The letter with the list attached, unless it is too large, and the one with a link to it."""
        batch = codes.batch
        download = Download(
            self._links.to_batch(batch.organisation, batch.id, now),
            self._links.to_batch(batch.organisation, batch.id, now, "xlsx") if codes.fits_a_workbook else None,
            now + LIFETIME,
        )
        enclosed = await _enclosed(codes)
        letters = [
            code_list_letter(codes, self._mailer.sender, destination, each, now)
            for each in (enclosed, download)
            if each is not None
        ]
        return letters if size(letters[0]) <= LARGEST_MAIL else letters[-1:]


async def _enclosed(codes: CodeList) -> Enclosed | None:
    """The list to be attached, None where it is plain that no mail could carry it."""
    csv = await codes.content(LARGEST_MAIL * 3 // 4) if codes.fits_a_workbook else None
    return None if csv is None else Enclosed(csv, await codes.xlsx())


async def _fail(transaction: Transaction, batch: UUID, reason: Text) -> None:
    row = await _locked(transaction.connection, transaction.organisation, batch)
    if row.state not in {BatchState.DONE, BatchState.FAILED}:
        said = reason.in_language(Language(row.language))
        await db.fail(transaction.connection, transaction.organisation, batch, said)
        transaction.changed.add(batch)


async def _begin(transaction: Transaction, batch: UUID) -> Batch:
    """The batch, its list to be sent by nobody else for as long as that may take. Raises BeingSent, NotFound."""
    row = await _locked(transaction.connection, transaction.organisation, batch)
    if row.state is BatchState.SENDING:
        if row.sending_until is not None and row.sending_until > transaction.now:
            raise BeingSent(row.sending_until - transaction.now)
        is_first = not row.resends
        if is_first and await db_offers.is_closed(transaction.connection, transaction.organisation, row.offer):
            return replace(row, state=await _give_up(transaction, row))
        until = transaction.now + timedelta(seconds=MOST_SECONDS) + _ALLOWANCE
        await db.sending(transaction.connection, transaction.organisation, batch, until)
        return replace(row, sending_until=until)
    return row


async def _give_up(transaction: Transaction, batch: Batch) -> BatchState:
    """Ends a batch whose codes would be worth nothing, for nobody to be sent them."""
    said = text("offer_closed").in_language(Language(batch.language))
    await db.fail(transaction.connection, transaction.organisation, batch.id, said)
    transaction.changed.add(batch.id)
    return BatchState.FAILED


async def _stop(transaction: Transaction, begun: Batch) -> None:
    """Leaves the list to be sent by others."""
    row = await _locked(transaction.connection, transaction.organisation, begun.id)
    if row.sending_until == begun.sending_until:
        await db.sending(transaction.connection, transaction.organisation, begun.id, None)


async def _end(transaction: Transaction, batch: UUID, resends: int, error: Text | None) -> BatchState:
    """Writes down that the list was sent, or why it never will be."""
    connection, organisation = transaction.connection, transaction.organisation
    row = await _locked(connection, organisation, batch)
    if row.state is not BatchState.SENDING or row.resends != resends:
        return row.state
    transaction.changed.add(batch)
    if error is not None:
        await db.fail(connection, organisation, batch, error.in_language(Language(row.language)))
        return BatchState.FAILED
    await db.sent(connection, organisation, batch, transaction.now)
    return BatchState.DONE


async def _locked(connection: AsyncConnection, organisation: UUID, batch: UUID) -> Batch:
    row = await db.lock(connection, organisation, batch)
    if row is None:
        raise NotFound(("batch",))
    return row


def _state_with(batch: Batch, generated: int) -> BatchState:
    if generated < batch.quantity:
        return BatchState.GENERATING
    return BatchState.DONE if batch.document_type is DocumentType.NO_EMAIL else BatchState.SENDING
