"""Making codes, in a worker too, and mailing their list."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from uuid import UUID

import pytest
from sqlalchemy import text
from tests import back_door
from tests.services.theatre import NOW, House, Steps, build

from db.core.sessions import Sessions
from services.codes.batches import Batch, BatchState, DocumentType
from services.codes.format import is_mistyped, random_codes
from services.codes.generation import Generation
from services.core.mail import MailRefused, MailUnavailable
from services.core.texts import Language
from sesame.worker.jobs import Worker

SOON = timedelta(seconds=1)
CUT_ALL_OTHERS = text("""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
""")


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


# ── Making ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_batch_has_as_many_different_codes_as_were_wanted(house: House) -> None:
    batch = await house.made(house.generation(chunk=1_000), quantity=2_500)
    codes = await house.codes(batch.id)
    assert (batch.state, batch.generated) == (BatchState.DONE, 2_500)
    assert len(set(codes)) == 2_500
    assert not any(is_mistyped(code) for code in codes)


async def test_progress_is_seen_while_codes_are_made(house: House) -> None:
    batch = await house.request(quantity=2_500)
    await house.generation(chunk=1_000).advance(house.theatre.organisation, batch, NOW)
    seen = await house.batch(batch)
    assert (seen.state, seen.generated) == (BatchState.GENERATING, 1_000)


async def test_codes_of_an_offer_that_is_closed_meanwhile_are_neither_made_nor_mailed(house: House) -> None:
    making = await house.request(quantity=2_500)
    mailing = await house.request(quantity=5, document_type=DocumentType.EMAIL_WITH_CODE_LIST)
    generation, organisation = house.generation(chunk=1_000), house.theatre.organisation
    for batch in (making, mailing):
        await generation.advance(organisation, batch, NOW)
    await house.made(generation, quantity=5)
    await back_door.change_offer(house.sessions, "PROMOTYD", state="CLOSED")
    assert await generation.advance(organisation, making, NOW) is BatchState.FAILED
    assert await generation.send(organisation, mailing, NOW) is BatchState.FAILED
    found = [await house.batch(batch) for batch in (making, mailing)]
    assert [(batch.generated, batch.error) for batch in found] == [
        (1_000, "Cette offre est close."),
        (5, "Cette offre est close."),
    ]
    assert house.post.sent == []


async def test_codes_are_counted_as_they_are_made(house: House) -> None:
    batch = await house.request(quantity=2_500)
    await house.generation(chunk=1_000).advance(house.theatre.organisation, batch, NOW)
    found = await house.counts()
    assert (found.generated, found.available) == (1_000, 1_000)


async def test_watchers_are_told_of_each_chunk_and_of_the_mail(house: House) -> None:
    mailed = DocumentType.EMAIL_WITH_CODE_LIST
    batch = await house.made(house.generation(chunk=1_000), quantity=2_500, document_type=mailed)
    assert house.changed == [{house.theatre.promotyd, batch.id}] * 3 + [{batch.id}]


async def test_a_code_that_exists_already_is_not_made_again(house: House) -> None:
    first = await house.made(quantity=10)
    (taken, *_) = await house.codes(first.id)
    attempts: list[list[bytes]] = []

    def unlucky_at_first(number: int) -> list[bytes]:
        codes = random_codes(number)
        attempts.append(codes)
        return [taken.encode(), *codes[1:]] if len(attempts) == 1 else codes

    second = await house.made(house.generation(make_codes=unlucky_at_first), quantity=10)
    assert await house.codes(second.id) == [code.decode() for code in attempts[1]]


async def test_a_collision_counts_nothing_twice(house: House) -> None:
    doubled = iter([[b"0" * 16, b"0" * 16], random_codes(2)])
    await house.made(house.generation(make_codes=lambda _: next(doubled)), quantity=2)
    assert (await house.counts()).generated == 2


async def test_two_workers_on_one_batch_make_its_codes_once(house: House) -> None:
    batch = await house.request(quantity=3_000)
    generation = house.generation(chunk=500)
    await asyncio.gather(*(house.finished(batch, generation) for _ in range(3)))
    assert len(await house.codes(batch)) == (await house.counts()).generated == 3_000


# ── In a worker ──────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def working(house: House, generation: Generation, patience: timedelta = SOON) -> AsyncIterator[None]:
    """A worker runs meanwhile, and is asked to stop at the end."""
    worker = Worker(house.sessions, generation, lambda: NOW, patience=patience)
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await running


async def worked(
    house: House, batch: UUID, generation: Steps | None = None, end: BatchState = BatchState.DONE
) -> Batch:
    """The batch when a worker has brought it to its end."""
    generation = generation or house.generation()
    async with working(house, generation):
        await generation.reached(end)
    return await house.batch(batch)


async def test_a_request_wakes_an_idle_worker(house: House) -> None:
    generation = house.generation()
    first = await house.request(quantity=1)
    async with working(house, generation, patience=timedelta(hours=1)):
        await generation.reached(BatchState.DONE)
        second = await house.request(quantity=1_000)
        await generation.reached(BatchState.DONE)
    assert (len(await house.codes(first)), len(await house.codes(second))) == (1, 1_000)


async def test_a_worker_that_is_stopped_gives_its_batch_to_the_next(house: House) -> None:
    batch = await house.request(quantity=5_000)
    generation = house.generation(chunk=100)
    async with working(house, generation):
        await generation.reached(BatchState.GENERATING)
    stopped = await house.batch(batch)
    await worked(house, batch)
    assert stopped.state is BatchState.GENERATING
    assert len(await house.codes(batch)) == 5_000


async def test_a_worker_outlives_its_connections(house: House) -> None:
    generation = house.generation()
    await house.request(quantity=1)
    async with working(house, generation, patience=timedelta(hours=1)):
        await generation.reached(BatchState.DONE)
        async with house.sessions.reading() as connection:
            await connection.execute(CUT_ALL_OTHERS)
        await house.sessions.close()
        await house.request(quantity=1)
        await generation.reached(BatchState.DONE)


KILLED_WORKER = """
import asyncio, sys
from datetime import UTC, datetime
from db.core.sessions import Sessions
from services.codes.generation import Generation
from services.codes.download_links import DownloadLinks
from services.core.mail import mailer
from services.core.transactions import Transactions
from sesame.worker.jobs import Worker

