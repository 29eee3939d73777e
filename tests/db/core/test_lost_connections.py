"""Every wait for the database has a limit, also where nobody says that the connection is gone."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.stalling import Way, stalling

from db.core.driver import copied, driver_within
from db.core.sessions import Sessions

BLOCK = b"x" * 1_000_000 + b"\n"
SOON = 10
"""Seconds within which a wait of a second has an end, on a machine that is busy."""


@pytest.fixture
async def way(database_url: str) -> AsyncIterator[tuple[Sessions, Way]]:
    """Sessions whose statements may take a second, and the way on which they go."""
    async with stalling(database_url) as (url, way):
        sessions = Sessions(url, pool_size=1, pool_seconds=1, statement_seconds=1)
        yield sessions, way
        way.cut()
        await sessions.close()


@pytest.fixture(autouse=True)
def no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.core.sessions.SILENCE_SECONDS", 0.2)


async def without_end() -> AsyncIterator[bytes]:
    while True:
        yield BLOCK
        await asyncio.sleep(0)


async def copy_without_end(sessions: Sessions, way: Way, begun: asyncio.Event, seconds: float) -> None:
    """A COPY that comes to a stop, because nobody takes more."""
    async with sessions.writing() as connection:
        await connection.execute(text("CREATE TEMPORARY TABLE lines (line text)"))
        driver = await driver_within(connection)
        way.stall()
        begun.set()
        await copied(driver, driver.copy_to_table("lines", source=without_end()), seconds)


async def works(sessions: Sessions) -> bool:
    async with sessions.reading() as connection:
        return bool(await connection.scalar(text("SELECT true")))


async def test_a_copy_whose_connection_is_lost_ends_at_once(way: tuple[Sessions, Way]) -> None:
    sessions, network = way
    begun = asyncio.Event()
    copying = asyncio.create_task(copy_without_end(sessions, network, begun, seconds=3_600))
    async with asyncio.timeout(SOON):
        await begun.wait()
        await asyncio.sleep(0.5)
        network.cut()
        network.go_on()
        with pytest.raises(ConnectionResetError):
            await copying
        assert await works(sessions)


async def test_a_copy_that_nobody_takes_is_given_up(way: tuple[Sessions, Way]) -> None:
    sessions, network = way
    async with asyncio.timeout(SOON):
        with pytest.raises(TimeoutError):
            await copy_without_end(sessions, network, asyncio.Event(), seconds=0.5)
        network.go_on()
        assert await works(sessions)


async def test_a_copy_can_be_cancelled(way: tuple[Sessions, Way]) -> None:
    sessions, network = way
    begun = asyncio.Event()
    copying = asyncio.create_task(copy_without_end(sessions, network, begun, seconds=3_600))
    async with asyncio.timeout(SOON):
        await begun.wait()
        await asyncio.sleep(0.5)
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
        network.go_on()
        assert await works(sessions)


async def test_a_server_that_says_nothing_is_given_up(way: tuple[Sessions, Way]) -> None:
    sessions, network = way
    async with asyncio.timeout(SOON):
        assert await works(sessions)
        network.stall()
        with pytest.raises(TimeoutError):
            await works(sessions)
        network.go_on()
        assert await works(sessions)


async def commit_unheard(sessions: Sessions, network: Way) -> None:
    async with sessions.writing() as connection:
        await connection.execute(text("SELECT 1"))
        network.stall()


async def test_a_commit_that_is_not_answered_is_given_up(way: tuple[Sessions, Way]) -> None:
    sessions, network = way
    async with asyncio.timeout(SOON):
        with pytest.raises(TimeoutError):
            await commit_unheard(sessions, network)
        network.go_on()
        assert await works(sessions)


async def test_postgresql_ends_a_statement_that_takes_too_long(way: tuple[Sessions, Way]) -> None:
    sessions, _ = way
    with pytest.raises(DBAPIError, match="statement timeout"):
        async with sessions.reading() as connection:
            await connection.execute(text("SELECT pg_sleep(60)"))
    assert await works(sessions)


async def test_a_lock_is_not_waited_for_without_end(way: tuple[Sessions, Way], database_url: str) -> None:
    sessions, _ = way
    others = Sessions(database_url, pool_size=1)
    async with others.writing() as locking:
        await locking.execute(text("LOCK TABLE batches"))
        with pytest.raises(DBAPIError, match="statement timeout"):
            async with sessions.reading() as connection:
                await connection.execute(text("SELECT FROM batches"))
    await others.close()


async def test_sessions_close_though_their_server_says_nothing(
    way: tuple[Sessions, Way], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.core.sessions.CLOSE_SECONDS", 0.5)
    sessions, network = way
    assert await works(sessions)
    network.stall()
    async with asyncio.timeout(SOON):
        await sessions.close()
