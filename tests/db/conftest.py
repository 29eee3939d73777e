"""Databases of their own for tests about the schema itself."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

if TYPE_CHECKING:
    from tests.conftest import Databases


@pytest.fixture
async def empty_database(databases: "Databases") -> AsyncIterator[str]:
    """The URL of a database without any table."""
    async with databases.copy_of("template0") as url:
        yield url


@pytest.fixture
async def engine(empty_database: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(empty_database)
    yield engine
    await engine.dispose()
