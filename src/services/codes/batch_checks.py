"""What must hold of an offer, a contact and an address before codes are made or taken in (docs/domain.md, Codes)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes import batches as db
from db.codes import codes as db_codes
from db.codes.batches import DocumentType, ReceiverFacts
from db.offers import offers as db_offers
from db.offers.offers import OfferNature
from services.catalogue.offer_details import OfferKind
from services.core.errors import Conflict, NotFound, Problem
from services.core.mail import plain_address
from services.core.text_checks import is_writable
from services.core.texts import text
from services.pricing.facts.offers import OfferState, TargetType

MOST_CODES: Final = 5_000_000
LONGEST_REMARK: Final = 1_000


@dataclass(frozen=True, slots=True)
class CodeReceiver:
    """The offer that codes are wanted of and the contact that gets them, both of the organisation."""

    offer: OfferNature
    contact: ReceiverFacts
    takes_codes: bool

    def problems(self) -> Iterator[Problem]:
        """What keeps the two from having codes, whatever the state of the offer."""
        if not self.takes_codes:
            yield Problem(("offerId",), text("offer_takes_no_codes"))
        if self.contact.kind != "STRUCTURE":
            yield Problem(("contactId",), text("contact_is_no_structure"))

    def check_open(self) -> None:
        """Raises Conflict where the offer is CLOSED; in any other state it takes codes, which work once it runs."""
        if self.offer.state == OfferState.CLOSED:
            raise Conflict(text("offer_closed"))


async def receiver(connection: AsyncConnection, organisation: UUID, offer: UUID, contact: UUID) -> CodeReceiver:
    """Who is to have codes. What is found of the offer holds until the transaction ends: neither a chosen code nor
    another target comes in between. Raises NotFound.
    """
    found = await db_offers.hold(connection, organisation, offer)
    if found is None:
        raise NotFound(("offerId",), text("unknown_offer"))
    facts = await db.contact_facts(connection, organisation, contact)
    if facts is None:
        raise NotFound(("contactId",), text("unknown_contact"))
    if found.kind == OfferKind.ADVANTAGE:
        return CodeReceiver(found, facts, found.target_type == TargetType.SINGLE_USE_CODE)
    # A promotional code is entered by codes that were chosen or by random ones, not by both.
    return CodeReceiver(found, facts, not await db_codes.has_custom(connection, organisation, offer))


def destination(
    given: str | None, own: str | None, document_type: DocumentType
) -> tuple[str | None, tuple[Problem, ...]]:
    """Where a mail goes: the ``given`` address, else the contact's ``own``; and what is wrong with that."""
    entered = own if given is None else given
    if entered is None:
        is_wanted = document_type is not DocumentType.NO_EMAIL
        return None, (Problem(("destination",), text("no_mail_address")),) if is_wanted else ()
    address = plain_address(entered)
    return address, () if address else (Problem(("destination",), text("not_a_mail_address")),)


def remark_problems(remark: str | None) -> Iterator[Problem]:
    """What a database or a mail could not take of a remark."""
    if remark and not is_writable(remark, most=LONGEST_REMARK):
        yield Problem(("remark",), text("remark_unusable", most=LONGEST_REMARK))
