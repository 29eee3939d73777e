"""Reading lists of codes as people have them: from a text file, a spreadsheet, or one of our own lists.

What a list may have, and what becomes of it (docs/domain.md, Codes):

- cells, separated by semicolons, commas or tabs: by whichever its first line with any has most of, or by what a line
  ``sep=;`` names; quoted or not, and in the form ``="00012345"`` with which spreadsheets are kept from changing them;
- a header as its first line (``header``), which may come again; without one the codes are in the first column;
- comments and lines without any content, which are left out. A comment begins with # and a space, or with # and has a
  space further on. A code that begins with # stands in quotes, or in a list with a header and other columns.

Everything else is a code, or refused with the number of its line.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from services.codes.format import tidied
from services.codes.lists.header import code_column, column_called_so, named_column

SEPARATORS: Final = (";", "\t", ",")

_ENDS: Final = " \r\n\ufeff"
_BLANK: Final = " \t\r\n\ufeff"
_NOTHING: Final = _BLANK + "".join(SEPARATORS)
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"')
_DIRECTIVE: Final = re.compile(r"sep=(.)", re.IGNORECASE)
MOST_TITLES: Final = 10
"""Lines above a header that can be told from codes."""

_TEXT_FORMULA: Final = re.compile(r'="(.*)"')


@dataclass(frozen=True, slots=True)
class ListLine:
    """What a line, counted from one, has: a code as it is written there, or the key of what is wrong with it."""

    number: int
    code: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenList:
    """The codes of a list, whose ``lines`` are read more than once; in the named ``column`` where one is given."""

    lines: Iterable[str]
    column: str | None = None

    def __iter__(self) -> Iterator[ListLine]:
        raw = _RawLines(self.lines)
        rows = csv.reader(raw, delimiter=_separator(self.lines), skipinitialspace=True, strict=True)
        header: Sequence[str] | None = None
        column, above = 0, self._rows_above_header()
        is_first = True
        while True:
            number = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error:
                yield ListLine(number, raw.last.strip(_BLANK), "list_line_unreadable")
                continue
            if _is_blank(row) or _is_comment(row, raw.last, header) or _is_directive(row):
                continue
            if above:
                above -= 1
                yield ListLine(number, raw.last.strip(_BLANK), "list_line_above_header")
                continue
            if is_first:
                is_first = False
                found = self._column(row)
                if found is not None:
                    header, column = row, found
                    continue
                if self.column is not None:
                    yield ListLine(number, self.column, "list_without_column")
                    return
            elif row == header:
                continue
            code = _content(row[column]) if column < len(row) else ""
            is_unclear = code.startswith("#") and not _is_quoted(raw.last) and not _is_in_table(row, header)
            yield ListLine(number, code, "list_comment_or_code" if is_unclear else None)

    def _column(self, row: Sequence[str]) -> int | None:
        return code_column(row) if self.column is None else named_column(row, self.column)

    def _is_below_titles(self, row: Sequence[str]) -> bool:
        found = column_called_so(row) if self.column is None else named_column(row, self.column)
        return found is not None

    def _rows_above_header(self) -> int:
        """How many rows of one cell stand above a header of several: titles, as reports and exports have them."""
        raw = _RawLines(self.lines)
        above = 0
        with suppress(csv.Error):
            for row in csv.reader(raw, delimiter=_separator(self.lines), skipinitialspace=True, strict=True):
                if _is_blank(row) or _is_comment(row, raw.last, None) or _is_directive(row):
                    continue
                if sum(bool(cell.strip()) for cell in row) > 1:
                    return above if self._is_below_titles(row) else 0
                above += 1
                if above > MOST_TITLES:
                    return 0
        return 0


class _RawLines:
    """Lines on their way into cells, the last of them at hand."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        # Spaces behind a closing quote mean nothing.
        self.last = f"{next(self._lines).strip(_ENDS)}\n"
        return self.last


def _separator(lines: Iterable[str]) -> str:
    """What separates a list's cells: all lines before the first that says so have one cell, whatever it is."""
    for line in lines:
        content = line.strip(_BLANK)
        directive = _DIRECTIVE.fullmatch(content)
        if directive and directive[1] in SEPARATORS:
            return directive[1]
        if content.startswith("#"):
            continue
        outside = _QUOTED.sub("x", line.strip("\ufeff\r\n"))
        if outside.strip(_NOTHING):
            counts = [outside.count(separator) for separator in SEPARATORS]
            if any(counts):
                return SEPARATORS[counts.index(max(counts))]
    return SEPARATORS[0]


def _is_blank(row: Sequence[str]) -> bool:
    content = "".join(row).strip(_NOTHING)
    return not content or not tidied(content)


def _is_directive(row: Sequence[str]) -> bool:
    return row[0].casefold() == "sep=" and _is_blank(row[1:])


def _is_comment(row: Sequence[str], raw: str, header: Sequence[str] | None) -> bool:
    content = raw.strip(_NOTHING)
    if not content.startswith("#") or _is_in_table(row, header):
        return False
    return content[1:2] in {"", "#"} or any(sign.isspace() for sign in content)


def _is_in_table(row: Sequence[str], header: Sequence[str] | None) -> bool:
    """Whether this is a line of a list with a header and several columns, and fills some."""
    return header is not None and len(row) == len(header) and sum(bool(cell.strip()) for cell in row) > 1


def _is_quoted(raw: str) -> bool:
    return raw.lstrip().startswith('"')


def _content(cell: str) -> str:
    formula = _TEXT_FORMULA.fullmatch(cell.strip())
    return cell if formula is None else formula[1]
