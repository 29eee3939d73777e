"""Baskets: open sales that hold what they need until they expire. Only the database's clock decides when."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Row, bindparam, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.ids import uuid_of, uuid_or_none
from db.core.tables import baskets
from db.core.waiting import BRIEFLY


class BasketState(StrEnum):
    """OPEN until it becomes an order, is cancelled, or its time is over."""

    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class BasketLine:
    """What a line asks for; its price follows from the catalogue."""

    product: UUID
    performance: UUID | None
    seat_category: UUID | None
    audience_sub_category: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class BasketContent:
    """What a customer put into a basket and how they want it: all that its price follows from, but the facts."""

    point_of_sale: UUID
    contact: UUID | None
    delivery_mode: UUID | None
    use_balance: bool
    advantages: tuple[UUID, ...] | None
    counter_profile: str | None
    lines: tuple[BasketLine, ...]
    codes: tuple[str, ...]

    @property
    def tickets(self) -> int:
        return sum(line.quantity for line in self.lines)


class Lifespan(NamedTuple):
    """How many minutes a basket lives after each of its changes, and in all."""

    minutes: int
    maximum: int


class OpenBaskets(NamedTuple):
    """Open baskets with the tickets in them, and the seconds until the first of them ends, None where there is none."""

    baskets: int
    tickets: int
    seconds: int | None


@dataclass(frozen=True, slots=True)
class LockedBasket:
    """A row, with its state as it is now: an open basket past its time is EXPIRED, swept or not.

    ``pricing`` is the price given and held, as it was written. ``client`` is who opened it, None where staff did.
    ``unknown_codes`` were entered that there are not, in the window that ends at ``unknown_codes_until``.
    """

    id: UUID
    organisation: UUID
    state: BasketState
    content: BasketContent
    pricing: str
    client: str | None
    unknown_codes: int
    unknown_codes_until: datetime | None


@dataclass(frozen=True, slots=True)
class Basket(LockedBasket):
    """A row with all that belongs to it.

    ``held_codes`` are the single-use codes that it still holds; ``order`` is the order that it became.
    """

    expires_at: datetime
    held_codes: frozenset[UUID]
    order: UUID | None


@dataclass(frozen=True, slots=True)
class CodesEntered:
    """What a basket becomes by codes: these entered, whose it is and where, this price (as it is to be kept), and how
    long to live.
    """

    basket: UUID
    codes: tuple[str, ...]
    contact: UUID | None
    counter_profile: str | None
    pricing: str
    lifespan: Lifespan


_NOW = "CASE WHEN b.state = 'OPEN' AND b.expires_at <= now() THEN 'EXPIRED' ELSE b.state END AS state_now"
_HELD_CODES = """
    SELECT c.id FROM redemptions r JOIN codes c ON c.organisation_id = r.organisation_id AND c.id = r.code_id
    WHERE r.organisation_id = b.organisation_id AND r.basket_id = b.id AND c.basket_id = b.id
"""
_THESE = "b.organisation_id = :organisation AND b.id = ANY(:ids)"
_GET = text(f"""
SELECT b.*, {_NOW}, ARRAY({_HELD_CODES}) AS held_codes,
    (SELECT o.id FROM orders o WHERE o.organisation_id = b.organisation_id AND o.basket_id = b.id) AS order_id
FROM baskets b WHERE {_THESE}
""")
_GET_HELD_CODES = text(f"SELECT held.id FROM baskets b CROSS JOIN LATERAL ({_HELD_CODES}) held WHERE {_THESE}")
_SELECT = f"SELECT b.*, {_NOW} FROM baskets b"
_LOCK = text(f"{_SELECT} WHERE {_THESE} ORDER BY b.id FOR NO KEY UPDATE")
_LOCK_FREE = text(f"{_SELECT} WHERE {BRIEFLY} AND {_THESE} ORDER BY b.id FOR NO KEY UPDATE SKIP LOCKED")
_LINES = bindparam("lines", type_=JSONB)
_ADD = text("""
INSERT INTO baskets (organisation_id, id, point_of_sale_id, counter_profile, contact_id, delivery_mode_id, use_balance,
    advantage_ids, lines, tickets, entered_codes, pricing, client, expires_at)
