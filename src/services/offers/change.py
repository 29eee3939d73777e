"""One change of an offer within its transaction: what it needs of the database, and what that says against it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.catalogue import catalogue as db_catalogue
from db.contacts import contacts as db_contacts
from db.offers import offers as db
from db.offers.limits import Limited
from db.offers.offers import WHOLE_OFFER, Readiness
from services.catalogue.offer_details import OfferDetails
from services.catalogue.offer_rows import from_row
from services.catalogue.snapshot import Catalogue
from services.codes import access_codes
from services.codes.access_codes import AccessCodeExchange
from services.core.errors import Conflict, NotFound, Path, VersionClash
from services.core.problems import Problems
from services.core.text_checks import is_readable
from services.core.texts import text
from services.core.transactions import Transaction
from services.core.viewer import Viewer
from services.offers.checks import check_new_target
from services.offers.forms import (
    AdvantageDraft,
    LimitsDraft,
    OfferDraft,
    PromotionDraft,
    RestrictionDraft,
    TargetDraft,
)
from services.offers.quotas import below_taken
from services.offers.states import missing, sells_the_same, without_tickets
from services.pricing.facts.offers import Advantage, CampaignTarget, OfferState

MOST_CONTACTS: Final = 10_000
"""Whom a promotional code is restricted to one by one; more of them are a campaign or an indicator."""


@dataclass(frozen=True, slots=True)
class OfferChange:
    """A change by ``viewer``; ``catalogue`` may be older than the offer that is locked."""

    transaction: Transaction
    viewer: Viewer
    catalogue: Catalogue

    @property
    def connection(self) -> AsyncConnection:
        return self.transaction.connection

    async def begin(self) -> None:
        """Moves the catalogue's version, first of all: loading does so too, and would otherwise meet us half-way."""
        await db_catalogue.touch(self.connection, self.transaction.organisation)

    async def lock(self, offer: UUID, expected_version: int | None, path: Path) -> OfferDetails:
        """The offer as it is now, kept from all other changes. Raises NotFound at ``path``, Conflict."""
        await self.begin()
        found = await db.lock(self.connection, self.transaction.organisation, offer)
        if found is None:
            raise NotFound(path, text("unknown_offer"))
        row, limits = found
        if row.campaign_id is not None and row.campaign_id not in self.catalogue.campaigns:
            raise Conflict(text("too_busy"), retry_after=1)
        if expected_version not in {None, row.version}:
            changed = text("offer_changed", version=row.version, expected=expected_version)
            raise VersionClash(changed, row.version)
        return from_row(row, limits, self.catalogue.campaigns)

    async def check_code(self, details: OfferDetails, problems: Problems) -> None:
        """An offer's code is its own among those of its kind."""
        if is_readable(details.code) and await db.has_code(
            self.connection, self.transaction.organisation, details.kind, details.code
        ):
            problems.add(("code",), text("offer_code_taken", code=details.code))

    async def check_contacts(self, draft: OfferDraft, problems: Problems) -> None:
        if not (isinstance(draft, PromotionDraft) and isinstance(draft.restriction, RestrictionDraft)):
            return
        wanted = draft.restriction.contacts
        if len(wanted) > MOST_CONTACTS:
            problems.add(("restrictedTo", "contactIds"), text("list_too_long", most=MOST_CONTACTS))
            return
        found = await db_contacts.find(self.connection, self.transaction.organisation, wanted)
        for position, contact in enumerate(wanted):
            if contact not in found:
                problems.add(("restrictedTo", "contactIds", str(position)), text("unknown_contact"))

    async def exchange(self, offer: UUID, draft: OfferDraft, problems: Problems) -> AccessCodeExchange:
        """What becomes of the advantage's access codes where its target is given."""
        if not (isinstance(draft, AdvantageDraft) and isinstance(draft.target, TargetDraft)):
            return AccessCodeExchange()
        return await access_codes.plan(self.transaction, self.viewer, offer, draft.target.access_code, problems)

    async def check_quotas(self, before: OfferDetails, draft: OfferDraft, problems: Problems) -> None:
        """No quota goes below what is taken of it; one that only rises needs no count."""
        if isinstance(draft.limits, LimitsDraft):
            stored = {(before.id, WHOLE_OFFER): before.quota} | {
                (before.id, each.element.id): each.limits.quota for each in before.offer.element_limits
            }
            lowered = {
                limited: (path, quota)
                for limited, path, quota in _quotas(before.id, draft.limits)
                if (known := stored.get(limited)) is None or quota < known
            }
            problems.extend(await below_taken(self.connection, self.transaction.organisation, lowered))

    async def check_readiness(
        self, before: OfferDetails, after: OfferDetails, exchange: AccessCodeExchange, problems: Problems
    ) -> None:
        """An offer that has been validated does not lose what it needs; one that lacked it may be changed still."""
        ready = await self.readiness(after)
        reason = check_new_target(before.target_type, after.target_type, has_codes=ready.has_batches)
        problems.refuse(("target",), reason)
        if before.state is not OfferState.DRAFT:
            catalogue, now = self.catalogue, self.transaction.now
            tickets = without_tickets(before.offer, catalogue, now)
            earlier = ready if _campaign(before) == _campaign(after) else await self.readiness(before)
            lacked = missing(before, catalogue, earlier, now, tickets)
            ready = replace(ready, has_codes=ready.has_codes or exchange.opens)
            known = tickets if sells_the_same(before.offer, after.offer) else None
            lacks = missing(after, catalogue, ready, now, known)
            problems.extend(problem for problem in lacks if problem not in lacked)

    async def readiness(self, details: OfferDetails) -> Readiness:
        organisation = self.transaction.organisation
        return await db.readiness(self.connection, organisation, details.id, _campaign(details))


def _campaign(details: OfferDetails) -> UUID | None:
    """The campaign whose target the offer is for."""
    target = details.offer.target if isinstance(details.offer, Advantage) else None
    return target.campaign if isinstance(target, CampaignTarget) else None


def _quotas(offer: UUID, limits: LimitsDraft) -> Iterator[tuple[Limited, Path, int]]:
    if limits.own.quota is not None:
        yield (offer, WHOLE_OFFER), ("limits", "quota"), limits.own.quota
    for position, each in enumerate(limits.elements):
        if each.element is not None and each.limits.quota is not None:
            path = ("limits", "elements", str(position), "quota")
            yield (offer, each.element.id), path, each.limits.quota
