"""What a list shows can be typed and read back, and survives that a spreadsheet opens and saves it."""

import asyncio
import os
import shutil
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import openpyxl
import pytest
from tests.services.theatre import LINKS, NOW, House, build

from db.core.keyset import Stretch
from db.core.sessions import Sessions
from services.catalogue.catalogues import Catalogues
from services.codes.batch_csv import CodeList, CodeLists
from services.codes.format import display, normalise, tidied
from services.codes.imports import ImportRequest, Imports
from services.codes.lists.decoding import ListFile
from services.codes.lists.reading import WrittenList
from services.codes.tracking import CodeFilter, shown
from services.codes.tracking_csv import TrackingLists
from services.core.texts import Language

OFFICE = shutil.which("soffice")
CODES = [
    *(
        "00012345",
        "1E5",
        "12-05",
        "3/4",
        "TRUE",
        "VRAI",
        "FALSE",
        "1001234567890123",
        "01/02/2026",
        "12:30",
        "1.50",
        "50 %",
    ),
    *("-5OFF", "=1+1", "+33 1 23", "@home", "'TWAS", '"#SUMMER"', "_x0041_", "été-26", "GRUß 1"),
    *('"1,50"', '"A;B"', '"SAY ""HI"""'),
]
"""As the lines of a list have them."""

pytestmark = pytest.mark.processes


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


async def listed(house: House) -> tuple[CodeList, list[str]]:
    """The list of these codes with a random one more, and how each is shown."""
    request = ImportRequest(house.theatre.promotyd, house.theatre.secutix)
    batch = await Imports(house.transactions).take_in(house.staff, request, [*CODES, "48MK SKBN TYDE 392H"], NOW)
    found = await house.tracked.page(house.staff, CodeFilter(batch=batch), Stretch(None, 100))
    codes = await CodeLists(house.sessions).of_batch(house.theatre.organisation, batch)
    return codes, [shown(code) for code in found]


async def csv_of(codes: CodeList) -> bytes:
    return b"".join([piece async for piece in codes.csv()])


def read(file: Path) -> list[str]:
    lines = list(WrittenList(ListFile(file)))
    assert [line for line in lines if line.problem] == []
    return [line.code for line in lines]


async def saved(file: Path, kind: str, locale: str) -> Path:
    """The file as LibreOffice saves it that has opened it in a locale."""
    if OFFICE is None:
        assert "NO_SKIPPED_TESTS" not in os.environ, "LibreOffice is not installed"
        pytest.skip("LibreOffice is not installed")
    profile = file.parent / f"profile-{locale}" / "user"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<oor:items xmlns:oor="http://openoffice.org/2001/registry">'
        '<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse">'
        f"<value>{locale}</value></prop></item></oor:items>",
        encoding="utf-8",
    )
    target = file.parent / locale
    # Semicolons, quotes where needed, UTF-8, all cells as they are shown.
    conversion = {"xlsx": "xlsx", "csv": "csv:Text - txt - csv (StarCalc):59,34,76,1,,0,false,true"}[kind]
    # In its dialogue, people say as much of a text file.
    opening = ["--infilter=Text - txt - csv (StarCalc):59,34,76,1"] if file.suffix == ".csv" else []
    command = [f"-env:UserInstallation={profile.parent.as_uri()}", "--headless", *opening, "--convert-to", conversion]
    office = await asyncio.create_subprocess_exec(
        OFFICE, *command, "--outdir", str(target), str(file), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(180):
        await office.communicate()
    return target / file.with_suffix(f".{kind}").name


async def test_a_list_is_read_back_as_it_was_written(house: House, tmp_path: Path) -> None:
    codes, expected = await listed(house)
    file = tmp_path / "codes.csv"
    file.write_bytes(await csv_of(codes))
    assert [normalise(code) for code in read(file)] == [normalise(code) for code in expected]


async def test_a_workbook_has_each_code_as_it_is_shown(house: House) -> None:
    codes, expected = await listed(house)
    sheet = openpyxl.load_workbook(BytesIO(await codes.xlsx())).active
    assert sheet is not None
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[0]][:2] == ["Code", "État"]
    assert [str(row[0].value).replace("_x005F_", "_") for row in rows[1:]] == expected
    assert {(cell.data_type, cell.number_format) for cell in rows[1][:3]} == {("s", "@")}


@pytest.mark.parametrize("locale", ["fr-FR", "en-US"])
async def test_a_workbook_survives_opening_and_saving(house: House, tmp_path: Path, locale: str) -> None:
    codes, expected = await listed(house)
    file = tmp_path / "codes.xlsx"
    file.write_bytes(await codes.xlsx())
    sheet = openpyxl.load_workbook(await saved(file, "xlsx", locale)).active
    assert sheet is not None
    assert [row[0] for row in sheet.iter_rows(values_only=True)][1:] == expected
    assert [tidied(code) for code in read(tmp_path / locale / "codes.xlsx")] == expected
    assert read(await saved(file, "csv", locale)) == expected


@pytest.mark.parametrize("locale", ["fr-FR", "en-US"])
async def test_codes_that_look_like_no_number_survive_opening_and_saving_in_csv_too(
    house: House, tmp_path: Path, locale: str
) -> None:
    await house.made(quantity=50)
    request = ImportRequest(house.theatre.promotyd, house.theatre.secutix)
    await Imports(house.transactions).take_in(
        house.staff, request, ["-5OFF", "=1+1", "@home", '"#SUMMER"', "été-26"], NOW
    )
    wanted = CodeFilter(offer=house.theatre.promotyd)
    url = urlsplit(
        TrackingLists(house.held_now, Catalogues(house.sessions), LINKS).url(house.staff, wanted, Language.ES, NOW)
    )
    lists = TrackingLists(house.held_now, Catalogues(house.sessions), LINKS)
    codes = await lists.behind(parse_qs(url.query)["token"][0], NOW)
    file = tmp_path / "codes.csv"
    file.write_bytes(b"".join([piece async for piece in codes.csv()]))
    found = await house.tracked.page(house.staff, wanted, Stretch(None, 100))
    assert len(found) == 55
    assert [normalise(code) for code in read(await saved(file, "csv", locale))] == [code.code for code in found]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("separator", [";", ","])
async def test_our_own_lists_are_read_in_every_language(
    house: House, tmp_path: Path, language: Language, separator: str
) -> None:
    batch = (await house.made(quantity=3, language=language)).id
    codes = await CodeLists(house.sessions).of_batch(house.theatre.organisation, batch)
    file = tmp_path / "codes.csv"
    file.write_bytes(b"".join([piece async for piece in codes.csv(separator)]))
    assert read(file) == [display(code) for code in await house.codes(batch)]
