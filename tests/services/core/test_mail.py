"""Sending mail to a real server, and writing it into a folder."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from tests.services.core.letterbox import Letterbox

from services.core.mail import FolderMailer, MailRefused, MailUnavailable, SmtpMailer, mailer, plain_address


@pytest.fixture
async def letterbox() -> AsyncIterator[Letterbox]:
    box = Letterbox()
    async with box.open():
        yield box


def letter(**headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {
        "From": "no-reply@example.org",
        "To": "codes@example.org",
        "Subject": "Vos 150 codes : Hélène",
        "Message-ID": "<0190-batch@example.org>",
        **headers,
    }.items():
        message[name] = value
    message.set_content("Bonjour à tous,\n.\nune ligne avec un point seul.")
    return message


async def test_a_mail_arrives_as_it_was_written(letterbox: Letterbox) -> None:
    await SmtpMailer(letterbox.url).send(letter())
    (envelope,) = letterbox.received
    assert isinstance(envelope.content, bytes)
    arrived = message_from_bytes(envelope.content, policy=default)
    assert envelope.rcpt_tos == ["codes@example.org"]
    assert arrived["Subject"] == "Vos 150 codes : Hélène"
    assert arrived.get_content().splitlines() == ["Bonjour à tous,", ".", "une ligne avec un point seul."]


async def test_the_user_and_password_of_the_url_sign_in(letterbox: Letterbox) -> None:
    await SmtpMailer(f"smtp://ada:l%40velace@127.0.0.1:{letterbox.port}").send(letter())
    assert len(letterbox.received) == 1


async def test_a_wrong_password_is_refused(letterbox: Letterbox) -> None:
    with pytest.raises(MailRefused, match="535"):
        await SmtpMailer(f"smtp://ada:wrong@127.0.0.1:{letterbox.port}").send(letter())


async def test_an_address_that_does_not_exist_is_refused_for_good(letterbox: Letterbox) -> None:
    letterbox.answers["codes@example.org"] = "550 5.1.1 no such user"
    with pytest.raises(MailRefused, match=r"550 5\.1\.1 no such user"):
        await SmtpMailer(letterbox.url).send(letter())


async def test_a_full_mailbox_is_worth_another_try(letterbox: Letterbox) -> None:
    letterbox.answers["codes@example.org"] = "452 4.2.2 mailbox full"
    with pytest.raises(MailUnavailable, match="mailbox full"):
        await SmtpMailer(letterbox.url).send(letter())


async def test_a_mail_refused_after_its_content_is_refused(letterbox: Letterbox) -> None:
    letterbox.answers["DATA"] = "554 5.7.1 looks like spam"
    with pytest.raises(MailRefused, match="spam"):
        await SmtpMailer(letterbox.url).send(letter())


async def test_a_server_that_is_away_is_worth_another_try() -> None:
    closed = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = closed.sockets[0].getsockname()[1]
    closed.close()
    await closed.wait_closed()
    with pytest.raises(MailUnavailable):
        await SmtpMailer(f"smtp://127.0.0.1:{port}").send(letter())


async def test_a_server_that_hangs_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.core.mail.TIMEOUT", 0.1)
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(MailUnavailable):
            await SmtpMailer(f"smtp://127.0.0.1:{port}").send(letter())


async def test_a_server_that_dies_half_way_is_worth_another_try() -> None:
    async def greet_and_die(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet_and_die, "127.0.0.1", 0) as dying:
        port = dying.sockets[0].getsockname()[1]
        with pytest.raises(MailUnavailable):
            await SmtpMailer(f"smtp://127.0.0.1:{port}").send(letter())


async def speak(writer: asyncio.StreamWriter, *lines: str) -> None:
    writer.write("".join(f"{line}\r\n" for line in lines).encode())
    await writer.drain()


async def take_one_mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a server says to a client that has one mail, up to the mail's end."""
    await speak(writer, "220 hello")
    for answer in ("250 hello", "250 sender", "250 recipient", "354 go on"):
        await reader.readline()
        await speak(writer, answer)
    await reader.readuntil(b"\r\n.\r\n")


async def test_an_answer_in_whatever_bytes_is_read() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await speak(writer, "220 hello")
        for answer in ("250 hello", "250 sender"):
            await reader.readline()
            await speak(writer, answer)
        await reader.readline()
        writer.write("550-Boîte\0\r\n550 fermée\r\n".encode("latin-1"))
        await speak(writer, "250 as you wish")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as refusing:
        port = refusing.sockets[0].getsockname()[1]
        with pytest.raises(MailRefused, match=r"^550 Boîte fermée$"):
            await SmtpMailer(f"smtp://127.0.0.1:{port}").send(letter())


