"""The lines of a file with a list of codes, whatever spreadsheet or editor wrote it."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.codes.lists import sheets

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ListFile:
    """The lines of a file, read anew each time.

    Those of a workbook's first sheet; or of a text, in the encoding that its byte order mark names, without one in
    UTF-8 where all of it is that, else in Windows-1252, which spreadsheets in the West write. What is no character in
    it shows up as none of a code.
    """

    file: Path

    def __iter__(self) -> Iterator[str]:
        of_workbook = sheets.lines(self.file) if self._start(len(sheets.START)) == sheets.START else None
        if of_workbook is not None:
            yield from of_workbook
            return
        with self.file.open(encoding=self._encoding(), errors="replace") as lines:
            yield from lines

    def _start(self, length: int) -> bytes:
        with self.file.open("rb") as content:
            return content.read(length)

    def _encoding(self) -> str:
        with self.file.open("rb") as content:
            start = content.read(_PIECE)
            for mark, encoding in _MARKS:
                if start.startswith(mark):
                    return encoding
            decoder = codecs.getincrementaldecoder("utf-8")()
            try:
                while start:
                    decoder.decode(start)
                    start = content.read(_PIECE)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                return "cp1252"
        return "utf-8"
