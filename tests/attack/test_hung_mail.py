"""Mail servers that hang: nobody waits for them but their own mails, and these not for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from email.message import EmailMessage

import pytest
from tests.services.theatre import LINKS, NOW, House, Steps, build

from db.codes import batches
from db.core.sessions import Sessions
from services.codes.batches import BatchState, DocumentType
from services.codes.generation import BeingSent
from services.core.mail import Mailer, SmtpMailer
from sesame.worker.jobs import Worker

MAILED = DocumentType.EMAIL_WITH_CODE_LIST
MANY = 12
"""More mails than a worker has in hand at once."""


pytestmark = pytest.mark.long


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """The URL of a mail server that takes connections and says nothing."""
    waiting = asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await waiting.wait()
        writer.transport.abort()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    try:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        waiting.set()
        server.close()


@asynccontextmanager
async def working(house: House, mailer: Mailer) -> AsyncIterator[Steps]:
    generation = Steps(house.sessions, house.transactions, LINKS, mailer)
    worker = Worker(house.sessions, generation, lambda: NOW, patience=timedelta(seconds=1))
    running = asyncio.create_task(worker.run())
    try:
        yield generation
    finally:
        worker.stop()
        await running


class Selective:
    """Hangs on every mail but those to some addresses."""

    sender = "no-reply@example.org"

    def __init__(self, *good: str) -> None:
        self._good = good
        self.sent: list[EmailMessage] = []
        self.hangs = asyncio.Event()

    async def send(self, message: EmailMessage) -> None:
        if message["To"] not in self._good:
            self.hangs.set()
            await asyncio.Event().wait()
        self.sent.append(message)


async def test_a_mail_server_that_says_nothing_delays_no_batch_without_mail(house: House) -> None:
    for _ in range(MANY):
        await house.request(quantity=1, document_type=MAILED)
    async with silent_server() as url, working(house, SmtpMailer(url)) as generation:
        for _ in range(MANY):
            await generation.reached(BatchState.SENDING)
        silent = await house.request(quantity=1_000)
        await generation.reached(BatchState.DONE)
        assert (await house.batch(silent)).state is BatchState.DONE


async def test_other_mails_wait_no_longer_than_one_may_take(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.codes.generation.MOST_SECONDS", 0.3)
    mailer = Selective("good@example.org")
    for _ in range(MANY):
        await house.request(quantity=1, document_type=MAILED)
    good = await house.request(quantity=1, document_type=MAILED, destination="good@example.org")
    async with working(house, mailer) as generation:
        await generation.reached(BatchState.DONE)
    assert (await house.batch(good)).state is BatchState.DONE
    assert len(mailer.sent) == 1


async def test_a_mail_that_hangs_keeps_no_row_locked(house: House) -> None:
    mailer = Selective()
    batch = await house.request(quantity=1, document_type=MAILED)
    async with working(house, mailer):
        async with asyncio.timeout(30):
            await mailer.hangs.wait()
        async with asyncio.timeout(5), house.sessions.writing() as connection:
            assert await batches.lock(connection, house.theatre.organisation, batch, wait=False) is not None


async def test_a_worker_that_stops_lets_others_send_its_mail(house: House) -> None:
    hanging, mailer = Selective(), Selective("codes@example.org")
    batch = await house.request(quantity=1, document_type=MAILED)
    async with working(house, hanging), asyncio.timeout(30):
        await hanging.hangs.wait()
    async with working(house, mailer) as generation:
        await generation.reached(BatchState.DONE)
    assert (await house.batch(batch)).sent_at == NOW


async def test_a_mail_of_a_worker_that_was_killed_is_sent_once_its_time_is_over(house: House) -> None:
    batch = await house.request(quantity=1, document_type=MAILED)
    organisation, hanging = house.theatre.organisation, Selective()
    await house.generation().advance(organisation, batch, NOW)
    killed = Steps(house.sessions, house.transactions, LINKS, hanging)
    sending = asyncio.create_task(killed.send(organisation, batch, NOW))
    async with asyncio.timeout(5):
        await hanging.hangs.wait()
    with pytest.raises(BeingSent) as found:
        await house.generation().send(organisation, batch, NOW)
    later = NOW + found.value.pause + timedelta(seconds=1)
    assert await house.generation().send(organisation, batch, later) is BatchState.DONE
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
