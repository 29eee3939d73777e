"""Contacts, as far as a caller may see them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from db.contacts import contacts as db
from db.contacts import search as contact_search
from db.contacts.contacts import Contact, ContactKind
from db.core.keyset import Page
from db.core.sessions import Sessions
from services.catalogue.snapshot import Catalogue
from services.core.errors import InvalidInput, NotFound, Problem
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

    async def search(self, viewer: Viewer, part: str | None, kind: ContactKind | None, page: Page) -> list[Contact]:
        """Contacts with ``part`` in their name, e-mail address or code. Raises Forbidden for all but staff."""
        viewer.require_role()
        if reason := check_search(part):
            raise InvalidInput([Problem(("search",), reason)])
        async with self._sessions.reading() as connection:
            return await contact_search.search(connection, viewer.organisation_id, part, kind, page)

    async def count(self, viewer: Viewer, part: str | None, kind: ContactKind | None) -> int | None:
        """How many there are of what ``search`` finds; None where they are more than are counted."""
        viewer.require_role()
        async with self._sessions.reading() as connection:
            return await contact_search.count(connection, viewer.organisation_id, part, kind)

    async def targets(self, viewer: Viewer, campaigns: Sequence[UUID], page: Page) -> dict[UUID, list[Contact]]:
        """Of each campaign that page of the contacts in its target; for staff alone, nothing for others."""
        if not viewer.reads_records:
            return {}
        async with self._sessions.reading() as connection:
            return await db.targets(connection, viewer.organisation_id, campaigns, page)

    async def target_sizes(self, viewer: Viewer, campaigns: Sequence[UUID]) -> dict[UUID, int | None]:
        """How many contacts are in the target of each, None where they are more than are counted; for staff alone."""
        if not viewer.reads_records:
            return {}
        async with self._sessions.reading() as connection:
            return await db.target_sizes(connection, viewer.organisation_id, campaigns)

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
