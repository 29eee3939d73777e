"""Contacts, as far as a caller may see them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from db.contacts import contacts as db
from db.contacts.contacts import Contact, ContactKind
from db.core.sessions import Sessions
from services.catalogue.snapshot import Catalogue
from services.core.errors import NotFound
from services.core.problems import Problems
from services.core.text_checks import check_search
from services.core.texts import text
from services.core.viewer import Viewer
from services.pricing.facts.offers import Advantage, CampaignTarget, IndicatorTarget, OfferState
from services.pricing.rules import is_over

__all__ = ["Contact", "ContactKind", "Contacts"]


class Contacts:
    """Use cases of contacts."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def find(self, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Contact]:
        """The contacts among ``ids`` that the viewer may see: staff all, everybody else themselves."""
        visible = _visible(viewer, ids)
        if not visible:
            return {}
        async with self._sessions.reading() as connection:
            return await db.find(connection, viewer.organisation_id, visible)

    async def search(
        self, viewer: Viewer, part: str | None, kind: ContactKind | None, *, after: UUID | None, limit: int
    ) -> list[Contact]:
        """Contacts with ``part`` in their name, e-mail address or code. Raises Forbidden for all but staff."""
        viewer.require_role()
        problems = Problems()
        problems.refuse(("search",), None if part is None else check_search(part))
        problems.check()
        async with self._sessions.reading() as connection:
            return await db.search(connection, viewer.organisation_id, part, kind, after=after, limit=limit)

    async def with_code(self, viewer: Viewer, code: str) -> UUID:
        """The contact with this code. Raises NotFound, and Forbidden for all but staff."""
        viewer.require_role()
        async with self._sessions.reading() as connection:
            found = await db.with_code(connection, viewer.organisation_id, code)
        if found is None:
            raise NotFound(("contact",), text("unknown_contact"))
        return found

    async def indicators(self, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, dict[UUID, str]]:
        """The level of each indicator of the contacts among ``ids`` that the viewer may see, by the indicator's id."""
        visible = _visible(viewer, ids)
        async with self._sessions.reading() as connection:
            found = await db.levels(connection, viewer.organisation_id, visible)
        return {contact: found.get(contact, {}) for contact in visible}

    async def have_advantages(self, catalogue: Catalogue, ids: Sequence[UUID], now: datetime) -> dict[UUID, bool]:
        """Which contacts have a running advantage reserved for them, by a campaign or by an indicator's level."""
        async with self._sessions.reading() as connection:
            campaigns, indicators = await db.targeting(connection, catalogue.organisation.id, ids)
        reserved_campaigns, reserved_levels = _reserved(catalogue, now)
        return {
            contact: not reserved_campaigns.isdisjoint(campaigns.get(contact, ()))
            or not reserved_levels.isdisjoint(indicators.get(contact, {}).items())
            for contact in ids
        }


def _visible(viewer: Viewer, ids: Sequence[UUID]) -> list[UUID]:
    return [contact for contact in ids if viewer.reads_records or contact == viewer.contact]


def _reserved(catalogue: Catalogue, now: datetime) -> tuple[set[UUID], set[tuple[UUID, str]]]:
    """The campaigns and the indicator levels that a running advantage is for at ``now``."""
    campaigns: set[UUID] = set()
    levels: set[tuple[UUID, str]] = set()
    for advantage in catalogue.offers.values():
        if not isinstance(advantage, Advantage):
            continue
        started = advantage.valid_from is None or advantage.valid_from <= now
        if advantage.state is not OfferState.RUNNING or not started:
            continue
        if advantage.valid_until is not None and is_over(advantage.valid_until, now):
            continue
        match advantage.target:
            case CampaignTarget(campaign, starts_at, ends_at) if starts_at <= now and not is_over(ends_at, now):
                campaigns.add(campaign)
            case IndicatorTarget(indicator, level):
                levels.add((indicator, level))
    return campaigns, levels
