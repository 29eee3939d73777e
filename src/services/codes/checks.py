"""What must hold before codes are made, taken in or chosen, from wherever that is asked (docs/domain.md, Codes)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.codes import batches as db
from db.codes.batches import DocumentType, ReceiverFacts
from db.codes.chosen_codes import ChosenCode, StoredCode
from db.codes.codes import CodeKind
from db.contacts import contacts as db_contacts
from db.contacts.contacts import ContactKind
from db.offers import offers as db_offers
from db.offers.offers import OfferKind, OfferNature
from services.core.errors import Conflict, NotFound, Problem
from services.core.mail import plain_address
from services.core.text_checks import check_note
from services.core.texts import Text, text
from services.pricing.facts.offers import OfferState, TargetType

MOST_CODES: Final = 5_000_000
LONGEST_REMARK: Final = 1_000


@dataclass(frozen=True, slots=True)
class CodeReceiver:
    """The offer that codes are wanted of and the contact that gets them, both of the organisation.

    ``is_named``: somebody has said who the contact is; else the codes are the organisation's own.
    """

    offer: OfferNature
    contact_id: UUID
    contact: ReceiverFacts
    is_named: bool

    def problems(self) -> Iterator[Problem]:
        """What keeps the two from having codes, whatever the state of the offer."""
        offer = self.offer
        reason = check_takes_codes(offer.kind, offer.target_type)
        if reason is not None:
            yield Problem(("offerId",), reason)
        reason = check_written_for(offer.kind, has_contact=self.is_named)
        if reason is not None:
            yield Problem(("contactId",), reason)
        reason = check_structure(self.contact.kind)
        if reason is not None:
            yield Problem(("contactId",), reason)

    def check_open(self) -> None:
        """Raises Conflict where the offer is CLOSED; in any other state it takes codes, which work once it runs."""
        if self.offer.state == OfferState.CLOSED:
            raise Conflict(text("offer_closed"), state=self.offer.state)


async def receiver(connection: AsyncConnection, organisation: UUID, offer: UUID, contact: UUID | None) -> CodeReceiver:
    """Who is to have codes, the organisation itself where nobody is named. What is found of the offer holds until the
    transaction ends: no other target comes in between. Raises NotFound.
    """
    found = await db_offers.hold(connection, organisation, offer)
    if found is None:
        raise NotFound(("offerId",), text("unknown_offer"))
    key = await db_contacts.house(connection, organisation) if contact is None else contact
    facts = await db.contact_facts(connection, organisation, key)
    if facts is None:
        raise NotFound(("contactId",), text("unknown_contact"))
    return CodeReceiver(found, key, facts, is_named=contact is not None)


def check_takes_codes(kind: OfferKind, target_type: str | None) -> Text | None:
    """An advantage takes codes that are made or taken in where single-use codes open it; a promotional code does, side
    by side with those that are chosen.
    """
    takes_codes = kind is OfferKind.PROMOTIONAL_CODE or target_type == TargetType.SINGLE_USE_CODE
    return None if takes_codes else text("offer_takes_no_codes")


def check_written_for(kind: OfferKind, *, has_contact: bool) -> Text | None:
    """An advantage's codes are somebody's, who gives them to others; those of a promotional code may be nobody's."""
    return None if has_contact or kind is OfferKind.PROMOTIONAL_CODE else text("structure_missing")


def check_structure(kind: ContactKind) -> Text | None:
    """Codes are made for a contact that is a structure."""
    return None if kind is ContactKind.STRUCTURE else text("contact_is_no_structure")


def check_free(shown: str, found: StoredCode | None, offer: UUID | None, kind: CodeKind) -> Text | None:
    """A code that is chosen for an offer is nobody's yet in the organisation, or a CLOSED offer's, or the offer's own
    and of this kind.

    ``found`` is what there is with the same text already, ``offer`` None one that is new.
    """
    if found is None or found.is_free or (found.chosen.offer_id == offer and found.chosen.kind is kind):
        return None
    return text("code_taken", code=shown)


def check_alive(shown: str, found: ChosenCode | None) -> Text | None:
    """A code that is switched on was not invalidated for good."""
    return text("code_gone", code=shown) if found is not None and found.is_gone else None


def check_max_uses(max_uses: int | None, used: int) -> Text | None:
    """A maximum of uses is one or more, and not below what is used; ``used`` counts where there is a maximum."""
    if max_uses is None or max_uses >= max(1, used):
        return None
    return text("number_too_small", ge=1) if max_uses < 1 else text("below_taken", taken=used)


def check_address(document_type: DocumentType, *, has_address: bool) -> Text | None:
    """A mail that is wanted has somewhere to go."""
    return None if has_address or document_type is DocumentType.NO_EMAIL else text("no_mail_address")


def destination(
    given: str | None, own: str | None, document_type: DocumentType
) -> tuple[str | None, tuple[Problem, ...]]:
    """Where a mail goes: the ``given`` address, else the contact's ``own``; and what is wrong with that."""
    entered = own if given is None else given
    if entered is None:
        reason = check_address(document_type, has_address=False)
        return None, () if reason is None else (Problem(("destination",), reason),)
    address = plain_address(entered)
    return address, () if address else (Problem(("destination",), text("not_a_mail_address")),)


def remark_problems(remark: str | None) -> Iterator[Problem]:
    """What a database or a mail could not take of a remark."""
    if remark and (reason := check_note(remark, LONGEST_REMARK)):
        yield Problem(("remark",), reason)
