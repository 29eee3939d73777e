"""Lists of codes as people have them."""

from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook

from services.codes.format import check_chosen
from services.codes.lists.decoding import ListFile
from services.codes.lists.reading import WrittenList


def codes(*lines: str, column: str | None = None) -> list[str]:
    """The codes of a list in which nothing is wrong."""
    read = list(WrittenList(lines, column))
    assert [line for line in read if line.problem] == []
    return [line.code.strip() for line in read]


def problems(*lines: str, column: str | None = None) -> list[tuple[int, str]]:
    return [(line.number, line.problem) for line in WrittenList(lines, column) if line.problem]


@pytest.mark.parametrize(
    "header",
    [
        *("Code", "CODES", "code promo", "Code_Promo", "Codes promotionnels", "Numéro d'adhérent"),
        *("promo code", "Voucher", "Coupon codes", "Member number"),
        *("Gutscheincode", "Gutschein-Nummer", "Mitgliedsnummer"),
        *("Código", "Códigos promocionales", "Cupón", "Codice", "Codice promozionale", "Buono sconto"),
        *("Code client", "N° de carte", "Votre code promo", "Référence n°", "Code cadeau", "Bons de réduction"),
        *("Serial", "Serial number", "Customer ID", "PROMO_CODE", "Single-use codes", "Gift card number", "Code:"),
        *("Kundennummer", "Aktionscodes", "Partner-Code", "Seriennummern"),
        *("Vale", "Número de tarjeta", "Código de regalo", "Numero di serie", "Codici sconto", "Buoni"),
        *('"Code"', "\ufeffCode"),
    ],
)
def test_a_header_is_no_code(header: str) -> None:
    assert codes(header, "ABC123", "DEF456") == ["ABC123", "DEF456"]


@pytest.mark.parametrize(
    "lines",
    [
        ("Name;Code;Date", "Ada;ABC123;2027-01-01"),
        ("name,e-mail,promo_code", "Ada,ada@example.org,ABC123"),
        ("Vorname\tGutscheincode", "Ada\tABC123"),
        ("Membre;Date", "ABC123;2027-01-01"),
        ("N°;Code promo;Validité", "1;ABC123;2027-01-01"),
        ("ID,Voucher code", "1,ABC123"),
    ],
)
def test_the_column_of_the_codes_is_found_by_its_name_or_is_the_first(lines: tuple[str, ...]) -> None:
    assert codes(*lines) == ["ABC123"]


@pytest.mark.parametrize(
    "code", ["SUMMER-VOUCHER", "GIFT-COUPON", "MEMBER-CARD", "CODEX", "PROMO", "BON-VOYAGE", "NUMBER-ONE"]
)
def test_a_code_of_such_words_is_no_header(code: str) -> None:
    assert codes(code, "ABC123") == [code, "ABC123"]


def test_what_stands_above_the_header_is_refused_with_its_line_and_the_header_is_no_code() -> None:
    lines = ("Export du 1er janvier", "", "TYD", "Code;Date", "ABC123;2027-01-01")
    assert problems(*lines) == [(1, "list_line_above_header"), (3, "list_line_above_header")]
    assert [line.code for line in WrittenList(lines) if not line.problem] == ["ABC123"]
    assert codes("ABC123", "DEF456;2027-01-01") == ["ABC123", "DEF456"]
    assert codes("SPRING", "WINTER;valid") == ["SPRING", "WINTER"]


def test_a_column_that_is_named_has_the_codes() -> None:
    assert codes("Code;Numéro", "x;ABC123", column="numero") == ["ABC123"]


def test_a_column_that_is_named_and_not_there_is_told_with_the_line() -> None:
    assert problems("", "Code;Date", "ABC123;2027-01-01", column="Nummer") == [(2, "list_without_column")]


@pytest.mark.parametrize("line", ["ABC123;2027-01-01", "ABC123,12.50", "ABC123\tAda", '"ABC123"', '"ABC123";"x;y"'])
def test_a_line_has_cells_and_the_first_is_the_code(line: str) -> None:
    assert codes(line) == ["ABC123"]


def test_the_separator_is_that_of_the_first_line_that_has_any() -> None:
    assert codes("ABC123;1,50", "DEF456;2,50") == ["ABC123", "DEF456"]
    assert codes("ABC123", "DEF456,2", "GHI789;3") == ["ABC123", "DEF456", "GHI789;3"]
    assert codes("sep=,", "ABC;123,x") == ["ABC;123"]


@pytest.mark.parametrize(
    "nothing", ["", " ", ",,,,", ";;;", "\t\t", '"";""', "\r\n", "# comment", "#", "## note", "#two words"]
)
def test_comments_and_empty_lines_are_left_out(nothing: str) -> None:
    assert codes("ABC123", nothing, "DEF456") == ["ABC123", "DEF456"]
    assert codes(nothing, "Code;Date", nothing, "ABC123;1", nothing) == ["ABC123"]


