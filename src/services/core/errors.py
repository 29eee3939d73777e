"""What a service raises when it cannot do what was asked.

::

    Failure                 expected: the client can act on it; rolls back, becomes a member of the result union
    ├── InvalidInput        the input is wrong, each problem with its path
    ├── NotFound            nothing with that id here, for this caller
    ├── Conflict            the state of the thing does not allow it
    │   ├── TotalChanged    it costs something else by now
    │   ├── VersionClash    somebody has changed it since it was read
    │   ├── TicketRefused   a ticket does not admit, or is not cancelled
    │   └── TooMany         this client, or this shop, asks for more than it may
    ├── CodeRefused         a code does not apply, with every reason
    ├── Unauthenticated     no credentials, or none that hold
    └── Forbidden           these credentials do not give the right

Everything else that escapes a service is a fault, and is masked at the edge: an outage, which passes, or one of ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Final, Protocol
from uuid import UUID

from db.core.outages import is_unavailable
from services.core.failure_codes import FAILURE_CODES, INPUT_RULES, FailureCode, InputRule
from services.core.texts import Text
from services.pricing.facts.refusals import Refusal, over_at

MOST_LISTED: Final = 50
"""Problems of one input that are listed; what comes after is counted. Nobody mends more of them by hand at a time."""

Path = tuple[str, ...]


class Failure(Exception):  # noqa: N818 - the contract's own word
    """An expected failure. ``text`` says what is wrong and what to do, in any of the five languages.

    ``retry_after``: seconds after which it is worth trying again, by the same idempotency key too; None where waiting
    does not help.
    """

    retry_after: int | None = None

    def __init__(self, text: Text) -> None:
        super().__init__(text.key)
        self.text = text

    @property
    def passes(self) -> bool:
        """Whether waiting mends it: then it is not kept under an idempotency key, which may be sent again."""
        return self.retry_after is not None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the input; ``path`` as in ``("lines", "0", "quantity")``."""

    path: Path
    text: Text

    @property
    def rule(self) -> InputRule:
        """Which rule was broken, as the sentence says."""
        return INPUT_RULES[self.text.key]


class ProblemList(Protocol):
    """Problems that can be counted without being looked at."""

    def __iter__(self) -> Iterator[Problem]: ...
    def __len__(self) -> int: ...


class InvalidInput(Failure):
    """Every problem with the input at once: the first ``most`` of them, all where it is None, and their ``count``."""

    code = FailureCode.INVALID_INPUT

    def __init__(self, problems: ProblemList, most: int | None = MOST_LISTED, *, count: int | None = None) -> None:
        super().__init__(Text("invalid_input"))
        self.problems = tuple(islice(problems, most))
        self.count = len(problems) if count is None else count


class NotFound(Failure):
    """Nothing that the caller may see has the id at ``path``."""

    code = FailureCode.NOT_FOUND

    def __init__(self, path: Path, text: Text | None = None) -> None:
        super().__init__(text or Text("not_found"))
        self.path = path


class Conflict(Failure):
    """The state of the thing does not allow it; ``code`` says in which way, and comes of the sentence.

    ``state`` is that of the thing, in its enum's spelling, where it has states.
    """

    def __init__(self, text: Text, *, state: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.code = FAILURE_CODES[text.key]
        self.state = state
        self.retry_after = retry_after


class TotalChanged(Conflict):
    """It costs ``total`` by now, in minor units, and not what the customer saw."""

    def __init__(self, text: Text, total: int) -> None:
        super().__init__(text)
        self.total = total


class VersionClash(Conflict):
    """It has ``version`` by now, and not the one that was read."""

    def __init__(self, text: Text, version: int) -> None:
        super().__init__(text)
        self.version = version


class EntryRefusal(StrEnum):
    """Why a ticket does not admit, or is not cancelled."""

    TICKET_CANCELLED = "TICKET_CANCELLED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    WRONG_PERFORMANCE = "WRONG_PERFORMANCE"
    WRONG_PRODUCT = "WRONG_PRODUCT"
    ALREADY_CONTROLLED = "ALREADY_CONTROLLED"
    TOO_EARLY = "TOO_EARLY"
    TOO_LATE = "TOO_LATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedTicket:
    """The ticket that is refused, and all that a gate shows of it.

    ``controlled_at``, ``controlled_by`` and ``controlled_at_point_of_sale`` are those of its last entry.
    """

    ticket: UUID
    reason: EntryRefusal
    product: UUID
    performance: UUID | None
    entries: int
    entries_allowed: int
    controlled_at: datetime | None = None
    controlled_by: str | None = None
    controlled_at_point_of_sale: UUID | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    cancelled_at: datetime | None = None


class TicketRefused(Conflict):
    """A ticket does not admit, or can no longer be cancelled; ``refused`` says why, with the facts."""

    def __init__(self, text: Text, refused: RefusedTicket) -> None:
        super().__init__(text)
        self.refused = refused


class TooMany(Conflict):
    """More than one client, or one point of sale, may ask for, or have open at once."""

    def __init__(self, text: Text, retry_after: int | None) -> None:
        super().__init__(text, retry_after=retry_after)


class CodeRefused(Failure):
    """A code does not apply; ``refusals`` are all the reasons why."""

    code = FailureCode.CODE_REFUSED

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(Text("code_refused"))
        self.refusals = tuple(refusals)

    @property
    def passes(self) -> bool:
        """Whether nothing stands in the way that does not end by itself."""
        return over_at(self.refusals) is not None


class Unauthenticated(Failure):
    """Credentials are missing, broken or expired."""


class Forbidden(Failure):
    """The credentials do not give the right that the operation needs."""


def is_outage(fault: BaseException) -> bool:
    """Whether a fault is of the moment, the database away or with nothing left to give: later, the same may succeed."""
    return is_unavailable(fault)
