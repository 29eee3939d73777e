"""Configuring offers: making them, changing them, and taking them from state to state (docs/domain.md, Offers)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from db.core.ids import next_id
from services.catalogue.catalogues import Catalogues
from services.catalogue.offer_details import OfferDetails
from services.catalogue.snapshot import Catalogue
from services.codes.access_codes import AccessCodeExchange
from services.core.errors import Conflict, NotFound
from services.core.expiry import end_holding
from services.core.problems import Problems
from services.core.retries.idempotency import IdempotentRequest
from services.core.texts import text
from services.core.transactions import Done, Transaction, Transactions
from services.core.viewer import StaffRole, Viewer
from services.offers.change import OfferChange
from services.offers.copying import CopyRequest, check_copy, copied
from services.offers.editing import Editor
from services.offers.forms import AdvantageDraft, LimitsDraft, NewAdvantage, NewPromotion, OfferDraft, PromotionDraft
from services.offers.saving import save
from services.offers.states import FOLLOWING, NEEDS_TO_BE_COMPLETE, fixed_changes, missing
from services.pricing.facts.offers import Advantage, OfferState, PromotionalCode

Make = Callable[[Editor, UUID], OfferDetails]
Edit = Callable[[Editor, OfferDetails], OfferDetails]


class Configuration:
    """Use cases of staff who configure offers; each change is one transaction and leaves an audit entry.

    They answer the offer's id, and raise Forbidden, InvalidInput with every problem, NotFound, and Conflict: where the
    offer's state does not allow a change, or where somebody has changed the offer since its ``expected_version``.
    """

    def __init__(self, catalogues: Catalogues, transactions: Transactions) -> None:
        self._catalogues = catalogues
        self._transactions = transactions

    async def create_advantage(self, viewer: Viewer, new: NewAdvantage, now: datetime, key: str | None = None) -> UUID:
        """A new advantage, a DRAFT."""
        once = IdempotentRequest(viewer, key, "createAdvantage", new)
        return await self._create(viewer, once, new.draft, lambda editor, offer: editor.new_advantage(offer, new), now)

    async def create_promotional_code(
        self, viewer: Viewer, new: NewPromotion, now: datetime, key: str | None = None
    ) -> UUID:
        """A new promotional code, a DRAFT that has no codes to enter yet."""
        once = IdempotentRequest(viewer, key, "createPromotionalCode", new)
        return await self._create(viewer, once, new.draft, lambda editor, offer: editor.new_promotion(offer, new), now)

    async def update_advantage(
        self,
        viewer: Viewer,
        offer: UUID,
        draft: AdvantageDraft,
        now: datetime,
        *,
        expected_version: int | None = None,
        key: str | None = None,
    ) -> UUID:
        """Changes what the draft gives, of the advantage as it is by then; everything else stays."""

        def edit(editor: Editor, before: OfferDetails) -> OfferDetails:
            if not isinstance(before.offer, Advantage):
                raise NotFound(("id",), text("unknown_offer"))
            return editor.advantage(before, before.offer, draft)

        once = IdempotentRequest(viewer, key, "updateAdvantage", (offer, draft, expected_version))
        return await self._update(viewer, once, offer, draft, edit, now, expected_version)

    async def update_promotional_code(
        self,
        viewer: Viewer,
        offer: UUID,
        draft: PromotionDraft,
        now: datetime,
        *,
        expected_version: int | None = None,
        key: str | None = None,
    ) -> UUID:
        """Changes what the draft gives, of the promotional code as it is by then; everything else stays."""

        def edit(editor: Editor, before: OfferDetails) -> OfferDetails:
            if not isinstance(before.offer, PromotionalCode):
                raise NotFound(("id",), text("unknown_offer"))
            return editor.promotion(before, before.offer, draft)

        once = IdempotentRequest(viewer, key, "updatePromotionalCode", (offer, draft, expected_version))
        return await self._update(viewer, once, offer, draft, edit, now, expected_version)

    async def change_state(
        self,
        viewer: Viewer,
        offer: UUID,
        state: OfferState,
        now: datetime,
        *,
        expected_version: int | None = None,
        key: str | None = None,
    ) -> UUID:
        """Takes an offer to a state that follows its own.

        To VALIDATED, and to RUNNING again, only where nothing is missing: InvalidInput lists everything that is.
        """
        catalogue = await self._begin(viewer)
        once = IdempotentRequest(viewer, key, "changeOfferState", (offer, state, expected_version))
        done = await self._transactions.once(
            once, now, _change_state, viewer, catalogue, offer, state, expected_version, once.operation
        )
        return done.answer["offer"]

    async def copy(self, viewer: Viewer, request: CopyRequest, now: datetime, key: str | None = None) -> UUID:
        """The same offer once more, whatever its state: a DRAFT under a code of its own, without codes to enter, in
        another season where one is named.
        """
        catalogue = await self._begin(viewer)
        once = IdempotentRequest(viewer, key, "copyOffer", request)
        return (await self._transactions.once(once, now, _copy, viewer, catalogue, request)).answer["offer"]

    async def _create(
        self, viewer: Viewer, once: IdempotentRequest, draft: OfferDraft, make: Make, now: datetime
    ) -> UUID:
        catalogue = await self._begin(viewer)
        done = await self._transactions.once(once, now, _create, viewer, catalogue, draft, make, once.operation)
        return done.answer["offer"]

    async def _update(
        self,
        viewer: Viewer,
        once: IdempotentRequest,
        offer: UUID,
        draft: OfferDraft,
        edit: Edit,
        now: datetime,
        expected_version: int | None,
    ) -> UUID:
        catalogue = await self._begin(viewer)
        if isinstance(draft.limits, LimitsDraft):
            # What baskets past their time hold is not taken.
            await self._transactions.run(viewer.organisation_id, now, end_holding, [offer])
        change = _Update(viewer, catalogue, offer, draft, edit, expected_version, once.operation)
        return (await self._transactions.once(once, now, change.make)).answer["offer"]

    async def _begin(self, viewer: Viewer) -> Catalogue:
        viewer.require_role(StaffRole.CATALOGUE)
        # Before the transaction, which must not wait for another session while it has one.
        return await self._catalogues.current(viewer.organisation_id)


@dataclass(frozen=True, slots=True)
class _Update:
    """A change of an offer that somebody asked for."""

    viewer: Viewer
    catalogue: Catalogue
    offer: UUID
    draft: OfferDraft
    edit: Edit
    expected_version: int | None
    action: str

    async def make(self, transaction: Transaction) -> Done[None]:
        """Checks the change against the offer as it is now, and writes it."""
        draft, problems = self.draft, Problems(self.draft.unread)
        change = OfferChange(transaction, self.viewer, self.catalogue)
        before = await change.lock(self.offer, self.expected_version, ("id",))
        after = self.edit(Editor(self.catalogue, problems), before)
        exchange = await change.exchange(self.offer, draft, problems)
        _check_state(before, after, exchange)
        await change.check_contacts(draft, problems)
        await change.check_quotas(before, draft, problems)
        await change.check_readiness(before, after, exchange, problems)
        problems.check()
        if after != before or not exchange.is_nothing:
            after = replace(after, version=before.version + 1)
            await save(transaction, self.viewer, self.action, before, after, exchange)
        return Done({"offer": self.offer})


async def _create(
    transaction: Transaction, viewer: Viewer, catalogue: Catalogue, draft: OfferDraft, make: Make, action: str
) -> Done[None]:
    change, problems = OfferChange(transaction, viewer, catalogue), Problems(draft.unread)
    await change.begin()
    details = make(Editor(catalogue, problems), next_id())
    await change.check_code(details, problems)
    await change.check_contacts(draft, problems)
    exchange = await change.exchange(details.id, draft, problems)
    problems.check()
    await save(transaction, viewer, action, None, details, exchange)
    return Done({"offer": details.id})


async def _copy(transaction: Transaction, viewer: Viewer, catalogue: Catalogue, request: CopyRequest) -> Done[None]:
    change, problems = OfferChange(transaction, viewer, catalogue), Problems()
    original = await change.lock(request.offer, None, ("offerId",))
    check_copy(original, request, catalogue, problems)
    problems.check()
    details = copied(original, next_id(), request, catalogue)
    await change.check_code(details, problems)
    problems.check()
    await save(transaction, viewer, "copyOffer", None, details)
    return Done({"offer": details.id})


async def _change_state(
    transaction: Transaction,
    viewer: Viewer,
    catalogue: Catalogue,
    offer: UUID,
    state: OfferState,
    expected_version: int | None,
    action: str,
) -> Done[None]:
    change = OfferChange(transaction, viewer, catalogue)
    before = await change.lock(offer, expected_version, ("offerId",))
    if before.state is OfferState.CLOSED:
        raise Conflict(text("offer_closed"), state=before.state)
    if state not in FOLLOWING[before.state]:
        following = ", ".join(sorted(FOLLOWING[before.state]))
        said = text("state_does_not_follow", now=before.state, state=state, following=following)
        raise Conflict(said, state=before.state)
    if state in NEEDS_TO_BE_COMPLETE:
        problems = Problems()
        problems.extend(missing(before, catalogue, await change.readiness(before), transaction.now))
        problems.check()
    after = replace(before, offer=replace(before.offer, state=state), version=before.version + 1)
    await save(transaction, viewer, action, before, after)
    return Done({"offer": offer})


def _check_state(before: OfferDetails, after: OfferDetails, exchange: AccessCodeExchange) -> None:
    """Raises Conflict where the state that the offer is in does not allow the change."""
    if before.state is OfferState.CLOSED:
        raise Conflict(text("offer_closed"), state=before.state)
    fixed = fixed_changes(before, after)
    if not exchange.is_nothing and "target" not in fixed:
        fixed.append("target")
    if before.state is OfferState.RUNNING and fixed:
        raise Conflict(text("suspend_first", fields=", ".join(fixed)), state=before.state)
