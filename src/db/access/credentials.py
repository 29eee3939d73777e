"""Whom credentials stand for: organisations, points of sale and contacts by code, and partners' keys by digest."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, text, update
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
    key: UUID
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key as far as it is kept: for whom, where, and what became of it. ``last_used_at`` is the hour of it."""

    id: UUID
    name: str | None
    contact: str
    point_of_sale: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


# Written out: every request runs one of them, and putting an expression together takes longer than running it.
_NAMED = text("""
SELECT o.id, o.catalogue_version, p.id, c.id, c.kind FROM organisations o
LEFT JOIN points_of_sale p ON p.organisation_id = o.id AND p.code = CAST(:point_of_sale AS text)
LEFT JOIN contacts c ON c.organisation_id = o.id AND c.code = CAST(:contact AS text)
WHERE o.code = CAST(:organisation AS text)
""")
_KEY_HOLDER = text("""
SELECT k.organisation_id, o.catalogue_version, k.contact_id, c.code, k.point_of_sale_id, k.id, k.last_used_at
FROM api_keys k
JOIN organisations o ON o.id = k.organisation_id
JOIN contacts c ON c.organisation_id = k.organisation_id AND c.id = k.contact_id
WHERE o.code = CAST(:organisation AS text) AND k.digest = :digest AND k.revoked_at IS NULL
""")


_USED = text("""
UPDATE api_keys SET last_used_at = :hour WHERE organisation_id = :organisation AND id = :key
AND (last_used_at IS NULL OR last_used_at < :hour)
""")
_REVOKED = text("SELECT digest FROM api_keys WHERE digest = ANY(:digests) AND revoked_at IS NOT NULL")
_KEYS = text("""
SELECT k.id, k.name, c.code, p.code, k.created_at, k.last_used_at, k.revoked_at FROM api_keys k
JOIN contacts c ON c.organisation_id = k.organisation_id AND c.id = k.contact_id
JOIN points_of_sale p ON p.organisation_id = k.organisation_id AND p.id = k.point_of_sale_id
WHERE k.organisation_id = :organisation ORDER BY c.code, k.id
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


async def note_use(connection: AsyncConnection, holder: KeyHolder, hour: datetime) -> None:
    """Keeps that the holder's key was used in the hour that begins then."""
    await connection.execute(_USED, {"organisation": holder.organisation, "key": holder.key, "hour": hour})


async def revoked(connection: AsyncConnection, digests: Collection[bytes]) -> frozenset[bytes]:
    """Those of the digests whose keys were revoked."""
    return frozenset((await connection.scalars(_REVOKED, {"digests": list(digests)})).all())


async def keys_of(connection: AsyncConnection, organisation: UUID) -> list[StoredKey]:
    """All keys of an organisation, those of one contact side by side in the order of their making."""
    return [StoredKey(*row) for row in await connection.execute(_KEYS, {"organisation": organisation})]


async def name_key(connection: AsyncConnection, organisation: UUID, key: UUID, name: str) -> bool:
    """Gives a key another name; False where there is no such key."""
    where = (api_keys.c.organisation_id == organisation, api_keys.c.id == key)
    return bool((await connection.execute(update(api_keys).where(*where).values(name=name))).rowcount)


async def revoke_key(connection: AsyncConnection, organisation: UUID, key: UUID, now: datetime) -> bool | None:
    """Ends a key for good; False where it was revoked before, None where there is no such key."""
    where = (api_keys.c.organisation_id == organisation, api_keys.c.id == key)
    ending = update(api_keys).where(*where, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
    if (await connection.execute(ending)).rowcount:
        return True
    return None if await connection.scalar(select(api_keys.c.id).where(*where)) is None else False


async def add_key(
    connection: AsyncConnection,
    key_id: UUID,
    digest: bytes,
    *,
    organisation: UUID,
    contact: UUID,
    point_of_sale: UUID,
    name: str | None = None,
) -> None:
    """Keeps the digest of a new API key; the key itself is kept nowhere."""
    await connection.execute(
        insert(api_keys).values(
            organisation_id=organisation,
            id=key_id,
            contact_id=contact,
            point_of_sale_id=point_of_sale,
            digest=digest,
            name=name,
        )
    )
