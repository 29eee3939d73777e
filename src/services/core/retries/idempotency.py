"""One effect a key: the same key and the same input give the same answer, however often they are sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final
from uuid import RFC_4122, UUID

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core import idempotency as db
from services.core.errors import (
    CodeRefused,
    Conflict,
    Failure,
    Forbidden,
    InvalidInput,
    NotFound,
    Path,
    Problem,
    RefusedTicket,
    TicketRefused,
    TotalChanged,
    VersionClash,
)
from services.core.retries import unversioned_fingerprints
from services.core.retries.fingerprints import fingerprint
from services.core.texts import Text, text
from services.core.viewer import Audience, Viewer, network
from services.pricing.facts.refusals import Refusal

MAXIMUM_LENGTH: Final = 255

Answer = Mapping[str, UUID]
"""What was made, by name: enough to give the same answer again."""


@dataclass(frozen=True, slots=True)
class _Text:
    key: str
    values: dict[str, str | int | dict[str, str]]


@dataclass(frozen=True, slots=True)
class _StoredAnswer:
    """An answer as it is kept: what was made, or which failure was told."""

    made: dict[str, UUID] | None = None
    failure: str | None = None
    said: _Text = _Text("not_found", {})
    path: Path = ()
    problems: tuple[tuple[Path, _Text], ...] = ()
    problem_count: int = 0
    refusals: tuple[Refusal, ...] = ()
    total: int | None = None
    version: int | None = None
    state: str | None = None
    refused: RefusedTicket | None = None


_TOLD: Final = TypeAdapter(_StoredAnswer)


class IdempotentRequest:
    """A request that is to have one effect and one answer under its caller's idempotency key, if it has one.

    All anonymous shoppers of a shop send the same token, so that a key is theirs by what else they know: by the
    ``basket``, whose id cannot be guessed, where the request names one; by itself, where it is a UUID; else by the
    network address.

    ``request`` is the input, of values that have a canonical form (``services.core.retries.fingerprints``): one
    argument, or a tuple of them in an order that stays. Keys are kept for two days, over upgrades too.
    """

    def __init__(
        self, viewer: Viewer, key: str | None, operation: str, request: object, basket: UUID | None = None
    ) -> None:
        if key is not None and not (1 <= len(key) <= MAXIMUM_LENGTH and key.isprintable()):
            problem = Problem(("idempotencyKey",), text("bad_idempotency_key", maximum=MAXIMUM_LENGTH))
            raise InvalidInput([problem])
        self.operation = operation
        self._viewer = viewer
        self._key = key
        self._request = request
        self._basket = basket

    @property
    def organisation(self) -> UUID:
        return self._viewer.organisation_id

    @property
    def is_keyed(self) -> bool:
        return self._key is not None

    @cached_property
    def _caller(self) -> str:
        actor = self._viewer.actor
        if self._viewer.audience is not Audience.SHOPPER:
            return actor
        if self._basket is not None:
            return f"{actor}/{self._basket}"
        return actor if _is_unguessable(self._key) else f"{actor}@{network(self._viewer.address)}"

    @cached_property
    def _fingerprint(self) -> bytes:
        return fingerprint(self.operation, self._request)

    def _is_of(self, stored: bytes) -> bool:
        """Whether a stored fingerprint is this request's; one of a version that is not known here never is."""
        if len(stored) == unversioned_fingerprints.LENGTH:
            return stored == unversioned_fingerprints.fingerprint(self.operation, self._request)
        return stored == self._fingerprint

    @property
    def name(self) -> tuple[str, str] | None:
        """Caller and key, None where there is no key."""
        return None if self._key is None else (self._caller, self._key)

    def keyed(self) -> db.KeyedRequest | None:
        """The request under its key, where it has one."""
        return None if self._key is None else db.KeyedRequest(self._caller, self._key, self._fingerprint)

    def answered(self, answer: Answer | Failure) -> db.KeyedAnswer | None:
        """The answer under its key, where it has one."""
        return None if self._key is None else db.KeyedAnswer(self._caller, self._key, _value(answer))

    def told(self, effect: db.StoredEffect) -> Answer | Failure:
        """What was told under the key before: Conflict where it came with another input."""
        if not self._is_of(effect.fingerprint):
            return Conflict(text("idempotency_key_reused"))
        told = _TOLD.validate_python(effect.answer)
        return _failure(told) if told.made is None else told.made


def _is_unguessable(key: str | None) -> bool:
    """Whether a key is a UUID in its usual form, which programs make of random numbers."""
    try:
        parsed = UUID(key or "")
    except ValueError:
        return False
    return parsed.variant == RFC_4122 and parsed.version in (4, 7) and str(parsed) == (key or "").lower()