async def test_a_server_that_dies_before_it_says_yes_is_worth_another_try() -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take_one_mail(reader, writer)
        writer.close()

    async with await asyncio.start_server(die, "127.0.0.1", 0) as dying:
        port = dying.sockets[0].getsockname()[1]
        with pytest.raises(MailUnavailable):
            await SmtpMailer(f"smtp://127.0.0.1:{port}").send(letter())


async def test_a_mail_was_taken_although_the_server_dies_after_its_yes() -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take_one_mail(reader, writer)
        await speak(writer, "250 taken")
        writer.transport.abort()

    async with await asyncio.start_server(die, "127.0.0.1", 0) as dying:
        port = dying.sockets[0].getsockname()[1]
        await SmtpMailer(f"smtp://127.0.0.1:{port}").send(letter())


async def test_a_server_that_hangs_in_the_middle_of_a_mail_is_worth_another_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.core.mail.TRANSFER_TIMEOUT", 0.1)
    ended = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take_one_mail(reader, writer)
        await ended.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as hanging:
        port = hanging.sockets[0].getsockname()[1]
        with pytest.raises(MailUnavailable):
            await SmtpMailer(f"smtp://127.0.0.1:{port}").send(letter())
        ended.set()


async def test_encryption_that_is_asked_for_is_not_done_without(letterbox: Letterbox) -> None:
    with pytest.raises(MailUnavailable):
        await SmtpMailer(f"{letterbox.url}?starttls=true").send(letter())
    assert letterbox.received == []


async def test_smtps_speaks_tls_from_the_start(letterbox: Letterbox) -> None:
    with pytest.raises(MailUnavailable) as caught:
        await SmtpMailer(f"smtps://127.0.0.1:{letterbox.port}").send(letter())
    assert isinstance(caught.value.__cause__, (ssl.SSLError, OSError))


def test_the_sender_is_that_of_the_url() -> None:
    assert SmtpMailer("smtp://mail.example.org?from=tickets@example.org").sender == "tickets@example.org"
    assert SmtpMailer("smtp://mail.example.org").sender == "no-reply@mail.example.org"
    assert SmtpMailer("smtp://mail.example.org?from=codes@straße.example").sender == "codes@xn--strae-oqa.example"


async def test_without_a_server_a_mail_becomes_a_file(tmp_path: Path) -> None:
    await mailer(None, tmp_path / "outbox").send(letter())
    (file,) = (tmp_path / "outbox").iterdir()
    assert file.name == "0190-batch.eml"
    assert message_from_bytes(file.read_bytes(), policy=default)["Subject"] == "Vos 150 codes : Hélène"


async def test_the_same_mail_again_is_the_same_file(tmp_path: Path) -> None:
    for subject in ("first", "second"):
        await FolderMailer(tmp_path).send(letter(Subject=subject))
    (file,) = tmp_path.iterdir()  # noqa: ASYNC240 - a test waits for nobody
    assert message_from_bytes(file.read_bytes(), policy=default)["Subject"] == "second"


async def test_a_folder_that_cannot_be_written_is_worth_another_try(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MailUnavailable):
        await FolderMailer(tmp_path / "file").send(letter())


@pytest.mark.parametrize(
    ("entered", "address"),
    [
        ("codes@example.org", "codes@example.org"),
        (" codes@example.org ", "codes@example.org"),
        ("a.b+c@localhost", "a.b+c@localhost"),
        ("hélène@example.org", None),
        ("codes@théâtre.fr", "codes@xn--thtre-4qa2c.fr"),
        ("codes@straße.example", "codes@xn--strae-oqa.example"),
        ("codes@STRAẞE.example", "codes@xn--strae-oqa.example"),
        ("codes@Ｅｘａｍｐｌｅ.org", "codes@example.org"),
        ("codes@βόλος.example", "codes@xn--nxasmm1c.example"),
        ("codes@a\u200db.example", None),
        ("codes@♥.example", None),
        ("codes@example.org\nBcc: x@example.org", None),
        ("codes@example.org\r\n", None),
        ("a@b@example.org", None),
        ("Ada <ada@example.org>", None),
        ("a..b@example.org", None),
        ("@example.org", None),
        ("ada@", None),
        ("ada@-x.org", None),
        ("", None),
        ("a\0@example.org", None),
        ("x" * 65 + "@example.org", None),
    ],
)
def test_only_everyday_addresses_are_taken(entered: str, address: str | None) -> None:
    assert plain_address(entered) == address
