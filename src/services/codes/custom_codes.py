"""The codes that staff choose for a promotional code, and the one that they chose for an advantage's partner."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from db.codes import chosen_codes as db
from db.codes.chosen_codes import ChosenCode, StoredCode
from db.codes.codes import CodeKind, CodeStatus
from db.core.ids import next_id
from db.core.keyset import Page
from db.core.sessions import Sessions
from db.offers import offers as db_offers
from db.offers.offers import OfferKind
from services.access.audit import record
from services.codes.checks import check_alive, check_free, check_max_uses
from services.codes.format import check_chosen, check_entered, normalise, tidied
from services.core.errors import Conflict, NotFound
from services.core.problems import Problems
from services.core.retries.idempotency import IdempotentRequest
from services.core.texts import text
from services.core.transactions import Done, Overtaken, Transaction, Transactions
from services.core.unset import UNSET, Given
from services.core.viewer import StaffRole, Viewer
from services.pricing.facts.offers import OfferState


@dataclass(frozen=True, slots=True)
class CustomCode:
    """A chosen code as it is shown to staff; ``uses`` counts the orders and baskets that use it, ``max_uses`` limits
    them.
    """

    id: UUID
    code: str
    status: CodeStatus
    max_uses: int | None
    uses: int

    @property
    def active(self) -> bool:
        return self.status is CodeStatus.AVAILABLE


class CustomCodes:
    """Use cases of chosen codes. Changes raise Forbidden, InvalidInput, NotFound, and Conflict where the offer is
    closed; they answer the promotional code's id, and neither need nor move its version.
    """

    def __init__(self, sessions: Sessions, transactions: Transactions) -> None:
        self._sessions = sessions
        self._transactions = transactions

    async def add(
        self, viewer: Viewer, offer: UUID, code: str, max_uses: int | None, now: datetime, key: str | None = None
    ) -> UUID:
        """Adds a code to a promotional code, which its customers may enter at once if it runs."""
        viewer.require_role(StaffRole.CATALOGUE)
        once = IdempotentRequest(viewer, key, "addCustomCode", (offer, code, max_uses))
        return (await self._transactions.once(once, now, _add, viewer, offer, code, max_uses)).answer["offer"]

    async def update(
        self,
        viewer: Viewer,
        offer: UUID,
        code: str,
        now: datetime,
        *,
        active: bool | None,
        max_uses: Given[int],
        key: str | None = None,
    ) -> UUID:
        """Switches a code off or on, or changes how many orders may use it, never below what has.

        Baskets that use a code that is switched off keep their price until they expire, as with a suspended offer. A
        code that was invalidated stays so: Conflict.
        """
        viewer.require_role(StaffRole.CATALOGUE)
        once = IdempotentRequest(viewer, key, "updateCustomCode", (offer, code, active, max_uses))
        done = await self._transactions.once(once, now, _update, viewer, offer, code, active, max_uses)
        return done.answer["offer"]

    async def of_promotional_codes(
        self, viewer: Viewer, offers: Collection[UUID], page: Page
    ) -> dict[UUID, list[CustomCode]]:
        """Of each that page of its custom codes, in the order of their making; for staff alone, nothing for others."""
        codes: dict[UUID, list[CustomCode]] = {}
        if viewer.reads_records:
            async with self._sessions.reading() as connection:
                for stored in await db.custom_pages(connection, viewer.organisation_id, offers, page):
                    codes.setdefault(stored.chosen.offer_id, []).append(_shown(stored))
        return codes

    async def of_advantages(self, viewer: Viewer, offers: Collection[UUID]) -> dict[UUID, str]:
        """The access code of each that has one; for staff alone, nothing for others."""
        if not viewer.reads_records:
            return {}
        async with self._sessions.reading() as connection:
            found = await db.access_codes(connection, viewer.organisation_id, offers)
        return {each.chosen.offer_id: _text(each.chosen) for each in found if each.chosen.is_active}


async def _add(transaction: Transaction, viewer: Viewer, offer: UUID, code: str, max_uses: int | None) -> Done[None]:
    await _lock(transaction, offer)
    await _check_new(transaction, offer, code, max_uses)
    chosen = ChosenCode(
        next_id(), normalise(code), tidied(code), CodeKind.CUSTOM, offer, max_uses, CodeStatus.AVAILABLE
    )
    if not await db.add(transaction.connection, transaction.organisation, chosen):
        raise Overtaken
    transaction.changed.add(offer)
    await _record(transaction, viewer, "addCustomCode", chosen)
    return Done({"offer": offer})


async def _update(
    transaction: Transaction, viewer: Viewer, offer: UUID, code: str, active: bool | None, max_uses: Given[int]
) -> Done[None]:
    await _lock(transaction, offer)
    stored = await _locked(transaction, offer, code, max_uses)
    wanted = _switched(stored.chosen, active, viewer, transaction.now)
    if max_uses is not UNSET:
        _check_uses(max_uses, stored.uses)
        wanted = replace(wanted, max_uses=max_uses)
    if wanted != stored.chosen:
        await db.save(transaction.connection, transaction.organisation, [wanted])
        transaction.changed.add(offer)
        await _record(transaction, viewer, "updateCustomCode", wanted)
    return Done({"offer": offer})


async def _lock(transaction: Transaction, offer: UUID) -> None:
    """Keeps the promotional code from all other changes."""
    found = await db_offers.lock(transaction.connection, transaction.organisation, offer)
    if found is None or found[0].kind is not OfferKind.PROMOTIONAL_CODE:
        raise NotFound(("promotionalCodeId",), text("unknown_offer"))
    if found[0].state == OfferState.CLOSED:
        raise Conflict(text("offer_closed"), state=found[0].state)


async def _check_new(transaction: Transaction, offer: UUID, code: str, max_uses: int | None) -> None:
    problems = Problems()
    reason = check_chosen(code)
    problems.refuse(("code",), reason)
    if reason is None:
        for taken in await db.with_text(transaction.connection, transaction.organisation, [normalise(code)]):
            if taken.chosen.offer_id == offer:
                problems.add(("code",), text("custom_code_exists", code=code))
            else:
                problems.refuse(("code",), check_free(code, taken, offer, CodeKind.CUSTOM))
    problems.refuse(("maxUses",), check_max_uses(max_uses, 0))
    problems.check()


async def _locked(transaction: Transaction, offer: UUID, code: str, max_uses: Given[int]) -> StoredCode:
    """The promotional code's own code, its uses counted where it is about to get a maximum."""
    connection, organisation = transaction.connection, transaction.organisation
    found = await db.with_text(connection, organisation, [normalise(code)] if check_entered(code) is None else [])
    own = [each.chosen for each in found if each.chosen.offer_id == offer and each.chosen.kind is CodeKind.CUSTOM]
    if not own:
        raise NotFound(("code",), text("unknown_code"))
    is_first = isinstance(max_uses, int) and own[0].max_uses is None
    if is_first:
        await db.count_uses(connection, organisation, own[0].id)
    stored = await db.lock(connection, organisation, own[0].id)
    if (stored.chosen.max_uses is None) is not (own[0].max_uses is None):
        raise Overtaken
    return stored


