"""The letters that go with codes, by document type and language."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from services.code_lists import CodeList
from services.texts import Language, localised, text


@dataclass(frozen=True, slots=True)
class Download:
    """A link in place of an attachment, and until when it is good."""

    url: str
    expires_at: datetime


def code_list_letter(
    codes: CodeList, sender: str, recipient: str, attached: bytes | Download, now: datetime
) -> EmailMessage:
    """The letter to a structure contact with the list of its codes, in the batch's language.

    Its Message-ID is the batch's: a mailbox that gets it twice can tell.
    """
    batch, particulars = codes.batch, codes.particulars
    language = Language(batch.language)
    values = {
        "contact": one_line(particulars.contact_name),
        "offer": one_line(localised(particulars.offer_name, language)),
        "organisation": one_line(particulars.organisation_name),
        "number": batch.quantity,
    }
    message = EmailMessage()
    message["From"] = Address(one_line(particulars.organisation_name), addr_spec=sender)
    message["To"] = Address(addr_spec=recipient)
    message["Subject"] = text("mail_code_list_subject", **values).in_language(language)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{batch.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    paragraphs = [text("mail_code_list_greeting", **values)]
    if isinstance(attached, Download):
        until = attached.expires_at.astimezone(ZoneInfo(particulars.timezone)).strftime("%Y-%m-%d %H:%M")
        paragraphs.append(text("mail_code_list_link", url=attached.url, until=until))
    else:
        paragraphs.append(text("mail_code_list_attached"))
    if batch.remark:
        paragraphs.append(text("mail_code_list_remark", remark=batch.remark))
    paragraphs.append(text("mail_code_list_closing", **values))
    message.set_content("\n\n".join(paragraph.in_language(language) for paragraph in paragraphs))
    if isinstance(attached, bytes):
        message.add_attachment(attached, maintype="text", subtype="csv", filename=codes.file_name)
    return message


def one_line(value: str) -> str:
    """A name fit for a header and a sentence: no line breaks, no control characters."""
    return "".join(letter for letter in " ".join(value.split()) if letter.isprintable())
