"""Downloading by signed links."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from tests.servers import free_port

from db.core import tables
from db.core.sessions import Sessions
from resolvers.transport.downloads import routes
from services.access.attempt_counts import AttemptCounts
from services.access.flood_alarm import FloodAlarm
from services.access.misses import Misses
from services.catalogue.catalogues import Catalogues
from services.codes.batch_csv import CodeLists
from services.codes.download_links import LIFETIME, DownloadLinks
from services.codes.tracking_csv import TrackingLists
from services.core.expiry import HeldNow
from services.core.transactions import Transactions

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LINKS = DownloadLinks("a secret of tests", "https://tickets.example.org")
UNKNOWN = UUID(int=1)


def _held_now(sessions: Sessions) -> HeldNow:
    return HeldNow(sessions, Transactions(sessions, lambda *_: None))


@pytest.fixture
async def client(loaded: Sessions) -> AsyncIterator[httpx.AsyncClient]:
    tracking = TrackingLists(_held_now(loaded), Catalogues(loaded), LINKS)
    misses = Misses(AttemptCounts(loaded), FloodAlarm())
    application = Starlette(routes=routes(CodeLists(loaded), tracking, LINKS, lambda: NOW, misses))
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="https://tickets.example.org") as client:
        yield client


async def test_a_link_downloads_the_list_as_a_file(client: httpx.AsyncClient, loaded: Sessions) -> None:
    async with loaded.reading() as connection:
        batch = (await connection.execute(select(tables.batches))).one()
    response = await client.get(LINKS.to_batch(batch.organisation_id, batch.id, NOW))
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"].startswith('attachment; filename="codes-PROMOTYD-')
    assert response.content.startswith("\ufeffCode;État;Offre;".encode())


async def test_a_link_downloads_the_list_as_a_workbook(client: httpx.AsyncClient, loaded: Sessions) -> None:
    async with loaded.reading() as connection:
        batch = (await connection.execute(select(tables.batches))).one()
    response = await client.get(LINKS.to_batch(batch.organisation_id, batch.id, NOW, "xlsx"))
    assert response.status_code == 200
    assert response.headers["content-type"].endswith("spreadsheetml.sheet")
    assert response.headers["content-disposition"].endswith('.xlsx"')
    assert response.content.startswith(b"PK")


async def test_a_list_that_is_too_long_for_a_workbook_is_told_so(
    client: httpx.AsyncClient, loaded: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.codes.batch_csv.MOST_IN_A_WORKBOOK", 149)
    monkeypatch.setattr("services.codes.lists.workbook.MOST_IN_A_WORKBOOK", 149)
    async with loaded.reading() as connection:
        batch = (await connection.execute(select(tables.batches))).one()
    everything = LINKS.to_codes(batch.organisation_id, b'{"filter":{},"language":"EN","own":null}', NOW, "xlsx")
    for link in (LINKS.to_batch(batch.organisation_id, batch.id, NOW, "xlsx"), everything):
        response = await client.get(link, headers={"Accept-Language": "en"})
        assert (response.status_code, "as CSV" in response.text) == (413, True)


async def test_a_link_without_its_token_is_forbidden(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/batches/{UNKNOWN}.csv")).status_code == 403


async def test_an_expired_link_is_gone(client: httpx.AsyncClient) -> None:
    link = LINKS.to_batch(UNKNOWN, UNKNOWN, NOW - LIFETIME - timedelta(seconds=1))
    response = await client.get(link, headers={"Accept-Language": "en"})
    assert response.status_code == 410
    assert "expired" in response.text


async def test_a_link_to_nothing_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get(LINKS.to_batch(UNKNOWN, UNKNOWN, NOW))).status_code == 404


async def test_what_is_no_batch_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/batches/none.csv")).status_code == 404


async def test_a_separator_that_is_none_is_a_bad_request(client: httpx.AsyncClient) -> None:
    link = LINKS.to_batch(UNKNOWN, UNKNOWN, NOW)
    assert (await client.get(f"{link}&separator=|")).status_code == 400


async def test_a_filtered_list_without_its_token_is_forbidden(client: httpx.AsyncClient) -> None:
    assert (await client.get("/codes.csv")).status_code == 403


async def test_an_outage_is_unavailable_and_says_when_to_come_back() -> None:
    nobody = Sessions(f"postgresql+asyncpg://ada@127.0.0.1:{free_port()}/sesame", pool_size=1)
    tracking = TrackingLists(_held_now(nobody), Catalogues(nobody), LINKS)
    misses = Misses(AttemptCounts(nobody), FloodAlarm())
    application = Starlette(routes=routes(CodeLists(nobody), tracking, LINKS, lambda: NOW, misses))
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="https://tickets.example.org") as client:
        response = await client.get(LINKS.to_batch(UNKNOWN, UNKNOWN, NOW), headers={"Accept-Language": "en"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert response.text.startswith("The service is unavailable for a moment.")
