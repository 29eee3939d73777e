"""What tests change in the example's data, and see of the database, behind the services' back."""

import asyncio
from uuid import UUID

from sqlalchemy import Table, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.catalogue import catalogue
from db.core import tables
from db.core.ids import next_id
from db.core.sessions import Sessions


async def change_offer(sessions: Sessions, code: str, **values: object) -> None:
    """Sets columns of the offer with this code."""
    async with sessions.writing() as connection:
        await connection.execute(update(tables.offers).where(tables.offers.c.code == code).values(**values))
        await catalogue.touch(connection, await organisation(connection))


async def touch(sessions: Sessions) -> None:
    """Lets the processes know that the catalogue changed."""
    async with sessions.writing() as connection:
        await catalogue.touch(connection, await organisation(connection))


async def limit_offer(sessions: Sessions, code: str, **values: object) -> None:
    """Gives the offer a limit: of its own, or of one element."""
    async with sessions.writing() as connection:
        own = await organisation(connection)
        offer = await key_of(connection, tables.offers, code)
        await connection.execute(insert(tables.offer_limits).values(organisation_id=own, offer_id=offer, **values))
        await catalogue.touch(connection, own)


async def set_quota(sessions: Sessions, code: str, quota: int) -> None:
    """Changes the quota that the offer has."""
    async with sessions.writing() as connection:
        table = tables.offer_limits
        offer = await key_of(connection, tables.offers, code)
        await connection.execute(update(table).where(table.c.offer_id == offer).values(quota=quota))
        await catalogue.touch(connection, await organisation(connection))


async def expire_baskets(sessions: Sessions) -> None:
    """Lets the time of all open baskets be over."""
    async with sessions.writing() as connection:
        await connection.execute(text("UPDATE baskets SET expires_at = now() - interval '1 second'"))


async def copy(connection: AsyncConnection, table: Table, code: str, number: int, **changes: object) -> list[UUID]:
    """So many copies of the row with this code, with codes of their own; their keys, in ascending order."""
    query = select(table).where(table.c.code == code)
    row = dict((await connection.execute(query)).mappings().one())
    keys = [next_id() for _ in range(number)]
    rows = [{**row, **changes, "id": key, "code": f"{code}-{place}"} for place, key in enumerate(keys)]
    await connection.execute(insert(table), rows)
    return keys


async def key_of(connection: AsyncConnection, table: Table, code: str) -> UUID:
    key: UUID = (await connection.execute(select(table.c.id).where(table.c.code == code))).scalar_one()
    return key


async def organisation(connection: AsyncConnection) -> UUID:
    """The example's own."""
    key: UUID = (await connection.execute(select(tables.organisations.c.id))).scalar_one()
    return key


async def somebody_waits(sessions: Sessions) -> None:
    """Returns once a session waits for a lock."""
    async with sessions.reading() as connection, asyncio.timeout(20):
        while not await connection.scalar(text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")):
            pass
