"""Finding orders: by all that staff know of one, and a contact's own (docs/domain.md, Finding orders)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from db.baskets import order_pages as db
from db.baskets.order_pages import OrderFilter
from db.codes.codes import ids_ever_with
from db.core.keyset import PageBy, Place
from db.core.sessions import Sessions
from services.baskets.orders import Order, OrderState, order_seen
from services.codes.format import check_entered, normalise
from services.core.errors import Forbidden
from services.core.instants import in_calendar
from services.core.problems import Problems
from services.core.text_checks import check_search, printed_number, scanned
from services.core.texts import text
from services.core.viewer import Viewer

__all__ = ["MOST_COUNTED", "OrderQuestion", "OrderSearch"]

MOST_COUNTED: Final = 10_000
"""Orders that are counted: more are many."""


@dataclass(frozen=True, slots=True)
class OrderQuestion:
    """Which orders somebody asks for, in their words; what is None is not asked about. ``since`` is included."""

    search: str | None = None
    number: str | None = None
    barcode: str | None = None
    contact: UUID | None = None
    offer: UUID | None = None
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: OrderState | None = None


class OrderSearch:
    """Use cases of those who look for orders."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def page(self, viewer: Viewer, asked: OrderQuestion, page: PageBy[Place]) -> list[Order]:
        """A page of the orders asked for, the last one first: of all for staff, of their own for contacts and partners.

        Raises Forbidden for those who have no orders to list, InvalidInput with every problem.
        """
        wanted = await self._wanted(viewer, asked)
        if wanted is None:
            return []
        async with self._sessions.reading() as connection:
            rows = await db.page(connection, viewer.organisation_id, wanted, page)
        return [order_seen(viewer, row) for row in rows]

    async def count(self, viewer: Viewer, asked: OrderQuestion) -> int | None:
        """How many orders ``page`` would give in all, None past ``MOST_COUNTED``. Raises as that does."""
        wanted = await self._wanted(viewer, asked)
        if wanted is None:
            return 0
        async with self._sessions.reading() as connection:
            return _counted(await db.count(connection, viewer.organisation_id, wanted, MOST_COUNTED + 1))

    async def of_contacts(
        self, viewer: Viewer, contacts: Sequence[UUID], page: PageBy[Place]
    ) -> Mapping[UUID, Sequence[Order]]:
        """That page of the orders of each of the contacts that the viewer may see, the last one first."""
        async with self._sessions.reading() as connection:
            found = await db.of_contacts(connection, viewer.organisation_id, _open(viewer, contacts), page)
        return {contact: [order_seen(viewer, row) for row in rows] for contact, rows in found.items()}

    async def count_of_contacts(self, viewer: Viewer, contacts: Sequence[UUID]) -> Mapping[UUID, int | None]:
        """How many orders each of the contacts that the viewer may see has, None past ``MOST_COUNTED``."""
        async with self._sessions.reading() as connection:
            organisation, most = viewer.organisation_id, MOST_COUNTED + 1
            found = await db.count_of_contacts(connection, organisation, _open(viewer, contacts), most)
        return {contact: _counted(number) for contact, number in found.items()}

    async def numbered(self, viewer: Viewer, number: str) -> UUID | None:
        """The order with this number, as ``printed_number`` reads it; None where the viewer may not ask for it so.

        Numbers follow each other: who has no name, and an order that has no contact, is not to be found by counting.
        """
        if viewer.contact is None and not viewer.reads_records:
            return None
        async with self._sessions.reading() as connection:
            found = await db.numbered(connection, viewer.organisation_id, number)
        if found is None:
            return None
        order, contact = found
        is_own = contact is not None and contact == viewer.contact
        return order if is_own or viewer.reads_records else None

    async def _wanted(self, viewer: Viewer, asked: OrderQuestion) -> OrderFilter | None:
        """What is to be looked for, None where nothing can be found."""
        if viewer.is_staff:
            viewer.require_role()
        elif viewer.contact is None:
            raise Forbidden(text("orders_of_nobody"))
        elif asked.contact not in {None, viewer.contact}:
            return None
        else:
            asked = replace(asked, contact=viewer.contact)
        _check(asked)
        number = None if asked.number is None else printed_number(asked.number)
        if number is None and asked.number is not None:
            return None
        return OrderFilter(
            search=(asked.search or "").strip() or None,
            number=number,
            barcode=None if asked.barcode is None else scanned(asked.barcode),
            contact=asked.contact,
            offer=asked.offer,
            codes=None if asked.code is None else await self._codes(viewer, asked.code),
            since=None if asked.since is None else in_calendar(asked.since),
            until=None if asked.until is None else in_calendar(asked.until),
            state=asked.state,
        )

    async def _codes(self, viewer: Viewer, entered: str) -> tuple[UUID, ...]:
        async with self._sessions.reading() as connection:
            return await ids_ever_with(connection, viewer.organisation_id, normalise(entered))


def _check(asked: OrderQuestion) -> None:
    problems = Problems()
    for name, written in (("search", asked.search), ("number", asked.number), ("barcode", asked.barcode)):
        problems.refuse((name,), None if written is None else check_search(written.strip()))
    problems.refuse(("codeText",), None if asked.code is None else check_entered(asked.code))
    problems.check()


def _open(viewer: Viewer, contacts: Sequence[UUID]) -> list[UUID]:
    return [contact for contact in contacts if viewer.reads_records or contact == viewer.contact]


def _counted(number: int) -> int | None:
    return None if number > MOST_COUNTED else number
