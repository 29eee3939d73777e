"""Partners' API keys: which there are, what they are called, and how they end (docs/domain.md, Who may do what)."""

from datetime import datetime
from typing import Final
from uuid import UUID

from db.access import audit
from db.access import credentials as db
from db.access.credentials import StoredKey
from db.core.sessions import Sessions
from services.core.errors import Conflict, NotFound
from services.core.problems import Problems
from services.core.text_checks import check_label
from services.core.texts import text

__all__ = ["PartnerKeys", "StoredKey", "checked_name"]

LONGEST_NAME: Final = 100


class PartnerKeys:
    """What the operator does with the keys of one organisation, named by its code; ``actor`` stands in the audit.

    Everything raises NotFound where there is no such organisation or key.
    """

    def __init__(self, sessions: Sessions, organisation: str, actor: str) -> None:
        self._sessions = sessions
        self._organisation = organisation
        self._actor = actor

    async def all(self) -> list[StoredKey]:
        """Those that were revoked too, by the contact's code and the order of their making."""
        organisation = await self._found()
        async with self._sessions.reading() as connection:
            return await db.keys_of(connection, organisation)

    async def name(self, key: UUID, name: str) -> None:
        """Gives a key another name. Raises InvalidInput where that cannot be one."""
        name, organisation = checked_name(name), await self._found()
        async with self._sessions.writing() as connection:
            if not await db.name_key(connection, organisation, key, name):
                raise _unknown(key)
            entry = audit.NewAuditEntry(self._actor, "namePartnerKey", "PartnerKey", key, {"name": name})
            await audit.record(connection, organisation, entry)

    async def revoke(self, key: UUID, now: datetime) -> None:
        """Ends a key for good: no process takes it any more, and what was begun with it ends within a second.

        Raises Conflict where it was revoked before.
        """
        organisation = await self._found()
        async with self._sessions.writing() as connection:
            match await db.revoke_key(connection, organisation, key, now):
                case None:
                    raise _unknown(key)
                case False:
                    raise Conflict(text("partner_key_revoked", id=str(key)))
            entry = audit.NewAuditEntry(self._actor, "revokePartnerKey", "PartnerKey", key, {})
            await audit.record(connection, organisation, entry)

    async def _found(self) -> UUID:
        async with self._sessions.reading() as connection:
            found = await db.find_named(connection, self._organisation, None, None)
        if found is None:
            raise NotFound(("organisation",), text("credentials_unknown_organisation", code=self._organisation))
        return found.organisation


def checked_name(name: str) -> str:
    """The name without space around it. Raises InvalidInput unless that has 1 to 100 printable characters."""
    name = name.strip()
    problems = Problems()
    problems.refuse(("name",), check_label(name, LONGEST_NAME))
    problems.check()
    return name


def _unknown(key: UUID) -> NotFound:
    return NotFound(("key",), text("partner_key_unknown", id=str(key)))
