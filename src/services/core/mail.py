"""Sending mail: over SMTP, or into a folder while there is no server."""

import asyncio
import os
import re
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import idna

TIMEOUT: Final = 30
"""Seconds that a mail server may take to greet and to let us in, for each of its answers."""
TRANSFER_TIMEOUT: Final = 150
"""Seconds that it may take for each answer about a mail, the transfer of a large one included."""
MOST_SECONDS: Final = 180
"""All that is to be done for one mail may take so long: other mails wait for it."""

_GOODBYE_SECONDS: Final = 5
_LONGEST_ANSWER: Final = 500
_ABOUT_SIZE: Final = re.compile(r"\s*5\.(?:3\.4|2\.3)\b")
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


class MailUnavailable(Exception):  # noqa: N818 - says what was found
    """The mail did not go out now, and may well later: the server is away, or asks to come back."""


class MailRefused(Exception):  # noqa: N818 - says what was found
    """The server will not take this mail, however often it is tried; the message is its answer."""


class MailTooLarge(MailRefused):
    """The server does not take a mail of this size; a smaller one it may."""


def size(message: EmailMessage) -> int:
    """Bytes of a mail as it is sent, what is attached in base64."""
    return len(message.as_bytes(policy=SMTP))


class Mailer(Protocol):
    """Where mails go. ``sender`` is the address that they come from."""

    @property
    def sender(self) -> str: ...

    async def send(self, message: EmailMessage) -> None:
        """Returns when somebody else has taken responsibility for the mail.

        Raises MailUnavailable or MailRefused, of which MailTooLarge is one.
        """


class SmtpMailer:
    """Sends through the server of a URL: ``smtp://USER:PASSWORD@HOST:PORT``, or ``smtps://`` for TLS from the start.

    On ``smtp://``, TLS is begun where the server offers it; with ``?starttls=true`` it must, with ``false`` it is not.
    ``?from=ADDRESS`` is the sender, no-reply at the host by default.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self._host = parts.hostname or "localhost"
        self._port = parts.port
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls = parts.scheme == "smtps"
        self._start_tls = {"true": True, "false": False}.get(options.get("starttls", ""))
        sender = options.get("from", f"no-reply@{self._host}")
        self.sender = plain_address(sender) or sender

    async def send(self, message: EmailMessage) -> None:
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            use_tls=self._tls,
            start_tls=False if self._tls else self._start_tls,
            timeout=TIMEOUT,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await _greet(client)
            _check_size(client, message)
            await client.send_message(message, timeout=TRANSFER_TIMEOUT)
            # By now the mail has been taken: what goes wrong with the goodbye is of no interest.
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=_GOODBYE_SECONDS)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _failure(min(error.recipients, key=lambda refused: refused.code)) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _failure(error) from error
        except aiosmtplib.SMTPNotSupported as error:
            raise MailRefused(_readable(error.message)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailUnavailable(f"{self._host}: {_readable(str(error))}") from error
        finally:
            client.close()


class FolderMailer:
    """Writes each mail as an ``.eml`` file named by its Message-ID: the same mail again replaces the first."""

    sender = "no-reply@localhost"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage) -> None:
        try:
            await asyncio.to_thread(self._write, message)
        except OSError as error:
            raise MailUnavailable(str(error)) from error

    def _write(self, message: EmailMessage) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = re.sub(r"[^A-Za-z0-9-]+", "_", message["Message-ID"].strip("<>").partition("@")[0])
        draft = self._folder / f".{name}.{os.getpid()}"
        draft.write_bytes(message.as_bytes(policy=SMTP))
        draft.replace(self._folder / f"{name}.eml")


def mailer(url: str | None, outbox: Path) -> Mailer:
    """Sends through the server of ``url``, or without one writes into ``outbox``."""
    return SmtpMailer(url) if url else FolderMailer(outbox)


def plain_address(entered: str) -> str | None:
    """A mail address as servers take it, its domain in ASCII; None where it is none.

    Domains by IDNA 2008 with the mapping of UTS 46, non-transitional: straße.example is not strasse.example.
    Only the everyday form: no quotes, comments, names or line breaks, so that nothing can be smuggled into a header.
    """
    local, _, domain = entered.strip(" ").rpartition("@")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except UnicodeError:
            return None
    if len(local) > 64 or len(domain) > 253 or not (_LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)):
        return None
    return f"{local}@{domain}"


def _readable(answer: str) -> str:
    """An answer in one line that a database takes: of bytes that are no UTF-8, the client makes lone surrogates."""
    sent = answer.encode(errors="surrogateescape")
    try:
        answer = sent.decode()
    except UnicodeDecodeError:
        answer = sent.decode("latin-1")
    return "".join(letter for letter in " ".join(answer.split()) if letter.isprintable())[:_LONGEST_ANSWER]


async def _greet(client: aiosmtplib.SMTP) -> None:
    """So that the server says what it can do; one that does not know how to is left to itself."""
    with suppress(aiosmtplib.SMTPHeloError):
        await client.ehlo()


def _check_size(client: aiosmtplib.SMTP, message: EmailMessage) -> None:
    """Raises MailTooLarge where the server said that it takes no mail of this size (RFC 1870); 0 is any."""
    most = client.esmtp_extensions.get("size", "")
    if most.isdecimal() and 0 < int(most) < size(message):
        raise MailTooLarge(f"SIZE {most}")


def _failure(answer: aiosmtplib.SMTPResponseException) -> Exception:
    """What a server's refusal means: 4xx asks to come back later, 5xx is final (RFC 5321, 4.2.1).

    Of the final ones 552, 5.3.4 and 5.2.3 are about the size (RFC 1870; RFC 3463, 3.3 and 3.4).
    """
    text = f"{answer.code} {_readable(answer.message)}"
    if answer.code < 500:
        return MailUnavailable(text)
    return MailTooLarge(text) if answer.code == 552 or _ABOUT_SIZE.match(answer.message) else MailRefused(text)
