"""The access code that opens a PARTNER advantage: one at a time, the same for all who have it."""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from db.codes import chosen_codes as db
from db.codes.chosen_codes import ChosenCode
from db.codes.codes import CodeKind, CodeStatus
from db.core.ids import next_id
from services.codes.checks import check_alive, check_free
from services.codes.format import check_chosen, normalise, tidied
from services.core.errors import InvalidInput, Path, Problem
from services.core.problems import Problems
from services.core.texts import text
from services.core.transactions import Transaction
from services.core.viewer import Viewer

_PATH: Final[Path] = ("target", "accessCode")


@dataclass(frozen=True, slots=True)
class AccessCodeExchange:
    """What becomes of an advantage's access codes: one that is ``new``, those that are switched on or off, or spelled
    otherwise.
    """

    new: ChosenCode | None = None
    changed: tuple[ChosenCode, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return self.new is None and not self.changed

    @property
    def opens(self) -> bool:
        """Whether there is a code to enter after it."""
        return self.new is not None or any(each.is_active for each in self.changed)

    @property
    def audited(self) -> dict[str, object]:
        """What the record of the change says of it."""
        on = [each.shown for each in (self.new, *self.changed) if each is not None and each.is_active]
        off = [each.shown for each in self.changed if not each.is_active]
        return {} if self.is_nothing else {"accessCode": [next(iter(off), None), next(iter(on), None)]}


async def plan(
    transaction: Transaction, viewer: Viewer, offer: UUID, wanted: str | None, problems: Problems
) -> AccessCodeExchange:
    """How ``wanted`` becomes the access code of an advantage, None where it is to have none.

    The one before is switched off, and can come back, unless it was invalidated for good. A code that is anybody's in
    the organisation is a problem, whatever it is spelled like, but for those of a CLOSED offer.
    """
    connection, organisation = transaction.connection, transaction.organisation
    if wanted is not None and check_chosen(wanted) is not None:
        return AccessCodeExchange()
    code = None if wanted is None else normalise(wanted)
    own = [stored.chosen for stored in await db.access_codes(connection, organisation, [offer], lock=True)]
    off = tuple(
        replace(each, status=CodeStatus.SWITCHED_OFF, invalidated_at=transaction.now, invalidated_by=viewer.actor)
        for each in own
        if each.is_active and each.code != code
    )
    if wanted is None or code is None:
        return AccessCodeExchange(changed=off)
    known = next((each for each in own if each.code == code), None)
    if known is None:
        for stored in await db.with_text(connection, organisation, [code]):
            problems.refuse(_PATH, check_free(wanted, stored, offer, CodeKind.ACCESS))
        new = ChosenCode(next_id(), code, tidied(wanted), CodeKind.ACCESS, offer, None, CodeStatus.AVAILABLE)
        return AccessCodeExchange(new, off)
    problems.refuse(_PATH, check_alive(wanted, known))
    on = replace(known, shown=tidied(wanted), status=CodeStatus.AVAILABLE, invalidated_at=None, invalidated_by=None)
    return AccessCodeExchange(changed=off if on == known else (*off, on))


async def carry_out(transaction: Transaction, exchange: AccessCodeExchange) -> None:
    """Raises InvalidInput where somebody else took the code since it was planned."""
    await db.save(transaction.connection, transaction.organisation, exchange.changed)
    new = exchange.new
    if new is not None and not await db.add(transaction.connection, transaction.organisation, new):
        raise InvalidInput([Problem(_PATH, text("code_taken", code=new.shown))])
