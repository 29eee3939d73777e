"""What a data file's offers, codes and batches must be; the rules are those of offers and codes in docs/domain.md."""

from collections.abc import Iterator, Mapping
from typing import Final
from uuid import UUID

from pydantic.alias_generators import to_camel

from db.codes.batches import DocumentType
from db.codes.codes import CodeKind
from services.catalogue.offer_details import OfferDetails, OfferKind
from services.codes.format import normalise
from services.core.errors import Path, Problem
from services.core.texts import text
from services.dataset import offer_format as form
from services.dataset.existing import Existing
from services.dataset.outline import Outline
from services.dataset.parsing import Document, Placed
from services.dataset.rules import each_once, in_order
from services.pricing.facts.offers import OfferState, TargetType

_RUNNING: Final = frozenset({OfferState.RUNNING, OfferState.SUSPENDED, OfferState.CLOSED})
_LATER: Final[Mapping[OfferState, frozenset[OfferState]]] = {
    OfferState.DRAFT: frozenset(OfferState),
    OfferState.VALIDATED: _RUNNING | {OfferState.VALIDATED},
    OfferState.RUNNING: _RUNNING,
    OfferState.SUSPENDED: _RUNNING,
    OfferState.CLOSED: frozenset({OfferState.CLOSED}),
}
"""The states that can be reached from each, through others where need be."""

_TARGET_FIELDS: Final[Mapping[TargetType, frozenset[str]]] = {
    TargetType.PUBLIC: frozenset(),
    TargetType.INDICATOR: frozenset({"indicator", "level"}),
    TargetType.CONTACTS: frozenset({"campaign"}),
    TargetType.PARTNER: frozenset({"access_code"}),
    TargetType.SINGLE_USE_CODE: frozenset({"tickets_per_code"}),
}


