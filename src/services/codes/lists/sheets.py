"""The lines of a workbook (XLSX) with a list of codes: those of its first sheet, as a CSV file has them."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from services.codes.lists.workbook import ESCAPED

START: Final = b"PK\x03\x04"
"""Of every workbook."""

_PLAIN: Final = frozenset({"General", "0", "@"})
# Spreadsheets keep no more digits of a number.
_MOST_DIGITS: Final = 15


def lines(file: Path) -> Iterator[str] | None:
    """The lines, None where the file is no workbook. A cell that is no text is taken for one where it is a whole number
    that is shown as it is; a date, a truth value, or a number with leading zeros shows up as none of a code.
    """
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError):
        return None
    return _lines(book)


def _lines(book: openpyxl.Workbook) -> Iterator[str]:
    try:
        for row in book.worksheets[0].iter_rows():
            cells = [_text(cell.value, str(cell.number_format)) for cell in row]
            if cells and cells[0].startswith("# ") and not any(cells[1:]):
                yield f"{cells[0]}\n"
                continue
            line = StringIO()
            csv.writer(line, delimiter=";", lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(cells)
            yield line.getvalue()
    finally:
        book.close()


def _text(value: object, number_format: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        # What would be a formula in a CSV file is defused as it would be there.
        return ("'" if value.startswith("=") else "") + value.replace(ESCAPED, "_")
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number and number_format in _PLAIN and len(str(value)) <= _MOST_DIGITS:
        return str(value)
    return f"\N{REPLACEMENT CHARACTER}{value}"
