"""Batches: asking for codes to be made, and watching them being made (docs/domain.md, Codes)."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes import batches as db
from db.codes.batches import Batch, BatchFilter, BatchState, DocumentType
from db.core.ids import next_id
from db.core.keyset import Page
from db.core.queue import enqueue, is_queued
from db.core.sessions import Sessions
from services.access.audit import record
from services.access.permissions import may_follow, require_follower, share_of
from services.codes.checks import MOST_CODES, CodeReceiver, destination, receiver, remark_problems
from services.codes.download_links import DownloadLinks
from services.codes.lists import workbook
from services.core.errors import Conflict, InvalidInput, NotFound, Problem
from services.core.problems import Problems
from services.core.retries.idempotency import IdempotentRequest
from services.core.text_checks import check_search
from services.core.texts import Language, text
from services.core.transactions import Done, Transaction, Transactions
from services.core.viewer import StaffRole, Viewer

__all__ = ["Batch", "BatchFilter", "BatchRequest", "BatchState", "Batches", "DocumentType", "place", "set_going"]

MAKING: Final = "batch"
"""The queue's name for making a batch's codes. The payload is the organisation's and the batch's id."""
MAILING: Final = "mail"
"""The queue's name for mailing a batch's list: a mail server that hangs keeps no codes from being made."""
JOBS: Final = {BatchState.PENDING: MAKING, BatchState.GENERATING: MAKING, BatchState.SENDING: MAILING}
"""The job that goes on with a batch in each state that is not its end."""


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Codes wanted of an offer for a structure contact; ``destination`` None is the contact's own mail address.

    ``contact`` None is the organisation itself, for codes of a promotional code.
    """

    offer: UUID
    contact: UUID | None
    quantity: int
    destination: str | None = None
    document_type: DocumentType = DocumentType.EMAIL_WITH_CODE_LIST
    language: Language = Language.FR
    remark: str | None = None


class Batches:
    """Use cases of batches."""

    def __init__(self, sessions: Sessions, transactions: Transactions, links: DownloadLinks) -> None:
        self._sessions = sessions
        self._transactions = transactions
        self._links = links

    async def request(self, viewer: Viewer, request: BatchRequest, now: datetime, key: str | None = None) -> UUID:
        """Has codes made, in a worker, and mailed where wanted; the new batch's id.

        Codes are as good as money: the organisation's staff make them, partners ask for them. An offer in any state
        but CLOSED takes codes, which work once it runs. Raises Forbidden, NotFound, InvalidInput with every problem,
        Conflict.
        """
        viewer.require_role(StaffRole.CODES)
        once = IdempotentRequest(viewer, key, "generateCodes", request)
        return (await self._transactions.once(once, now, _request, viewer, request)).answer["batch"]

    async def resend(self, viewer: Viewer, batch: UUID, to: str | None, now: datetime, key: str | None = None) -> UUID:
        """Has the list of a batch that is DONE mailed again, and one that FAILED taken up where it stopped; its id.

        One that is on its way goes on where the queue has lost its job. ``to`` takes the place of the address that it
        had; of a batch without a mail it is the first. Raises Forbidden, NotFound, InvalidInput, and Conflict while the
        batch is still being worked on.
        """
        viewer.require_role(StaffRole.CODES)
        once = IdempotentRequest(viewer, key, "resendCodeBatch", (batch, to))
        return (await self._transactions.once(once, now, _resend, viewer, batch, to)).answer["batch"]

    async def page(self, viewer: Viewer, wanted: BatchFilter, page: Page) -> list[Batch]:
        """A page of the batches that the filter lets through, the newest first.

        A partner sees its own. Raises Forbidden.
        """
        own = _own(viewer, wanted)
        if own is None:
            return []
        async with self._sessions.reading() as connection:
            return await db.page(connection, viewer.organisation_id, own, page)

    async def count(self, viewer: Viewer, wanted: BatchFilter) -> int | None:
        """How many batches ``page`` would give in all; None where they are too many to be counted."""
        own = _own(viewer, wanted)
        if own is None:
            return 0
        async with self._sessions.reading() as connection:
            return await db.count(connection, viewer.organisation_id, own)

    async def find(self, viewer: Viewer, ids: Collection[UUID]) -> dict[UUID, Batch]:
        """The batches among ``ids`` that the viewer may see: of a partner its own, of shoppers and contacts none."""
        if not may_follow(viewer):
            return {}
        async with self._sessions.reading() as connection:
            return await db.get(connection, viewer.organisation_id, ids, contact=share_of(viewer))

    def csv_url(self, batch: Batch, now: datetime) -> str | None:
        """Where the list of the batch's codes can be downloaded for a week; None until all of them exist."""
        return self._links.to_batch(batch.organisation, batch.id, now) if batch.is_complete else None

    def xlsx_url(self, batch: Batch, now: datetime) -> str | None:
        """The same as a workbook; None also where there are too many codes for one."""
        is_fit = batch.is_complete and batch.quantity <= workbook.MOST_IN_A_WORKBOOK
        return self._links.to_batch(batch.organisation, batch.id, now, "xlsx") if is_fit else None


