"""The codes that a data file chooses for its offers: custom ones of promotional codes, access codes of advantages."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from db.codes.chosen_codes import ChosenCode, StoredCode
from db.codes.codes import CodeKind, CodeStatus
from db.core.ids import next_id
from services.codes.format import normalise, tidied
from services.dataset.existing import Existing, Keys
from services.dataset.parsing import Document

LOADER: Final = "load"
"""Who it was, in records of what loading did."""


def chosen_codes(document: Document, existing: Existing, ids: Keys, now: datetime) -> list[ChosenCode]:
    """The custom and access codes that are new or changed, and the access codes that others have replaced.

    A custom code that staff switched off stays off unless the file says ``"active": true``; one that an earlier file
    switched off comes back when a file has it without. An advantage's access code is on, and its only one.
    """
    codes = {}
    for promotion in document.promotional_codes:
        offer = ids("promotionalCodes", promotion.item.code)
        for custom in promotion.item.custom_codes:
            stored = existing.codes.get(normalise(custom.code))
            code = _code(custom.code, CodeKind.CUSTOM, offer, custom.max_uses, stored)
            by_staff = not code.is_active and code.invalidated_by != LOADER
            active = not by_staff if custom.active is None else custom.active
            codes[code.code] = _on(code) if active else _off(code, now)
    for advantage in document.advantages:
        access_code = advantage.item.target.access_code
        if access_code is not None:
            stored = existing.codes.get(normalise(access_code))
            code = _code(access_code, CodeKind.ACCESS, ids("advantages", advantage.item.code), None, stored)
            codes[code.code] = _on(code)
    advantages = {ids("advantages", advantage.item.code) for advantage in document.advantages}
    for text, stored in existing.codes.items():
        if text not in codes and stored.chosen.kind is CodeKind.ACCESS and stored.chosen.offer_id in advantages:
            codes[text] = _off(stored.chosen, now)
    return [code for text, code in codes.items() if text not in existing.codes or existing.codes[text].chosen != code]


def first_limited(codes: Iterable[ChosenCode], existing: Existing) -> list[ChosenCode]:
    """The codes that exist without a maximum of uses and are given one."""
    unlimited = {code for code, stored in existing.codes.items() if stored.chosen.max_uses is None}
    return [code for code in codes if code.code in unlimited and code.max_uses is not None]


def _code(shown: str, kind: CodeKind, offer: UUID, max_uses: int | None, stored: StoredCode | None) -> ChosenCode:
    """The code as the file has it, in the state that it is in."""
    if stored is not None:
        return replace(stored.chosen, shown=tidied(shown), max_uses=max_uses)
    return ChosenCode(next_id(), normalise(shown), tidied(shown), kind, offer, max_uses, CodeStatus.AVAILABLE)


def _on(code: ChosenCode) -> ChosenCode:
    return replace(code, status=CodeStatus.AVAILABLE, invalidated_at=None, invalidated_by=None)


def _off(code: ChosenCode, now: datetime) -> ChosenCode:
    if not code.is_active:
        return code
    return replace(code, status=CodeStatus.INVALIDATED, invalidated_at=now, invalidated_by=LOADER)
