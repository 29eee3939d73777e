"""Five ways to be wrong that the chaos test must catch, put into a server of its own by the name in CHAOS_MUTANT."""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import ASGIApp

from db.baskets import claims as db_claims
from db.baskets.claims import Claim, Claimed
from db.baskets.code_uses import ReleaseReason
from db.core import sessions
from services.baskets import quotes
from services.core.errors import Failure
from services.core.retries import idempotency
from services.core.retries.idempotency import IdempotentRequest
from services.pricing.engine import price_in_steps
from services.pricing.facts.offers import Offer
from services.pricing.facts.refusals import Refusal, RefusalCode
from services.pricing.facts.tickets import Line
from services.pricing.held_terms import AskedLine, HeldTerms
from services.pricing.terms import Terms
from sesame.server import app

_TAKEN_CODES = sqlalchemy.text("""
SELECT count(*) FROM codes WHERE organisation_id = :organisation AND id = ANY(:codes) AND kind = 'SINGLE_USE'
    AND status <> 'AVAILABLE' AND NOT coalesce(basket_id = ANY(:baskets), false)
""")


def check_before_write() -> None:
    """A claim looks whether the codes are free, and then takes them whatever has happened since."""
    unconditional = str(db_claims._CLAIM).replace(
        "AND (c.status = 'AVAILABLE' OR (c.status = 'HELD' AND c.basket_id = ANY(:baskets)))", ""
    )
    assert unconditional != str(db_claims._CLAIM)
    db_claims._CLAIM = sqlalchemy.text(unconditional)
    write = db_claims.claim

    async def claim(
        connection: AsyncConnection,
        organisation: UUID,
        claims: Sequence[Claim],
        ending: Sequence[UUID] = (),
        *,
        ended_as: ReleaseReason = ReleaseReason.BASKET_EXPIRED,
        by: str | None = None,
    ) -> Claimed:
        baskets = [*(each.basket for each in claims), *ending]
        codes = [hold.code for each in claims for hold in each.holds if hold.code is not None]
        parameters = {"organisation": organisation, "baskets": baskets, "codes": codes}
        if await connection.scalar(_TAKEN_CODES, parameters):
            return Claimed(frozenset(codes), frozenset(), frozenset())
        await asyncio.sleep(0.03)
        return await write(connection, organisation, claims, ending, ended_as=ended_as, by=by)

    db_claims.claim = claim


def ignored_keys() -> None:
    """Every request is new."""

    async def begin(
        connection: AsyncConnection, organisation: UUID, requests: Sequence[IdempotentRequest], *, waits: bool = True
    ) -> list[idempotency.Answer | Failure | None]:
        return [None for _ in requests]

    idempotency.begin = begin


def no_synchronous_commit() -> None:
    """A commit is told before it is written."""
    make = sessions.create_async_engine  # type: ignore[attr-defined]  # a mutant reaches inside

    def careless(*arguments: Any, connect_args: Any, **options: Any) -> Any:
        settings = {**connect_args["server_settings"], "synchronous_commit": "off"}
        return make(*arguments, **options, connect_args={"server_settings": settings})

    sessions.create_async_engine = careless  # type: ignore[attr-defined, assignment]  # a mutant reaches inside


def honour_without_end() -> None:
    """A promotional code that is over goes on, whatever a basket holds of it."""
    ask = Terms.refusals

    def refusals(terms: Terms, offer: Offer) -> list[Refusal]:
        return [each for each in ask(terms, offer) if each.code is not RefusalCode.OFFER_NOT_RUNNING]

    Terms.refusals = refusals  # type: ignore[method-assign, assignment]  # a mutant reaches inside


def held_terms_ignored() -> None:
    """Each change and each look prices a basket by the catalogue of the moment."""

    def anew(asked: Sequence[AskedLine], _held: HeldTerms, *facts: Any, only: frozenset[UUID] | None) -> Any:
        return price_in_steps([Line(line.kind, line.quantity) for line in asked if line.kind], *facts, only=only)

    quotes.price_held_in_steps = anew  # type: ignore[assignment, attr-defined]  # a mutant reaches inside


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (
        check_before_write,
        ignored_keys,
        no_synchronous_commit,
        honour_without_end,
        held_terms_ignored,
    )
}


def create() -> ASGIApp:
    MUTANTS[os.environ["CHAOS_MUTANT"]]()
    return app.create()