VALUES (:organisation, :basket, :point_of_sale, :counter_profile, :contact, :delivery_mode, :use_balance,
    :advantages, :lines, :tickets, :codes, :pricing, :client, now() + make_interval(mins => :minutes))
RETURNING expires_at
""").bindparams(_LINES)
# Each change extends a basket, up to its maximum lifespan.
_SAVE = text("""
UPDATE baskets SET contact_id = :contact, counter_profile = :counter_profile, delivery_mode_id = :delivery_mode,
    use_balance = :use_balance, advantage_ids = :advantages, lines = :lines, tickets = :tickets, entered_codes = :codes,
    pricing = :pricing,
    expires_at = least(now() + make_interval(mins => :minutes), created_at + make_interval(mins => :maximum))
WHERE organisation_id = :organisation AND id = :basket
RETURNING expires_at
""").bindparams(_LINES)
_SEPARATOR = "\x1f"  # Stands in no code, however it was entered.
_SAVE_CODES = text("""
UPDATE baskets b SET entered_codes = string_to_array(n.codes, E'\\x1f'), pricing = n.pricing,
    contact_id = n.contact_id, counter_profile = n.counter_profile,
    expires_at = least(now() + make_interval(mins => n.minutes), b.created_at + make_interval(mins => n.maximum))
FROM unnest(CAST(:ids AS uuid[]), CAST(:codes AS text[]), CAST(:pricings AS text[]), CAST(:minutes AS integer[]),
    CAST(:maxima AS integer[]), CAST(:contacts AS uuid[]), CAST(:profiles AS text[]))
    AS n(id, codes, pricing, minutes, maximum, contact_id, counter_profile)
WHERE b.organisation_id = :organisation AND b.id = n.id
RETURNING b.id, b.expires_at
""")
_COUNT_UNKNOWN_CODES = text("""
UPDATE baskets b SET
    unknown_codes = CASE WHEN b.unknown_codes_until > :now THEN b.unknown_codes ELSE 0 END + n.number,
    unknown_codes_until = CASE WHEN b.unknown_codes_until > :now THEN b.unknown_codes_until ELSE :until END
FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS integer[])) AS n(id, number)
WHERE b.organisation_id = :organisation AND b.id = n.id
""").bindparams(bindparam("now", type_=DateTime(timezone=True)), bindparam("until", type_=DateTime(timezone=True)))
_LOCK_CLIENT = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_COUNT_OPEN = """
SELECT count(*), coalesce(sum(tickets), 0), CAST(ceil(extract(epoch FROM min(expires_at) - now())) AS integer)
FROM baskets WHERE organisation_id = :organisation AND point_of_sale_id = :point_of_sale AND state = 'OPEN'
    AND expires_at > now()
"""
_OPEN_OF_CLIENT = text(f"{_COUNT_OPEN} AND client = :client AND id IS DISTINCT FROM CAST(:but AS uuid)")
_OPEN_AT = text(f"{_COUNT_OPEN} AND client IS NOT NULL")
_SOME_EXPIRED = """
SELECT id FROM baskets WHERE organisation_id = :organisation AND state = 'OPEN' AND expires_at <= now()
ORDER BY id LIMIT 500 FOR NO KEY UPDATE
"""
_EXPIRED = text(f"{_SOME_EXPIRED} SKIP LOCKED")
_ALL_EXPIRED = text(_SOME_EXPIRED)
_HAS_EXPIRED = text("""
SELECT EXISTS (SELECT FROM baskets WHERE organisation_id = :organisation AND state = 'OPEN' AND expires_at <= now())
""")
_EXPIRED_WITH = text("""
SELECT id FROM baskets b WHERE organisation_id = :organisation AND state = 'OPEN' AND expires_at <= now() AND EXISTS (
    SELECT FROM redemptions r WHERE r.organisation_id = b.organisation_id AND r.basket_id = b.id AND r.state = 'HELD'
        AND r.offer_id = ANY(:offers))
