"""Why an offer or a code does not apply, and the codes that a customer entered."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.pricing.values import value


class RefusalCode(StrEnum):
    """Why an offer or a code does not apply."""

    UNKNOWN_CODE = "UNKNOWN_CODE"
    CODE_ALREADY_USED = "CODE_ALREADY_USED"
    CODE_HELD = "CODE_HELD"
    CODE_INVALIDATED = "CODE_INVALIDATED"
    SWITCHED_OFF = "SWITCHED_OFF"
    OFFER_NOT_RUNNING = "OFFER_NOT_RUNNING"
    NOT_STARTED = "NOT_STARTED"
    EXPIRED = "EXPIRED"
    SALE_CLOSED = "SALE_CLOSED"
    WRONG_CHANNEL = "WRONG_CHANNEL"
    WRONG_DELIVERY_MODE = "WRONG_DELIVERY_MODE"
    NOT_TARGETED = "NOT_TARGETED"
    NO_ELIGIBLE_TICKET = "NO_ELIGIBLE_TICKET"
    QUOTA_EXHAUSTED = "QUOTA_EXHAUSTED"
    ORDER_LIMIT_EXCEEDED = "ORDER_LIMIT_EXCEEDED"
    CONTACT_LIMIT_EXCEEDED = "CONTACT_LIMIT_EXCEEDED"
    MINIMUM_BASKET_NOT_REACHED = "MINIMUM_BASKET_NOT_REACHED"
    NOT_COMBINABLE = "NOT_COMBINABLE"
    NO_BENEFIT = "NO_BENEFIT"
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"


@value
class Amount:
    """An amount of money in a refusal, in minor units."""

    minor: int


@value
class Tickets:
    """A number of tickets."""

    count: int


@value
class Instant:
    """A point in time."""

    at: datetime


@value
class Things:
    """Catalogue things named by id (channels, points of sale, delivery modes); () is none."""

    ids: tuple[UUID, ...]


@value
class Words:
    """Codes or enum values that need no translation: a level, a state, a counter profile."""

    values: tuple[str, ...]


Finding = Amount | Tickets | Instant | Things | Words


@value
class Refusal:
    """One thing that stands in the way, with what was required and what was found where that says more.

    ``detail`` picks a more exact message than the code's own, by key: ``mistyped`` for a failed check character, and
    what pricing itself says (``services.pricing.rules``). ``basket`` is the one that holds a code, where that is the
    same contact's.
    """

    code: RefusalCode
    required: Finding | None = None
    actual: Finding | None = None
    detail: str | None = None
    basket: UUID | None = None


def over_at(refusals: Iterable[Refusal]) -> datetime | None:
    """The instant from which none of the refusals stands in the way any more; None where that does not come by itself.

    A code that was not looked up may be anything: whatever else there is, it is worth trying again.
    """
    found = list(refusals)
    untried = [each for each in found if each.code is RefusalCode.TOO_MANY_ATTEMPTS]
    ends = [_end(each) for each in untried or found]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _end(refusal: Refusal) -> datetime | None:
    match refusal:
        case Refusal(code=RefusalCode.TOO_MANY_ATTEMPTS | RefusalCode.NOT_STARTED, required=Instant(at)):
            return at
        case Refusal(code=RefusalCode.CODE_HELD, actual=Instant(at)):
            return at
        case Refusal(detail="campaign_not_running", required=Instant(start), actual=Instant(now)) if now < start:
            return start
    return None


@value
class EnteredCode:
    """A code as the customer entered it, with what a look-up found.

    ``offer`` is None for a code that opens nothing here; ``code`` is the stored code's id. ``refusals`` are what the
    look-up itself found against it (unknown, used, held elsewhere, invalidated, uses exhausted).
    """

    text: str
    code: UUID | None = None
    offer: UUID | None = None
    refusals: tuple[Refusal, ...] = ()
