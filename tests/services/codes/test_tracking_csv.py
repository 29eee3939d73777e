"""The tracking list as a CSV file behind a signed link."""

import csv
from datetime import timedelta
from io import StringIO
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from sqlalchemy import update
from tests.services.theatre import LINKS, NOW, House, build

from db.core import tables
from db.core.sessions import Sessions
from services.catalogue.catalogues import Catalogues
from services.codes.download_links import LIFETIME, BrokenLink, ExpiredLink
from services.codes.format import display
from services.codes.tracking import CodeFilter, CodeStatus
from services.codes.tracking_csv import TrackingLists
from services.core.errors import Forbidden, InvalidInput
from services.core.texts import Language
from services.core.viewer import StaffRole, Viewer


class Desk(House):
    """A house where lists are downloaded."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.lists = TrackingLists(self.held_now, Catalogues(self.sessions), LINKS)

    def token(self, wanted: CodeFilter, viewer: Viewer | None = None) -> str:
        url = urlsplit(self.lists.url(viewer or self.staff, wanted, Language.EN, NOW))
        assert url.path == "/codes.csv"
        return parse_qs(url.query)["token"][0]

    async def rows(self, wanted: CodeFilter, viewer: Viewer | None = None, separator: str = ";") -> list[list[str]]:
        found = await self.lists.behind(self.token(wanted, viewer), NOW)
        content = b"".join([piece async for piece in found.csv(separator)])
        assert content.startswith(b"\xef\xbb\xbf")
        return list(csv.reader(StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator))

    async def sold_to(self, order: UUID, contact: UUID) -> None:
        async with self.sessions.writing() as connection:
            await connection.execute(
                update(tables.codes).where(tables.codes.c.order_id == order).values(used_by=contact)
            )
            await connection.execute(update(tables.orders).values(number="00000042"))


@pytest.fixture
async def desk(sessions: Sessions) -> Desk:
    return Desk(sessions, await build(sessions))


async def test_a_list_says_what_became_of_each_code(desk: Desk) -> None:
    batch = (await desk.made(quantity=3)).id
    first, used, lost = await desk.codes(batch)
    await desk.sold_to(await desk.use(used), desk.theatre.blandine)
    await desk.tracked.invalidate(desk.staff, lost, "=lost", NOW)
    title, *lines = await desk.rows(CodeFilter(batch=batch))
    assert title[:4] == ["Code", "State", "Offer", "Contact"]
    assert lines[0] == [display(first), "available", "Offer PROMOTYD", "Secutix", "", "", "", "0", "", "", "", "0", "1"]
    assert lines[1][:4] == [display(used), "used", "Offer PROMOTYD", "Secutix"]
    assert lines[1][5:8] == ["Blandine", "00000042", "0"]
    assert lines[2][8:11] == ["2026-11-20 13:00:00+01:00", "staff:ada", "'=lost"]


async def test_a_list_has_what_the_filter_finds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.codes.tracking_csv._PAGE", 2)
    batch = (await desk.made(quantity=5)).id
    codes = await desk.codes(batch)
    await desk.hold(codes[0])
    available = CodeFilter(offer=desk.theatre.promotyd, status=(CodeStatus.AVAILABLE,))
    assert [line[0] for line in (await desk.rows(available))[1:]] == [display(code) for code in codes[1:]]


async def test_a_list_comes_in_the_asked_separator(desk: Desk) -> None:
    await desk.made(quantity=1)
    assert len((await desk.rows(CodeFilter(), separator=","))[1]) == 13


async def test_a_partner_downloads_its_own_codes_without_the_buyers(desk: Desk) -> None:
    theatre = desk.theatre
    own = (await desk.made(quantity=1)).id
    await desk.made(quantity=1, contact=theatre.tyd)
    (code,) = await desk.codes(own)
    await desk.sold_to(await desk.use(code), theatre.blandine)
    (line,) = (await desk.rows(CodeFilter(), theatre.partner(theatre.secutix)))[1:]
    assert (line[0], line[5], line[6]) == (display(code), "", "")


async def test_a_partner_gets_no_link_to_codes_of_others(desk: Desk) -> None:
    theatre = desk.theatre
    with pytest.raises(Forbidden):
        desk.token(CodeFilter(contact=theatre.tyd), theatre.partner(theatre.secutix))


async def test_who_may_not_follow_codes_gets_no_link(desk: Desk) -> None:
    for viewer in (desk.theatre.staff(StaffRole.SALES), desk.theatre.shopper()):
        with pytest.raises(Forbidden):
            desk.token(CodeFilter(), viewer)


async def test_a_filter_for_what_is_no_code_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidInput):
        desk.token(CodeFilter(code="\0"))


async def test_a_link_that_was_changed_is_broken(desk: Desk) -> None:
    token = desk.token(CodeFilter(batch=(await desk.made(quantity=1)).id))
    for changed in ("", "A" + token[1:], token[:-2], token + "AAAA"):
        with pytest.raises(BrokenLink):
            await desk.lists.behind(changed, NOW)


async def test_a_link_expires(desk: Desk) -> None:
    token = desk.token(CodeFilter())
    with pytest.raises(ExpiredLink):
        await desk.lists.behind(token, NOW + LIFETIME + timedelta(seconds=1))


async def test_a_link_to_a_batch_opens_no_filtered_list(desk: Desk) -> None:
    batch = (await desk.made(quantity=1)).id
    token = parse_qs(urlsplit(LINKS.to_batch(desk.theatre.organisation, batch, NOW)).query)["token"][0]
    with pytest.raises(BrokenLink):
        await desk.lists.behind(token, NOW)