async def begin(
    connection: AsyncConnection, organisation: UUID, requests: Sequence[IdempotentRequest], *, waits: bool = True
) -> list[Answer | Failure | None]:
    """Takes the keys of requests for this transaction; what each was answered before under its key, None for new ones.

    A second caller with the key of a first that still runs waits until that has committed or rolled back. Where it does
    not wait, the transaction from now on waits 300 ms at the most for what another one has locked, and then fails. No
    two of the requests may have the same key.
    """
    keyed = [each for each in (request.keyed() for request in requests) if each is not None]
    effects = await db.begin(connection, organisation, keyed, waits=waits) if keyed else {}
    return [
        None if request.name is None or request.name not in effects else request.told(effects[request.name])
        for request in requests
    ]


async def finish(
    connection: AsyncConnection, organisation: UUID, answers: Iterable[tuple[IdempotentRequest, Answer | Failure]]
) -> None:
    """Keeps the answers of requests under their keys, in the transaction of their effects."""
    keyed = [each for each in (request.answered(answer) for request, answer in answers) if each is not None]
    if keyed:
        await db.finish(connection, organisation, keyed)


async def give_up(connection: AsyncConnection, organisation: UUID, requests: Sequence[IdempotentRequest]) -> None:
    """Lets go of keys that ``begin`` took for requests that were not answered."""
    names = [name for name in (request.name for request in requests) if name is not None]
    if names:
        await db.give_up(connection, organisation, names)


def _value(answer: Answer | Failure) -> object:
    told = _told(answer) if isinstance(answer, Failure) else _StoredAnswer(made=dict(answer))
    return _TOLD.dump_python(told, mode="json", exclude_defaults=True)


def _told(failure: Failure) -> _StoredAnswer:
    match failure:
        case InvalidInput(problems=problems):
            kept = tuple((problem.path, _kept(problem.text)) for problem in problems)
            return _StoredAnswer(
                failure="InvalidInput", said=_kept(failure.text), problems=kept, problem_count=failure.count
            )
        case NotFound(path=path):
            return _StoredAnswer(failure="NotFound", said=_kept(failure.text), path=path)
        case CodeRefused(refusals=refusals):
            return _StoredAnswer(failure="CodeRefused", said=_kept(failure.text), refusals=refusals)
        case Conflict():
            return _told_conflict(failure)
    return _StoredAnswer(failure=type(failure).__name__, said=_kept(failure.text))


def _told_conflict(failure: Conflict) -> _StoredAnswer:
    return _StoredAnswer(
        failure="Conflict",
        said=_kept(failure.text),
        total=failure.total if isinstance(failure, TotalChanged) else None,
        version=failure.version if isinstance(failure, VersionClash) else None,
        state=failure.state,
        refused=failure.refused if isinstance(failure, TicketRefused) else None,
    )


def _failure(told: _StoredAnswer) -> Failure:
    said = _said(told.said)
    match told.failure:
        case "InvalidInput":
            problems = [Problem(path, _said(kept)) for path, kept in told.problems]
            return InvalidInput(problems, count=max(told.problem_count, len(problems)))
        case "NotFound":
            return NotFound(told.path, said)
        case "CodeRefused":
            return CodeRefused(told.refusals)
        case "Forbidden":
            return Forbidden(said)
    return _conflict(said, told)


def _conflict(said: Text, told: _StoredAnswer) -> Conflict:
    if told.refused is not None:
        return TicketRefused(said, told.refused)
    if told.total is not None:
        return TotalChanged(said, told.total)
    if told.version is not None:
        return VersionClash(said, told.version)
    return Conflict(said, state=told.state)


def _kept(said: Text) -> _Text:
    return _Text(said.key, {name: _kept_value(value) for name, value in said.values.items()})


def _kept_value(value: object) -> str | int | dict[str, str]:
    if isinstance(value, int):
        return value
    return dict(value) if isinstance(value, Mapping) else str(value)


_FORMER: Final = {
    "basket_changed": "too_busy",
    "offer_has_random_codes": "invalid_input",
    "partner_key_name_unusable": "text_characters",
    "reason_unusable": "text_characters",
    "remark_unusable": "text_characters",
}
"""Sentences of answers that an older version kept, with what says nearly that now: keys are kept for two days."""


def _said(kept: _Text) -> Text:
    return Text(_FORMER.get(kept.key, kept.key), MappingProxyType(dict(kept.values)))
