"""Lists of codes as CSV files, and the letters that they go with."""

import csv
from datetime import UTC, datetime
from email.message import EmailMessage
from io import StringIO

import pytest
from sqlalchemy import update
from tests.services.theatre import NOW, House, build

from db.core import tables
from db.core.ids import new_id
from db.core.sessions import Sessions
from services.codes.batch_csv import CodeLists, cell
from services.codes.batches import DocumentType
from services.codes.format import display
from services.codes.mail_template import Enclosed, code_list_letter
from services.core.errors import NotFound
from services.core.texts import Language

NARROW = "\N{NARROW NO-BREAK SPACE}"


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


async def rows(house: House, batch: object, separator: str = ";") -> list[list[str]]:
    codes = await CodeLists(house.sessions).of_batch(house.theatre.organisation, batch)  # type: ignore[arg-type]
    content = b"".join([piece async for piece in codes.csv(separator)])
    return list(csv.reader(StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator))


async def test_a_list_has_one_code_a_line_with_the_link_that_enters_it(house: House) -> None:
    batch = await house.made(quantity=2)
    title, *lines = await rows(house, batch.id)
    codes = await house.codes(batch.id)
    assert title == ["Code", "État", "Offre", "Valable à partir du", "Valable jusqu’au", "Lien"]
    assert lines == [
        [display(code), "disponible", "Offre PROMOTYD", "", "", f"https://shop.example.org?code={code}"]
        for code in codes
    ]


async def test_a_list_says_what_became_of_each_code(house: House) -> None:
    batch = await house.made(quantity=3, language=Language.EN)
    held, used, lost = await house.codes(batch.id)
    await house.hold(held)
    await house.use(used)
    await house.tracked.invalidate(house.staff, lost, "lost", NOW)
    assert [line[1] for line in (await rows(house, batch.id))[1:]] == ["held", "used", "invalidated"]


async def test_validity_is_in_the_organisations_time(house: House) -> None:
    batch = await house.made(quantity=1)
    window = {"valid_from": NOW, "valid_until": NOW}
    async with house.sessions.writing() as connection:
        await connection.execute(update(tables.offers).values(**window))
    assert (await rows(house, batch.id))[1][3:5] == ["2026-11-20 13:00:00+01:00"] * 2


async def test_a_list_comes_in_the_asked_separator(house: House) -> None:
    batch = await house.made(quantity=1)
    assert len((await rows(house, batch.id, ","))[1]) == 6


async def test_a_list_starts_with_a_byte_order_mark(house: House) -> None:
    batch = await house.made(quantity=1)
    codes = await CodeLists(house.sessions).of_batch(house.theatre.organisation, batch.id)
    pieces = [piece async for piece in codes.csv()]
    assert pieces[0].startswith(b"\xef\xbb\xbf")


async def test_a_list_of_many_pages_is_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.codes.batch_csv._PAGE", 7)
    batch = await house.made(quantity=50)
    listed = [line[0] for line in (await rows(house, batch.id))[1:]]
    assert listed == [display(code) for code in await house.codes(batch.id)]


async def test_a_shop_with_an_address_of_its_own_keeps_it_in_the_link(house: House) -> None:
    batch = await house.made(quantity=1)
    async with house.sessions.writing() as connection:
        await connection.execute(update(tables.points_of_sale).values(url="https://x.org/a?lang=fr&code=old#top"))
    (code,) = await house.codes(batch.id)
    assert (await rows(house, batch.id))[1][5] == f"https://x.org/a?lang=fr&code={code}"


async def test_the_list_of_an_unknown_batch_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        await CodeLists(house.sessions).of_batch(house.theatre.organisation, new_id())


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1+1", "＝1+1"])
def test_a_cell_that_a_spreadsheet_would_run_is_defused(formula: str) -> None:
    (row,) = csv.reader(StringIO(cell(formula, ";"), newline=""), delimiter=";")
    assert row == [f"'{formula}"]


@pytest.mark.parametrize("value", ["a;b", 'say "hi"', "two\r\nlines", "plain", "a,b", "5-4"])
def test_a_cell_keeps_what_it_holds(value: str) -> None:
    (row,) = csv.reader(StringIO(cell(value, ";") + "\r\n", newline=""), delimiter=";")
    assert row == [value]


