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


class BrokenLink(Exception):  # noqa: N818 - says what was found
    """The link was not made here, or was changed since."""


class ExpiredLink(Exception):  # noqa: N818 - says what was found
    """The link was good until its time was over."""


class Links:
    """Makes and checks links. ``base_url`` is where clients reach this server."""

    def __init__(self, secret_key: str, base_url: str) -> None:
        # A key of its own, so that what is signed here is of no use where else the secret signs.
        self._key = hmac.digest(secret_key.encode(), b"sesame download links", _DIGEST)
        self._base_url = base_url.rstrip("/")

    def to_batch_csv(self, organisation: UUID, batch: UUID, now: datetime) -> str:
        """Where the batch's list can be downloaded until ``now`` plus the lifetime."""
        content = _CONTENT.pack(organisation.bytes, int((now + LIFETIME).timestamp()))
        token = urlsafe_b64encode(content + self._signature(batch, content)).rstrip(b"=").decode()
        return f"{self._base_url}/batches/{batch}.csv?token={token}"

    def organisation_of(self, batch: UUID, token: str, now: datetime) -> UUID:
        """The organisation whose batch the token opens. Raises BrokenLink or ExpiredLink."""
        try:
            signed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            raise BrokenLink from None
        content, signature = signed[: _CONTENT.size], signed[_CONTENT.size :]
        if not hmac.compare_digest(signature, self._signature(batch, content)):
            raise BrokenLink
        organisation, expires_at = _CONTENT.unpack(content)
        if now.timestamp() >= expires_at:
            raise ExpiredLink
        return UUID(bytes=organisation)

    def _signature(self, batch: UUID, content: bytes) -> bytes:
        return hmac.digest(self._key, batch.bytes + content, _DIGEST)
