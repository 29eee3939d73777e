"""A promotional code is entered by chosen and by random codes, and those of offers that are over become another one's,
however many people see to it at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from tests import back_door
from tests.services.theatre import NOW, House, build

from db.codes.batches import DocumentType, NewBatch
from db.core import tables
from db.core.ids import new_id
from db.core.sessions import Sessions
from services.codes.batches import place
from services.codes.checks import receiver
from services.codes.custom_codes import CustomCodes
from services.codes.imports import ImportRequest, Imports
from services.core.errors import Conflict, InvalidInput
from services.core.transactions import Transaction
from services.core.viewer import StaffRole


class Desk(House):
    """A house where codes are chosen, too."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.custom = CustomCodes(self.sessions, self.transactions)
        self.imports = Imports(self.transactions)

    async def choose(self, offer: UUID, code: str) -> UUID:
        return await self.custom.add(self.theatre.staff(StaffRole.CATALOGUE), offer, code, None, NOW)

    async def take_in(self, offer: UUID, code: str) -> UUID:
        return await self.imports.take_in(self.staff, ImportRequest(offer, self.theatre.secutix), [code], NOW)

    @asynccontextmanager
    async def generating(self, offer: UUID) -> AsyncIterator[None]:
        """A request for random codes, which is committed at the end."""
        organisation, contact = self.theatre.organisation, self.theatre.secutix
        order = NewBatch(offer, contact, 1, None, DocumentType.NO_EMAIL, "FR")
        async with self.sessions.writing() as connection:
            await receiver(connection, organisation, offer, contact)
            await place(Transaction(connection, organisation, NOW), new_id(), order, "staff:ada")
            yield

    async def close(self, offer: UUID) -> None:
        async with self.sessions.writing() as connection:
            await connection.execute(update(tables.offers).where(tables.offers.c.id == offer).values(state="CLOSED"))

    async def kept(self, shown: str) -> int:
        """How many codes there are that are shown so, those in history too."""
        query = select(func.count()).select_from(tables.codes).where(tables.codes.c.shown == shown)
        async with self.sessions.reading() as connection:
            return int(await connection.scalar(query) or 0)


@pytest.fixture
async def desk(sessions: Sessions) -> Desk:
    return Desk(sessions, await build(sessions))


async def test_codes_asked_for_while_their_offer_is_closed_are_refused(desk: Desk) -> None:
    offer = desk.theatre.promotyd
    async with desk.sessions.writing() as connection:
        await connection.execute(update(tables.offers).where(tables.offers.c.id == offer).values(state="CLOSED"))
        asking = asyncio.create_task(desk.request())
        await back_door.somebody_waits(desk.sessions)
    with pytest.raises(Conflict):
        await asking


async def test_two_requests_for_codes_of_one_offer_do_not_wait_for_each_other(desk: Desk) -> None:
    async with desk.generating(desk.theatre.promotyd), asyncio.timeout(20):
        await desk.request()


async def test_chosen_and_random_codes_asked_for_at_once_are_all_made(desk: Desk) -> None:
    async with desk.sessions.writing() as connection:
        coupons = await back_door.copy(connection, tables.offers, "RANDOM", 10)
    attempts = [
        attempt
        for place, offer in enumerate(coupons)
        for attempt in (
            desk.request(offer=offer),
            desk.choose(offer, f"CHOSEN {place}"),
            desk.take_in(offer, f"MEMBER-{place}"),
        )
    ]
    assert all(isinstance(answer, UUID) for answer in await asyncio.gather(*attempts))


async def test_all_who_ask_at_once_for_codes_without_a_structure_ask_for_one_and_the_same(desk: Desk) -> None:
    offer = desk.theatre.random_coupon
    batches = await asyncio.gather(*(desk.request(offer=offer, contact=None) for _ in range(10)))
    assert len({(await desk.batch(batch)).contact for batch in batches}) == 1


async def test_an_import_takes_over_the_chosen_codes_of_a_closed_offer(desk: Desk) -> None:
    await desk.choose(desk.theatre.custom_coupon, "Member 1")
    with pytest.raises(InvalidInput):
        await desk.take_in(desk.theatre.random_coupon, "Member 1")
    await desk.close(desk.theatre.custom_coupon)
    batch = await desk.take_in(desk.theatre.random_coupon, "Member 1")
    assert await desk.codes(batch) == ["MEMBER1"]


async def test_of_ten_offers_that_want_the_code_of_a_closed_one_at_once_one_gets_it(desk: Desk) -> None:
    await desk.choose(desk.theatre.custom_coupon, "MERCI")
    await desk.close(desk.theatre.custom_coupon)
    async with desk.sessions.writing() as connection:
        coupons = await back_door.copy(connection, tables.offers, "RANDOM", 10)
    answers = await asyncio.gather(*(desk.choose(offer, "MERCI") for offer in coupons), return_exceptions=True)
    assert sum(isinstance(answer, UUID) for answer in answers) == 1
    assert all(isinstance(answer, UUID | InvalidInput) for answer in answers), answers
    assert await desk.kept("MERCI") == 2


async def test_a_code_asked_for_while_its_offer_is_being_closed_is_nobodys_or_the_askers(desk: Desk) -> None:
    """Who comes before the offer is closed is refused, who comes after gets it; nobody breaks anything."""
    async with desk.sessions.writing() as connection:
        coupons = await back_door.copy(connection, tables.offers, "RANDOM", 10)
    for turn, (old, new) in enumerate(zip(coupons[::2], coupons[1::2], strict=True)):
        await desk.choose(old, f"TURN {turn}")
        _, answer = await asyncio.gather(desk.close(old), desk.choose(new, f"TURN {turn}"), return_exceptions=True)
        assert isinstance(answer, UUID | InvalidInput)
        assert await desk.kept(f"TURN {turn}") == 1 + isinstance(answer, UUID)
