"""Whom credentials stand for: organisations, points of sale and contacts by code, and partners' keys by digest."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import api_keys, contacts, organisations, points_of_sale


@dataclass(frozen=True, slots=True)
class Named:
    """What the codes in a token stand for; None where a code was not given or stands for nothing."""

    organisation: UUID
    catalogue_version: int
    point_of_sale: UUID | None
    contact: UUID | None
    contact_kind: str | None


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The structure contact that an API key was issued to, and where it sells."""

    organisation: UUID
    catalogue_version: int
    contact: UUID
    contact_code: str
    point_of_sale: UUID


async def find_named(
    connection: AsyncConnection, organisation: str, point_of_sale: str | None, contact: str | None
) -> Named | None:
    """The ids behind codes of one organisation, in one round trip; None where there is no such organisation."""
    place, person = points_of_sale.c, contacts.c
    query = (
        select(organisations.c.id, organisations.c.catalogue_version, place.id, person.id, person.kind)
        .outerjoin(points_of_sale, and_(place.organisation_id == organisations.c.id, place.code == point_of_sale))
        .outerjoin(contacts, and_(person.organisation_id == organisations.c.id, person.code == contact))
        .where(organisations.c.code == organisation)
    )
    row = (await connection.execute(query)).one_or_none()
    return Named(*row) if row else None


async def find_key_holder(connection: AsyncConnection, organisation: str, digest: bytes) -> KeyHolder | None:
    """Whose key has the digest, unless it was revoked."""
    key = api_keys.c
    query = (
        select(
            key.organisation_id,
            organisations.c.catalogue_version,
            key.contact_id,
            contacts.c.code,
            key.point_of_sale_id,
        )
        .join(organisations, organisations.c.id == key.organisation_id)
        .join(contacts, and_(contacts.c.organisation_id == key.organisation_id, contacts.c.id == key.contact_id))
        .where(organisations.c.code == organisation, key.digest == digest, key.revoked_at.is_(None))
    )
    row = (await connection.execute(query)).one_or_none()
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
