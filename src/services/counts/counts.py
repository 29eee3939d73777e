"""Counts of codes and tickets, for offers and for what is one partner's of them."""

from collections.abc import Collection
from uuid import UUID

from db.core.sessions import Sessions
from db.counts import counts as db
from db.counts.counts import RedemptionCounts
from services.access.permissions import share_of
from services.core.errors import Forbidden
from services.core.texts import text
from services.core.viewer import Audience, Viewer

__all__ = ["Counts", "RedemptionCounts"]


class Counts:
    """Reads counts; they move with what they count, in its transaction."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def of_offers(self, viewer: Viewer, offers: Collection[UUID]) -> dict[UUID, RedemptionCounts]:
        """The counts of each offer, zeros included; for a partner, its own share of them.

        How an offer sells is the organisation's business, open to all its staff and, as far as it is theirs, to
        partners; raises Forbidden for everybody else.
        """
        if not viewer.reads_records and viewer.audience is not Audience.PARTNER:
            raise Forbidden(text("forbidden"))
        async with self._sessions.reading() as connection:
            found = await db.read(connection, viewer.organisation_id, offer_ids=offers, holder=share_of(viewer))
        totals = dict.fromkeys(offers, RedemptionCounts())
        for (offer, _), counts in found.items():
            totals[offer] += counts
        return totals
