"""The PostgreSQL server itself: whether it answers, and how much it bears."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_NOTHING: Final = text("SELECT 1")
_LIMIT: Final = text("SHOW max_connections")


async def reach(connection: AsyncConnection) -> None:
    """Returns when the server has answered. Raises OSError or SQLAlchemyError where it cannot be reached."""
    await connection.execute(_NOTHING)


async def connection_limit(connection: AsyncConnection) -> int:
    """How many connections the server takes in all."""
    return int((await connection.execute(_LIMIT)).scalar_one())
