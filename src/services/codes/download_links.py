"""Signed links that expire: whoever has one may download what it names, and nothing else, without signing in."""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

LIFETIME: Final = timedelta(days=7)

_CONTENT: Final = struct.Struct("!16sq")
_DIGEST: Final = "sha256"
_SIGNATURE_LENGTH: Final = 32
# As long as a batch's id, which stands in its place there: no signature for the one can be read as one for the other.
_CODES: Final = b"codes, filtered."


class BrokenLink(Exception):  # noqa: N818 - says what was found
    """The link was not made here, or was changed since."""


class ExpiredLink(Exception):  # noqa: N818 - says what was found
    """The link was good until its time was over."""


class DownloadLinks:
    """Makes and checks links. ``base_url`` is where clients reach this server."""

    def __init__(self, secret_key: str, base_url: str) -> None:
        # A key of its own, so that what is signed here is of no use where else the secret signs.
        self._key = hmac.digest(secret_key.encode(), b"sesame download links", _DIGEST)
        self._base_url = base_url.rstrip("/")

    def to_batch(self, organisation: UUID, batch: UUID, now: datetime, kind: str = "csv") -> str:
        """Where the batch's list can be downloaded until ``now`` plus the lifetime, as "csv" or "xlsx"."""
        token = self._token(batch.bytes, organisation, b"", now)
        return f"{self._base_url}/batches/{batch}.{kind}?token={token}"

    def to_codes(self, organisation: UUID, wanted: bytes, now: datetime, kind: str = "csv") -> str:
        """Where the list of the codes that ``wanted`` describes can be downloaded as long."""
        return f"{self._base_url}/codes.{kind}?token={self._token(_CODES, organisation, wanted, now)}"

    def organisation_of(self, batch: UUID, token: str, now: datetime) -> UUID:
        """The organisation whose batch the token opens. Raises BrokenLink or ExpiredLink."""
        return self._opened(batch.bytes, token, now)[0]

    def wanted_of(self, token: str, now: datetime) -> tuple[UUID, bytes]:
        """The organisation whose codes the token opens, and which of them. Raises BrokenLink or ExpiredLink."""
        return self._opened(_CODES, token, now)

    def _token(self, purpose: bytes, organisation: UUID, wanted: bytes, now: datetime) -> str:
        content = _CONTENT.pack(organisation.bytes, int((now + LIFETIME).timestamp())) + wanted
        return urlsafe_b64encode(self._signature(purpose, content) + content).rstrip(b"=").decode()

    def _opened(self, purpose: bytes, token: str, now: datetime) -> tuple[UUID, bytes]:
        try:
            signed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            raise BrokenLink from None
        signature, content = signed[:_SIGNATURE_LENGTH], signed[_SIGNATURE_LENGTH:]
        if not hmac.compare_digest(signature, self._signature(purpose, content)):
            raise BrokenLink
        organisation, expires_at = _CONTENT.unpack_from(content)
        if now.timestamp() >= expires_at:
            raise ExpiredLink
        return UUID(bytes=organisation), content[_CONTENT.size :]

    def _signature(self, purpose: bytes, content: bytes) -> bytes:
        return hmac.digest(self._key, purpose + content, _DIGEST)
