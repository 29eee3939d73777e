"""Lists as workbooks (XLSX), whose cells are text: a spreadsheet leaves each as it is, 00012345 and 1E5 and 3/4 too."""

import asyncio
import re
from collections.abc import AsyncIterable, Iterable, Sequence
from io import BytesIO
from typing import Final

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

MOST_IN_A_WORKBOOK: Final = 100_000
"""In a workbook, which is made in memory; longer lists come as CSV alone."""
MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_TEXT: Final = "@"
# What XML cannot hold.
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
ESCAPED: Final = "_x005F_"
"""What a workbook has for an underscore that would else begin a sign's number: there, _x0041_ is A."""

_ESCAPE: Final = re.compile("_(?=x[0-9A-Fa-f]{4}_)")

Row = Sequence[str]


class TooManyCodes(Exception):  # noqa: N818 - says what was found
    """The list is longer than a workbook may be."""


async def workbook(titles: Row, pages: AsyncIterable[Iterable[Row]]) -> bytes:
    """A workbook of one sheet with ``titles`` in its first row. Raises TooManyCodes."""
    rows = [titles]
    async for page in pages:
        rows.extend(page)
        if len(rows) > MOST_IN_A_WORKBOOK + 1:
            raise TooManyCodes
    return await asyncio.to_thread(_written, rows)


def _written(rows: Sequence[Row]) -> bytes:
    book = Workbook(write_only=True)
    sheet: WriteOnlyWorksheet = book.create_sheet("Codes")
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _cell(sheet: WriteOnlyWorksheet, value: str) -> Cell:
    cell = WriteOnlyCell(sheet, _ESCAPE.sub(ESCAPED, _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", value)))
    # Else what begins with = would be a formula.
    cell.data_type = "s"
    cell.number_format = _TEXT
    return cell
