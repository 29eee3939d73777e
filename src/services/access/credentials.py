"""Credentials: signed tokens for shoppers, contacts and staff, API keys for partners (docs/domain.md, Who may do what).

Tokens name organisation, point of sale and contact by code. They are JWT signed by HS256 and by no other algorithm,
whatever their header asks for.
"""

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import OctKey

from db.access import credentials as db
from db.contacts.contacts import ContactKind
from db.core.ids import next_id
from db.core.sessions import Sessions
from services.access.partner_keys import checked_name
from services.access.shop_servers import ALGORITHMS, ISSUER, ShopServers, named
from services.core.errors import InvalidInput, NotFound, Path, Problem, Unauthenticated
from services.core.texts import text
from services.core.viewer import Audience, StaffRole, Viewer

LONGEST: Final = 4096
"""Characters of an Authorization header that are looked at; tokens of this program are a tenth of that."""

_BEARER: Final = re.compile(r"bearer +([!-~]+) *", re.IGNORECASE)
_API_KEY: Final = re.compile(r"sesame\.((?:(?!%00).)+)\.[A-Za-z0-9_-]{43}")


class UnknownCredentials(Unauthenticated):
    """They were not issued here, or are no longer good: made up, for all one knows."""


@dataclass(frozen=True, slots=True)
class _Claims:
    """What a token says of its bearer."""

    audience: Audience
    organisation: str
    point_of_sale: str | None = None
    contact: str | None = None
    roles: frozenset[StaffRole] = frozenset()
    name: str | None = None
    counter_profile: str | None = None

    @property
    def actor(self) -> str:
        who = {Audience.SHOPPER: self.point_of_sale, Audience.CONTACT: self.contact, Audience.STAFF: self.name}
        return f"{self.audience.lower()}:{who[self.audience]}"


class Credentials:
    """Issues tokens and keys, and tells who sent one. ``secret`` signs the tokens; all processes share it."""

    def __init__(self, sessions: Sessions, secret: str) -> None:
        self._sessions = sessions
        self._key = OctKey.import_key(secret)
        self._shop_servers = ShopServers(self._key)

    async def viewer(self, authorization: str | None, now: datetime) -> Viewer:
        """The caller who sent this Authorization header.

        Raises Unauthenticated: without one, for a broken, forged, expired or revoked one, and for one whose
        organisation, point of sale or contact does not exist.
        """
        if not authorization:
            raise Unauthenticated(text("unauthenticated"))
        sent = _sent(authorization)
        if sent is None:
            raise _refused()
        key = _API_KEY.fullmatch(sent)
        return await (self._key_holder(key[0], unquote(key[1]), now) if key else self._bearer(sent, now))

    async def shopper_token(self, organisation: str, point_of_sale: str) -> str:
        """The point of sale's public token: always the same, and it does not expire.

        Raises NotFound where there is no such organisation or point of sale.
        """
        claims = _Claims(Audience.SHOPPER, organisation, point_of_sale)
        await self._found(claims)
        return self._signed(claims, None)

    async def contact_token(self, organisation: str, contact: str, point_of_sale: str, expires: datetime) -> str:
        """A token by which a customer shops at a point of sale. Raises NotFound where one of the three is missing."""
        claims = _Claims(Audience.CONTACT, organisation, point_of_sale, contact)
        await self._found(claims)
        return self._signed(claims, expires)

    async def staff_token(
        self,
        organisation: str,
        roles: Collection[str],
        expires: datetime,
        *,
        point_of_sale: str | None = None,
        name: str | None = None,
        counter_profile: str | None = None,
    ) -> str:
        """A token for a member of staff, at a counter where ``point_of_sale`` is given.

        ``name`` stands in the audit. Left out, the token gets one of its own, so that two members of staff are never
        taken for one. Raises InvalidInput for an unknown role, NotFound where organisation or point of sale is missing.
        """
        claims = _Claims(
            Audience.STAFF,
            organisation,
            point_of_sale,
            roles=_known_roles(roles),
            name=name or secrets.token_hex(4),
            counter_profile=counter_profile,
        )
        await self._found(claims)
        return self._signed(claims, expires)

    async def partner_key(self, organisation: str, contact: str, point_of_sale: str, name: str | None = None) -> str:
        """A new API key of a structure contact, told this once: only its hash is kept.

        Raises NotFound where organisation, contact or point of sale is missing, InvalidInput for an individual and for
        a name that cannot be one.
        """
        if name is not None:
            name = checked_name(name)
        found = await self._found(_Claims(Audience.PARTNER, organisation, point_of_sale, contact))
        if found.contact is None or found.point_of_sale is None or found.contact_kind is not ContactKind.STRUCTURE:
            raise InvalidInput([Problem(("contact",), text("credentials_no_structure", code=contact))])
        key = f"sesame.{quote(organisation, safe='')}.{secrets.token_urlsafe(32)}"
        async with self._sessions.writing() as session:
            await db.add_key(
                session,
                next_id(),
                _digest(key),
                organisation=found.organisation,
                contact=found.contact,
                point_of_sale=found.point_of_sale,
                name=name,
            )
        return key

    async def shop_server_key(self, organisation: str, expires: datetime) -> str:
        """A key by which a shop's own server says for whom it asks. Raises NotFound for an unknown organisation."""
        await self._found(_Claims(Audience.SHOPPER, organisation))
        return self._shop_servers.issued(organisation, expires)

    def on_behalf(self, viewer: Viewer, customer: str, server_key: str, now: datetime) -> Viewer:
        """The viewer as whom a shop's server names: an address, or what it calls a customer. Raises Unauthenticated for
        a key that is not the organisation's, or holds no more.
        """
        if not self._shop_servers.knows(server_key, viewer.organisation_code, now):
            raise _refused()
        return replace(viewer, address=named(customer))

    async def ended(self, authorizations: Iterable[str]) -> frozenset[str]:
        """The headers among these whose API keys were revoked, by one look at all of them.

        Nothing is said of others, which may be no longer good for other reasons.
        """
        digests = {
            header: _digest(key[0]) for header in authorizations if (key := _API_KEY.fullmatch(_sent(header) or ""))
        }
        if not digests:
            return frozenset()
        async with self._sessions.reading() as session:
            revoked = await db.revoked(session, frozenset(digests.values()))
        return frozenset(header for header, digest in digests.items() if digest in revoked)

    async def _key_holder(self, key: str, organisation: str, now: datetime) -> Viewer:
        hour = now.replace(minute=0, second=0, microsecond=0)
        async with self._sessions.reading() as session:
            holder = await db.find_key_holder(session, organisation, _digest(key))
            if holder is not None and (holder.last_used_at is None or holder.last_used_at < hour):
                await db.note_use(session, holder, hour)
        if holder is None:
            raise _refused()
        return Viewer(
            Audience.PARTNER,
            holder.organisation,
            organisation,
            f"partner:{holder.contact_code}",
            contact=holder.contact,
            point_of_sale=holder.point_of_sale,
            catalogue_version=holder.catalogue_version,
        )

    async def _bearer(self, token: str, now: datetime) -> Viewer:
        claims = self._verified(token, now)
        try:
            found = await self._found(claims)
        except NotFound:
            raise _refused() from None
        return Viewer(
            claims.audience,
            found.organisation,
            claims.organisation,
            claims.actor,
            contact=found.contact,
            point_of_sale=found.point_of_sale,
            roles=claims.roles,
            counter_profile=claims.counter_profile,
            catalogue_version=found.catalogue_version,
        )

    async def _found(self, claims: _Claims) -> db.TokenSubjects:
        """The ids of all that the claims name; raises NotFound for the first that is missing."""
        async with self._sessions.reading() as session:
            found = await db.find_named(session, claims.organisation, claims.point_of_sale, claims.contact)
        if found is None:
            raise _missing("organisation", claims.organisation)
        if claims.point_of_sale is not None and found.point_of_sale is None:
            raise _missing("point_of_sale", claims.point_of_sale)
        if claims.contact is not None and found.contact is None:
            raise _missing("contact", claims.contact)
        return found

    def _signed(self, claims: _Claims, expires: datetime | None) -> str:
        payload = {
            "iss": ISSUER,
            "aud": claims.audience,
            "org": claims.organisation,
            "pos": claims.point_of_sale,
            "contact": claims.contact,
            "roles": sorted(claims.roles),
            "sub": claims.name,
            "profile": claims.counter_profile,
            "exp": int(expires.timestamp()) if expires else None,
        }
        said = {name: value for name, value in payload.items() if value}
        return jwt.encode({"alg": ALGORITHMS[0]}, said, self._key, ALGORITHMS)

    def _verified(self, token: str, now: datetime) -> _Claims:
        rules = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True},
        )
        try:
            claims = jwt.decode(token, self._key, ALGORITHMS).claims
            rules.validate(claims)
            return _read(claims)
        except ExpiredTokenError:
            raise Unauthenticated(text("credentials_expired")) from None
        except (JoseError, ValueError, KeyError):
            raise _refused() from None