ORDER BY id FOR NO KEY UPDATE
""")
_WITH_EXPIRED = text("SELECT DISTINCT organisation_id FROM baskets WHERE state = 'OPEN' AND expires_at <= now()")


async def get(connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, Basket]:
    """Baskets by id, as they are now."""
    rows = await connection.execute(_GET, {"organisation": organisation, "ids": list(ids)})
    return {
        row.id: Basket(
            *_locked(row), expires_at=row.expires_at, held_codes=frozenset(row.held_codes), order=row.order_id
        )
        for row in rows
    }


async def lock(connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, LockedBasket]:
    """Baskets by id, kept from all other changes until the transaction ends."""
    rows = await connection.execute(_LOCK, {"organisation": organisation, "ids": list(ids)})
    return {row.id: LockedBasket(*_locked(row)) for row in rows}


async def lock_free(connection: AsyncConnection, organisation: UUID, ids: Sequence[UUID]) -> dict[UUID, LockedBasket]:
    """Baskets by id, but for those that somebody else keeps from changes; those that are found are kept from now on.

    From now on the transaction waits 300 ms at the most for what another one has locked, and then fails.
    """
    rows = await connection.execute(_LOCK_FREE, {"organisation": organisation, "ids": list(ids)})
    return {row.id: LockedBasket(*_locked(row)) for row in rows}


async def held_codes(connection: AsyncConnection, organisation: UUID, basket: UUID) -> frozenset[UUID]:
    """The single-use codes that a basket holds."""
    parameters = {"organisation": organisation, "ids": [basket]}
    return frozenset((await connection.scalars(_GET_HELD_CODES, parameters)).all())


async def add(
    connection: AsyncConnection,
    organisation: UUID,
    basket: UUID,
    content: BasketContent,
    pricing: str,
    lifespan: Lifespan,
    client: str | None,
) -> datetime:
    """A new basket of a client, with its price; until when it lives."""
    parameters = {
        **_parameters(organisation, basket, content, pricing),
        "point_of_sale": content.point_of_sale,
        "minutes": lifespan.minutes,
        "client": client,
    }
    expires_at: datetime = (await connection.execute(_ADD, parameters)).scalar_one()
    return expires_at


async def save(
    connection: AsyncConnection,
    organisation: UUID,
    basket: UUID,
    content: BasketContent,
    pricing: str,
    lifespan: Lifespan,
) -> datetime:
    """Writes a changed basket and extends it; until when."""
    parameters = {**_parameters(organisation, basket, content, pricing), **lifespan._asdict()}
    expires_at: datetime = (await connection.execute(_SAVE, parameters)).scalar_one()
    return expires_at


async def save_codes(
    connection: AsyncConnection, organisation: UUID, changes: Sequence[CodesEntered]
) -> dict[UUID, datetime]:
    """Writes several baskets into which codes were entered; until when each is extended."""
    parameters = {
        "organisation": organisation,
        "ids": [change.basket for change in changes],
        "codes": [_SEPARATOR.join(change.codes) for change in changes],
        "pricings": [change.pricing for change in changes],
        "minutes": [change.lifespan.minutes for change in changes],
        "maxima": [change.lifespan.maximum for change in changes],
        "contacts": [change.contact for change in changes],
        "profiles": [change.counter_profile for change in changes],
    }
    return {row.id: row.expires_at for row in await connection.execute(_SAVE_CODES, parameters)}


async def count_unknown_codes(
    connection: AsyncConnection, organisation: UUID, numbers: Mapping[UUID, int], now: datetime, until: datetime
) -> None:
    """Adds to what was entered into baskets, all of them locked, that there is not.

    A window that begins with it lasts until ``until``.
    """
    counted = {"ids": list(numbers), "numbers": list(numbers.values()), "now": now, "until": until}
    await connection.execute(_COUNT_UNKNOWN_CODES, {"organisation": organisation, **counted})


async def end(connection: AsyncConnection, organisation: UUID, ids: Collection[UUID], state: BasketState) -> None:
    """Marks baskets CONFIRMED, CANCELLED or EXPIRED, and forgets at which address they were opened."""
    if ids:
        of = (baskets.c.organisation_id == organisation) & baskets.c.id.in_(ids)
        await connection.execute(update(baskets).where(of).values(state=state, client=None))


async def lock_client(connection: AsyncConnection, organisation: UUID, point_of_sale: UUID, client: str) -> None:
    """Lets what a client opens at a point of sale be counted one by one, until the transaction ends."""
    await connection.execute(_LOCK_CLIENT, {"name": f"{organisation}/{point_of_sale}/{client}"})


async def open_of_client(
    connection: AsyncConnection, organisation: UUID, point_of_sale: UUID, client: str, but: UUID | None
) -> OpenBaskets:
    """What a client has open at a point of sale, without one of the baskets."""
    where = {"organisation": organisation, "point_of_sale": point_of_sale, "client": client, "but": but}
    return OpenBaskets(*(await connection.execute(_OPEN_OF_CLIENT, where)).one())


async def open_at(connection: AsyncConnection, organisation: UUID, point_of_sale: UUID) -> OpenBaskets:
    """What all clients together have open at a point of sale; the staff's baskets are not among it."""
    where = {"organisation": organisation, "point_of_sale": point_of_sale}
    return OpenBaskets(*(await connection.execute(_OPEN_AT, where)).one())


