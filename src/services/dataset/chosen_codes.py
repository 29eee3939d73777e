"""The codes that a data file chooses for its offers: custom ones of promotional codes, access codes of advantages."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from db.codes.chosen_codes import ChosenCode, StoredCode
from db.codes.codes import CodeKind, CodeStatus
from db.core.ids import next_id
from services.codes.format import normalise, tidied
from services.dataset.existing import Existing, Keys
from services.dataset.parsing import Document
from services.pricing.facts.offers import OfferState

LOADER: Final = "load"
"""Who it was, in records of what loading did."""


def chosen_codes(document: Document, existing: Existing, ids: Keys, now: datetime) -> list[ChosenCode]:
    """The custom and access codes that are new or changed, and the access codes that others have replaced; those of
    offers that are CLOSED first, for they may give up their texts to others.

    A custom code that staff switched off stays off unless the file says ``"active": true``; one that an earlier file
    switched off comes back when a file has it without. An advantage's access code is on, and its only one.
    """
    wanted = sorted(_wanted(document, ids), key=lambda each: not each.is_closed)
    open_texts = {each.text for each in wanted if not each.is_closed}
    codes = _Codes(existing, open_texts, now)
    for each in wanted:
        codes.choose(each)
    advantages = {ids("advantages", advantage.item.code) for advantage in document.advantages}
    codes.replace_others_of(advantages)
    stored = {each.chosen.id: each.chosen for each in existing.codes.values()}
    return [code for code in codes.found.values() if stored.get(code.id) != code]


def first_limited(codes: Iterable[ChosenCode], existing: Existing) -> list[ChosenCode]:
    """The codes that exist without a maximum of uses and are given one."""
    unlimited = {stored.chosen.id for stored in existing.codes.values() if stored.chosen.max_uses is None}
    return [code for code in codes if code.id in unlimited and code.max_uses is not None]


@dataclass(frozen=True, slots=True)
class _WantedCode:
    """A code as the file has it; ``active`` None leaves it to what it was."""

    shown: str
    kind: CodeKind
    offer: UUID
    is_closed: bool
    max_uses: int | None = None
    active: bool | None = True

    @property
    def text(self) -> str:
        return normalise(self.shown)


def _wanted(document: Document, ids: Keys) -> Iterator[_WantedCode]:
    for promotion in document.promotional_codes:
        offer, is_closed = ids("promotionalCodes", promotion.item.code), promotion.item.state is OfferState.CLOSED
        for custom in promotion.item.custom_codes:
            yield _WantedCode(custom.code, CodeKind.CUSTOM, offer, is_closed, custom.max_uses, custom.active)
    for advantage in document.advantages:
        access_code = advantage.item.target.access_code
        if access_code is not None:
            offer, is_closed = ids("advantages", advantage.item.code), advantage.item.state is OfferState.CLOSED
            yield _WantedCode(access_code, CodeKind.ACCESS, offer, is_closed)


@dataclass(slots=True)
class _Codes:
    """The codes ``found`` so far, by their texts; ``open_texts`` are those of offers that are not CLOSED."""

    existing: Existing
    open_texts: set[str]
    now: datetime
    found: dict[str, ChosenCode] = field(default_factory=dict)

    def choose(self, wanted: _WantedCode) -> None:
        stored = self.existing.code_of(wanted.offer, wanted.kind, wanted.text)
        code = _code(wanted, stored)
        if wanted.is_closed and self._is_anothers(wanted.text, code):
            code = replace(code, code=code.former)
        by_staff = not code.is_active and code.invalidated_by != LOADER
        active = not by_staff if wanted.active is None else wanted.active
        self.found[code.code] = _on(code) if active and not code.is_gone else _off(code, self.now)

    def _is_anothers(self, text: str, code: ChosenCode) -> bool:
        """Whether a CLOSED offer's code cannot have its text, because another one has it or is given it."""
        owner = self.existing.codes.get(text)
        is_stored = owner is not None and owner.chosen.id != code.id
        return is_stored or text in self.open_texts or text in self.found

    def replace_others_of(self, advantages: set[UUID]) -> None:
        """Switches off the access codes of these that the file does not have."""
        kept = {code.id for code in self.found.values()}
        for text, stored in self.existing.codes.items():
            code = stored.chosen
            if code.id not in kept and code.kind is CodeKind.ACCESS and code.offer_id in advantages:
                self.found.setdefault(text, _off(code, self.now))


def _code(wanted: _WantedCode, stored: StoredCode | None) -> ChosenCode:
    """The code as the file has it, in the state that it is in."""
    shown = tidied(wanted.shown)
    if stored is not None:
        return replace(stored.chosen, shown=shown, max_uses=wanted.max_uses)
    return ChosenCode(next_id(), wanted.text, shown, wanted.kind, wanted.offer, wanted.max_uses, CodeStatus.AVAILABLE)


def _on(code: ChosenCode) -> ChosenCode:
    return replace(code, status=CodeStatus.AVAILABLE, invalidated_at=None, invalidated_by=None)


def _off(code: ChosenCode, now: datetime) -> ChosenCode:
    if not code.is_active:
        return code
    return replace(code, status=CodeStatus.SWITCHED_OFF, invalidated_at=now, invalidated_by=LOADER)
