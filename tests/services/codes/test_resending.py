"""Mailing over a real server: once, again where somebody asks, and after whatever went wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.services.core.letterbox import Letterbox
from tests.services.theatre import LINKS, NOW, House, Steps, build

from db.core.ids import new_id
from db.core.sessions import Sessions
from services.codes.batches import BatchState, DocumentType
from services.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from services.core.mail import MailRefused, MailUnavailable, SmtpMailer
from services.core.viewer import StaffRole
from sesame.worker.jobs import Worker

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

MAILED = DocumentType.EMAIL_WITH_CODE_LIST


class Posting(Steps):
    """A generation that tells when the mail server was away."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)
        self.put_off = asyncio.Event()

    async def send(self, organisation: UUID, batch: UUID, now: datetime) -> BatchState:
        try:
            return await super().send(organisation, batch, now)
        except MailUnavailable:
            self.put_off.set()
            raise


class Desk(House):
    """A house whose mail goes to a letterbox."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.letterbox = Letterbox()

    def posting(self) -> Posting:
        return Posting(self.sessions, self.transactions, LINKS, SmtpMailer(self.letterbox.url))

    def received(self) -> list[EmailMessage]:
        return [
            message_from_bytes(each.content or b"", policy=default)  # type: ignore[arg-type]
            for each in self.letterbox.received
        ]


@asynccontextmanager
async def working(desk: Desk, generation: Steps) -> AsyncIterator[None]:
    worker = Worker(desk.sessions, generation, lambda: NOW, patience=timedelta(seconds=1))
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await running


@pytest.fixture
async def desk(sessions: Sessions) -> Desk:
    return Desk(sessions, await build(sessions))


# ── Over a real server ───────────────────────────────────────────────────────────────────────────


async def test_a_mail_server_that_comes_back_gets_the_mail(desk: Desk) -> None:
    async with desk.letterbox.open():
        pass
    generation = desk.posting()
    batch = await desk.request(document_type=MAILED)
    async with working(desk, generation):
        async with asyncio.timeout(30):
            await generation.put_off.wait()
        assert (await desk.batch(batch)).state is BatchState.SENDING
        async with desk.letterbox.open():
            await generation.reached(BatchState.DONE)
    assert len(desk.letterbox.received) == 1
    assert (await desk.batch(batch)).sent_at == NOW


async def test_a_mail_server_that_refuses_fails_the_batch_with_its_words(desk: Desk) -> None:
    desk.letterbox.answers["codes@example.org"] = "550 5.1.1 no such user"
    async with desk.letterbox.open():
        batch = await desk.made(desk.posting(), document_type=MAILED)
    assert batch.state is BatchState.FAILED
    assert "no such user" in (batch.error or "")
    assert (await desk.counts()).available == 150


async def test_a_letter_comes_as_text_and_as_a_page_with_the_list_attached(desk: Desk) -> None:
    async with desk.letterbox.open():
        await desk.made(desk.posting(), document_type=MAILED, remark="Tom & <b>Jerry</b>\nencore")
    (letter,) = desk.received()
    plain, page = (letter.get_body((kind,)) for kind in ("plain", "html"))
    attached, workbook = letter.iter_attachments()
    assert plain is not None
    assert page is not None
    assert "Tom & <b>Jerry</b>\nencore" in plain.get_content().replace("\r\n", "\n")
    assert "Tom &amp; &lt;b&gt;Jerry&lt;/b&gt;<br>" in page.get_content()
    assert '<html lang="fr">' in page.get_content()
    assert attached["Content-Type"].startswith("text/csv; charset=")
    assert attached.get_content_charset() == "utf-8"
    assert attached.get_content().startswith("\ufeffCode;État;")
    assert workbook.get_content().startswith(b"PK")
    assert (workbook.get_filename() or "").endswith(".xlsx")
    assert (attached.get_filename() or "").startswith("codes-PROMOTYD-")


@pytest.mark.parametrize(
    "refusal", [None, "552 5.3.4 Message too big", "552 too much", "550 5.2.3 too long", "554 5.3.4 no"]
)
async def test_a_list_that_is_too_large_for_the_server_is_sent_as_a_link_and_so_it_is_again(
    desk: Desk, refusal: str | None
) -> None:
    desk.letterbox.most = 10_000
    desk.letterbox.too_large = refusal
    async with desk.letterbox.open():
        batch = await desk.made(desk.posting(), document_type=MAILED)
        assert (batch.state, batch.error) == (BatchState.DONE, None)
        await desk.batches.resend(desk.staff, batch.id, "elsewhere@example.org", NOW)
        assert (await desk.finished(batch.id, desk.posting())).state is BatchState.DONE
    letters = [letter for letter, taken in zip(desk.received(), desk.letterbox.taken, strict=True) if taken]
    assert [letter["To"] for letter in letters] == ["codes@example.org", "elsewhere@example.org"]
    for letter in letters:
        assert list(letter.iter_attachments()) == []
        plain = letter.get_body(("plain",))
        assert plain is not None
        for kind in ("csv", "xlsx"):
            assert f"/batches/{batch.id}.{kind}?token=" in plain.get_content().replace("=\r\n", "")


async def test_a_mailbox_that_is_full_is_not_taken_for_a_mail_that_is_too_large_for_ever(desk: Desk) -> None:
    desk.letterbox.answers["codes@example.org"] = "552 5.2.2 mailbox full"
    async with desk.letterbox.open():
        batch = await desk.made(desk.posting(), document_type=MAILED)
    assert (batch.state, "mailbox full" in (batch.error or "")) == (BatchState.FAILED, True)


async def test_workers_that_meet_over_a_mail_send_it_once(desk: Desk) -> None:
    async with desk.letterbox.open():
        batch = await desk.request(document_type=MAILED)
        await asyncio.gather(*(desk.finished(batch, desk.posting()) for _ in range(4)))
    assert len(desk.letterbox.received) == 1


async def test_a_mail_whose_sending_was_recorded_is_not_sent_again(desk: Desk) -> None:
    async with desk.letterbox.open():
        batch = await desk.made(desk.posting(), document_type=MAILED)
        assert await desk.posting().send(desk.theatre.organisation, batch.id, NOW) is BatchState.DONE
    assert len(desk.letterbox.received) == 1


# ── Again ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_list_is_mailed_again_where_somebody_asks(desk: Desk) -> None:
    batch = await desk.made(document_type=MAILED)
    await desk.batches.resend(desk.staff, batch.id, None, NOW)
    assert (await desk.finished(batch.id)).state is BatchState.DONE
    first, second = desk.post.sent
    assert first["To"] == second["To"] == "codes@example.org"
    assert first["Message-ID"] != second["Message-ID"]


async def test_a_worker_takes_up_what_is_to_be_mailed_again(desk: Desk) -> None:
    batch = await desk.made(document_type=MAILED)
    generation = desk.generation()
    async with working(desk, generation):
        await desk.batches.resend(desk.staff, batch.id, "tresorerie@example.org", NOW)
        async with asyncio.timeout(30):
            while len(desk.post.sent) < 2:
                await generation.states.get()
    assert desk.post.sent[1]["To"] == "tresorerie@example.org"


async def _hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Never says a word."""


