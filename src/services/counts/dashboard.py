"""The dashboard of codes: what became of them, by contact and offer (docs/domain.md, Codes)."""

from dataclasses import dataclass
from uuid import UUID

from db.counts import counts as db
from db.counts.counts import Key, RedemptionCounts
from services.access.permissions import require_follower, share_of
from services.catalogue.catalogues import Catalogues
from services.core.errors import NotFound
from services.core.expiry import HeldNow
from services.core.viewer import Viewer

_NOTHING = RedemptionCounts()


@dataclass(frozen=True, slots=True)
class DashboardRow:
    """The counts of one contact and offer; a subtotal has no offer, a row without detail by contact no contact."""

    contact: UUID | None
    offer: UUID | None
    counts: RedemptionCounts


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Rows by the contact's name and the offer's code; a subtotal for each contact; the sum of all rows."""

    rows: tuple[DashboardRow, ...]
    subtotals: tuple[DashboardRow, ...]
    total: RedemptionCounts


class Dashboards:
    """Adds up the counts that are kept with every change: exact, and as cheap for ten million codes as for ten."""

    def __init__(self, held_now: HeldNow, catalogues: Catalogues) -> None:
        self._held_now = held_now
        self._catalogues = catalogues

    async def of_season(self, viewer: Viewer, season: UUID, *, by_contact: bool) -> Dashboard:
        """The offers of a season that codes were made for, and custom codes that are in use; a partner sees its own.

        Promotional codes belong to no season and show in each. Without detail by contact there is one row an offer,
        and no subtotal. Raises Forbidden, NotFound.
        """
        require_follower(viewer)
        if season not in (await self._catalogues.seen_by(viewer)).seasons:
            raise NotFound(("seasonId",))
        async with self._held_now.reading(viewer.organisation_id) as connection:
            found = await db.read(connection, viewer.organisation_id, holder=share_of(viewer), season=season)
        with_codes = {key: counts for key, counts in found.items() if _is_shown(key, counts)}
        rows: dict[tuple[UUID | None, UUID | None], RedemptionCounts] = {}
        subtotals: dict[UUID | None, RedemptionCounts] = {}
        for (offer, contact), counts in with_codes.items():
            key = (contact if by_contact else None, offer)
            rows[key] = rows.get(key, _NOTHING) + counts
            subtotals[contact] = subtotals.get(contact, _NOTHING) + counts
        return Dashboard(
            tuple(DashboardRow(contact, offer, counts) for (contact, offer), counts in rows.items()),
            tuple(DashboardRow(contact, None, counts) for contact, counts in subtotals.items()) if by_contact else (),
            sum(with_codes.values(), _NOTHING),
        )


def _is_shown(key: Key, counts: RedemptionCounts) -> bool:
    """Codes that were made for somebody; of custom ones, which are made for nobody, those that somebody has."""
    _, contact = key
    return bool(counts.generated if contact is not None else counts.held or counts.used)
