"""Signed links that expire."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.codes.download_links import LIFETIME, BrokenLink, DownloadLinks, ExpiredLink

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORGANISATION, BATCH, OTHER = (UUID(int=number) for number in (1, 2, 3))
LINKS = DownloadLinks("a secret of tests", "https://tickets.example.org/")


def token() -> str:
    return LINKS.to_batch(ORGANISATION, BATCH, NOW).partition("?token=")[2]


def test_a_link_names_its_batch() -> None:
    assert LINKS.to_batch(ORGANISATION, BATCH, NOW).startswith(f"https://tickets.example.org/batches/{BATCH}.csv?")


def test_a_token_opens_its_batch() -> None:
    assert LINKS.organisation_of(BATCH, token(), NOW) == ORGANISATION


def test_a_token_opens_no_other_batch() -> None:
    with pytest.raises(BrokenLink):
        LINKS.organisation_of(OTHER, token(), NOW)


def test_a_token_of_another_secret_opens_nothing() -> None:
    with pytest.raises(BrokenLink):
        DownloadLinks("another secret", "").organisation_of(BATCH, token(), NOW)


def test_a_token_expires() -> None:
    LINKS.organisation_of(BATCH, token(), NOW + LIFETIME - timedelta(seconds=1))
    with pytest.raises(ExpiredLink):
        LINKS.organisation_of(BATCH, token(), NOW + LIFETIME)


@pytest.mark.parametrize("broken", ["", "x", "é", "A" * 75, token()[:-2], token()[4:], "\ud800"])
def test_a_damaged_token_opens_nothing(broken: str) -> None:
    with pytest.raises(BrokenLink):
        LINKS.organisation_of(BATCH, broken, NOW)