class OfferChecks:
    """Looks at one file's offers."""

    def __init__(self, outline: Outline, existing: Existing) -> None:
        self._outline = outline
        self._existing = existing
        details = () if existing.catalogue is None else existing.catalogue.offer_details.values()
        self._stored = {(each.kind, each.code): each for each in details}

    def problems(self, document: Document) -> Iterator[Problem]:
        for advantage in document.advantages:
            yield from self._offer(advantage, OfferKind.ADVANTAGE)
            yield from self._target(advantage)
            yield from self._family(advantage)
            yield from each_once((*advantage.path, "benefit", "rates"), advantage.item.benefit.rates or ())
        for promotion in document.promotional_codes:
            yield from self._offer(promotion, OfferKind.PROMOTIONAL_CODE)
            yield from self._promotion(promotion)
        for batch in document.batches:
            yield from self._batch(batch)

    def _offer(
        self, entry: Placed[form.AdvantageItem] | Placed[form.PromotionalCodeItem], kind: OfferKind
    ) -> Iterator[Problem]:
        offer = entry.item
        yield from in_order(entry.path, offer.valid_from, offer.valid_until, "validUntil")
        stored = self._stored.get((kind, offer.code))
        if stored is not None and offer.state not in _LATER[stored.state]:
            yield Problem((*entry.path, "state"), text("state_unreachable", state=offer.state, now=stored.state))
        seen = set()
        for position, limit in enumerate(offer.limits.elements):
            path = (*entry.path, "limits", "elements", str(position))
            if limit.quota is None and limit.per_order is None and limit.per_contact is None:
                yield Problem(path, text("limit_missing"))
            if limit.element in seen:
                yield Problem(path, text("limit_twice"))
            seen.add(limit.element)

    # ── Advantages ───────────────────────────────────────────────────────────────────────────────

    def _target(self, entry: Placed[form.AdvantageItem]) -> Iterator[Problem]:
        """Exactly the fields that the target type asks for; single-use codes that were made keep theirs."""
        advantage, target = entry.item, entry.item.target
        stored = self._stored.get((OfferKind.ADVANTAGE, advantage.code))
        was_single_use = stored is not None and stored.target_type is TargetType.SINGLE_USE_CODE
        if was_single_use and advantage.target_type is not TargetType.SINGLE_USE_CODE and self._is_generated(stored):
            yield Problem((*entry.path, "targetType"), text("target_has_codes"))
        asked, given = _TARGET_FIELDS[advantage.target_type], target.model_fields_set
        for name in sorted(asked | given):
            path = (*entry.path, "target", to_camel(name))
            if name not in asked:
                yield Problem(path, text("target_field_unused", target=advantage.target_type))
            elif getattr(target, name) is None and name != "tickets_per_code":
                yield Problem(path, text("target_field_missing", target=advantage.target_type))
        if target.indicator is not None and target.level is not None:
            yield from self._level((*entry.path, "target", "level"), target.indicator, target.level)
        if target.access_code is not None:
            path = (*entry.path, "target", "accessCode")
            yield from self._free(path, target.access_code, OfferKind.ADVANTAGE, advantage.code, is_on=True)

    def _level(self, path: Path, indicator: str, level: str) -> Iterator[Problem]:
        if not self._outline.has_level(indicator, level):
            yield Problem(path, text("level_unknown", indicator=indicator, level=level))

    def _free(self, path: Path, shown: str, kind: OfferKind, offer: str, *, is_on: bool) -> Iterator[Problem]:
        """A code that customers enter is no other offer's, nor a random one, nor switched on where it is gone."""
        code = self._existing.codes.get(normalise(shown))
        stored = self._stored.get((kind, offer))
        wanted = CodeKind.ACCESS if kind is OfferKind.ADVANTAGE else CodeKind.CUSTOM
        if code is not None and (stored is None or code.chosen.offer_id != stored.id or code.chosen.kind is not wanted):
            yield Problem(path, text("code_taken", code=shown))
        elif code is not None and code.chosen.is_gone and is_on:
            yield Problem(path, text("code_gone", code=shown))

    def _family(self, entry: Placed[form.AdvantageItem]) -> Iterator[Problem]:
        """What an advantage names is of its own family and season: it could apply to nothing else."""
        advantage = entry.item
        scope, path = advantage.scope, (*entry.path, "scope")
        named = [((*path, "products", str(i)), code) for i, code in enumerate(scope.products)]
        for position, code in enumerate(scope.performances):
            named.append(((*path, "performances", str(position)), self._outline.product_of.get(code, "")))
        for position, limit in enumerate(advantage.limits.elements):
            section, code = limit.element
            product = code if section == "products" else self._outline.product_of.get(code)
            if section in {"products", "performances"} and product is not None:
                named.append(((*entry.path, "limits", "elements", str(position)), product))
        for place, product in named:
            if self._outline.family_of.get(product, advantage.family) != advantage.family:
                yield Problem(place, text("outside_family", family=advantage.family))
            elif self._outline.season_of.get(product, advantage.season) != advantage.season:
                yield Problem(place, text("outside_season", season=advantage.season))

    # ── Promotional codes ────────────────────────────────────────────────────────────────────────

    def _promotion(self, entry: Placed[form.PromotionalCodeItem]) -> Iterator[Problem]:
        promotion = entry.item
        level = promotion.restricted_to.indicator
        if level is not None:
            yield from self._level((*entry.path, "restrictedTo", "indicator", "level"), level.indicator, level.level)
        if promotion.custom_codes and self._is_generated(
            self._stored.get((OfferKind.PROMOTIONAL_CODE, promotion.code))
        ):
            yield Problem((*entry.path, "customCodes"), text("offer_has_random_codes"))
        for position, custom in enumerate(promotion.custom_codes):
            path = (*entry.path, "customCodes", str(position))
            is_on, kind = custom.active is True, OfferKind.PROMOTIONAL_CODE
            yield from self._free((*path, "code"), custom.code, kind, promotion.code, is_on=is_on)
            stored = self._existing.codes.get(normalise(custom.code))
            if stored is not None and custom.max_uses is not None and custom.max_uses < stored.uses:
                yield Problem((*path, "maxUses"), text("below_taken", taken=stored.uses))

    # ── Batches ──────────────────────────────────────────────────────────────────────────────────

    def _batch(self, entry: Placed[form.BatchItem]) -> Iterator[Problem]:
        batch, path = entry.item, entry.path
        if not self._takes_codes(batch):
            key = "promotionalCode" if batch.advantage is None else "advantage"
            yield Problem((*path, key), text("offer_takes_no_codes"))
        if self._outline.kind_of.get(batch.contact) == "INDIVIDUAL":
            yield Problem((*path, "contact"), text("contact_is_no_structure"))
        address = batch.destination or self._outline.email_of.get(batch.contact)
        if batch.document_type is not DocumentType.NO_EMAIL and not address:
            yield Problem((*path, "destination"), text("no_mail_address"))
        made = self._existing.batches.get(batch.code)
        if made is not None and (made.offer_id, made.contact_id, made.quantity) != self._wanted(batch):
            yield Problem(path, text("batch_made", quantity=made.quantity))

    def _takes_codes(self, batch: form.BatchItem) -> bool:
        """A promotional code is entered by codes that were chosen or by random ones, not by both."""
        if batch.advantage is not None:
            return self._outline.target_type_of.get(batch.advantage) == TargetType.SINGLE_USE_CODE
        return batch.promotional_code not in self._outline.with_custom_codes

    def _is_generated(self, stored: OfferDetails | None) -> bool:
        """Whether codes were made of an offer."""
        return stored is not None and stored.id in self._existing.generated

    def _wanted(self, batch: form.BatchItem) -> tuple[UUID | None, UUID | None, int]:
        kind = OfferKind.PROMOTIONAL_CODE if batch.advantage is None else OfferKind.ADVANTAGE
        offer = self._stored.get((kind, batch.advantage or batch.promotional_code or ""))
        contact = self._existing.contacts.get(batch.contact)
        return offer.id if offer else None, contact.id if contact else None, batch.quantity
