"""A small organisation for the tests about codes, and the services that they are about."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from db.baskets import claims, uses
from db.core import tables
from db.core.ids import next_id
from db.core.keyset import Stretch
from db.core.sessions import Sessions
from db.counts import counts
from services.codes.batches import Batch, Batches, BatchRequest, BatchState, DocumentType
from services.codes.download_links import DownloadLinks
from services.codes.format import random_codes
from services.codes.generation import BeingSent, Generation, MakeCodes
from services.codes.tracking import CodeFilter, Codes
from services.core.expiry import HeldNow
from services.core.texts import Text
from services.core.transactions import Transactions
from services.core.viewer import Audience, StaffRole, Viewer

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LINKS = DownloadLinks("a secret of tests", "https://tickets.example.org")


@dataclass(frozen=True)
class Theatre:
    """Two structures and a customer; an advantage for codes, a public one, and three promotional codes."""

    organisation: UUID
    season: UUID
    shop: UUID
    secutix: UUID
    tyd: UUID
    blandine: UUID
    promotyd: UUID
    opening: UUID
    random_coupon: UUID
    custom_coupon: UUID
    closed: UUID

    def staff(self, *roles: StaffRole) -> Viewer:
        return Viewer(Audience.STAFF, self.organisation, "theatre", "staff:ada", roles=frozenset(roles))

    def partner(self, contact: UUID) -> Viewer:
        return Viewer(Audience.PARTNER, self.organisation, "theatre", "partner:key", contact=contact)

    def shopper(self) -> Viewer:
        return Viewer(Audience.SHOPPER, self.organisation, "theatre", "shopper:shop")


async def build(sessions: Sessions, code: str = "theatre") -> Theatre:
    """Writes the organisation into the database."""
    theatre = Theatre(*(next_id() for _ in Theatre.__dataclass_fields__))
    own = {"organisation_id": theatre.organisation}
    channel = next_id()

    def contact(key: UUID, name: str, kind: str, email: str | None) -> dict[str, object]:
        return {**own, "id": key, "code": name.upper(), "kind": kind, "name": name, "email": email}

    def offer(key: UUID, name: str, **values: object) -> dict[str, object]:
        texts = {"fr": f"Offre {name}", "en": f"Offer {name}"}
        fixed = {
            "state": "RUNNING",
            "internal_name": texts,
            "public_name": texts,
            "scope": {},
            "benefit": {"percentOff": 500_000},
        }
        return {**own, "id": key, "code": name, **fixed, **values}

    def advantage(key: UUID, name: str, target: str, **values: object) -> dict[str, object]:
        of_season = {"kind": "ADVANTAGE", "season_id": theatre.season, "family": "EVENT", "target_type": target}
        return offer(key, name, **of_season, **values)

    async with sessions.writing() as connection:

        async def add(table: object, *rows: dict[str, object]) -> None:
            for row in rows:
                await connection.execute(insert(table).values(row))  # type: ignore[arg-type]

        await add(
            tables.organisations,
            {
                "id": theatre.organisation,
                "code": code,
                "name": "Théâtre",
                "currency": "EUR",
                "timezone": "Europe/Paris",
                "basket_minutes": 15,
            },
        )
        await add(
            tables.seasons,
            {**own, "id": theatre.season, "code": "S", "name": {"fr": "S"}, "starts_on": NOW, "ends_on": NOW},
        )
        await add(
            tables.sales_channels,
            {**own, "id": channel, "code": "WEB", "name": {"fr": "Web"}, "kind": "INTERNET", "processing_fee": 0},
        )
        await add(
            tables.points_of_sale,
            {
                **own,
                "id": theatre.shop,
                "code": "SHOP",
                "name": {"fr": "Shop"},
                "channel_id": channel,
                "url": "https://shop.example.org",
            },
        )
        await add(
            tables.contacts,
            contact(theatre.secutix, "Secutix", "STRUCTURE", "codes@example.org"),
            contact(theatre.tyd, "Tyd", "STRUCTURE", None),
            contact(theatre.blandine, "Blandine", "INDIVIDUAL", "blandine@example.org"),
        )
        await add(
            tables.offers,
            advantage(theatre.promotyd, "PROMOTYD", "SINGLE_USE_CODE", tickets_per_code=1, channel_ids=[channel]),
            advantage(theatre.opening, "OPENING", "PUBLIC"),
            offer(theatre.random_coupon, "RANDOM", kind="PROMOTIONAL_CODE"),
            offer(theatre.custom_coupon, "CUSTOM", kind="PROMOTIONAL_CODE"),
            advantage(theatre.closed, "OLD", "SINGLE_USE_CODE", state="CLOSED"),
        )
        await add(
            tables.codes,
            {
                **own,
                "id": next_id(),
                "code": "C0UP0N3%",
                "shown": "COUPON3%",
                "kind": "CUSTOM",
                "status": "AVAILABLE",
                "offer_id": theatre.custom_coupon,
            },
        )
    return theatre


class Post:
    """A mailer that keeps what it is given, or fails as it is told."""

    sender = "no-reply@theatre.example.org"

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.trouble: list[Exception] = []

    async def send(self, message: EmailMessage) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        self.sent.append(message)


class Steps(Generation):
    """A generation whose steps can be awaited."""

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        self.states: asyncio.Queue[BatchState] = asyncio.Queue()

    async def advance(self, organisation: UUID, batch: UUID, now: datetime) -> BatchState:
        state = await super().advance(organisation, batch, now)
        self.states.put_nowait(state)
        return state

    async def send(self, organisation: UUID, batch: UUID, now: datetime) -> BatchState:
        state = await super().send(organisation, batch, now)
        self.states.put_nowait(state)
        return state

    async def fail(self, organisation: UUID, batch: UUID, reason: Text, now: datetime) -> None:
        await super().fail(organisation, batch, reason, now)
        self.states.put_nowait(BatchState.FAILED)

    async def reached(self, state: BatchState) -> None:
        async with asyncio.timeout(30):
            while await self.states.get() is not state:
                pass


class House:
    """The services under test, on one database."""

    def __init__(self, sessions: Sessions, theatre: Theatre) -> None:
        self.sessions = sessions
        self.theatre = theatre
        self.post = Post()
        self.changed: list[set[UUID]] = []
        self.transactions = Transactions(sessions, lambda _, subjects: self.changed.append(set(subjects)))
        self.batches = Batches(sessions, self.transactions, LINKS)
        self.held_now = HeldNow(sessions, self.transactions)
        self.tracked = Codes(self.held_now, self.transactions)
        self.staff = theatre.staff(StaffRole.CODES)

    def generation(self, *, make_codes: MakeCodes = random_codes, chunk: int = 20_000) -> Steps:
        return Steps(self.sessions, self.transactions, LINKS, self.post, make_codes=make_codes, chunk=chunk)

    def wanted(self, **changes: object) -> BatchRequest:
        silent = BatchRequest(self.theatre.promotyd, self.theatre.secutix, 150, document_type=DocumentType.NO_EMAIL)
        return replace(silent, **changes)  # type: ignore[arg-type]

    async def request(self, **changes: object) -> UUID:
        return await self.batches.request(self.staff, self.wanted(**changes), NOW)

    async def made(self, generation: Generation | None = None, **changes: object) -> Batch:
        batch = await self.request(**changes)
        return await self.finished(batch, generation)

    async def finished(self, batch: UUID, generation: Generation | None = None) -> Batch:
        generation = generation or self.generation()
        state = None
        while state not in {BatchState.DONE, BatchState.FAILED}:
            step = generation.send if state is BatchState.SENDING else generation.advance
            try:
                state = await step(self.theatre.organisation, batch, NOW)
            except BeingSent:
                await asyncio.sleep(0.01)
        return await self.batch(batch)

    async def batch(self, batch: UUID) -> Batch:
        return (await self.batches.find(self.staff, [batch]))[batch]

    async def codes(self, batch: UUID) -> list[str]:
        query = select(tables.codes.c.code).where(tables.codes.c.batch_id == batch).order_by(tables.codes.c.id)
        async with self.sessions.reading() as connection:
            return list((await connection.scalars(query)).all())

    async def counts(self) -> counts.RedemptionCounts:
        async with self.sessions.reading() as connection:
            found = await counts.read(connection, self.theatre.organisation)
        return sum(found.values(), counts.RedemptionCounts())

    async def hold(self, *codes: str) -> UUID:
        """Lets a basket hold codes, each with one ticket at its offer's price."""
        basket = next_id()
        organisation = self.theatre.organisation
        content = {"lines": [], "pricing": "{}", "use_balance": False, "expires_at": NOW + timedelta(days=36_500)}
        where = {"organisation_id": organisation, "id": basket, "point_of_sale_id": self.theatre.shop}
        holds = []
        for code in codes:
            (found,) = await self.tracked.page(self.staff, CodeFilter(code=code), Stretch(None, 1))
            kind = (next_id(), None, None, next_id())
            holds.append(claims.HeldTickets(found.offer, found.id, found.contact, *kind, tickets=1))
        async with self.sessions.writing() as connection:
            await connection.execute(insert(tables.baskets).values(**where, **content))
            assert (await claims.claim(connection, organisation, [claims.Claim(basket, None, holds)])).complete
        return basket

    async def use(self, *codes: str) -> UUID:
        """Lets an order use single-use codes, each for one ticket at its offer's price."""
        order, used = await self._use(*codes)
        assert used == len(codes), "invalidated since"
        return order

    async def use_chosen(self, *codes: str) -> UUID:
        """Lets an order use chosen codes, each for one ticket."""
        return (await self._use(*codes))[0]

    async def _use(self, *codes: str) -> tuple[UUID, int]:
        organisation, order = self.theatre.organisation, next_id()
        basket = await self.hold(*codes)
        where = {"organisation_id": organisation, "id": order, "point_of_sale_id": self.theatre.shop}
        sale = {"number": str(order), "basket_id": basket, "pricing": "{}"}
        async with self.sessions.writing() as connection:
            await connection.execute(insert(tables.orders).values(**where, **sale))
            used, _ = await uses.use(connection, organisation, basket, order, None)
        return order, len(used)
