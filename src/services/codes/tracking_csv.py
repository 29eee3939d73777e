"""The tracking list, as a CSV file and as a workbook: the codes that a filter finds, with what became of each
(docs/domain.md, Codes).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from db.codes import codes as db
from db.codes import pages as code_pages
from db.codes.codes import CodeFilter
from db.codes.pages import TrackedCode
from services.access.permissions import require_follower, share_of
from services.catalogue.catalogues import Catalogues
from services.codes.batch_csv import BYTE_ORDER_MARK, cells
from services.codes.download_links import DownloadLinks
from services.codes.lists.workbook import Row, workbook
from services.codes.tracking import narrowed, shown
from services.core.errors import Forbidden
from services.core.expiry import HeldNow
from services.core.instants import local_or_empty
from services.core.texts import Language, localised, text
from services.core.viewer import Viewer

_PAGE: Final = 2_000
_COLUMNS: Final = (
    "code",
    "state",
    "offer",
    "contact",
    "used_at",
    "used_by",
    "order",
    "tickets_controlled",
    "invalidated_at",
    "invalidated_by",
    "invalidation_reason",
    "uses",
    "max_uses",
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a link stands for; ``own`` is the partner who may download it, None for staff."""

    filter: CodeFilter
    language: Language
    own: UUID | None


_WANTED: Final = TypeAdapter(_Wanted)


class TrackingLists:
    """Makes links to lists, and finds what is behind them."""

    def __init__(self, held_now: HeldNow, catalogues: Catalogues, links: DownloadLinks) -> None:
        self._held_now = held_now
        self._catalogues = catalogues
        self._links = links

    def url(self, viewer: Viewer, wanted: CodeFilter, language: Language, now: datetime, kind: str = "csv") -> str:
        """Where the list can be downloaded for a week by whoever has the link, as it is then: as "csv" or "xlsx".

        Raises Forbidden, for partners also where they ask for codes of others, and InvalidInput.
        """
        require_follower(viewer)
        own = narrowed(viewer, wanted)
        if own is None:
            raise Forbidden(text("forbidden"))
        asked = _WANTED.dump_json(_Wanted(own, language, share_of(viewer)), exclude_defaults=True)
        return self._links.to_codes(viewer.organisation_id, asked, now, kind)

    async def behind(self, token: str, now: datetime) -> "TrackingList":
        """The list that a link's token opens. Raises BrokenLink or ExpiredLink."""
        organisation, asked = self._links.wanted_of(token, now)
        catalogue = await self._catalogues.current(organisation)
        return TrackingList(self._held_now, organisation, ZoneInfo(catalogue.timezone), _WANTED.validate_json(asked))


@dataclass(frozen=True, slots=True)
class TrackingList:
    """Codes, one a line: when, by whom and in which order each was used, and who invalidated it and why."""

    held_now: HeldNow
    organisation: UUID
    zone: ZoneInfo
    wanted: _Wanted

    file_name: ClassVar = "codes"

    async def csv(self, separator: str = ";") -> AsyncIterator[bytes]:
        """The file in pieces, in UTF-8 with a byte order mark, in the organisation's time."""
        yield f"{BYTE_ORDER_MARK}{cells(self._titles, separator)}\r\n".encode()
        async for page in self._rows():
            yield "".join(f"{cells(row, separator)}\r\n" for row in page).encode()

    async def xlsx(self) -> bytes:
        """The list as a workbook. Raises TooManyCodes."""
        return await workbook(self._titles, self._rows())

    @property
    def _titles(self) -> tuple[str, ...]:
        return tuple(text(f"csv_{column}").in_language(self.wanted.language) for column in _COLUMNS)

    async def _rows(self) -> AsyncIterator[Sequence[Row]]:
        after: UUID | None = None
        while True:
            async with self.held_now.reading(self.organisation) as connection:
                page = await code_pages.tracked(connection, self.organisation, self.wanted.filter, after, _PAGE)
                used = [row.code.id for row in page if row.code.order is not None]
                scanned = await db.tickets_controlled(connection, self.organisation, used) if used else {}
            if not page:
                return
            yield [self._line(row, scanned) for row in page]
            after = page[-1].code.id

    def _line(self, row: TrackedCode, scanned: Mapping[UUID, int]) -> tuple[str, ...]:
        code = row.code
        # Who bought is the organisation's business, and the buyer's own.
        is_open = self.wanted.own in {None, code.used_by}
        return (
            shown(code),
            text(f"code_{code.status.lower()}").in_language(self.wanted.language),
            localised(row.offer_name, self.wanted.language),
            row.contact_name or "",
            local_or_empty(code.used_at, self.zone),
            (is_open and row.used_by_name) or "",
            (is_open and row.order_number) or "",
            str(scanned.get(code.id, 0)),
            local_or_empty(code.invalidated_at, self.zone),
            code.invalidated_by or "",
            code.invalidation_reason or "",
            str(code.uses),
            "" if code.max_uses is None else str(code.max_uses),
        )
