"""The letters that go with codes, by document type and language, as plain text and as HTML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from importlib.resources import files
from string import Template
from typing import Final
from zoneinfo import ZoneInfo

from db.codes.batches import DocumentType
from services.codes.batch_csv import CodeList
from services.codes.lists.workbook import MEDIA_TYPE
from services.core.instants import local
from services.core.texts import Language, Text, localised, text

_SENTENCES: Final = {DocumentType.EMAIL_WITH_CODE_LIST: "mail_code_list"}
"""Where the sentences of each document type's letter stand in ``texts.toml``."""
_PAGE: Final = Template(files("services.codes").joinpath("letter.html").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Enclosed:
    """The list as it is attached: as CSV for programs, as a workbook for spreadsheets, which would change the CSV."""

    csv: bytes
    workbook: bytes


@dataclass(frozen=True, slots=True)
class Download:
    """Links in place of attachments, that to a workbook where there is one, and until when they are good."""

    url: str
    workbook_url: str | None
    expires_at: datetime


def code_list_letter(
    codes: CodeList, sender: str, recipient: str, attached: Enclosed | Download, now: datetime
) -> EmailMessage:
    """The letter to a structure contact with the list of its codes, in the batch's language.

    Its Message-ID is that of the sending: a mailbox that gets it twice can tell, unless somebody asked for it again.
    """
    batch, particulars = codes.batch, codes.particulars
    language = Language(batch.language)
    message = EmailMessage()
    message["From"] = Address(one_line(particulars.organisation_name), addr_spec=sender)
    message["To"] = Address(addr_spec=recipient)
    subject, *paragraphs = _sentences(codes, attached)
    message["Subject"] = subject.in_language(language)
    message["Date"] = format_datetime(now)
    sending = f"{batch.id}.{batch.resends}" if batch.resends else f"{batch.id}"
    message["Message-ID"] = f"<{sending}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n\n".join(each.in_language(language) for each in paragraphs))
    message.add_alternative(_html(subject, paragraphs, language), subtype="html")
    if isinstance(attached, Enclosed):
        name, charset = codes.file_name, {"charset": "utf-8"}
        message.add_attachment(attached.csv, maintype="text", subtype="csv", filename=f"{name}.csv", params=charset)
        maintype, _, subtype = MEDIA_TYPE.partition("/")
        message.add_attachment(attached.workbook, maintype=maintype, subtype=subtype, filename=f"{name}.xlsx")
    return message


def one_line(value: str) -> str:
    """A name fit for a header and a sentence: no line breaks, no control characters."""
    return "".join(letter for letter in " ".join(value.split()) if letter.isprintable())


def _sentences(codes: CodeList, attached: Enclosed | Download) -> Iterator[Text]:
    """The subject, then the paragraphs."""
    batch, particulars = codes.batch, codes.particulars
    language = Language(batch.language)
    key = _SENTENCES[batch.document_type]
    values: dict[str, object] = {
        "contact": one_line(particulars.contact_name),
        "offer": one_line(localised(particulars.offer_name, language)),
        "organisation": one_line(particulars.organisation_name),
        "number": batch.quantity,
    }
    yield text(f"{key}_subject", **values)
    yield text(f"{key}_greeting", **values)
    zone = ZoneInfo(particulars.timezone)
    if particulars.valid_until is not None:
        yield text(f"{key}_valid_until", until=local(particulars.valid_until, zone), **values)
    if particulars.shop_url is not None:
        yield text(f"{key}_shop", url=particulars.shop_url)
    if isinstance(attached, Download):
        until = local(attached.expires_at, zone)
        yield text(f"{key}_link", url=attached.url, until=until)
        if attached.workbook_url is not None:
            yield text(f"{key}_workbook", url=attached.workbook_url)
    else:
        yield text(f"{key}_attached")
    if batch.remark:
        yield text(f"{key}_remark", remark=batch.remark)
    yield text(f"{key}_closing", **values)


def _html(subject: Text, paragraphs: Sequence[Text], language: Language) -> str:
    """A mail's paragraphs as an HTML page: whatever people wrote stays text, and only our own links are some."""
    body = "".join(_paragraphs(each, language) for each in paragraphs)
    return _PAGE.substitute(language=language.lower(), title=escape(subject.in_language(language)), body=body)


def _paragraphs(said: Text, language: Language) -> str:
    written = "".join(f"<p>{_lines(part)}</p>\n" for part in said.in_language(language).split("\n\n"))
    url = escape(str(said.values.get("url", "")))
    return written.replace(url, f'<a href="{url}">{url}</a>', 1) if url else written


def _lines(paragraph: str) -> str:
    return "<br>\n".join(escape(line) for line in paragraph.splitlines())