async def lock_expired(connection: AsyncConnection, organisation: UUID) -> list[UUID]:
    """Some open baskets past their time, none that somebody else is ending right now."""
    return list((await connection.scalars(_EXPIRED, {"organisation": organisation})).all())


async def lock_all_expired(connection: AsyncConnection, organisation: UUID) -> list[UUID]:
    """Some open baskets past their time; waits for whoever is ending one right now."""
    return list((await connection.scalars(_ALL_EXPIRED, {"organisation": organisation})).all())


async def has_expired(connection: AsyncConnection, organisation: UUID) -> bool:
    """Whether any open basket is past its time."""
    return bool(await connection.scalar(_HAS_EXPIRED, {"organisation": organisation}))


async def lock_expired_with(connection: AsyncConnection, organisation: UUID, offers: Collection[UUID]) -> list[UUID]:
    """All open baskets past their time that hold tickets of these offers; waits for whoever is ending one right now."""
    parameters = {"organisation": organisation, "offers": list(offers)}
    return list((await connection.scalars(_EXPIRED_WITH, parameters)).all())


async def organisations_with_expired(connection: AsyncConnection) -> list[UUID]:
    """The organisations that have open baskets past their time."""
    return list((await connection.scalars(_WITH_EXPIRED)).all())


def _parameters(organisation: UUID, basket: UUID, content: BasketContent, pricing: str) -> dict[str, object]:
    return {
        "organisation": organisation,
        "basket": basket,
        "tickets": content.tickets,
        "contact": content.contact,
        "counter_profile": content.counter_profile,
        "delivery_mode": content.delivery_mode,
        "use_balance": content.use_balance,
        "advantages": None if content.advantages is None else list(content.advantages),
        "lines": [
            [
                str(line.product),
                _text(line.performance),
                _text(line.seat_category),
                str(line.audience_sub_category),
                line.quantity,
            ]
            for line in content.lines
        ],
        "codes": list(content.codes),
        "pricing": pricing,
    }


def _locked(
    row: Row[Any],
) -> tuple[UUID, UUID, BasketState, BasketContent, str, str | None, int, datetime | None]:
    content = BasketContent(
        point_of_sale=row.point_of_sale_id,
        contact=row.contact_id,
        delivery_mode=row.delivery_mode_id,
        use_balance=row.use_balance,
        advantages=None if row.advantage_ids is None else tuple(row.advantage_ids),
        counter_profile=row.counter_profile,
        lines=tuple(
            [
                BasketLine(uuid_of(product), uuid_or_none(performance), uuid_or_none(seat), uuid_of(audience), quantity)
                for product, performance, seat, audience, quantity in row.lines
            ]
        ),
        codes=tuple(row.entered_codes),
    )
    # By its name, which is its value: in a third of the time.
    state = BasketState[row.state_now]
    counted = row.unknown_codes, row.unknown_codes_until
    return row.id, row.organisation_id, state, content, row.pricing, row.client, *counted


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
