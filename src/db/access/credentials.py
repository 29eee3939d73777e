"""Whom credentials stand for: organisations, points of sale and contacts by code, and partners' keys by digest."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.contacts.contacts import ContactKind
from db.core.tables import api_keys


@dataclass(frozen=True, slots=True)
class TokenSubjects:
    """What the codes in a token stand for; None where a code was not given or stands for nothing."""

    organisation: UUID
    catalogue_version: int
    point_of_sale: UUID | None
    contact: UUID | None
    contact_kind: ContactKind | None


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The structure contact that an API key was issued to, and where it sells."""

    organisation: UUID
    catalogue_version: int
    contact: UUID
    contact_code: str
    point_of_sale: UUID


# Written out: every request runs one of them, and putting an expression together takes longer than running it.
_NAMED = text("""
SELECT o.id, o.catalogue_version, p.id, c.id, c.kind FROM organisations o
LEFT JOIN points_of_sale p ON p.organisation_id = o.id AND p.code = CAST(:point_of_sale AS text)
LEFT JOIN contacts c ON c.organisation_id = o.id AND c.code = CAST(:contact AS text)
WHERE o.code = CAST(:organisation AS text)
""")
_KEY_HOLDER = text("""
SELECT k.organisation_id, o.catalogue_version, k.contact_id, c.code, k.point_of_sale_id FROM api_keys k
JOIN organisations o ON o.id = k.organisation_id
JOIN contacts c ON c.organisation_id = k.organisation_id AND c.id = k.contact_id
WHERE o.code = CAST(:organisation AS text) AND k.digest = :digest AND k.revoked_at IS NULL
""")


async def find_named(
    connection: AsyncConnection, organisation: str, point_of_sale: str | None, contact: str | None
) -> TokenSubjects | None:
    """The ids behind codes of one organisation, in one round trip; None where there is no such organisation."""
    parameters = {"organisation": organisation, "point_of_sale": point_of_sale, "contact": contact}
    row = (await connection.execute(_NAMED, parameters)).one_or_none()
    if row is None:
        return None
    # By its name, which is its value: in a third of the time.
    organisation_id, version, place, holder, kind = row
    return TokenSubjects(organisation_id, version, place, holder, None if kind is None else ContactKind[kind])


async def find_key_holder(connection: AsyncConnection, organisation: str, digest: bytes) -> KeyHolder | None:
    """Whose key has the digest, unless it was revoked."""
    row = (await connection.execute(_KEY_HOLDER, {"organisation": organisation, "digest": digest})).one_or_none()
    return KeyHolder(*row) if row else None


async def add_key(
    connection: AsyncConnection, key_id: UUID, digest: bytes, *, organisation: UUID, contact: UUID, point_of_sale: UUID
) -> None:
    """Keeps the digest of a new API key; the key itself is kept nowhere."""
    await connection.execute(
        insert(api_keys).values(
            organisation_id=organisation,
            id=key_id,
            contact_id=contact,
            point_of_sale_id=point_of_sale,
            digest=digest,
        )
    )