async def place(transaction: Transaction, batch: UUID, order: db.NewBatch, actor: str) -> None:
    """Adds a batch and the job that makes its codes, in one transaction: neither is ever without the other."""
    await db.add(transaction.connection, transaction.organisation, batch, order, actor)
    details: dict[str, object] = {
        "offer": str(order.offer),
        "contact": str(order.contact),
        "quantity": order.quantity,
        "destination": order.destination,
    }
    await record(transaction, actor, "generateCodes", "CodeBatch", batch, details)
    await set_going(transaction.connection, transaction.organisation, batch, BatchState.PENDING)


async def set_going(connection: AsyncConnection, organisation: UUID, batch: UUID, state: BatchState) -> None:
    """Adds the job that goes on with a batch in this state, in the session's transaction."""
    await enqueue(connection, JOBS[state], _payload(organisation, batch))


def _own(viewer: Viewer, wanted: BatchFilter) -> BatchFilter | None:
    """What the viewer may see of it; None where it asks for another partner's. Raises Forbidden, InvalidInput."""
    require_follower(viewer)
    if reason := check_search(wanted.search):
        raise InvalidInput([Problem(("search",), reason)])
    own = share_of(viewer)
    if own is None:
        return wanted
    return replace(wanted, contact=own) if wanted.contact in {None, own} else None


async def _request(transaction: Transaction, viewer: Viewer, request: BatchRequest) -> Done[None]:
    found = await receiver(transaction.connection, transaction.organisation, request.offer, request.contact)
    order = _checked(request, found)
    found.check_open()
    batch = next_id()
    await place(transaction, batch, order, viewer.actor)
    return Done({"batch": batch})


async def _resend(transaction: Transaction, viewer: Viewer, batch: UUID, to: str | None) -> Done[None]:
    connection, organisation = transaction.connection, transaction.organisation
    row = await db.lock(connection, organisation, batch, wait=False)
    if row is None and await db.get(connection, organisation, [batch]):
        raise Conflict(text("batch_under_way"), retry_after=5)
    if row is None:
        raise NotFound(("batchId",), text("unknown_batch"))
    if row.state in JOBS and await is_queued(connection, set(JOBS.values()), _payload(organisation, batch)):
        raise Conflict(text("batch_under_way"), retry_after=5)
    again = await _taken_up(connection, row, to)
    await db.take_up(connection, organisation, batch, again)
    details: dict[str, object] = {"destination": again.destination, "state": again.state}
    await record(transaction, viewer.actor, "resendCodeBatch", "CodeBatch", batch, details)
    await set_going(connection, organisation, batch, again.state)
    transaction.changed.add(batch)
    return Done({"batch": batch})


def _payload(organisation: UUID, batch: UUID) -> bytes:
    return organisation.bytes + batch.bytes


async def _taken_up(connection: AsyncConnection, batch: Batch, to: str | None) -> db.BatchResumption:
    """How a batch goes on: what it lacks is made, then its list is mailed where that is wanted."""
    wants_mail = batch.state is BatchState.DONE or to is not None
    document_type = DocumentType.EMAIL_WITH_CODE_LIST if wants_mail else batch.document_type
    contact = await db.contact_facts(connection, batch.organisation, batch.contact)
    given = to if to is not None else batch.destination
    address, problems = destination(given, contact.email if contact else None, document_type)
    if problems:
        raise InvalidInput(problems)
    state = BatchState.SENDING if batch.is_complete else BatchState.PENDING
    return db.BatchResumption(state, address, document_type)


def _checked(request: BatchRequest, found: CodeReceiver) -> db.NewBatch:
    """What is to be made. Raises InvalidInput with every problem."""
    problems = Problems()
    problems.extend(found.problems())
    if not 1 <= request.quantity <= MOST_CODES:
        problems.add(("quantity",), text("quantity_of_codes", most=MOST_CODES))
    address, wrong = destination(request.destination, found.contact.email, request.document_type)
    problems.extend(wrong)
    problems.extend(remark_problems(request.remark))
    problems.check()
    return db.NewBatch(
        offer=request.offer,
        contact=found.contact_id,
        quantity=request.quantity,
        destination=address,
        document_type=request.document_type,
        language=request.language,
        remark=request.remark or None,
    )
