"""The codes that staff choose for a promotional code, and the one that they chose for an advantage's partner."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.access import audit
from db.codes import chosen_codes as db
from db.codes.chosen_codes import ChosenCode, StoredCode
from db.codes.codes import CodeKind, CodeStatus
from db.core.ids import new_id
from db.core.sessions import Sessions
from db.offers import offers as db_offers
from services.catalogue.offer_details import OfferKind
from services.codes.checks import check_alive, check_free, check_max_uses
from services.codes.format import check_chosen, check_entered, normalise
from services.core.errors import Conflict, NotFound
from services.core.idempotency import Answer, IdempotentRequest
from services.core.problems import Problems
from services.core.texts import text
from services.core.transactions import Overtaken, Transactions
from services.core.unset import UNSET, Given
from services.core.viewer import StaffRole, Viewer
from services.pricing.facts.offers import OfferState


@dataclass(frozen=True, slots=True)
class CustomCode:
    """A chosen code as it is shown to staff; ``uses`` counts the orders and baskets that use it, ``max_uses`` limits
    them.
    """

    code: str
    active: bool
    max_uses: int | None
    uses: int


class CustomCodes:
    """Use cases of chosen codes. Changes raise Forbidden, InvalidInput, NotFound, and Conflict where the offer is
    closed; they answer the promotional code's id, and neither need nor move its version.
    """

    def __init__(self, sessions: Sessions, transactions: Transactions) -> None:
        self._sessions = sessions
        self._transactions = transactions

    async def add(self, viewer: Viewer, offer: UUID, code: str, max_uses: int | None, key: str | None = None) -> UUID:
        """Adds a code to a promotional code, which its customers may enter at once if it runs."""
        viewer.require_role(StaffRole.CATALOGUE)

        async def attempt(connection: AsyncConnection, changed: set[UUID]) -> Answer:
            await self._lock(connection, viewer, offer)
            ready = await db_offers.readiness(connection, viewer.organisation_id, offer, None)
            if ready.has_batches:
                raise Conflict(text("offer_has_random_codes"))
            await self._check_new(connection, viewer, offer, code, max_uses)
            chosen = ChosenCode(new_id(), normalise(code), code, CodeKind.CUSTOM, offer, max_uses, CodeStatus.AVAILABLE)
            if not await db.add(connection, viewer.organisation_id, chosen):
                raise Overtaken
            await _record(connection, viewer, once.operation, chosen)
            return {"offer": offer}

        once = IdempotentRequest(viewer, key, "addCustomCode", (offer, code, max_uses))
        return (await self._transactions.once(viewer.organisation_id, once, attempt))["offer"]

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

        async def attempt(connection: AsyncConnection, changed: set[UUID]) -> Answer:
            await self._lock(connection, viewer, offer)
            stored = await self._locked(connection, viewer, offer, code, max_uses)
            wanted = _switched(stored.chosen, active, viewer, now)
            if max_uses is not UNSET:
                _check_uses(max_uses, stored.uses)
                wanted = replace(wanted, max_uses=max_uses)
            if wanted != stored.chosen:
                await db.save(connection, viewer.organisation_id, [wanted])
                await _record(connection, viewer, once.operation, wanted)
            return {"offer": offer}

        once = IdempotentRequest(viewer, key, "updateCustomCode", (offer, code, active, max_uses))
        return (await self._transactions.once(viewer.organisation_id, once, attempt))["offer"]

    async def of_promotional_codes(self, viewer: Viewer, offers: Collection[UUID]) -> dict[UUID, list[CustomCode]]:
        """The custom codes of each, in the order of their making; for staff alone, nothing for others."""
        codes: dict[UUID, list[CustomCode]] = {}
        if _may_see(viewer):
            async with self._sessions.reading() as connection:
                for stored in await db.custom_codes(connection, viewer.organisation_id, offers):
                    codes.setdefault(stored.chosen.offer_id, []).append(_shown(stored))
        return codes

    async def of_advantages(self, viewer: Viewer, offers: Collection[UUID]) -> dict[UUID, str]:
        """The access code of each that has one; for staff alone, nothing for others."""
        if not _may_see(viewer):
            return {}
        async with self._sessions.reading() as connection:
            found = await db.access_codes(connection, viewer.organisation_id, offers)
        return {each.chosen.offer_id: _text(each.chosen) for each in found if each.chosen.is_active}

    async def _lock(self, connection: AsyncConnection, viewer: Viewer, offer: UUID) -> None:
        """Keeps the promotional code from all other changes."""
        found = await db_offers.lock(connection, viewer.organisation_id, offer)
        if found is None or found[0].kind != OfferKind.PROMOTIONAL_CODE:
            raise NotFound(("promotionalCodeId",), text("unknown_offer"))
        if found[0].state == OfferState.CLOSED:
            raise Conflict(text("offer_closed"))

    async def _check_new(
        self, connection: AsyncConnection, viewer: Viewer, offer: UUID, code: str, max_uses: int | None
    ) -> None:
        problems = Problems()
        reason = check_chosen(code)
        problems.refuse(("code",), reason)
        if reason is None:
            for taken in await db.with_text(connection, viewer.organisation_id, [normalise(code)]):
                if taken.chosen.offer_id == offer:
                    problems.add(("code",), text("custom_code_exists", code=code))
                else:
                    problems.refuse(("code",), check_free(code, taken.chosen, offer, CodeKind.CUSTOM))
        problems.refuse(("maxUses",), check_max_uses(max_uses, 0))
        problems.check()

    async def _locked(
        self, connection: AsyncConnection, viewer: Viewer, offer: UUID, code: str, max_uses: Given[int]
    ) -> StoredCode:
        """The promotional code's own code, its uses counted where it is about to get a maximum."""
        organisation = viewer.organisation_id
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
            raise Conflict(reason)
        return replace(code, status=CodeStatus.AVAILABLE, invalidated_at=None, invalidated_by=None)
    return replace(code, status=CodeStatus.INVALIDATED, invalidated_at=now, invalidated_by=viewer.actor)


async def _record(connection: AsyncConnection, viewer: Viewer, action: str, code: ChosenCode) -> None:
    details: dict[str, object] = {"code": code.shown, "active": code.is_active, "maxUses": code.max_uses}
    entry = audit.NewAuditEntry(viewer.actor, action, "PromotionalCode", code.offer_id, details)
    await audit.record(connection, viewer.organisation_id, entry)


def _may_see(viewer: Viewer) -> bool:
    return bool(viewer.is_staff and viewer.roles)


def _shown(stored: StoredCode) -> CustomCode:
    return CustomCode(_text(stored.chosen), stored.chosen.is_active, stored.chosen.max_uses, stored.uses)


def _text(code: ChosenCode) -> str:
    return code.shown or code.code
