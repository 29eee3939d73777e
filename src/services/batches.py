"""Batches: asking for codes to be made, and watching them being made (docs/domain.md, Codes)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import audit
from db import batches as db
from db import codes as db_codes
from db.batches import Batch, BatchState, ContactFacts, DocumentType
from db.ids import new_id
from db.queue import enqueue
from db.sessions import Sessions
from services.catalogue import Catalogues
from services.errors import Conflict, InvalidInput, NotFound, Problem
from services.free_text import is_writable
from services.idempotency import Answer, Once
from services.links import Links
from services.mail import plain_address
from services.pricing.facts import Advantage, Offer, OfferState, SingleUseTarget
from services.shares import may_follow, share_of
from services.texts import Language, text
from services.transactions import Transactions
from services.viewer import StaffRole, Viewer

__all__ = ["Batch", "BatchRequest", "BatchState", "Batches", "DocumentType", "place"]

MOST_CODES: Final = 5_000_000
LONGEST_REMARK: Final = 1_000
JOB: Final = "batch"
"""The queue's name for the work on a batch. Its payload is the organisation's and the batch's id."""


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Codes wanted of an offer for a structure contact; ``destination`` None is the contact's own mail address."""

    offer: UUID
    contact: UUID
    quantity: int
    destination: str | None = None
    document_type: DocumentType = DocumentType.EMAIL_WITH_CODE_LIST
    language: Language = Language.FR
    remark: str | None = None


class Batches:
    """Use cases of batches."""

    def __init__(self, sessions: Sessions, catalogues: Catalogues, transactions: Transactions, links: Links) -> None:
        self._sessions = sessions
        self._catalogues = catalogues
        self._transactions = transactions
        self._links = links

    async def request(self, viewer: Viewer, request: BatchRequest, key: str | None = None) -> UUID:
        """Has codes made, in a worker, and mailed where wanted; the new batch's id.

        Codes are as good as money: the organisation's staff make them, partners ask for them. An offer in any state
        but CLOSED takes codes, which work once it runs. Raises Forbidden, NotFound, InvalidInput with every problem,
        Conflict.
        """
        viewer.require_role(StaffRole.CODES)
        organisation = viewer.organisation_id
        catalogue = await self._catalogues.current(organisation)
        once = Once(viewer, key, "generateCodes", request)

        async def attempt(connection: AsyncConnection, changed: set[UUID]) -> Answer:
            offer = catalogue.offers.get(request.offer)
            contact = await db.contact_facts(connection, organisation, request.contact)
            if offer is None:
                raise NotFound(("offerId",), text("unknown_offer"))
            if contact is None:
                raise NotFound(("contactId",), text("unknown_contact"))
            has_custom_codes = await db_codes.has_custom(connection, organisation, offer.id)
            order = _checked(request, contact, takes_codes=_takes_codes(offer, has_custom_codes=has_custom_codes))
            if offer.state is OfferState.CLOSED:
                raise Conflict(text("offer_closed"))
            batch = new_id()
            await place(connection, organisation, batch, order, viewer.actor)
            return {"batch": batch}

        return (await self._transactions.once(organisation, once, attempt))["batch"]

    async def find(self, viewer: Viewer, ids: Collection[UUID]) -> dict[UUID, Batch]:
        """The batches among ``ids`` that the viewer may see: of a partner its own, of shoppers and contacts none."""
        if not may_follow(viewer):
            return {}
        async with self._sessions.reading() as connection:
            return await db.get(connection, viewer.organisation_id, ids, contact=share_of(viewer))

    def csv_url(self, batch: Batch, now: datetime) -> str | None:
        """Where the list of the batch's codes can be downloaded for a week; None until all of them exist."""
        return self._links.to_batch_csv(batch.organisation, batch.id, now) if batch.is_complete else None


async def place(connection: AsyncConnection, organisation: UUID, batch: UUID, order: db.Order, actor: str) -> None:
    """Adds a batch and the job that makes its codes, in the caller's transaction: neither is ever without the other."""
    await db.add(connection, organisation, batch, order, actor)
    details: dict[str, object] = {
        "offer": str(order.offer),
        "contact": str(order.contact),
        "quantity": order.quantity,
        "destination": order.destination,
    }
    await audit.record(connection, organisation, audit.Entry(actor, "generateCodes", "CodeBatch", batch, details))
    await enqueue(connection, JOB, organisation.bytes + batch.bytes)


def _takes_codes(offer: Offer, *, has_custom_codes: bool) -> bool:
    """A promotional code is entered by codes that were chosen or by random ones, not by both."""
    if isinstance(offer, Advantage):
        return isinstance(offer.target, SingleUseTarget)
    return not has_custom_codes


def _checked(request: BatchRequest, contact: ContactFacts, *, takes_codes: bool) -> db.Order:
    """What is to be made. Raises InvalidInput with every problem."""
    problems = []
    if not takes_codes:
        problems.append(Problem(("offerId",), text("offer_takes_no_codes")))
    if contact.kind != "STRUCTURE":
        problems.append(Problem(("contactId",), text("contact_is_no_structure")))
    if not 1 <= request.quantity <= MOST_CODES:
        problems.append(Problem(("quantity",), text("quantity_of_codes", most=MOST_CODES)))
    given = request.destination if request.destination is not None else contact.email
    destination = None if given is None else plain_address(given)
    if given is not None and destination is None:
        problems.append(Problem(("destination",), text("not_a_mail_address")))
    if given is None and request.document_type is not DocumentType.NO_EMAIL:
        problems.append(Problem(("destination",), text("no_mail_address")))
    remark = request.remark or None
    if remark is not None and not is_writable(remark, most=LONGEST_REMARK):
        problems.append(Problem(("remark",), text("remark_unusable", most=LONGEST_REMARK)))
    if problems:
        raise InvalidInput(problems)
    return db.Order(
        offer=request.offer,
        contact=request.contact,
        quantity=request.quantity,
        destination=destination,
        document_type=request.document_type,
        language=request.language,
        remark=remark,
    )
