"""Three ways to be wrong that the chaos test must catch, put into a server of its own by the name in CHAOS_MUTANT."""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import ASGIApp

from db.baskets import claims
from db.core import sessions
from services.core.idempotency import IdempotentRequest
from sesame.server import app

_TAKEN_CODES = sqlalchemy.text("""
SELECT count(*) FROM codes WHERE organisation_id = :organisation AND id = ANY(:codes) AND kind = 'SINGLE_USE'
    AND status <> 'AVAILABLE' AND NOT coalesce(basket_id = ANY(:baskets), false)
""")


def check_before_write() -> None:
    """A claim looks whether the codes are free, and then takes them whatever has happened since."""
    unconditional = str(claims._CLAIM).replace(
        "AND (c.status = 'AVAILABLE' OR (c.status = 'HELD' AND c.basket_id = ANY(:baskets)))", ""
    )
    assert unconditional != str(claims._CLAIM)
    claims._CLAIM = sqlalchemy.text(unconditional)
    write = claims.claim

    async def claim(
        connection: AsyncConnection, organisation: UUID, wanted: Sequence[claims.Claim], ending: Sequence[UUID] = ()
    ) -> claims.Claimed:
        baskets = [*(each.basket for each in wanted), *ending]
        codes = [hold.code for each in wanted for hold in each.holds if hold.code is not None]
        parameters = {"organisation": organisation, "baskets": baskets, "codes": codes}
        if await connection.scalar(_TAKEN_CODES, parameters):
            return claims.Claimed(frozenset(codes), frozenset(), frozenset())
        await asyncio.sleep(0.03)
        return await write(connection, organisation, wanted, ending)

    claims.claim = claim


def ignored_keys() -> None:
    """Every request is new."""
    IdempotentRequest.is_keyed = property(lambda _: False)  # type: ignore[assignment,method-assign]


def no_synchronous_commit() -> None:
    """A commit is told before it is written."""
    make = sessions.create_async_engine

    def careless(*arguments: Any, connect_args: Any, **options: Any) -> Any:
        settings = {**connect_args["server_settings"], "synchronous_commit": "off"}
        return make(*arguments, **options, connect_args={"server_settings": settings})

    sessions.create_async_engine = careless


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant for mutant in (check_before_write, ignored_keys, no_synchronous_commit)
}


def create() -> ASGIApp:
    MUTANTS[os.environ["CHAOS_MUTANT"]]()
    return app.create()
