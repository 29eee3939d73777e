"""Offers to read: which of them a caller may see, and what is left of their quotas."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from uuid import UUID

from db.codes import batches as db_batches
from db.contacts import contacts as db_contacts
from db.core.sessions import Sessions
from db.offers import offers as db
from services.catalogue.snapshot import Catalogue
from services.core.expiry import HeldNow
from services.core.viewer import Audience, Viewer
from services.pricing.facts.offers import Advantage, CampaignTarget, IndicatorTarget, Offer, OfferState, PublicTarget
from services.pricing.rules import is_over


class Offers:
    """Use cases of offers that only read."""

    def __init__(self, sessions: Sessions, held_now: HeldNow) -> None:
        self._sessions = sessions
        self._held_now = held_now

    async def visible(self, viewer: Viewer, catalogue: Catalogue, now: datetime) -> frozenset[UUID]:
        """The offers that the viewer may list.

        Staff see all. Others see running public advantages and those reserved for their contact, by a campaign that
        runs or by the level of an indicator; partners those of their own codes too, in any state (docs/domain.md, Which
        offers are open).
        """
        if viewer.reads_records:
            return frozenset(catalogue.offers)
        campaigns: set[UUID] = set()
        levels: dict[UUID, str] = {}
        own: frozenset[UUID] = frozenset()
        if viewer.contact is not None:
            async with self._sessions.reading() as connection:
                targeting = await db_contacts.targeting(connection, viewer.organisation_id, [viewer.contact])
                campaigns, levels = (targeting[0].get(viewer.contact, set()), targeting[1].get(viewer.contact, {}))
                if viewer.audience is Audience.PARTNER:
                    own = await db_batches.offers_of(connection, viewer.organisation_id, viewer.contact)
        return own | {offer.id for offer in catalogue.offers.values() if is_for(offer, campaigns, levels, now)}

    async def remaining(self, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, int]:
        """Tickets that may still profit, of the offers that have a quota; baskets in progress count as taken."""
        async with self._held_now.reading(organisation) as connection:
            return await db.remaining(connection, organisation, ids)

    async def taken(self, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, dict[UUID | None, int]]:
        """Tickets that count against each limit of the offers, by element, None for the offer as a whole."""
        async with self._held_now.reading(organisation) as connection:
            found = await db.taken(connection, organisation, ids)
        return {
            offer: {None if element == db.WHOLE_OFFER else element: tickets for element, tickets in counts.items()}
            for offer, counts in found.items()
        }


def is_for(offer: Offer, campaigns: Set[UUID], levels: Mapping[UUID, str], now: datetime) -> bool:
    """Whether this is a running advantage for everyone, or for a contact of these campaigns and indicator levels."""
    if not isinstance(offer, Advantage) or offer.state is not OfferState.RUNNING:
        return False
    match offer.target:
        case PublicTarget():
            return True
        case CampaignTarget(campaign, starts_at, ends_at):
            return campaign in campaigns and starts_at <= now and not is_over(ends_at, now)
        case IndicatorTarget(indicator, level):
            return levels.get(indicator) == level
    return False
