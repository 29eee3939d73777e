"""Which faults are outages of the database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from tests.servers import free_port

from db.core.outages import is_unavailable, reason
from db.core.sessions import Sessions


@pytest.fixture
async def few(database_url: str) -> AsyncIterator[Sessions]:
    few = Sessions(database_url, pool_size=1)
    yield few
    await few.close()


async def raised(sessions: Sessions, statement: str, **parameters: object) -> Exception:
    try:
        async with sessions.writing() as connection:
            await connection.execute(text(statement), parameters)
    except Exception as error:  # noqa: BLE001 - what the test is about
        return error
    raise AssertionError("nothing was raised")


async def test_a_connection_that_was_ended(few: Sessions) -> None:
    error = await raised(few, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_unavailable(error)
    assert "\n" not in reason(error)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "nowhere.invalid", "/nowhere"])
async def test_a_server_that_is_not_there(host: str) -> None:
    nobody = Sessions(f"postgresql+asyncpg://ada:hunter2@/sesame?host={host}&port={free_port()}", pool_size=1)
    error = await raised(nobody, "SELECT 1")
    assert is_unavailable(error)
    assert "hunter2" not in reason(error)


async def test_more_connections_than_there_may_be(database_url: str) -> None:
    url = make_url(database_url)
    driver = await asyncpg.connect(host=str(url.query["host"]), user="postgres", database=url.database)
    for statement in (
        "DROP ROLE IF EXISTS lonely",
        "CREATE ROLE lonely LOGIN CONNECTION LIMIT 0",
    ):
        await driver.execute(statement)
    lonely = Sessions(url.set(username="lonely").render_as_string(hide_password=False), pool_size=1)
    error = await raised(lonely, "SELECT 1")
    await driver.execute("DROP ROLE lonely")
    await driver.close()
    assert is_unavailable(error)
    assert reason(error).startswith("TooManyConnectionsError: ")


async def test_what_is_raised_by_the_server_of_itself(few: Sessions) -> None:
    for state in ("53100", "53200", "57P01", "57P03", "58030", "08006"):
        error = await raised(few, f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")
        assert is_unavailable(error), state


async def test_an_exhausted_pool() -> None:
    assert is_unavailable(PoolExhausted("QueuePool limit of size 1 overflow 0 reached"))


async def test_a_wait_that_took_too_long_and_a_machine_without_descriptors() -> None:
    assert is_unavailable(TimeoutError())
    assert is_unavailable(OSError(24, "Too many open files"))


async def test_faults_of_ours_are_none(few: Sessions) -> None:
    assert not is_unavailable(await raised(few, "SELECT 1 / 0"))
    assert not is_unavailable(await raised(few, "SELEC"))
    assert not is_unavailable(await raised(few, "SELECT CAST(:wrong AS integer)", wrong="XMAS"))
    assert not is_unavailable(KeyError("XMAS"))
    assert not is_unavailable(FileNotFoundError(2, "No such file or directory", "texts.toml"))


async def test_no_error_shows_the_parameters_of_its_statement(few: Sessions) -> None:
    statement = "SELECT 1 / CAST(:nothing AS integer), CAST(:asked AS text)"
    error = await raised(few, statement, nothing=0, asked="XMAS-2026")
    assert isinstance(error, DBAPIError)
    assert "XMAS-2026" not in str(error)
    assert reason(error) == "DivisionByZeroError: division by zero"
