"""Batches that the queue has forgotten get a job again, and exactly one."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.services.theatre import NOW, House, build

from db.core.driver import driver_within
from db.core.sessions import Sessions
from services.codes.batches import BatchState, DocumentType
from services.codes.lost_work import LostWork
from services.core.errors import Conflict
from services.core.mail import MailUnavailable
from sesame.worker.jobs import Worker

MAILED = DocumentType.EMAIL_WITH_CODE_LIST


# What a full disk does: a job can be taken and worked on, but what became of it cannot be written down.
DISK_IS_FULL = """
CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$ LANGUAGE plpgsql;
CREATE TRIGGER full_disk BEFORE INSERT ON pgqueuer_log FOR EACH ROW WHEN (NEW.traceback IS NOT NULL)
    EXECUTE FUNCTION full_disk()
"""


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


async def forgotten(house: House) -> None:
    """The queue loses all its jobs."""
    async with house.sessions.writing() as connection:
        await connection.execute(text("DELETE FROM pgqueuer"))


async def jobs(house: House) -> list[tuple[str, UUID]]:
    """The kind of each job and the batch that it is for."""
    async with house.sessions.reading() as connection:
        rows = await connection.execute(text("SELECT entrypoint, payload FROM pgqueuer ORDER BY id"))
        return [(row.entrypoint, UUID(bytes=row.payload[16:])) for row in rows]


async def test_a_batch_whose_job_is_lost_is_made_all_the_same(house: House) -> None:
    batch = await house.request(quantity=1_000)
    await forgotten(house)
    await LostWork(house.sessions).restore()
    generation = house.generation()
    worker = Worker(house.sessions, generation, lambda: NOW, patience=timedelta(seconds=1))
    running = asyncio.create_task(worker.run())
    await generation.reached(BatchState.DONE)
    worker.stop()
    await running
    assert len(set(await house.codes(batch))) == (await house.counts()).generated == 1_000


async def test_a_job_that_cannot_be_put_off_is_not_forgotten(house: House) -> None:
    posting = house.generation()
    batch = await house.request(document_type=MAILED)
    house.post.trouble = [MailUnavailable("away")]
    async with house.sessions.writing() as connection:
        await (await driver_within(connection)).execute(DISK_IS_FULL)
    worker = Worker(house.sessions, posting, lambda: NOW, patience=timedelta(seconds=1))
    running = asyncio.create_task(worker.run())
    await posting.reached(BatchState.DONE)
    worker.stop()
    await running
    assert (await house.batch(batch)).sent_at == NOW


async def test_many_who_look_at_once_add_one_job(house: House) -> None:
    lost = [await house.request() for _ in range(5)]
    await forgotten(house)
    kept = await house.request()
    await asyncio.gather(*(LostWork(house.sessions).restore() for _ in range(8)))
    found = await jobs(house)
    assert sorted(found) == sorted(("batch", batch) for batch in [*lost, kept])


async def test_a_batch_that_lacks_its_mail_is_given_the_job_that_mails_it(house: House) -> None:
    batch = await house.request(document_type=MAILED)
    assert await house.generation().advance(house.theatre.organisation, batch, NOW) is BatchState.SENDING
    await forgotten(house)
    await LostWork(house.sessions).restore()
    assert await jobs(house) == [("mail", batch)]


async def test_a_batch_at_its_end_is_left_alone(house: House) -> None:
    await house.made()
    failed = await house.request()
    async with house.sessions.writing() as connection:
        await connection.execute(text("UPDATE batches SET state = 'FAILED' WHERE id = :id"), {"id": failed})
    await forgotten(house)
    await LostWork(house.sessions).restore()
    assert await jobs(house) == []


async def test_a_batch_that_somebody_has_in_hand_is_not_waited_for(house: House) -> None:
    batch = await house.request()
    await forgotten(house)
    async with house.sessions.writing() as connection:
        await connection.execute(text("SELECT FROM batches WHERE id = :id FOR UPDATE"), {"id": batch})
        await LostWork(house.sessions).restore()
    assert await jobs(house) == []
    await LostWork(house.sessions).restore()
    assert await jobs(house) == [("batch", batch)]


async def test_staff_take_up_a_batch_whose_job_is_lost(house: House) -> None:
    batch = await house.request()
    with pytest.raises(Conflict):
        await house.batches.resend(house.staff, batch, None, NOW)
    await forgotten(house)
    await house.batches.resend(house.staff, batch, None, NOW)
    assert await jobs(house) == [("batch", batch)]
    with pytest.raises(Conflict):
        await house.batches.resend(house.staff, batch, None, NOW)


async def test_taking_up_and_looking_at_once_add_one_job(house: House) -> None:
    for _ in range(10):
        batch = await house.request()
        await forgotten(house)
        taking_up = house.batches.resend(house.staff, batch, None, NOW)
        await asyncio.gather(taking_up, *(LostWork(house.sessions).restore() for _ in range(3)), return_exceptions=True)
        found = await jobs(house)
        assert ("batch", batch) in found
        assert len(found) == len(set(found))