def test_what_may_be_a_comment_or_a_code_is_refused_with_its_line() -> None:
    assert problems("ABC123", "#SUMMER") == [(2, "list_comment_or_code")]


def test_a_code_that_begins_with_a_hash_stands_in_quotes_or_in_a_table() -> None:
    assert codes('"#SUMMER"', "ABC123") == ["#SUMMER", "ABC123"]
    assert codes("Code;Etat", "#SUMMER;disponible") == ["#SUMMER"]


def test_quotes_are_those_of_the_cell_unless_they_stand_twice() -> None:
    assert codes('"A;B""C"', ' "DEF456" ') == ['A;B"C', "DEF456"]


def test_the_form_that_keeps_a_spreadsheet_from_changing_a_code_is_none_of_it() -> None:
    assert codes('="00012345"', '"=""1E5"""') == ["00012345", "1E5"]


@pytest.mark.parametrize("broken", ['"ABC"D', "ABC\nDEF", "ABC\rDEF"])
def test_a_line_that_cannot_be_read_is_refused_with_its_number_and_the_rest_is_read(broken: str) -> None:
    read = list(WrittenList(["ABC123", broken, "DEF456"]))
    assert [(line.number, line.problem) for line in read] == [(1, None), (2, "list_line_unreadable"), (3, None)]


def test_a_quote_that_is_never_closed_is_told_with_the_line_of_its_beginning() -> None:
    assert problems("ABC123", '"DEF456', "GHI789") == [(2, "list_line_unreadable")]


def test_the_number_is_that_of_the_first_line_of_a_cell_with_several() -> None:
    read = list(WrittenList(["Code;Offre\n", 'ABC123;"two\n', 'lines"\n', "DEF456;x\n"]))
    assert [(line.number, line.code) for line in read] == [(2, "ABC123"), (4, "DEF456")]


def test_a_line_without_its_code_is_no_empty_line() -> None:
    assert [(line.number, line.code) for line in WrittenList(["Name;Code", "Ada;ABC123", "Bob;", "Eve"])] == [
        (2, "ABC123"),
        (3, ""),
        (4, ""),
    ]


def test_a_header_that_comes_again_is_none() -> None:
    assert codes("Code;Date", "ABC123;1", "Code;Date", "DEF456;2") == ["ABC123", "DEF456"]


# ── Files ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_is_read_in_the_encodings_that_spreadsheets_write(tmp_path: Path, encoding: str, end: str) -> None:
    file = tmp_path / "codes.csv"
    file.write_bytes(end.join(["Numéro d'adhérent;Nom", "ÉTÉ-1;Hélène", "ÉTÉ-2;Noël", ""]).encode(encoding))
    assert codes(*ListFile(file)) == ["ÉTÉ-1", "ÉTÉ-2"]


def test_a_file_in_utf_16_of_the_other_order_is_read(tmp_path: Path) -> None:
    file = tmp_path / "codes.csv"
    file.write_bytes(b"\xfe\xff" + "Code\nÉTÉ-1\n".encode("utf-16-be"))
    assert codes(*ListFile(file)) == ["ÉTÉ-1"]


def test_what_is_no_character_of_the_encoding_is_none_of_a_code(tmp_path: Path) -> None:
    file = tmp_path / "codes.csv"
    file.write_bytes(b"ABC\x81\xff\n")
    assert codes(*ListFile(file)) == ["ABC\ufffdÿ"]


def sheet(file: Path, *rows: tuple[object, ...], number_format: str = "General") -> ListFile:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)  # type: ignore[arg-type]
    for row in book.active.iter_rows():
        for cell in row:
            cell.number_format = number_format
    book.save(file)
    return ListFile(file)


def test_a_workbook_is_read(tmp_path: Path) -> None:
    lines = sheet(
        tmp_path / "codes.xlsx",
        ("Code", "Date"),
        ("# more", None),
        ("00012345", 1),
        (None, None),
        ("#A,B;C", 2),
        (12345, date(2027, 1, 1)),
    )
    assert codes(*lines) == ["00012345", "#A,B;C", "12345"]


@pytest.mark.parametrize(
    ("value", "number_format"),
    [(12345, "00000000"), (True, "General"), (date(2027, 1, 1), "yyyy-mm-dd"), (10**15, "0"), (1.5, "0")],
)
def test_what_a_spreadsheet_may_have_changed_is_no_code(tmp_path: Path, value: object, number_format: str) -> None:
    [line] = WrittenList(sheet(tmp_path / "codes.xlsx", (value,), number_format=number_format))
    assert check_chosen(line.code) is not None


def test_what_only_begins_as_a_workbook_is_read_as_text(tmp_path: Path) -> None:
    file = tmp_path / "codes.xlsx"
    file.write_bytes(b"PK\x03\x04\nABC123\n")
    [first, second] = WrittenList(ListFile(file))
    assert check_chosen(first.code) is not None
    assert second.code == "ABC123"