async def test_a_name_cannot_add_a_header_to_a_letter(house: House) -> None:
    trick = "Evil\r\nBcc: all@example.org\r\n\r\n<b>"
    async with house.sessions.writing() as connection:
        await connection.execute(update(tables.contacts).values(name=trick))
        await connection.execute(update(tables.organisations).values(name=trick))
        await connection.execute(update(tables.offers).values(public_name={"fr": trick}))
    batch = await house.request(document_type=DocumentType.EMAIL_WITH_CODE_LIST, remark=trick)
    codes = await CodeLists(house.sessions).of_batch(house.theatre.organisation, batch)
    letter = code_list_letter(codes, "no-reply@example.org", "codes@example.org", Enclosed(b"", b""), NOW)
    assert "Bcc" not in letter
    assert letter["Subject"] == "Vos 150 codes\N{NARROW NO-BREAK SPACE}: Evil Bcc: all@example.org <b>"


@pytest.mark.parametrize(
    ("language", "subject", "sentences"),
    [
        (
            "FR",
            "Vos 150 codes : PROMOTYD",
            ["voici les 150 codes de l’offre", "avant le 1er mai 2027 à 00:00 (UTC+02:00)"],
        ),
        ("EN", "Your 150 codes: PROMOTYD", ["Here are the 150 codes", "before 1 May 2027 at 00:00 (GMT+02:00)"]),
        ("DE", "Ihre 150 Codes: PROMOTYD", ["anbei die 150 Codes", "vor dem 1. Mai 2027, 00:00 Uhr (GMT+02:00)"]),
        (
            "ES",
            "Sus 150 códigos: PROMOTYD",
            ["Le enviamos los 150 códigos", "antes del 1 de mayo de 2027, 00:00 (GMT+02:00)"],
        ),
        ("IT", "I vostri 150 codici: PROMOTYD", ["ecco i 150 codici", "prima del 1º maggio 2027, 00:00 (GMT+02:00)"]),
    ],
)
async def test_a_letter_says_what_the_list_is_until_when_it_is_good_and_where(
    house: House, language: str, subject: str, sentences: list[str]
) -> None:
    letter = await letter_of(house, language, quantity=150)
    assert letter["Subject"].replace(NARROW, " ") == subject
    plain, page = (letter.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert page is not None
    for sentence in sentences:
        assert sentence in plain.get_content().replace(NARROW, " ")
        assert sentence in page.get_content().replace(NARROW, " ")
    assert "https://shop.example.org\n" in plain.get_content()
    assert '<a href="https://shop.example.org">https://shop.example.org</a>' in page.get_content()
    assert f'<html lang="{language.lower()}">' in page.get_content()


@pytest.mark.parametrize(
    ("language", "subject", "until"),
    [
        ("FR", "Votre code : PROMOTYD", "Il est à utiliser"),
        ("EN", "Your code: PROMOTYD", "It is to be used"),
        ("DE", "Ihr Code: PROMOTYD", "Er ist vor"),
        ("ES", "Su código: PROMOTYD", "Debe utilizarse"),
        ("IT", "Il vostro codice: PROMOTYD", "Va utilizzato"),
    ],
)
async def test_a_letter_with_one_code_speaks_of_one(house: House, language: str, subject: str, until: str) -> None:
    letter = await letter_of(house, language, quantity=1)
    assert letter["Subject"].replace(NARROW, " ") == subject
    plain = letter.get_body(("plain",))
    assert plain is not None
    assert until in plain.get_content()


async def test_a_letter_for_a_shop_without_an_address_names_none(house: House) -> None:
    async with house.sessions.writing() as connection:
        await connection.execute(update(tables.points_of_sale).values(url=None))
    plain = (await letter_of(house, "EN", quantity=2)).get_body(("plain",))
    assert plain is not None
    assert "http" not in plain.get_content()


async def letter_of(house: House, language: str, quantity: int) -> EmailMessage:
    async with house.sessions.writing() as connection:
        until = datetime(2027, 4, 30, 22, tzinfo=UTC)
        await connection.execute(update(tables.offers).values(public_name={"fr": "PROMOTYD"}, valid_until=until))
    batch = await house.request(
        document_type=DocumentType.EMAIL_WITH_CODE_LIST, language=Language(language), quantity=quantity
    )
    codes = await CodeLists(house.sessions).of_batch(house.theatre.organisation, batch)
    return code_list_letter(codes, "a@example.org", "b@example.org", Enclosed(b"", b""), NOW)


async def test_a_letter_sent_twice_has_one_message_id(house: House) -> None:
    batch = await house.request(document_type=DocumentType.EMAIL_WITH_CODE_LIST)
    codes = await CodeLists(house.sessions).of_batch(house.theatre.organisation, batch)
    first, second = (
        code_list_letter(codes, "a@example.org", "b@example.org", Enclosed(b"", b""), NOW) for _ in range(2)
    )
    assert first["Message-ID"] == second["Message-ID"] == f"<{batch}@example.org>"