def _check_uses(max_uses: int | None, used: int) -> None:
    """Raises InvalidInput for a maximum below what is used."""
    problems = Problems()
    problems.refuse(("maxUses",), check_max_uses(max_uses, used))
    problems.check()


def _switched(code: ChosenCode, active: bool | None, viewer: Viewer, now: datetime) -> ChosenCode:
    if active is None or active is code.is_active:
        return code
    if active:
        reason = check_alive(_text(code), code)
        if reason is not None:
            raise Conflict(reason, state=code.status)
        return replace(code, status=CodeStatus.AVAILABLE, invalidated_at=None, invalidated_by=None)
    if code.is_gone:
        return code
    return replace(code, status=CodeStatus.SWITCHED_OFF, invalidated_at=now, invalidated_by=viewer.actor)


async def _record(transaction: Transaction, viewer: Viewer, action: str, code: ChosenCode) -> None:
    details: dict[str, object] = {"code": code.shown, "active": code.is_active, "maxUses": code.max_uses}
    await record(transaction, viewer.actor, action, "PromotionalCode", code.offer_id, details)


def _shown(stored: StoredCode) -> CustomCode:
    code = stored.chosen
    return CustomCode(code.id, _text(code), code.status, code.max_uses, stored.uses)


def _text(code: ChosenCode) -> str:
    return code.shown or code.code