_NEEDED: Final = {
    Audience.SHOPPER: {"pos"},
    Audience.CONTACT: {"pos", "contact", "exp"},
    Audience.STAFF: {"sub", "roles", "exp"},
}


def _read(claims: Mapping[str, object]) -> _Claims:
    """The claims of a genuine token; raises ValueError where they are not what its audience needs."""
    audience = Audience(_word(claims, "aud") or "")
    if missing := _NEEDED[audience] - claims.keys():
        raise ValueError(missing)
    roles = claims.get("roles", [])
    if not isinstance(roles, list):
        raise ValueError("roles")
    if audience is Audience.STAFF and not roles:
        # It would open nothing.
        raise ValueError("roles")
    return _Claims(
        audience,
        _word(claims, "org") or "",
        _word(claims, "pos"),
        _word(claims, "contact"),
        frozenset(StaffRole(role) for role in roles),
        _word(claims, "sub"),
        _word(claims, "profile"),
    )


def _word(claims: Mapping[str, object], name: str) -> str | None:
    value = claims.get(name)
    if value is None:
        return None
    # PostgreSQL takes no NUL, and what is half of a surrogate pair cannot be encoded.
    if not isinstance(value, str) or b"\0" in value.encode():
        raise ValueError(name)
    return value


def _known_roles(roles: Iterable[str]) -> frozenset[StaffRole]:
    unknown = [role for role in roles if role not in StaffRole.__members__]
    if unknown:
        known = ", ".join(StaffRole)
        raise InvalidInput(
            [Problem(("roles",), text("credentials_unknown_role", role=role, roles=known)) for role in unknown]
        )
    return frozenset(StaffRole(role) for role in roles)


def _sent(authorization: str) -> str | None:
    """The token or key in a header; None where it has none."""
    bearer = _BEARER.fullmatch(authorization) if len(authorization) <= LONGEST else None
    return None if bearer is None else bearer[1]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _refused() -> UnknownCredentials:
    """One answer for all that is wrong with credentials: it is of no use to who makes them up."""
    return UnknownCredentials(text("credentials_refused"))


def _missing(what: str, code: str) -> NotFound:
    path: Path = (what,)
    return NotFound(path, text(f"credentials_unknown_{what}", code=code))