async def _die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 hello\r\n")
    await reader.readline()
    writer.transport.abort()


@pytest.mark.parametrize("behaviour", [_hang, _die])
async def test_a_batch_that_was_given_up_is_mailed_when_the_server_is_well_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    monkeypatch.setattr("sesame.worker.jobs.ATTEMPTS", 1)
    monkeypatch.setattr("services.core.mail.TIMEOUT", 0.5)
    async with await asyncio.start_server(behaviour, "127.0.0.1", 0) as ill:
        desk.letterbox.port = ill.sockets[0].getsockname()[1]
        generation = desk.posting()
        batch = await desk.request(document_type=MAILED)
        async with working(desk, generation):
            await generation.reached(BatchState.FAILED)
    failed = await desk.batch(batch)
    assert (failed.generated, (await desk.counts()).available) == (150, 150)
    assert "127.0.0.1" in (failed.error or "")
    async with desk.letterbox.open():
        await desk.batches.resend(desk.staff, batch, None, NOW)
        assert (await desk.finished(batch, desk.posting())).state is BatchState.DONE
    assert len(desk.letterbox.received) == 1


async def test_a_batch_without_a_mail_can_be_mailed_later(desk: Desk) -> None:
    batch = await desk.made()
    await desk.batches.resend(desk.staff, batch.id, None, NOW)
    assert (await desk.finished(batch.id)).sent_at == NOW


