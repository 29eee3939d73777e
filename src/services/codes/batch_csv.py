"""Lists of codes: as CSV files, streamed, so that memory does not grow with their number, and as workbooks."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from db.codes import batches as db_batches
from db.codes import pages as db
from db.codes.batches import Batch, BatchParticulars
from db.codes.codes import CodeStatus
from db.core.sessions import Sessions
from services.codes.format import MIN_CHOSEN, display, is_random_form
from services.codes.lists.workbook import MOST_IN_A_WORKBOOK, Row, TooManyCodes, workbook
from services.core.errors import NotFound
from services.core.instants import local_or_empty
from services.core.texts import Language, localised, text

SEPARATORS: Final = (";", ",")

_PAGE: Final = 2_000
BYTE_ORDER_MARK: Final = "\ufeff"
_COLUMNS: Final = ("code", "state", "offer", "valid_from", "valid_until", "link")
# What makes a spreadsheet run a cell, full-width forms included.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class CodeLists:
    """Finds what is in a batch's list."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def of_batch(self, organisation: UUID, batch: UUID) -> "CodeList":
        """The list of a batch's codes, to be read whenever it is wanted. Raises NotFound."""
        async with self._sessions.reading() as connection:
            found = (await db_batches.get(connection, organisation, [batch])).get(batch)
            if found is None:
                raise NotFound(("batch",))
            particulars = await db_batches.particulars(connection, organisation, batch)
        return CodeList(self._sessions, found, particulars)


@dataclass(frozen=True, slots=True)
class CodeList:
    """The codes of one batch, one a line: code, state, offer, validity, and the link that enters it."""

    sessions: Sessions
    batch: Batch
    particulars: BatchParticulars

    @property
    def file_name(self) -> str:
        """Without its ending; in ASCII, as every system takes it."""
        offer = re.sub("[^A-Za-z0-9]+", "-", self.particulars.offer_code)
        return f"codes-{offer}-{self.batch.created_at:%Y-%m-%d}"

    async def csv(self, separator: str = ";") -> AsyncIterator[bytes]:
        """The file in pieces, in UTF-8 with a byte order mark, in the batch's language and the organisation's time."""
        yield f"{BYTE_ORDER_MARK}{cells(self._titles, separator)}\r\n".encode()
        middles = self._middles(separator)
        before, behind = _around_code(_link_prefix(self.particulars.shop_url), separator)
        after: UUID | None = None
        while page := await self._page(after):
            lines = []
            for _, code, shown, status in page:
                # A random code needs neither quotes nor escapes, and most are.
                is_random = shown is None and is_random_form(code)
                first = display(code) if is_random else cell(shown or code, separator)
                entered = (code if is_random else quote(code, safe="")) if before else ""
                lines.append(f"{first}{middles[status]}{before}{entered}{behind}\r\n")
            yield "".join(lines).encode()
            after = page[-1][0]

    async def xlsx(self) -> bytes:
        """The list as a workbook. Raises TooManyCodes."""
        if not self.fits_a_workbook:
            raise TooManyCodes
        return await workbook(self._titles, self._rows())

    @property
    def fits_a_workbook(self) -> bool:
        return self.batch.quantity <= MOST_IN_A_WORKBOOK

    async def content(self, most: int) -> bytes | None:
        """The whole CSV file, None where it is larger than ``most`` bytes, without reading it where that is plain."""
        if self.batch.quantity * self._shortest_line > most:
            return None
        content = bytearray()
        async for piece in self.csv():
            content += piece
            if len(content) > most:
                return None
        return bytes(content)

    @property
    def _shortest_line(self) -> int:
        """Characters that every line has at least."""
        middles = self._middles(SEPARATORS[0]).values()
        link = _link_prefix(self.particulars.shop_url) or ""
        return min(map(len, middles)) + len(link) + MIN_CHOSEN + len("\r\n")

    async def _page(self, after: UUID | None) -> Sequence[db.ListedCode]:
        async with self.sessions.reading() as connection:
            return await db.of_batch(connection, self.batch.organisation, self.batch.id, after, _PAGE)

    async def _rows(self) -> AsyncIterator[Iterable[Row]]:
        inner, prefix = self._inner, _link_prefix(self.particulars.shop_url)
        after: UUID | None = None
        while page := await self._page(after):
            yield [
                (shown or display(code), *inner[status], prefix + quote(code, safe="") if prefix else "")
                for _, code, shown, status in page
            ]
            after = page[-1][0]

    @property
    def _titles(self) -> tuple[str, ...]:
        return tuple(text(f"csv_{column}").in_language(Language(self.batch.language)) for column in _COLUMNS)

    @property
    def _inner(self) -> dict[str, tuple[str, ...]]:
        """The cells between code and link, which are the same for all codes of a status."""
        zone, language = ZoneInfo(self.particulars.timezone), Language(self.batch.language)
        same = (
            localised(self.particulars.offer_name, language),
            local_or_empty(self.particulars.valid_from, zone),
            local_or_empty(self.particulars.valid_until, zone),
        )
        return {status: (text(f"code_{status.lower()}").in_language(language), *same) for status in CodeStatus}

    def _middles(self, separator: str) -> dict[str, str]:
        return {status: cells(("", *inner, ""), separator) for status, inner in self._inner.items()}


def cell(value: str, separator: str) -> str:
    """One cell; a value that a spreadsheet would take for a formula and run gets an apostrophe before it.

    Of a code that apostrophe is no part (``normalise``). One that begins with # stands in quotes, so that it is read as
    no comment.
    """
    if value.lstrip(" ").startswith(_FORMULA):
        value = f"'{value}"
    if value.startswith("#") or any(special in value for special in (separator, '"', "\r", "\n")):
        return '"' + value.replace('"', '""') + '"'
    return value


def cells(values: Iterable[str], separator: str) -> str:
    """A line of cells, without its end."""
    return separator.join(cell(value, separator) for value in values)


def _link_prefix(shop_url: str | None) -> str | None:
    """The address at which a code is entered, up to the code itself."""
    if shop_url is None:
        return None
    parts = urlsplit(shop_url)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "code"]
    return parts._replace(query=urlencode([*kept, ("code", "")]), fragment="").geturl()


def _around_code(prefix: str | None, separator: str) -> tuple[str, str]:
    """What stands before and behind the code in the cell of its link, which is quoted where the prefix asks for it."""
    before, _, behind = cell(f"{prefix}X", separator).rpartition("X") if prefix else ("", "", "")
    return before, behind
