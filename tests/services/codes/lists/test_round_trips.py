"""Whatever somebody chose as a code: what lists show of it is that code, entered or taken in again."""

import asyncio
import csv
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from services.codes.batch_csv import cells
from services.codes.format import check_chosen, normalise, tidied
from services.codes.lists.decoding import ListFile
from services.codes.lists.reading import WrittenList
from services.codes.lists.workbook import workbook

CHOSEN = st.text(alphabet="'-=+@#\";,\t ABab019éßẞ\u2011\u2013\u200b\u00a0\ufeff.:_x＝", min_size=3, max_size=12)


def codes_of(lines: list[str]) -> list[str]:
    read = list(WrittenList(lines))
    assert [line for line in read if line.problem] == []
    return [line.code for line in read]


@given(CHOSEN)
@settings(max_examples=1_000)
def test_a_code_is_shown_as_what_it_is(chosen: str) -> None:
    assume(check_chosen(chosen) is None)
    shown = tidied(chosen)
    assert check_chosen(shown) is None
    assert (normalise(shown), tidied(shown)) == (normalise(chosen), shown)


@given(
    st.lists(CHOSEN.filter(lambda chosen: check_chosen(chosen) is None), min_size=1, max_size=3), st.sampled_from(";,")
)
@example([";##", "# 00"], ",")
@settings(max_examples=1_000, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_a_cell_of_a_csv_file_is_its_code(chosen: list[str], separator: str) -> None:
    shown = [tidied(each) for each in chosen]
    lines = [
        cells(row, separator) + "\r\n"
        for row in [("Code", "État", "Lien"), *((each, "disponible", "") for each in shown)]
    ]
    # As programs read it, and as we do.
    rows = list(csv.reader(StringIO("".join(lines), newline=""), delimiter=separator))
    for found in ([row[0] for row in rows[1:]], codes_of(lines)):
        assert [normalise(code) for code in found] == [normalise(code) for code in shown]
        assert [tidied(code) for code in found] == shown


@given(st.lists(CHOSEN.filter(lambda chosen: check_chosen(chosen) is None), min_size=1, max_size=20))
@example(["_x0041_", '="AB"', "=1+1", "# 00"])
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_a_cell_of_a_workbook_is_its_code(chosen: list[str]) -> None:
    shown = [tidied(each) for each in chosen]

    async def pages() -> AsyncIterator[list[tuple[str, str]]]:
        yield [(each, "disponible") for each in shown]

    content = asyncio.run(workbook(("Code", "État"), pages()))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "codes.xlsx"
        file.write_bytes(content)
        found = codes_of(list(ListFile(file)))
    assert [tidied(code) for code in found] == shown
