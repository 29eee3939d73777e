"""A promotional code is entered by chosen codes or by random ones, however many people see to it at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from sqlalchemy import update
from tests import back_door
from tests.services.theatre import NOW, House, build

from db.codes import chosen_codes
from db.codes.batches import DocumentType, NewBatch
from db.codes.chosen_codes import ChosenCode
from db.codes.codes import CodeKind, CodeStatus
from db.core import tables
from db.core.ids import new_id
from db.core.sessions import Sessions
from db.offers import offers
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

    @asynccontextmanager
    async def choosing(self, offer: UUID) -> AsyncIterator[None]:
        """A choice of a code, which is committed at the end."""
        code = ChosenCode(new_id(), "CH0SEN", "CHOSEN", CodeKind.CUSTOM, offer, None, CodeStatus.AVAILABLE)
        async with self.sessions.writing() as connection:
            await offers.lock(connection, self.theatre.organisation, offer)
            await chosen_codes.add(connection, self.theatre.organisation, code)
            yield


@pytest.fixture
async def desk(sessions: Sessions) -> Desk:
    return Desk(sessions, await build(sessions))


async def test_a_code_chosen_while_random_ones_are_asked_for_is_refused(desk: Desk) -> None:
    offer = desk.theatre.random_coupon
    async with desk.generating(offer):
        choosing = asyncio.create_task(desk.choose(offer, "MERCI"))
        await back_door.somebody_waits(desk.sessions)
    with pytest.raises(Conflict):
        await choosing


async def test_random_codes_asked_for_while_one_is_chosen_are_refused(desk: Desk) -> None:
    offer = desk.theatre.random_coupon
    async with desk.choosing(offer):
        asking = asyncio.create_task(desk.request(offer=offer))
        await back_door.somebody_waits(desk.sessions)
    with pytest.raises(InvalidInput):
        await asking


async def test_codes_taken_in_while_one_is_chosen_are_refused(desk: Desk) -> None:
    offer = desk.theatre.random_coupon
    async with desk.choosing(offer):
        taking = asyncio.create_task(desk.take_in(offer, "Member 1"))
        await back_door.somebody_waits(desk.sessions)
    with pytest.raises(InvalidInput):
        await taking


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


async def test_of_two_kinds_of_codes_asked_for_at_once_an_offer_gets_one(desk: Desk) -> None:
    async with desk.sessions.writing() as connection:
        coupons = await back_door.copy(connection, tables.offers, "RANDOM", 40)
    attempts = [
        attempt
        for place, offer in enumerate(coupons)
        for attempt in (desk.request(offer=offer), desk.choose(offer, f"CHOSEN {place}"))
    ]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert all(isinstance(answer, UUID | Conflict | InvalidInput) for answer in answers)
    pairs = zip(answers[::2], answers[1::2], strict=True)
    assert [sum(isinstance(answer, UUID) for answer in pair) for pair in pairs] == [1] * len(coupons)