async def test_a_batch_whose_mail_was_refused_is_mailed_to_another_address(desk: Desk) -> None:
    desk.post.trouble = [MailRefused("550 no such user")]
    failed = await desk.made(document_type=MAILED)
    await desk.batches.resend(desk.staff, failed.id, "right@example.org", NOW)
    done = await desk.finished(failed.id)
    assert (done.state, done.error, done.destination) == (BatchState.DONE, None, "right@example.org")
    assert len(await desk.codes(failed.id)) == 150


async def test_a_batch_that_failed_half_made_goes_on_where_it_stopped(desk: Desk) -> None:
    batch = await desk.request(quantity=30)
    generation = desk.generation(chunk=10)
    await generation.advance(desk.theatre.organisation, batch, NOW)
    async with desk.sessions.writing() as connection:
        await connection.execute(text("UPDATE batches SET state = 'FAILED', error = 'fault'"))
    await desk.batches.resend(desk.staff, batch, None, NOW)
    done = await desk.finished(batch, generation)
    assert (done.state, done.generated, done.error) == (BatchState.DONE, 30, None)
    assert len(set(await desk.codes(batch))) == (await desk.counts()).generated == 30


async def test_a_batch_under_way_is_not_taken_up(desk: Desk) -> None:
    with pytest.raises(Conflict):
        await desk.batches.resend(desk.staff, await desk.request(), None, NOW)


async def test_a_batch_that_is_being_sent_is_not_waited_for(desk: Desk) -> None:
    batch = await desk.made()
    async with desk.sessions.writing() as connection:
        await connection.execute(text("SELECT FROM batches FOR UPDATE"))
        with pytest.raises(Conflict):
            await desk.batches.resend(desk.staff, batch.id, None, NOW)


async def test_an_address_with_a_line_break_is_refused(desk: Desk) -> None:
    batch = await desk.made()
    with pytest.raises(InvalidInput):
        await desk.batches.resend(desk.staff, batch.id, "a@example.org\nBcc: b@example.org", NOW)


async def test_a_batch_without_an_address_anywhere_is_not_mailed(desk: Desk) -> None:
    batch = await desk.made(contact=desk.theatre.tyd)
    with pytest.raises(InvalidInput):
        await desk.batches.resend(desk.staff, batch.id, None, NOW)


async def test_an_unknown_batch_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.batches.resend(desk.staff, new_id(), None, NOW)


async def test_only_staff_who_follow_codes_have_lists_mailed_again(desk: Desk) -> None:
    theatre, batch = desk.theatre, await desk.made()
    for viewer in (theatre.staff(StaffRole.VIEWER), theatre.partner(theatre.secutix), theatre.shopper()):
        with pytest.raises(Forbidden):
            await desk.batches.resend(viewer, batch.id, None, NOW)


async def test_the_same_key_mails_once_more(desk: Desk) -> None:
    batch = await desk.made(document_type=MAILED)
    for _ in range(2):
        await desk.batches.resend(desk.staff, batch.id, None, NOW, key="key")
        await desk.finished(batch.id)
    assert len(desk.post.sent) == 2