class Announced(Generation):
    async def advance(self, *step):
        state = await super().advance(*step)
        print(state, flush=True)
        return state

async def main():
    sessions = Sessions(sys.argv[1])
    transactions = Transactions(sessions, lambda organisation, offers: None)
    generation = Announced(sessions, transactions, DownloadLinks("secret", ""), mailer(None, None), chunk=10_000)
    await Worker(sessions, generation, lambda: datetime.now(UTC)).run()

asyncio.run(main())
"""


@pytest.mark.processes
async def test_a_killed_worker_loses_and_doubles_no_code(house: House, database_url: str) -> None:
    batch = await house.request(quantity=200_000)
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED_WORKER, database_url, stdout=PIPE)
    try:
        assert worker.stdout is not None
        assert await asyncio.wait_for(worker.stdout.readline(), 30) == b"GENERATING\n"
    finally:
        worker.kill()
        await worker.wait()
    left = (await house.batch(batch)).generated
    await worked(house, batch)
    codes = await house.codes(batch)
    assert 0 < left < 200_000
    assert len(codes) == len(set(codes)) == (await house.counts()).generated == 200_000


# ── Mailing ──────────────────────────────────────────────────────────────────────────────────────


def attachment(message: EmailMessage) -> str:
    part, _ = message.iter_attachments()
    return part.get_payload(decode=True).decode()  # type: ignore[union-attr]


async def test_the_list_is_mailed_when_all_codes_exist(house: House) -> None:
    batch = await house.made(document_type=DocumentType.EMAIL_WITH_CODE_LIST)
    (message,) = house.post.sent
    assert (batch.state, batch.sent_at) == (BatchState.DONE, NOW)
    assert message["To"] == "codes@example.org"
    assert len(attachment(message).splitlines()) == 151


async def test_a_batch_without_mail_sends_none(house: House) -> None:
    batch = await house.made()
    assert (batch.sent_at, house.post.sent) == (None, [])


async def test_the_letter_is_in_the_batchs_language(house: House) -> None:
    for language in Language:
        await house.made(document_type=DocumentType.EMAIL_WITH_CODE_LIST, language=language)
    bodies = [message.get_body().get_content() for message in house.post.sent]  # type: ignore[union-attr]
    assert len(set(bodies)) == len(Language)
    assert "Offer PROMOTYD" in bodies[1]


async def test_a_list_too_long_to_attach_is_sent_as_a_link(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.codes.generation.LARGEST_MAIL", 1_000)
    await house.made(document_type=DocumentType.EMAIL_WITH_CODE_LIST)
    (message,) = house.post.sent
    assert list(message.iter_attachments()) == []
    for kind in ("plain", "html"):
        assert "https://tickets.example.org/batches/" in message.get_body((kind,)).get_content()  # type: ignore[union-attr]


async def test_a_mail_is_measured_as_it_is_sent(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    mailed = DocumentType.EMAIL_WITH_CODE_LIST
    await house.made(document_type=mailed)
    (attached,) = house.post.sent
    as_sent = len(attached.as_bytes(policy=SMTP))
    raw = sum(len(each.get_payload(decode=True)) for each in attached.iter_attachments())
    assert raw * 4 / 3 < as_sent
    monkeypatch.setattr("services.codes.generation.LARGEST_MAIL", raw + 1_000)
    await house.made(document_type=mailed)
    assert list(house.post.sent[1].iter_attachments()) == []


async def test_a_refused_mail_fails_the_batch_with_its_reason(house: House) -> None:
    house.post.trouble = [MailRefused("550 no such user")]
    batch = await house.made(document_type=DocumentType.EMAIL_WITH_CODE_LIST)
    assert batch.state is BatchState.FAILED
    assert "550 no such user" in (batch.error or "")


async def test_codes_of_a_failed_batch_stay_valid(house: House) -> None:
    house.post.trouble = [MailRefused("550 no such user")]
    await house.made(document_type=DocumentType.EMAIL_WITH_CODE_LIST)
    assert (await house.counts()).available == 150


async def test_a_mail_that_did_not_go_out_is_tried_again(house: House) -> None:
    house.post.trouble = [MailUnavailable("away")]
    batch = await house.request(document_type=DocumentType.EMAIL_WITH_CODE_LIST)
    await worked(house, batch)
    assert len(house.post.sent) == 1


async def test_a_batch_is_given_up_after_many_attempts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sesame.worker.jobs.ATTEMPTS", 1)
    house.post.trouble = [MailUnavailable("away")]
    batch = await house.request(document_type=DocumentType.EMAIL_WITH_CODE_LIST)
    failed = await worked(house, batch, end=BatchState.FAILED)
    assert failed.state is BatchState.FAILED
    assert "away" in (failed.error or "")


async def test_a_fault_is_tried_again(house: House) -> None:
    broken = iter([True, False])

    def sometimes(number: int) -> list[bytes]:
        if next(broken):
            raise ZeroDivisionError
        return random_codes(number)

    batch = await house.request()
    done = await worked(house, batch, house.generation(make_codes=sometimes))
    assert done.state is BatchState.DONE


async def test_a_batch_that_cannot_be_given_up_is_not_forgotten(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sesame.worker.jobs.ATTEMPTS", 1)
    house.post.trouble = [MailUnavailable("away")]
    generation = house.generation()
    monkeypatch.setattr(generation, "fail", _interrupted)
    batch = await house.request(document_type=DocumentType.EMAIL_WITH_CODE_LIST)
    done = await worked(house, batch, generation)
    assert done.state is BatchState.DONE


async def _interrupted(*_: object) -> None:
    raise ConnectionResetError
